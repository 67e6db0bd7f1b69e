"""What a GPU and its machine can do at most: products, copies, launches, memory that is pinned.

    python benchmarks/gpu_machine.py --name h100

The ceilings against which `gpu_step.py` and `loop_time.py` are read. Transfers are of a batch of 64
photos in float32. Writes benchmarks/results/gpu_machine-<name>.json; needs a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from measuring import accelerator, processor

ROOT = Path(__file__).resolve().parent.parent
SIDE = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="gpu", help="of the result")
    args = parser.parse_args()

    import torch

    if not torch.cuda.is_available():
        raise SystemExit("gpu_machine.py: PyTorch sees no GPU here")
    left = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    right = torch.randn_like(left)
    source = torch.empty(1 << 30, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    photos = torch.empty(64, 3, 224, 224)
    pinned = photos.pin_memory()
    held: list[torch.Tensor] = []  # or the memory of one would serve the next
    small = torch.randn(16, device="cuda")
    found = {
        "products_tflops": 2 * SIDE**3 / seconds(lambda: left @ right, 20) / 1e12,
        "copy_tb_per_s": 2 * (1 << 30) / seconds(lambda: target.copy_(source), 10) / 1e12,
        "batch_from_pinned_ms": 1e3 * seconds(lambda: pinned.to("cuda"), 10),
        "batch_from_pageable_ms": 1e3 * seconds(lambda: photos.to("cuda"), 10),
        "pin_a_new_batch_ms": 1e3 * seconds(lambda: held.append(photos.pin_memory()), 8),
        "launch_us": 1e6 * seconds(lambda: small.add_(1), 2000),
    }
    result = {
        "accelerator": accelerator(),
        "processor": processor(),
        "torch": torch.__version__,
        **{name: round(value, 3) for name, value in found.items()},
    }
    print(json.dumps(result, indent=1))
    out = ROOT / "benchmarks" / "results" / f"gpu_machine-{args.name}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def seconds(work: Callable[[], object], times: int) -> float:
    """Of one call, after one that does not count."""
    import torch

    work()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(times):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / times


if __name__ == "__main__":
    main()
