"""What does the reward stage gain over the cross-entropy model that it starts from?

    python benchmarks/reward.py --data DIR --start RUN/model [--start RUN2/model] [--seeds 0 1 2]

Runs `recipes/reward.yaml` once a seed, from the starts in turn, describes the validation split with
start and outcome, and compares the two over photos and seeds (evaluation/paired.py). Weights and
stops are chosen on dev. `--set steps=100 --set reward.beta=0.1` changes keys of the recipe. Writes
benchmarks/results/reward-<name>.json.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHOWN = (
    *("cider_d", "bleu_4", "rouge_l", "element_f1"),
    *("hazard_f1", "balanced_accuracy", "false_alarm_rate", "distinct_share"),
)
RESAMPLES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, action="append", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "reward.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--name", default="site-ppe", help="of the result")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "reward")
    parser.add_argument("--resume", action="store_true", help="go on with runs that were cut off")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    import torch

    from hazardscribe import read_pairs
    from hazardscribe.evaluation.paired import mean_scores, paired_differences
    from hazardscribe.evaluation.photo_scores import Truth
    from hazardscribe.evaluation.rows import cases_from_rows
    from hazardscribe.evaluation.rules import Rules
    from hazardscribe.model.checkpoint import load_card
    from hazardscribe.pairs.targets import target_texts

    pairs = read_pairs(args.data)
    rows, card = list(pairs[args.split]), load_card(args.start[0])
    photos = list(dict.fromkeys(row["photo"] for row in rows))
    before, after, runs = [], [], []
    recipe: dict[str, Any] = {}
    for i, seed in enumerate(args.seeds):
        start = args.start[i % len(args.start)]
        recipe = settings(args.recipe, args.set, start, seed)
        run, record = trained(pairs, recipe, args.work / f"{args.name}-seed{seed}", args.resume)
        before.append(described(start, photos))
        after.append(described(run, photos))
        runs.append(record | {"seed": seed})
    cases = cases_from_rows(rows, target_texts(rows, card.target), dict.fromkeys(photos, ""))
    truth = Truth.of(cases, Rules.load(card.language), card.language)
    scores = {
        "start": mean_scores(truth, before, resamples=RESAMPLES),
        "reward": mean_scores(truth, after, resamples=RESAMPLES),
        "difference": paired_differences(truth, after, before, resamples=RESAMPLES),
    }
    result = {
        "split": args.split,
        "photos": len(photos),
        "threads": torch.get_num_threads(),
        "recipe": {key: value for key, value in recipe.items() if key not in ("start", "seed")},
        "runs": runs,
        "scores": {
            name: {of: asdict(found[name]) for of, found in scores.items() if name in found}
            for name in SHOWN
        },
        # By seed, in the photos' order: other intervals can be had without another training.
        "texts": {"start": before, "reward": after},
    }
    out = ROOT / "benchmarks" / "results" / f"reward-{args.name}.json"
    out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for name in SHOWN:
        cells = [str(found[name]) for found in scores.values() if name in found]
        print(f"{name:18}" + "".join(f"{cell:>26}" for cell in cells))


def settings(path: Path, changes: list[str], start: Path, seed: int) -> dict[str, Any]:
    """The recipe as plain values, with changes."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    values: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"))
    for change in changes:
        key, _, value = change.partition("=")
        *above, last = key.split(".")
        place = values
        for name in above:
            place = place.setdefault(name, {})
        place[last] = yaml.load(value)
    return values | {"start": str(start), "seed": seed}


def trained(
    pairs: Any, recipe: dict[str, Any], folder: Path, resume: bool
) -> tuple[Path, dict[str, Any]]:
    """The model folder of a run, trained now or before, and what is to be told of it."""
    from hazardscribe import Recipe, train

    record = folder / "run.json"
    done = ("finished", "stopped_early")
    if not (record.exists() and json.loads(record.read_text())["status"] in done):
        train(pairs, Recipe.from_dict(recipe), folder, resume=resume, progress=True)
    kept = json.loads(record.read_text(encoding="utf-8"))
    curves = ("step", "reward", "kl", "eval_cider_d", "eval_hazard_f1", "eval_element_f1")
    history = [
        {name: round(entry[name], 4) for name in curves if entry.get(name) is not None}
        for entry in kept["history"]
        if "reward" in entry or "eval_cider_d" in entry
    ]
    told = {name: kept[name] for name in ("status", "steps", "seconds", "metrics", "data")}
    return folder / "model", told | {"reason": kept.get("reason"), "history": history}


def described(model: Path, photos: list[str]) -> list[str]:
    """What the model writes of each photo, whether sure of it or not."""
    from hazardscribe import Describer

    describer = Describer(model, calibrated=False)
    return [made.text for made in describer(photos)]


if __name__ == "__main__":
    main()
