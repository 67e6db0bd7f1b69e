"""Where does a training step's time go on a GPU? The same step without the training loop.

    python benchmarks/gpu_step.py --data DIR --start MODEL [--batch 64] [--steps 8] [--peak 989]

Forward, backward, clipping and AdamW, in bfloat16 but for the weights, by these ways in turn:

    shared      the text before the photo read once a batch, as on a processor
    whole       read for each row, as training does on a GPU
    compiled    whole, with `compile`

Each over one batch again and again, and over batches that differ in length: memory that is cut to
other sizes in each step may have to be asked for anew. Beside it the time that the GPU's kernels
take together, and of it the matrix products: what is left of a step is waiting for the processor.
Writes benchmarks/results/gpu_step-<name>.json. Runs without a GPU too, to try it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from counting import operations
from measuring import accelerator, processor

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device, by its data sheet")
    parser.add_argument("--name", default="gpu", help="of the result")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

    import torch

    from hazardscribe.training.compiled import compile_blocks

    session, trainer = training(args)
    module, optimizer = session.module.train(), trainer.create_optimizer()
    device = next(module.parameters()).device
    batches = [
        {name: value.to(device) for name, value in batch["batch"].items()}
        for batch in itertools.islice(trainer.get_train_dataloader(), 4)
    ]

    def step(batch: dict[str, Any]) -> None:
        loss = module(batch)["caption"] / (batch["labels"] != -100).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    module._shares_prompt = False
    with operations() as counter:
        step(batches[0])
    teraflop = counter.get_total_flops() / 1e12
    ways = {}
    for way in ("shared", "whole", "compiled"):
        module._shares_prompt = way == "shared"
        if way == "compiled":
            compile_blocks(session.vlm)
        one = seconds(step, batches[:1], args.steps)
        ways[way] = {
            "seconds": round(one, 4),
            "seconds_of_varied": round(seconds(step, batches, args.steps), 4),
            **kernels(step, batches[0]),
            "teraflop_a_second": None if way == "shared" else round(teraflop / one, 1),
            "utilisation": round(teraflop / one / args.peak, 3)
            if args.peak and way != "shared"
            else None,
        }
        print(way, ways[way], flush=True)
    result = {
        "batch": args.batch,
        "teraflop": round(teraflop, 3),
        "processor": processor(),
        "accelerator": accelerator(),
        "torch": torch.__version__,
        "ways": ways,
    }
    out = ROOT / "benchmarks" / "results" / f"gpu_step-{args.name}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def training(args: argparse.Namespace) -> tuple[Any, Any]:
    from hazardscribe import Recipe, read_pairs
    from hazardscribe.training.callbacks import StopOnSignal
    from hazardscribe.training.likelihood import LikelihoodSession

    part = {"learning_rate": 1e-5, "compute": "bfloat16"}
    recipe = Recipe.from_dict(
        {
            "start": str(args.start),
            "target": args.target,
            **dict.fromkeys(("tower", "projector", "llm"), part),
            "alignment": {"weight": 0},
            "batch_size": args.batch,
            "workers": args.workers,
        }
    )
    folder = Path(tempfile.mkdtemp())
    session = LikelihoodSession(read_pairs(args.data), recipe, folder, progress=False)
    return session, session.trainer(StopOnSignal())


def seconds(step: Any, batches: list[Any], steps: int) -> float:
    """A step, the batches in turn, after one round of them."""
    for batch in (*batches, batches[0]):
        step(batch)
    wait()
    begin = time.perf_counter()
    for batch in itertools.islice(itertools.cycle(batches), steps):
        step(batch)
    wait()
    return (time.perf_counter() - begin) / steps


def kernels(step: Any, batch: dict[str, Any]) -> dict[str, float]:
    """Seconds that the GPU's kernels take in a step, and of it its matrix products."""
    import torch
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    if not torch.cuda.is_available():
        return {}
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        step(batch)
        wait()
    rows = found.key_averages()
    names = ("aten::mm", "aten::addmm", "aten::bmm")
    # A kernel's time stands in its own row, and in that of the operation that launched it.
    every = sum(row.self_device_time_total for row in rows if row.device_type == DeviceType.CUDA)
    products = sum(row.self_device_time_total for row in rows if row.key in names)
    return {
        "seconds_of_kernels": round(every / 1e6, 4),
        "seconds_of_products": round(products / 1e6, 4),
    }


def wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
