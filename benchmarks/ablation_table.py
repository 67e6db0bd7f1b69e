"""Make the tables of docs/method.md from the figures that benchmarks/ablation.py kept.

    python benchmarks/ablation_table.py benchmarks/plans/scenes.yaml
    python benchmarks/ablation_table.py benchmarks/plans/site-ppe.yaml --data DIR --parts DIR

A table stands in docs/method.md between `<!-- plan -->` and `<!-- /plan -->`, with `plan` the name
of the plan's file. Means over seeds; intervals and differences by the paired bootstrap over photos
and seeds (`hazardscribe.evaluation.paired`), each row against the plan's first; `--against ROW`
makes a table of the differences to another row (marks `<!-- plan-against-ROW -->`). Without its
marks a table is printed alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from ablation import RESULTS, ROOT, pairs_of, read_plan

PAGE = ROOT / "docs" / "method.md"
SCORES = ("cider_d", "element_f1", "hazard_f1", "balanced_accuracy", "false_alarm_rate")
DIFFERENCES = ("cider_d", "balanced_accuracy")
COMPARED = ("cider_d", "element_f1", "balanced_accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--data", type=Path, help="pairs, where the plan draws no scenes")
    parser.add_argument("--parts", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "ablation")
    parser.add_argument("--split", default="validation", choices=("validation", "dev"))
    parser.add_argument("--times", type=float, default=1, help="as benchmarks/ablation.py was told")
    parser.add_argument("--against", help="a row: the differences of all others to it, alone")
    args = parser.parse_args()
    plan = read_plan(args.plan, args.parts)
    name = args.plan.stem if args.times == 1 else f"{args.plan.stem}-{args.times:g}x"
    runs = figures(name, plan)
    if args.split == "dev":
        table = dev_table(runs, plan)
    else:
        data = pairs_of(plan, args.data, args.work / args.plan.stem)
        table = validation_table(runs, plan, data, args.against)
    print(table)
    write_table(name + (f"-against-{args.against}" if args.against else ""), table)


def figures(name: str, plan: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The kept runs of each row of the plan, in the plan's order and by seed."""
    runs: dict[str, list[dict[str, Any]]] = {row: [] for row in plan["rows"]}
    for path in sorted((RESULTS / name).glob("*-seed*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["row"] in runs:
            runs[record["row"]].append(record)
    for of_row in runs.values():
        of_row.sort(key=lambda record: record["seed"])
    return {row: of_row for row, of_row in runs.items() if of_row}


def dev_table(runs: dict[str, list[dict[str, Any]]], plan: dict[str, Any]) -> str:
    """Scores on dev, by which settings are chosen."""
    names = ("cider_d", "element_f1", "hazard_f1", "balanced_accuracy", "distinct_share")
    lines = ["| row | seeds | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row, of_row in runs.items():
        means = [sum(run["dev"][name] for run in of_row) / len(of_row) for name in names]
        cells = " | ".join(f"{mean:.3f}" for mean in means)
        lines.append(f"| {title(plan, row)} | {len(of_row)} | {cells} |")
    return "\n".join(lines)


def validation_table(
    runs: dict[str, list[dict[str, Any]]], plan: dict[str, Any], data: Path, against: str | None
) -> str:
    """Scores on validation, each row's difference to the first row's; or to another's, alone."""
    from hazardscribe.evaluation.paired import mean_scores, paired_differences

    truth = truth_of(plan, data)
    reference = next(iter(runs))
    hashes = {run["split_hash"] for of_row in runs.values() for run in of_row}
    if len(hashes) != 1:
        raise SystemExit(f"the runs were evaluated on different splits: {sorted(hashes)}")
    texts = {row: [predictions(run) for run in of_row] for row, of_row in runs.items()}
    if against:
        head = ["row", "seeds", *COMPARED]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for row, systems in texts.items():
            if row != against:
                differences = paired_differences(truth, systems, texts[against])
                cells = [title(plan, row), str(len(systems))]
                cells += [cell(differences[name], "+") for name in COMPARED]
                lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)
    head = ["row", "seeds", *SCORES, *(f"{name}, difference" for name in DIFFERENCES), "distinct"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row, systems in texts.items():
        scores = mean_scores(truth, systems)
        differences = paired_differences(truth, systems, texts[reference])
        cells = [title(plan, row), str(len(systems)), *(cell(scores[name]) for name in SCORES)]
        cells += ["" if row == reference else cell(differences[name], "+") for name in DIFFERENCES]
        distinct = [run["metrics"]["distinct_share"]["value"] for run in runs[row]]
        cells.append(", ".join(f"{value:.2f}" for value in distinct))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def predictions(run: dict[str, Any]) -> list[str]:
    """What a kept run wrote of each validation photo, in the order of the truth."""
    return [run["texts"][at] for at in run["predictions"]]


def truth_of(plan: dict[str, Any], data: Path) -> Any:
    """What is true of the validation photos, in the order of the predictions."""
    from hazardscribe.evaluation import Rules
    from hazardscribe.evaluation.photo_scores import Truth
    from hazardscribe.evaluation.rows import cases_from_rows
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.targets import detect_language, target_texts

    pairs = read_pairs(data)
    rows = list(pairs["validation"])
    target = plan["recipe"].get("target", "{description}")
    texts = target_texts(rows, target)
    photos = dict.fromkeys(str(row["photo"]) for row in rows)
    cases = cases_from_rows(rows, texts, dict.fromkeys(photos, ""))
    language = detect_language(texts)
    return Truth.of(cases, Rules.load(language), language)


def title(plan: dict[str, Any], row: str) -> str:
    """What a row is called in the table."""
    return str(plan["rows"][row].get("title", row))


def cell(score: Any, sign: str = "") -> str:
    """A score with its interval."""
    if score.value is None:
        return "-"
    return f"{score.value:{sign}.3f} [{score.low:{sign}.3f}, {score.high:{sign}.3f}]"


def write_table(name: str, table: str) -> None:
    """Put the table between its marks on the page."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = (re.escape(f"<!-- {mark}{name} -->") for mark in ("", "/"))
    marks = re.compile(rf"({start}\n).*?({end})", re.DOTALL)
    if not marks.search(page):
        print(f"{PAGE.name} has no marks <!-- {name} -->: printed alone", file=sys.stderr)
        return
    PAGE.write_text(marks.sub(lambda m: f"{m[1]}{table}\n{m[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
