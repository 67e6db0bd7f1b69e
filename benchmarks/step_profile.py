"""Where a training step's time goes on a processor, by PyTorch's profiler.

    python benchmarks/step_profile.py --data DIR --start MODEL [--peers ours trl] [--threads 2]

Each peer of training_speed.py trains in a process of its own; after `--warm` steps, `--steps` are
profiled. Printed and kept: milliseconds a step of the operators' own time by what they are for, the
rate of the products, and what products of a feed-forward layer reach by themselves, their operands
in the processor's cache. The profiler adds about a tenth to a step. Writes
benchmarks/results/step_profile-<name>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from measuring import passing_folder, processor

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("ours", "ours-compiled", "trl", "plain")
# By the operator's name without its namespace; the first that fits.
KINDS = {
    "products": ("mm", "bmm", "addmm", "baddbmm", "_linear_pointwise", "mkldnn_linear"),
    "attention kernel": ("_scaled_dot_product",),
    "convolutions and batch norms": ("conv", "mkldnn_conv", "native_batch_norm", "hardtanh"),
    "optimizer and clipping": ("_fused_adamw", "linalg_vector_norm", "_foreach"),
    "softmax and loss": ("_log_softmax", "_softmax", "nll_loss", "logsumexp"),
    "changes of type, copies": ("copy_", "cat", "clone", "contiguous"),
    "zeros for gradients": ("fill_", "zero_"),
    "norms, gates, rotations, sums": (
        *("mul", "add", "sub", "div", "neg", "pow", "mean", "rsqrt", "sqrt", "silu", "sum"),
        *("sigmoid", "gelu", "tanh", "clamp", "cos", "sin"),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["ours", "trl"])
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--warm", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--name", default="cpu", help="of the result")
    parser.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print("RESULT " + json.dumps(work(args)))
        return
    peers = {}
    for peer in args.peers:
        command = [sys.executable, __file__, *sys.argv[1:], "--worker", peer]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if done.returncode or not lines:
            raise SystemExit(f"{peer} failed:\n{done.stderr[-3000:]}")
        peers[peer] = json.loads(lines[-1].removeprefix("RESULT "))
    result = {
        "precision": args.precision,
        "batch": args.batch,
        "threads": args.threads,
        "profiled_steps": args.steps,
        "processor": processor(),
        "versions": versions(),
        "product_gflop_a_second_alone": product_rate(args),
        "peers": peers,
    }
    out = ROOT / "benchmarks" / "results" / f"step_profile-{args.name}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def work(args: argparse.Namespace) -> dict[str, Any]:
    """Train a peer and profile its last steps."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ["HAZARDSCRIBE_CACHE"] = str(passing_folder())
    import torch
    from transformers import TrainerCallback

    from training_peers import count_first_step, ours, peer

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    args.tower_precision, args.rate, args.workers = "float32", 1e-5, 0
    args.megapixels, args.data_path, args.steps = None, False, args.warm + args.steps
    trainer, _, _ = (ours if args.worker.startswith("ours") else peer)(args)
    counted = count_first_step(trainer)
    profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    begin = 0.0

    class Profiled(TrainerCallback):
        def on_step_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
            nonlocal begin
            if state.global_step == args.warm:
                profile.start()
                begin = time.perf_counter()

    trainer.add_callback(Profiled())
    trainer.train()
    whole = time.perf_counter() - begin
    profile.stop()
    steps = args.steps - args.warm
    operators = [(row.key, row.self_cpu_time_total / 1e6) for row in profile.key_averages()]
    kinds = by_kind(operators, steps)
    return {
        "seconds_a_step": round(whole / steps, 3),
        "milliseconds": kinds,
        "teraflop": round(sum(counted) / 1e12, 4),
        "products_gflop_a_second": round(sum(counted) / 1e6 / kinds["products"]),
    }


def by_kind(operators: Iterable[tuple[str, float]], steps: int) -> dict[str, float]:
    """Milliseconds a step of each kind, the rest as `other`, and of all."""
    found = dict.fromkeys((*KINDS, "other"), 0.0)
    for name, seconds in operators:
        own = name.rpartition("::")[2]
        fitting = (kind for kind, starts in KINDS.items() if own.startswith(starts))
        found[next(fitting, "other")] += seconds
    found["all"] = sum(found.values())
    return {kind: round(1e3 * seconds / steps, 1) for kind, seconds in found.items()}


def product_rate(args: argparse.Namespace, repeats: int = 30) -> int:
    """GFLOP/s of a feed-forward layer of SmolLM2-135M over a batch's tokens, operands in cache."""
    import torch

    torch.set_num_threads(args.threads)
    rows, inner, outer = 752, 576, 1536
    x = torch.randn(rows, inner, dtype=getattr(torch, args.precision))
    weight = torch.randn(outer, inner, dtype=x.dtype)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        times.append(time.perf_counter() - begin)
    return round(2 * rows * inner * outer / sorted(times)[repeats // 2] / 1e9)


def versions() -> dict[str, str]:
    import torch
    import transformers
    import trl

    found = {one.__name__: one.__version__ for one in (torch, transformers, trl)}
    return found | {"python": platform.python_version()}


if __name__ == "__main__":
    main()
