"""How fast is a training step, beside TRL's trainer and a plain Trainer doing the same work?

    python benchmarks/training_speed.py --data DIR --start MODEL [--threads 2] [--repeats 3]
    python benchmarks/training_speed.py ... --precision bfloat16 --steps 60
    python benchmarks/training_speed.py ... --megapixels 12 --peers ours trl-defaults

Every peer runs in a process of its own, turn by turn, on the same checkpoint, with the same pairs
in the same order, the same batch, optimizer and learning rates; a ratio is taken within a turn.
Printed: seconds a step (median after the first three), the first losses and how far they lie from
plain Trainer's, peak memory. `--data-path` times the way of photos into batches alone, from the
second epoch on. Writes benchmarks/results/training_speed-<name>.json.

    ours              `DescriptionTrainer`, caption likelihood alone
    ours-both         with the alignment likelihood
    ours-contiguous   without channels-last kernels, whose batch norms are rounded otherwise
    ours-mkl          with the products that PyTorch takes by itself
    ours-mkl-contiguous   without either: its losses begin as plain's do
    ours-giving-back      with memory given back to the system as soon as it is free
    trl               SFTTrainer, prompt and completion apart, no checkpointing, `--workers` workers
                      (on two cores none is best)
    trl-defaults      SFTTrainer as it comes: with checkpointing, in bfloat16
    plain             transformers' Trainer with the model's own loss
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import processor, spread

ROOT = Path(__file__).resolve().parent.parent
PEERS = (
    *(
        "ours",
        "ours-both",
        "ours-contiguous",
        "ours-mkl",
        "ours-mkl-contiguous",
        "ours-giving-back",
    ),
    *("trl", "trl-defaults", "plain"),
)
WARM = 3  # steps left out of the timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--steps", type=int, default=13)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--workers", type=int, default=0, help="that decode for the tuned peers")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--megapixels", type=float, help="blow the photos up to JPEGs of this size")
    parser.add_argument("--data-path", action="store_true", help="no steps, only batches")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "training_speed")
    parser.add_argument("--name", default="cpu", help="of the result")
    parser.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print("RESULT " + json.dumps(work(args)))
        return
    if "ours" not in args.peers:
        parser.error("--peers: ratios are to `ours`, which is missing")
    turns = []
    for turn in range(args.repeats):
        order = args.peers[turn % len(args.peers) :] + args.peers[: turn % len(args.peers)]
        turns.append({peer: run(peer) for peer in order})
        told = {peer: round(found["seconds"], 3) for peer, found in turns[-1].items()}
        print(f"turn {turn + 1}: {told}", file=sys.stderr)
    result = summary(args, turns)
    kind = "data_path" if args.data_path else args.precision
    out = ROOT / "benchmarks" / "results" / f"training_speed-{args.name}-{kind}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_table(result)


def run(peer: str) -> dict[str, Any]:
    """One peer in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--worker", peer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{peer} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


def summary(args: argparse.Namespace, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Ratios of each peer to `ours` within a turn, and how far the losses lie apart."""
    import torch
    import transformers

    reference = "plain" if "plain" in args.peers else args.peers[-1]
    peers: dict[str, Any] = {}
    for peer in args.peers:
        ratios = [turn[peer]["seconds"] / turn["ours"]["seconds"] for turn in turns]
        peers[peer] = {
            "seconds": spread([turn[peer]["seconds"] for turn in turns]),
            "times_ours": spread(ratios),
            "peak_mib": spread([turn[peer]["peak_mib"] for turn in turns]),
        }
        losses, others = turns[0][peer]["losses"], turns[0][reference]["losses"]
        if losses and others:
            apart = [abs(a - b) for a, b in zip(losses[:10], others[:10], strict=True)]
            peers[peer]["first_losses"] = [round(loss, 6) for loss in losses[:10]]
            peers[peer]["first_losses_apart"] = max(apart)
            peers[peer]["last_losses"] = statistics.mean(losses[-20:])
    return {
        "batch": args.batch,
        "steps": args.steps,
        "threads": args.threads,
        "precision": args.precision,
        "megapixels": args.megapixels,
        "losses_beside": reference,
        "processor": processor(),
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "trl": version_of("trl"),
            "python": platform.python_version(),
        },
        "peers": peers,
    }


def print_table(result: dict[str, Any]) -> None:
    print(f"{'':14}{'seconds a step':>24}{'times ours':>24}{'peak MiB':>10}{'losses apart':>14}")
    for peer, found in result["peers"].items():
        cells = [
            f"{one['median']:.3g} [{one['low']:.3g}, {one['high']:.3g}]"
            for one in (found["seconds"], found["times_ours"])
        ]
        apart = found.get("first_losses_apart")
        print(
            f"{peer:14}{cells[0]:>24}{cells[1]:>24}{found['peak_mib']['median']:>10.0f}"
            f"{'-' if apart is None else format(apart, '.1e'):>14}"
        )


# ---- one peer ------------------------------------------------------------------------------------


def work(args: argparse.Namespace) -> dict[str, Any]:
    """Train a peer, or only draw its batches."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    trainer, losses, ticks = (ours if args.worker.startswith("ours") else peer)(args)
    if args.data_path:
        seconds = batches_only(trainer, args)
    else:
        trainer.train()
        steps = [b - a for a, b in itertools.pairwise(ticks)]
        seconds = statistics.median(steps[WARM - 1 :])
    return {
        "seconds": seconds,
        "losses": losses,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def batches_only(trainer: Any, args: argparse.Namespace) -> float:
    """Seconds a batch from the second epoch on."""
    loader = trainer.get_train_dataloader()
    for _ in loader:
        pass
    start, count = time.perf_counter(), 0
    for _ in loader:
        count += 1
    return (time.perf_counter() - start) / count


def ours(args: argparse.Namespace) -> tuple[Any, list[float], list[float]]:
    import torch

    from hazardscribe.training import session as session_module
    from hazardscribe.training.callbacks import StopOnSignal
    from hazardscribe.training.likelihood import LikelihoodSession
    from hazardscribe.training.products import OneDnnLinear

    if args.worker == "ours-giving-back":
        session_module.keep_freed_memory = lambda: False
    session = LikelihoodSession(pairs_of(args), recipe_of(args), Path(tempfile.mkdtemp()), False)
    if "contiguous" in args.worker:
        session.module.to(memory_format=torch.contiguous_format)
    if "mkl" in args.worker:
        for layer in session.module.modules():
            if type(layer) is OneDnnLinear:
                layer.__class__ = torch.nn.Linear
    trainer = session.trainer(StopOnSignal())
    only_steps(trainer)
    losses, ticks = watch(trainer, "caption_loss")
    return trainer, losses, ticks


def peer(args: argparse.Namespace) -> tuple[Any, list[float], list[float]]:
    """TRL's trainer or a plain one, on the rows in the order in which ours takes them."""
    import torch
    from datasets import Dataset, Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from hazardscribe.model.prompting import Prompter
    from hazardscribe.pairs.targets import target_texts
    from hazardscribe.training.batches import BucketSampler

    recipe, rows = recipe_of(args), list(pairs_of(args)["train"])
    texts = target_texts(rows, args.target)
    model = AutoModelForImageTextToText.from_pretrained(args.start, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(args.start)
    prompter = Prompter(processor, model, prompt_of(args))
    order = epochs(BucketSampler([1] * len(rows), args.batch, recipe.seed), args)
    end = processor.tokenizer.decode([prompter.end_id])
    dataset = Dataset.from_dict(
        {
            "images": [[rows[i]["photo"]] for i in order],
            "prompt": [prompter.prompt_text] * len(order),
            "completion": [texts[i] + end for i in order],
        }
    )
    dataset = dataset.cast_column("images", [Image()])
    optimizer = torch.optim.AdamW(groups(model, recipe), betas=(0.9, 0.95), eps=1e-8, fused=True)
    settings: dict[str, Any] = {
        "output_dir": tempfile.mkdtemp(),
        "max_steps": args.steps,
        "per_device_train_batch_size": args.batch,
        "logging_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "lr_scheduler_type": "constant",
        "max_grad_norm": recipe.max_grad_norm,
        "use_cpu": not torch.cuda.is_available(),
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "seed": 0,
    }
    if args.worker != "trl-defaults":
        settings |= {
            "bf16": args.precision == "bfloat16",
            "gradient_checkpointing": False,
            "dataloader_num_workers": args.workers,
        }
    kind = plain_trainer if args.worker == "plain" else trl_trainer
    trainer = kind(model, processor, dataset, settings, optimizer)
    losses, ticks = watch(trainer, "loss")
    return trainer, losses, ticks


def trl_trainer(
    model: Any, processor: Any, dataset: Any, settings: dict[str, Any], optimizer: Any
) -> Any:
    from torch.utils.data import SequentialSampler
    from trl import SFTConfig, SFTTrainer

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return SequentialSampler(self.train_dataset)

    return InOrder(
        model=model,
        args=SFTConfig(**settings, max_length=None),
        train_dataset=dataset,
        processing_class=processor,
        optimizers=(optimizer, None),
    )


def plain_trainer(
    model: Any, processor: Any, dataset: Any, settings: dict[str, Any], optimizer: Any
) -> Any:
    import torch
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainingArguments

    class InOrder(Trainer):
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return SequentialSampler(self.train_dataset)

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = processor(
            images=[row["images"] for row in rows],
            text=[row["prompt"] + row["completion"] for row in rows],
            return_tensors="pt",
            padding=True,
            padding_side="right",
            add_special_tokens=False,
        )
        prompt = processor(
            images=rows[0]["images"], text=rows[0]["prompt"], add_special_tokens=False
        )
        labels = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
        labels[:, : len(prompt["input_ids"][0])] = -100
        return dict(batch) | {"labels": labels}

    return InOrder(
        model=model,
        args=TrainingArguments(**settings),
        train_dataset=dataset,
        data_collator=collate,
        optimizers=(optimizer, None),
    )


def watch(trainer: Any, name: str) -> tuple[list[float], list[float]]:
    """Losses as logged, and the time at which each step began."""
    from transformers import TrainerCallback

    losses: list[float] = []
    ticks: list[float] = []

    class Watch(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            ticks.append(time.perf_counter())

        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            if name in logs:
                losses.append(logs[name])

    trainer.add_callback(Watch())
    return losses, ticks


def only_steps(trainer: Any) -> None:
    """No evaluation and no saving; a line of losses every step."""
    trainer.args.logging_steps = 1
    trainer.keep_by(lambda: {trainer.args.metric_for_best_model: 0.0}, lambda scores: None, 0)
    trainer._save_checkpoint = lambda *_, **__: None


# ---- what all share ------------------------------------------------------------------------------


def recipe_of(args: argparse.Namespace) -> Any:
    from hazardscribe import Recipe

    rate = {"learning_rate": 1e-4}
    weight = 0.3 if args.worker == "ours-both" else 0
    return Recipe.from_dict(
        {
            "start": str(args.start),
            "target": args.target,
            "prompt": prompt_of(args),
            "tower": rate,
            "projector": rate,
            "llm": rate | {"compute": args.precision},
            "tower_norm": "moving",  # as the peers leave it
            "alignment": {"weight": weight, "text_encoder": "lsa"},
            "steps": args.steps,
            "batch_size": args.batch,
            "schedule": "constant",
            "warmup": 0.0,
            "augmentation": {"mirror": 0.0, "brightness": 0.0, "crop": 0.0},
            # Photos of this size reach the model with the peers' very pixels, so losses can agree.
            "image_bound": 512 if args.megapixels is None else None,
        }
    )


def prompt_of(args: argparse.Namespace) -> str:
    return "Describe the safety hazard in this photo."


def groups(model: Any, recipe: Any) -> list[dict[str, Any]]:
    """Matrices with weight decay, vectors without, as ours."""
    rate = recipe.llm.learning_rate
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {
            "params": [p for p in parameters if (p.ndim >= 2) == decays],
            "lr": rate,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]


def epochs(sampler: Any, args: argparse.Namespace) -> list[int]:
    """Rows in the order in which ours takes them, as many as the steps need."""
    order: list[int] = []
    for epoch in count_epochs(args, len(sampler)):
        sampler.set_epoch(epoch)
        order += [row for row, _ in sampler]
    return order


def count_epochs(args: argparse.Namespace, rows: int) -> Iterator[int]:
    """One epoch where only batches are drawn, else as many as hold the steps."""
    steps_an_epoch = -(-rows // args.batch)
    return iter(range(1 if args.data_path else -(-args.steps // steps_an_epoch)))


def pairs_of(args: argparse.Namespace) -> Any:
    """The pairs, blown up to phone photos where asked; those are made once."""
    from hazardscribe import read_pairs

    if args.megapixels is None:
        return read_pairs(args.data)
    folder = args.work / f"{args.megapixels:g}-megapixels"
    if not (folder / "pairs.csv").exists():
        blow_up(args, folder)
    return read_pairs(folder)


def blow_up(args: argparse.Namespace, folder: Path, most: int = 128) -> None:
    """A selection of the photos as large JPEGs, with their texts."""
    import csv

    from PIL import Image

    from hazardscribe import read_pairs
    from hazardscribe.pairs.targets import target_texts

    pairs = read_pairs(args.data)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    lines = []
    for split in ("train", "dev"):
        rows = list(pairs[split])
        texts = target_texts(rows, args.target)
        chosen = random.Random(0).sample(
            range(len(rows)), min(most if split == "train" else 8, len(rows))
        )
        for i in chosen:
            with Image.open(rows[i]["photo"]) as photo:
                photo = photo.convert("RGB")
            scale = (args.megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
            size = (round(photo.width * scale), round(photo.height * scale))
            name = f"photos/{split}{i}.jpg"
            photo.resize(size, Image.Resampling.BICUBIC).save(folder / name, quality=92)
            lines.append([name, texts[i], texts[i], split])
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["photo", "description", "description_en", "split"], *lines])


def version_of(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
