"""What is gained by training on corrections: anew, or on from the old model in several ways.

    python benchmarks/corrections.py --data DIR --parts DIR [--share 0.5]

DIR of --data is the site-ppe folder, DIR of --parts holds the pretrained parts (see site_ppe.py). A
model learns from a share of the training photos; the others play the corrections that came later.
Then four models learn from them, as docs/corrections.md has it: `anew` from the first start on all
photos with the whole recipe; `on` from the old model on all photos, `gently` the same with a fifth
of the learning rates, and `alone` from the old model on the corrections alone; these three without
the first stage, in which the encoder learns by itself. Passes over the photos are those of the
recipe. Figures: benchmarks/results/corrections.json; one
run each, so that the intervals are those over photos alone.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from measuring import processor

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "corrections.json"
SHOWN = (
    "hazard_f1",
    "balanced_accuracy",
    "false_alarm_rate",
    "element_f1",
    "cider_d",
    "risk_of_all",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5, help="of the photos that are old")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "corrections")
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "site-ppe-zh.yaml")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    import torch

    import hazardscribe as hs
    from ablation import thinned

    whole = hs.read_pairs(args.data)
    old = thinned(whole, args.share)
    corrections = without(whole, set(old["train"]["photo"]))
    start, recipe = args.work / "start", hs.Recipe.load(args.recipe)
    if not start.exists():
        vision = str(args.parts / "vision-cnn")
        folder = hs.export(old, to="pairs", out=args.work / "old-pairs")
        hs.init(start, vision=vision, data=folder, image_size=256, chat="plain")
    alignment = replace(recipe.alignment, text_encoder=str(args.parts / "text"))
    recipe = replace(recipe, alignment=alignment)
    steps = recipe.steps or 0
    first = recipe.alignment.first_share or 0.0
    on = replace(recipe, alignment=replace(alignment, first_share=0.0))  # the second stage alone
    later = round(steps * (1 - first))
    gently = slower(on, 0.2)

    def train(name: str, pairs: Any, how: Any, start: Path, steps: int) -> tuple[Path, float]:
        folder = args.work / name
        if not (folder / "model").exists():
            hs.train(pairs, replace(how, start=str(start), steps=steps), folder, progress=True)
        seconds = json.loads((folder / "run.json").read_text(encoding="utf-8"))["seconds"]
        return folder / "model", seconds

    share = len(old["train"]) / len(whole["train"])
    models, minutes = {}, {}
    models["old"], seconds = train("old", old, recipe, start, round(steps * share))
    minutes["old"] = seconds / 60
    for name, *how in (
        ("anew", whole, recipe, start, steps),
        ("on", whole, on, models["old"], later),
        ("gently", whole, gently, models["old"], later),
        ("alone", corrections, on, models["old"], round(later * (1 - share))),
    ):
        models[name], seconds = train(name, *how)
        minutes[name] = seconds / 60

    described = {name: describe(model, whole["validation"]) for name, model in models.items()}
    pairs = [(name, "old") for name in models if name != "old"]
    pairs += [(name, "anew") for name in ("on", "gently", "alone")]
    result = {
        "recipe": args.recipe.name,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "photos": {
            "old": len(set(old["train"]["photo"])),
            "corrections": len(set(corrections["train"]["photo"])),
            "validation": len(set(whole["validation"]["photo"])),
        },
        "minutes": {name: round(value, 1) for name, value in minutes.items()},
        "differences": {
            f"{one} - {other}": compared(described[one], described[other], whole["validation"])
            for one, other in pairs
        },
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def slower(recipe: Any, factor: float) -> Any:
    """The recipe with its parts' learning rates times a factor."""
    parts = {
        part: replace(of_part, learning_rate=factor * of_part.learning_rate)
        for part in ("tower", "projector", "llm")
        for of_part in (getattr(recipe, part),)
    }
    return replace(recipe, **parts)


def describe(model: Path, rows: Any) -> dict[str, Any]:
    """The description of each photo."""
    from hazardscribe import Describer

    photos = list(dict.fromkeys(rows["photo"]))
    return dict(zip(photos, Describer(model)(photos), strict=True))


def compared(ours: dict[str, Any], theirs: dict[str, Any], rows: Any) -> dict[str, Any]:
    """The comparison that `hazardscribe evaluate --against` makes."""
    from hazardscribe.describing.doubt import ANSWERS
    from hazardscribe.evaluation.comparison import compare
    from hazardscribe.evaluation.rows import cases_from_rows
    from hazardscribe.evaluation.rules import Rules
    from hazardscribe.evaluation.selective import Answer
    from hazardscribe.pairs.targets import detect_language, target_texts

    texts = target_texts(rows, "{description}")
    language = detect_language(texts)
    cases = cases_from_rows(rows, texts, {photo: one.draft for photo, one in ours.items()})
    answers = [
        [one.doubt and Answer(one.text, one.doubt) for one in described.values()]
        for described in (ours, theirs)
    ]
    found = compare(
        cases,
        [theirs[case.photo].draft for case in cases],
        (answers[0], answers[1]),
        model="",
        known=0,
        untold=False,
        language=language,
        rules=Rules.load(language).knowing(**ANSWERS[language]),
        resamples=2000,
        seed=0,
    ).to_json()
    scores = found["scores"]
    return {name: found[name] for name in ("photos", "better", "worse")} | {
        name: scores[name] for name in SHOWN
    }


def without(pairs: Any, photos: set[str]) -> Any:
    """The pairs without those training photos."""
    from hazardscribe.pairs.records import Pairs

    frame = pairs.frame[(pairs.frame["split"] != "train") | ~pairs.frame["photo"].isin(photos)]
    return Pairs(frame.reset_index(drop=True), folder=pairs.folder, columns=pairs.columns)


if __name__ == "__main__":
    main()
