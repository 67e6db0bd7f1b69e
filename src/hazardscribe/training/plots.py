"""The course of a training as a picture: losses or rewards, and the dev scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def plot_losses(history: list[dict[str, Any]], path: Path, score: str) -> None:
    """Draw the losses over the steps, and the dev score under them, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    losses, scores = figure.subplots(2, 1, sharex=True)
    for name in ("caption", "alignment"):
        _curve(losses, history, f"{name}_loss", name)
    losses.set_ylabel("negative log-likelihood, nats")
    if losses.lines:
        losses.legend()
    _curve(scores, history, f"eval_{score}", score, marker="o")
    scores.set_ylabel(f"dev {score}")
    scores.set_xlabel("step")
    figure.savefig(path, dpi=120)


def plot_rewards(
    history: list[dict[str, Any]], path: Path, parts: Sequence[str], score: str
) -> None:
    """Draw the rewards over the steps, the distance from the start, and the dev scores, as a PNG.

    Args:
        parts: names of the reward's parts. score: the dev score that decides.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 7.5), layout="constrained")
    rewards, distance, scores = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 3))
    curves = {"reward": "reward", **{name: f"rewards/{name}/mean" for name in parts}}
    for name, key in curves.items():
        width = 2 if key == "reward" else 1
        _curve(rewards, history, key, name.replace("_", " "), linewidth=width)
    rewards.set_ylabel("reward of drawn descriptions")
    _curve(distance, history, "kl", "KL to the start, a token")
    _curve(distance, history, "entropy", "entropy, a token")
    distance.set_ylabel("nats")
    for name in dict.fromkeys((score, "element_f1", "hazard_f1")):
        _curve(scores, history, f"eval_{name}", name, marker="o")
    scores.set_ylabel("dev")
    scores.set_xlabel("step")
    for axes in (rewards, distance, scores):
        if axes.lines:
            axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)


def _curve(axes: Any, history: list[dict[str, Any]], key: str, label: str, **style: Any) -> None:
    points = [(entry["step"], entry[key]) for entry in history if entry.get(key) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, **style)
