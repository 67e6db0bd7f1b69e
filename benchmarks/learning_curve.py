"""Would more photos help? The scores of a plan's rows over their share of the training photos.

    python benchmarks/learning_curve.py benchmarks/plans/site-ppe.yaml --data DIR --parts DIR

Takes the figures that benchmarks/ablation.py kept of the rows `--rows` (default: `corpus` and those
named after it), which had the same operations on more or fewer photos. Means over seeds with 95 %
intervals by the bootstrap over photos and seeds. Writes the table between the marks
`<!-- NAME -->` of docs/method.md and docs/pictures/NAME.svg (`--name`, by default learning-curve);
dashed lines are what is aimed at.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation import ROOT, read_plan, thinned
from ablation_table import cell, figures, predictions, truth_of, write_table

PICTURES = ROOT / "docs" / "pictures"
# score -> what it is called, what is aimed at, the kind of hazard whose photos count for it
SHOWN = {
    "hazard_f1": ("hazard F1", 0.80, None),
    "balanced_accuracy": ("balanced accuracy", 0.82, None),
    "false_alarm_rate": ("false alarms on safe photos", 0.15, None),
    "element_f1.vest_missing": ("no vest: F1", None, "vest_missing"),
    "element_f1.helmet_missing": ("no hard hat: F1", 0.60, "helmet_missing"),
    "cider_d": ("CIDEr-D", None, None),
}


@dataclass(frozen=True)
class Point:
    """One row of the plan: training photos, those of each kind among them, scores of its seeds."""

    photos: int
    kinds: dict[str, int]
    seeds: int
    scores: dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", type=Path)
    parser.add_argument("--rows", nargs="+", help="rows that differ in train_share alone")
    parser.add_argument("--name", default="learning-curve", help="of table and picture")
    args = parser.parse_args()
    plan = read_plan(args.plan, args.parts)
    rows = args.rows or [name for name in plan["rows"] if name.split("-")[0] == "corpus"]
    points = points_of(plan, figures(args.plan.stem, plan), rows, args.data)
    table = table_of(points)
    print(table)
    write_table(args.name, table)
    plot(points, PICTURES / f"{args.name}.svg")


def points_of(
    plan: dict[str, Any], runs: dict[str, Any], rows: Sequence[str], data: Path
) -> list[Point]:
    """The rows that have runs, by their number of photos."""
    from hazardscribe.evaluation import Rules
    from hazardscribe.evaluation.paired import mean_scores
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.targets import detect_language, target_texts

    truth, pairs, points = truth_of(plan, data), read_pairs(data), []
    target = plan["recipe"].get("target", "{description}")
    for row in rows:
        if row not in runs:
            continue
        train = list(thinned(pairs, plan["rows"][row].get("train_share", 1))["train"])
        texts = target_texts(train, target)
        rules = Rules.load(detect_language(texts))
        named = [rules.elements(text) for text in texts]
        kinds = {kind: sum(kind in found for found in named) for *_, kind in SHOWN.values() if kind}
        of_seeds = [predictions(run) for run in runs[row]]
        photos = len({one["photo"] for one in train})
        points.append(Point(photos, kinds, len(of_seeds), mean_scores(truth, of_seeds)))
    return sorted(points, key=lambda point: point.photos)


def table_of(points: Sequence[Point]) -> str:
    """A row for each score, a column for each number of photos."""
    head = [f"{p.photos} photos, {p.seeds} seed{'s' if p.seeds > 1 else ''}" for p in points]
    lines = ["| score | aimed at | " + " | ".join(head) + " |", "|---" * (len(points) + 2) + "|"]
    for name, (title, aim, kind) in SHOWN.items():
        cells = [title, "" if aim is None else f"{aim:.2f}"]
        for point in points:
            of = f" ({point.kinds[kind]} photos)" if kind else ""
            cells.append(cell(point.scores[name]) + of)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(points: Sequence[Point], path: Path) -> None:
    """Each score over the photos that count for it."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "learning-curve"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(9, 5), layout="constrained")
    for axis, (name, (title, aim, kind)) in zip(axes.flat, SHOWN.items(), strict=True):
        photos = [point.kinds[kind] if kind else point.photos for point in points]
        scores = [point.scores[name] for point in points]
        values = [score.value for score in scores]
        below = [score.value - score.low for score in scores]
        above = [score.high - score.value for score in scores]
        axis.errorbar(photos, values, [below, above], marker="o", capsize=3)
        if aim is not None:
            axis.axhline(aim, linestyle="--", color="grey")
        axis.set_xscale("log")
        axis.set_xticks(photos, [str(count) for count in photos], minor=False)
        axis.set_xticks([], minor=True)
        axis.set(title=title, xlabel=f"training photos{' that show it' if kind else ''}")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
