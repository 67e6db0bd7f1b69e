"""Where does a training step's time go on a GPU? The same step without the training loop.

    python benchmarks/gpu_step.py --data DIR --start MODEL [--batch 64] [--steps 8] [--peak 989]

Forward, backward, clipping and AdamW, in bfloat16 but for the weights, by these ways in turn:

    shared      the text before the photo read once a batch, as on a processor
    whole       read for each row, as training does on a GPU
    compiled    whole, with `compile`
    static      compiled for each length by itself, texts padded to multiples of 32 tokens
    loss        static, with the loss compiled too
    flash       static, with PyTorch's flash attention, where it would take cuDNN's

Each over one batch again and again, and over batches that differ in length: memory that is cut to
other sizes in each step may have to be asked for anew. Beside it the time that the GPU's kernels
take, by what they are for: what is left of a step is waiting for the processor.
`--traces` keeps the profiler's trace of a step of each. Writes
benchmarks/results/gpu_step-<name>.json. Runs without a GPU too, to try it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from counting import operations
from gpu_kernels import by_kind, kernels_of
from measuring import accelerator, passing_folder, processor
from training_peers import open_to_compiler

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("shared", "whole", "compiled", "static", "loss", "flash")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--traces", type=Path, help="folder for the profiler's traces")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device, by its data sheet")
    parser.add_argument("--name", default="gpu", help="of the result")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

    import torch

    session, trainer = training(args)
    open_to_compiler(session.vlm)
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
    for way in args.ways:
        with set_up(way, module):
            given = [padded(batch) for batch in batches] if way in WAYS[3:] else batches
            one = seconds(step, given[:1], args.steps)
            ways[way] = {
                "seconds": round(one, 4),
                "seconds_of_varied": round(seconds(step, given, args.steps), 4),
                "kernels": kernels(
                    step, given[0], args.traces and args.traces / f"step-{way}.json.gz"
                ),
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


@contextlib.contextmanager
def set_up(way: str, module: Any) -> Iterator[None]:
    """Whatever makes a way what it is, for the time of the context."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from hazardscribe.training import module as of_training
    from hazardscribe.training.compiled import blocks_of

    module._shares_prompt = way == "shared"
    nll = of_training.caption_nll
    blocks = blocks_of(module.vlm) if way in WAYS[2:] else []
    torch._dynamo.reset()
    for block in blocks:
        block.compile(dynamic=way == "compiled")
    if way == "loss":
        of_training.caption_nll = torch.compile(nll, dynamic=True)
    chosen = sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH])
    # What was compiled before with another kind of attention would be taken from the cache.
    fresh = torch._functorch.config.patch(enable_autograd_cache=False)
    with chosen if way == "flash" else contextlib.nullcontext(), fresh:
        yield
    for block in blocks:
        block._compiled_call_impl = None
    of_training.caption_nll = nll


def padded(batch: dict[str, Any], of: int = 32) -> dict[str, Any]:
    """The batch with its texts padded on the right to the next multiple."""
    import torch

    length = batch["labels"].shape[1]
    fills = {"labels": -100}
    return {
        name: torch.nn.functional.pad(value, (0, -length % of), value=fills.get(name, 0))
        if torch.is_tensor(value) and value.ndim == 2 and value.shape[1] == length
        else value
        for name, value in batch.items()
    }


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
    folder = passing_folder()
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


def kernels(step: Any, batch: dict[str, Any], trace: Path | None) -> dict[str, float]:
    """Seconds that the GPU's kernels take in a step, by what they are for."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    if not torch.cuda.is_available():
        return {}
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        step(batch)
        wait()
    if trace:
        trace.parent.mkdir(parents=True, exist_ok=True)
        found.export_chrome_trace(str(trace))
    return by_kind(kernels_of(found))


def wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
