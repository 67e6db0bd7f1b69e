"""The report's two plots, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hazardscribe.evaluation.baselines import BASELINES
from hazardscribe.evaluation.report_words import METRICS, WORDS
from hazardscribe.evaluation.result import Evaluation, Score
from hazardscribe.pages import plot_language, plot_style, svg_text

_COLOURS = {
    "model": "#1f5fa8",
    "most_frequent": "#c3cad3",
    "always_hazard": "#dcb878",
    "nearest": "#8fb8a4",
}
_BARS = ("hazard_f1", "balanced_accuracy", "element_f1", "rouge_l", "bleu_4")
_BY_KIND = {"en": "F1 by kind of hazard (photos)", "zh": "各隐患类别的 F1（照片数）"}
_NONE_RIGHT = {"en": "0 throughout: no kind was named rightly", "zh": "全为 0：没有说对任何类别"}
_WIDTH = 5.4  # inches; at 72 dots an inch about a phone's width, so that labels stay legible

_MOST_ELEMENTS = 24


def score_plot(evaluation: Evaluation) -> str | None:
    """Bars with intervals: model and baselines, scores in 0..1 and CIDEr-D on its own axis."""
    language, fonts = plot_language(evaluation.language)
    systems: dict[str, Mapping[str, Score]] = {"model": evaluation.metrics}
    for name in BASELINES:
        scores = evaluation.baselines.get(name)
        if scores is not None:
            systems[name] = scores
    groups = [
        [name for name in _BARS if evaluation.metrics[name].value is not None],
        ["cider_d"] if evaluation.metrics["cider_d"].value is not None else [],
    ]
    groups = [group for group in groups if group]
    if not groups:
        return None
    with plot_style(fonts):
        from matplotlib.figure import Figure

        rows = [len(group) for group in groups]
        figure = Figure(figsize=(_WIDTH, 0.9 + 0.72 * sum(rows) + 0.35 * len(rows)))
        axes = figure.subplots(len(groups), 1, squeeze=False, height_ratios=rows)[:, 0]
        for axis, group in zip(axes, groups, strict=True):
            _bars(axis, group, systems, language)
            if "cider_d" not in group:
                axis.set_xlim(0, 1)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="upper center", ncols=2)
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.62 / figure.get_figheight()))
        return svg_text(figure)


def element_plot(evaluation: Evaluation) -> str | None:
    """F1 with interval of each kind of hazard that some photo shows, most frequent first."""
    language, fonts = plot_language(evaluation.language)
    rows = sorted(
        ((name, score) for name, score in evaluation.elements.items() if score.support),
        key=lambda item: -item[1].support,
    )[:_MOST_ELEMENTS]
    if not rows:
        return None
    labels = [
        f"{score.label if language == evaluation.language else name.replace('_', ' ')}"
        f" ({score.support})"
        for name, score in rows
    ]
    with plot_style(fonts):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH, 0.8 + 0.34 * len(rows)))
        axis = figure.subplots()
        _draw(axis, range(len(rows)), [score.f1 for _, score in rows], 0.6, _COLOURS["model"])
        axis.set_yticks(range(len(rows)), labels)
        axis.invert_yaxis()
        axis.set_xlim(0, 1)
        axis.set_xlabel(_BY_KIND[language])
        if not any(score.f1.value for _, score in rows):
            axis.text(0.5, (len(rows) - 1) / 2, _NONE_RIGHT[language], ha="center", va="center")
        figure.tight_layout()
        return svg_text(figure)


def _bars(
    axis: Any, names: Sequence[str], systems: Mapping[str, Mapping[str, Score]], language: str
) -> None:
    height = 0.8 / len(systems)
    for number, (system, scores) in enumerate(systems.items()):
        places = [row - 0.4 + (number + 0.5) * height for row in range(len(names))]
        label = WORDS[language][system]
        _draw(axis, places, [scores[n] for n in names], height * 0.88, _COLOURS[system], label)
    axis.set_yticks(range(len(names)), [METRICS[name][language == "zh"] for name in names])
    axis.invert_yaxis()


def _draw(
    axis: Any,
    places: Sequence[float],
    scores: Sequence[Score],
    height: float,
    colour: str,
    label: str | None = None,
) -> None:
    values = [score.value or 0.0 for score in scores]
    axis.barh(places, values, height=height, color=colour, label=label, zorder=2)
    for place, score in zip(places, scores, strict=True):
        if score.low is not None and score.high is not None:
            axis.plot([score.low, score.high], [place] * 2, color="#26303b", lw=1.1, zorder=3)
