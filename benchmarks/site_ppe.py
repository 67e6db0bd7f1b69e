"""Train on real photos of personal protective equipment and report on their validation split.

    python benchmarks/site_ppe.py --data DIR --parts DIR                    # English, llm-en
    python benchmarks/site_ppe.py --data DIR --parts DIR --variant zh-scratch
    python benchmarks/site_ppe.py --data DIR --parts DIR --variant zh-cpu       # recipes/cpu.yaml

DIR of --data is the site-ppe folder (pairs.csv, photos/); DIR of --parts holds the pretrained parts
`vision-cnn`, `llm-en`, `llm-zh` and `text`. The tower, EfficientNet-Lite0 at 256 pixels, is trained
in every variant; `zh-cpu` is the recipe that users copy, as it stands. Figures go to
benchmarks/results/site-ppe/<variant>/ and the table beside them is written anew; checkpoints stay
in --work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "site-ppe"
COLUMNS = ("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "cider_d", "bleu_4")
BASELINES = ("most_frequent", "always_hazard", "nearest")


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table: a language, a language model and its recipe."""

    llm: str
    recipe: str
    title: str


VARIANTS = {
    "en": Variant("llm-en", "site-ppe-en.yaml", "English, SmolLM2-135M"),
    "zh-scratch": Variant("scratch", "site-ppe-zh.yaml", "Chinese, language model from scratch"),
    "zh-cpu": Variant("llm-zh", "cpu.yaml", "Chinese, Gemma 3 270M, recipes/cpu.yaml"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--variant", choices=VARIANTS, default="en")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "site-ppe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on with a run that was cut off")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    import torch

    from hazardscribe import Recipe, verbs

    variant = VARIANTS[args.variant]
    work = args.work / f"{args.variant}-seed{args.seed}"
    start = args.work / f"{args.variant}-start"
    recipe = Recipe.load(ROOT / "recipes" / variant.recipe)
    recipe = replace(recipe, start=str(start), seed=args.seed)
    if recipe.alignment.text_encoder.startswith("PARTS/"):
        alignment = replace(recipe.alignment, text_encoder=str(args.parts / "text"))
        recipe = replace(recipe, alignment=alignment)
    if not start.exists():
        verbs.init(
            start,
            vision=str(args.parts / "vision-cnn"),
            llm="scratch" if variant.llm == "scratch" else str(args.parts / variant.llm),
            data=args.data,
            image_size=256,
            chat="plain",
            target=recipe.target,
        )
    run = verbs.train(args.data, recipe, work, resume=args.resume, progress=True)
    seconds = json.loads((work / "run.json").read_text(encoding="utf-8"))["seconds"]
    evaluation = verbs.evaluate_model(
        run.model,
        args.data,
        work,
        text_encoder=str(args.parts / "text"),
        text_prefix="query: ",
        progress=True,
    )
    record = {
        "variant": args.variant,
        "title": variant.title,
        "seed": args.seed,
        "train_minutes": round(seconds / 60, 1),
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
        "dev": run.metrics,
    }
    keep_figures(work, RESULTS / args.variant, record)
    write_table()
    print(f"report: {work / 'report.html'}")
    print(f"validation hazard F1 {float(evaluation.metrics['hazard_f1']):.3f}")


def keep_figures(work: Path, kept: Path, record: dict[str, Any]) -> None:
    """Copy what is small and free of photos: metrics, run record with its log, loss plot."""
    kept.mkdir(parents=True, exist_ok=True)
    for name in ("metrics.json", "run.json", "loss.png"):
        text = work / name
        if name.endswith(".json"):
            # Paths of the machine that measured are no part of the result.
            data = json.loads(text.read_text(encoding="utf-8"))
            (kept / name).write_text(
                json.dumps(shorten(data), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
        else:
            shutil.copyfile(text, kept / name)
    (kept / "record.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def shorten(value: Any) -> Any:
    """Absolute paths to their last name, everywhere in a nested value."""
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shorten(item) for item in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value


def write_table() -> None:
    """The table of all variants measured so far, each beside its three baselines."""
    lines = [
        "# site-ppe: real photos, validation split (165 photos, 72 with a hazard)",
        "",
        "Made by `benchmarks/site_ppe.py`; 95 % bootstrap intervals over photos; one run each.",
        "What the baselines are: docs/evaluation.md. Photos: see ATTRIBUTION.md.",
        "",
        "| run | " + " | ".join(COLUMNS) + " | minutes, threads |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    notes = []
    for name in VARIANTS:
        folder = RESULTS / name
        if not (folder / "record.json").exists():
            continue
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        minutes = record["train_minutes"]  # None of a run that was cut off, or shared its machine
        cost = f"{'-' if minutes is None else f'{minutes:.0f}'}, {record['threads']}"
        cells = [cell(metrics[column]) for column in COLUMNS]
        lines.append(f"| **{record['title']}** | {' | '.join(cells)} | {cost} |")
        for baseline in BASELINES:
            scores = metrics["baselines"][baseline]
            cells = [cell(scores[column]) if scores else "-" for column in COLUMNS]
            lines.append(f"| {name}: {baseline.replace('_', ' ')} | {' | '.join(cells)} | |")
        if "note" in record:
            notes.append(f"{record['title']}: {record['note']}")
    lines += ["", *notes]
    (RESULTS / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cell(score: dict[str, float | None]) -> str:
    if score["value"] is None:
        return "-"
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


if __name__ == "__main__":
    main()
