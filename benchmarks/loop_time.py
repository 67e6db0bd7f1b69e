"""What does the training loop add to a step? Waiting for batches, for the processor, for memory.

    python benchmarks/loop_time.py --data DIR --start MODEL --peer ours-compiled [--batch 64]

Trains `--steps` steps of a peer of training_speed.py as that does, without its counter, and tells
of the latter half of them: seconds a step; of it those that the loop waited for its next batch;
how often a step asks the GPU for a number and so waits until it has done all it was given; and,
from `--profiled` further steps under PyTorch's profiler, seconds of kernels, the calls of CUDA that
took longest on the processor's side, and the longest kernels. `gpu_step.py` has the step without
the loop. `--alloc expandable_segments:True` is handed to PyTorch's allocator. Each run adds its
line to benchmarks/results/loop_time-<name>.json. Runs without a GPU too, to try it.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

from gpu_kernels import by_kind, kernels_of
from measuring import accelerator, passing_folder, processor

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--peer", default="ours", help="a peer of training_speed.py")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--profiled", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--alloc", help="setting of PyTorch's CUDA allocator")
    parser.add_argument("--trace", type=Path, help="file for the profiler's trace, .json.gz")
    parser.add_argument("--name", default="gpu", help="of the result")
    args = parser.parse_args()
    args.worker, args.tower_precision = args.peer, args.precision
    args.rate, args.megapixels, args.data_path = 1e-5, None, False
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if args.alloc:
        os.environ["PYTORCH_CUDA_ALLOC_CONF"] = args.alloc
    os.environ["HAZARDSCRIBE_CACHE"] = str(passing_folder())
    found = {"peer": args.peer, "alloc": args.alloc, "batch": args.batch} | measure(args)
    print(json.dumps(found, indent=1))
    out = ROOT / "benchmarks" / "results" / f"loop_time-{args.name}.json"
    kept = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {"runs": []}
    kept |= {"processor": processor(), "accelerator": accelerator()}
    kept["runs"].append(found)
    out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def measure(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from training_peers import ours, peer

    timed, args.steps = args.steps, args.steps + args.profiled
    trainer, _, _ = (ours if args.peer.startswith("ours") else peer)(args)
    watch = Watch(timed, args.profiled)
    trainer.add_callback(watch.callback())
    watch.batches(trainer)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        trainer.train()
    if args.trace:
        watch.keep_trace(args.trace)
    half = timed // 2
    steps = [b - a for a, b in zip(watch.begun[half:], watch.begun[half + 1 : timed], strict=False)]
    waits = [one for one in told if "synchroniz" in str(one.message)]
    return {
        "torch": torch.__version__,
        "seconds": round(statistics.median(steps), 4),
        "each": [round(b - a, 3) for a, b in itertools.pairwise(watch.begun[: timed + 1])],
        "waiting_for_batches": round(statistics.median(watch.waited[half:timed]), 4),
        "waits_of_a_step": tell_waits(waits, args.profiled),
        **watch.profiled(),
    }


class Watch:
    """Times of a trainer's steps, the last of them under the profiler."""

    def __init__(self, timed: int, profiled: int) -> None:
        from torch.profiler import ProfilerActivity, profile

        self.begun: list[float] = []
        self.waited: list[float] = []
        self._timed, self._profiled = timed, profiled
        self._profile = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])

    def callback(self) -> Any:
        import torch
        from transformers import TrainerCallback

        watch, cuda = self, torch.cuda.is_available()

        class Steps(TrainerCallback):
            def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step == watch._timed:
                    if cuda:
                        torch.cuda.set_sync_debug_mode("warn")
                    watch._profile.__enter__()
                watch.begun.append(time.perf_counter())

            def on_train_end(self, *_: Any, **__: Any) -> None:
                watch._profile.__exit__(None, None, None)
                if cuda:
                    torch.cuda.set_sync_debug_mode("default")

        return Steps()

    def batches(self, trainer: Any) -> None:
        former = trainer.get_batch_samples

        def get_batch_samples(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            found = former(*args, **kwargs)
            self.waited.append(time.perf_counter() - begin)
            return found

        trainer.get_batch_samples = get_batch_samples

    def keep_trace(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._profile.export_chrome_trace(str(path))

    def profiled(self) -> dict[str, Any]:
        """By step: seconds of kernels, and what took longest on either side."""
        rows, steps = self._profile.key_averages(), self._profiled
        device = kernels_of(self._profile)
        # Operators of PyTorch contain these calls; a call contains nothing further.
        host = [row for row in rows if row.key.startswith(("cuda", "cu"))] or rows

        def longest(named: list[tuple[str, float]]) -> list[tuple[str, float]]:
            ordered = sorted(named, key=lambda one: -one[1])
            return [(name[:80], round(seconds / steps, 5)) for name, seconds in ordered[:14]]

        return {
            "kernels": by_kind(device, steps),
            "launches": sum(row.count for row in host if "Launch" in row.key) / steps,
            "longest_on_the_processor": longest(
                [(row.key, row.self_cpu_time_total / 1e6) for row in host]
            ),
            "longest_kernels": longest(device),
        }


def tell_waits(waits: list[Any], steps: int) -> dict[str, float]:
    """How often a step waited for the GPU, by the line that asked."""
    lines = collections.Counter(f"{Path(one.filename).name}:{one.lineno}" for one in waits)
    return {line: count / steps for line, count in lines.most_common(12)}


if __name__ == "__main__":
    main()
