"""Train every row of a plan over its seeds, and keep each finished run's figures.

    python benchmarks/ablation.py benchmarks/plans/scenes.yaml
    python benchmarks/ablation.py benchmarks/plans/site-ppe.yaml --data DIR --parts DIR --part 1/2

A plan names the pairs, the model to start from, a recipe and rows that change it. Every row gets
the same training compute: as many steps as cost the floating-point operations of `budget` steps
with both objectives (counted by torch, forward and backward, on a batch of the pairs), so that a
row whose first steps leave the language model out gets more of them. Rows are compared by what
they write about the validation photos with the weights that were best on dev.

A run whose figures lie under benchmarks/results/ablation/<plan>/ is not repeated (`--again` makes
its model once more), and a run that
was cut off goes on where its last checkpoint lies. `--part 1/2` and `--part 2/2` share the work of
a plan between two processes; `--commit` commits each finished run's figures; `--times 10` gives
every run ten times the compute (figures under <plan>-10x); `--list` says what would run.
A row's `train_share` leaves the rest of the training photos out.
`benchmarks/ablation_table.py` makes the tables of docs/method.md from the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from counting import operations

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "ablation"
KEPT = (
    *("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "element_f1_macro"),
    *("cider_d", "bleu_4", "rouge_l", "distinct_share", "shuffle_drop"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path, help="YAML file in benchmarks/plans")
    parser.add_argument("--data", type=Path, help="pairs, where the plan draws no scenes")
    parser.add_argument("--parts", type=Path, help="folder of pretrained parts, put for PARTS")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "ablation")
    parser.add_argument("--part", default="1/1", help="the share of the runs to do here")
    parser.add_argument("--rows", nargs="*", help="only these rows")
    parser.add_argument("--seeds", nargs="*", type=int, help="instead of the plan's")
    parser.add_argument("--times", type=float, default=1, help="the plan's compute, so many times")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches")
    parser.add_argument("--again", action="store_true", help="also what has figures already")
    parser.add_argument("--list", action="store_true", help="say what would run, and stop")
    parser.add_argument("--commit", action="store_true", help="commit each run's figures")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    plan = read_plan(args.plan, args.parts)
    stem = args.plan.stem if args.times == 1 else f"{args.plan.stem}-{args.times:g}x"
    plan["budget"] *= args.times
    plan["recipe"]["workers"] = args.workers
    seeds = args.seeds if args.seeds is not None else plan["seeds"]
    rows = {n: row for n, row in plan["rows"].items() if not args.rows or n in args.rows}
    number, of = map(int, args.part.split("/"))
    runs = [(name, seed) for seed in seeds for name in rows]
    if args.list:
        for name, seed in runs:
            done = (RESULTS / stem / f"{name}-seed{seed}.json").exists()
            steps = f"{plan['budget'] * rows[name].get('budget', 1):g} whole steps' operations"
            print(f"{name} seed {seed}: {'done' if done else steps}")
        return
    work = args.work / stem
    data = pairs_of(plan, args.data, work)
    for name, seed in runs[number - 1 :: of]:
        kept = RESULTS / stem / f"{name}-seed{seed}.json"
        if kept.exists() and not args.again:
            continue
        figures = run(plan, name, rows[name], seed, data, work)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(figures, ensure_ascii=False) + "\n", encoding="utf-8")
        shutil.rmtree(work / f"{name}-seed{seed}" / "checkpoints")
        scores = {n: round(figures["metrics"][n]["value"] or 0, 3) for n in KEPT}
        print(f"{name} seed {seed}: {scores}", flush=True)
        if args.commit:
            commit(kept, f"bench: {stem} ablation, {name}, seed {seed}")


def read_plan(path: Path, parts: Path | None) -> dict[str, Any]:
    """The plan with the folder of parts in place of PARTS."""
    text = path.read_text(encoding="utf-8")
    if "PARTS" in text:
        if parts is None:
            raise SystemExit(f"{path.name} needs pretrained parts: name their folder with --parts")
        text = text.replace("PARTS", str(parts.resolve()))
    plan: dict[str, Any] = YAML(typ="safe").load(text)
    if "extends" not in plan:
        return plan
    base = read_plan(path.parent / plan.pop("extends"), parts)
    rows = plan.get("rows", list(base["rows"]))
    if isinstance(rows, list):  # some of the base's rows
        plan["rows"] = {name: base["rows"][name] for name in rows}
    return merged(base | {"rows": {}}, plan)


def pairs_of(plan: dict[str, Any], named: Path | None, work: Path) -> Path:
    """The pairs' folder; scenes are drawn once."""
    if "scenes" not in plan:
        if named is None:
            raise SystemExit("name the pairs with --data")
        return named
    from hazardscribe.files import new_folder
    from hazardscribe.pairs.scenes import render_scenes

    folder = work / "scenes"
    if not folder.exists():
        with new_folder(folder) as partial:
            render_scenes(partial, **plan["scenes"])
    return folder


def run(
    plan: dict[str, Any], name: str, row: dict[str, Any], seed: int, data: Path, work: Path
) -> dict[str, Any]:
    """Train one row with one seed and evaluate it on validation."""
    import torch

    from hazardscribe import Recipe, verbs
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.training.likelihood import with_first_share

    start = work / "start"
    values = merged(plan["recipe"], row.get("recipe", {}))
    if not start.exists():
        target = values.get("target", "{description}")
        verbs.init(start, data=data, target=target, seed=0, **plan.get("init", {}))
    recipe = with_first_share(replace(Recipe.from_dict(values), start=str(start), seed=seed))
    pairs = thinned(read_pairs(data), row.get("train_share", 1))
    first, joint, both = step_flops(pairs, recipe, work / "probe")
    share = recipe.alignment.first_share or 0
    cost = share * first + (1 - share) * joint
    steps = round(row.get("budget", 1) * plan["budget"] * both / cost)
    recipe = replace(
        recipe,
        steps=steps,
        evaluate_every=max(1, steps // plan["evaluations"]),
        calibrate=False,  # what is compared is what the model says by itself
    )
    out = work / f"{name}-seed{seed}"
    resume = (out / "checkpoints").exists()
    if out.exists() and not resume:
        shutil.rmtree(out)
    processor_seconds = time.process_time()
    trained = verbs.train(pairs, recipe, out, resume=resume, progress=True)
    processor_seconds = time.process_time() - processor_seconds
    evaluation = verbs.evaluate_model(trained.model, data, out, rerank=False)
    texts = list(dict.fromkeys(case.prediction for case in evaluation.cases))
    metrics = evaluation.to_json()
    return {
        "row": name,
        "seed": seed,
        "steps": steps,
        "teraflop": round(steps * cost / 1e12, 2),
        "processor_seconds": None if resume else round(processor_seconds),
        "threads": torch.get_num_threads(),
        "split_hash": evaluation.split_hash,
        "dev": trained.metrics,
        "metrics": {key: metrics[key] for key in KEPT},
        "recipe": shortened(recipe.to_dict()),
        "versions": evaluation.versions | {"torch": torch.__version__},
        "texts": texts,
        # In the order of the validation split: each photo's text.
        "predictions": [texts.index(case.prediction) for case in evaluation.cases],
    }


def thinned(pairs: Any, share: float) -> Any:
    """The pairs with a share of the training rows alone, the same for every seed."""
    from hazardscribe.pairs.records import Pairs

    if share == 1:
        return pairs
    train = pairs.frame.index[pairs.frame["split"] == "train"]
    left_out = random.Random(0).sample(list(train), round((1 - share) * len(train)))
    frame = pairs.frame.drop(index=left_out).reset_index(drop=True)
    return Pairs(frame, folder=pairs.folder, columns=pairs.columns)


def step_flops(pairs: Any, recipe: Any, folder: Path) -> tuple[float, float, float]:
    """Floating-point operations of a step: alignment alone, as in the row, with both objectives."""
    from hazardscribe.training.callbacks import StopOnSignal
    from hazardscribe.training.likelihood import LikelihoodSession

    session = LikelihoodSession(pairs, recipe, folder, progress=False)
    trainer = session.trainer(StopOnSignal())
    batch = next(iter(trainer.get_train_dataloader()))["batch"]
    device = next(session.module.parameters()).device
    batch = {name: value.to(device) for name, value in batch.items()}

    def count(caption: bool, alignment: bool) -> float:
        with operations() as counter:
            losses = session.module(batch, caption=caption, alignment=alignment)
            sum(losses.values()).backward()
        session.module.zero_grad(set_to_none=True)
        return float(counter.get_total_flops())

    options = recipe.alignment
    has_head = options.weight > 0
    first = count(caption=False, alignment=True) if has_head else 0.0
    both = count(caption=True, alignment=has_head)
    joint = count(caption=True, alignment=False) if options.joint_weight == 0 else both
    return first, joint, both


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested mappings laid over each other."""
    result = dict(base)
    for key, value in changes.items():
        inner = result.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        result[key] = merged(inner, value) if both else value
    return result


def shortened(value: Any) -> Any:
    """Paths of the machine that measured are no part of the result."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def commit(file: Path, message: str) -> None:
    """Commit one file; where another process holds the index, a later call takes it along."""
    subprocess.run(["git", "add", str(file.parent)], cwd=ROOT, check=False)
    command = ["git", "commit", "-q", "-m", message, "--", str(file.parent)]
    subprocess.run(command, cwd=ROOT, check=False)


if __name__ == "__main__":
    main()
