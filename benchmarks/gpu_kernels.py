"""What the GPU's kernels take, by what they are for; from PyTorch's profiler, or a trace it left.

    python benchmarks/gpu_kernels.py TRACE.json.gz [--steps 4]

`gpu_step.py` and `loop_time.py` use it. A trace tells also for how long no kernel ran at all.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# By a part of a kernel's name; the first that fits.
KINDS = {
    "attention": ("sdpa", "flash", "fmha", "cudnn::fusion"),
    "products": ("nvjet", "gemm", "cutlass", "splitK", "convolution"),
    "optimizer": ("multi_tensor_apply", "lpnorm"),
    "compiled": ("triton_",),
    "copies": ("Memcpy", "Memset"),
}


def by_kind(kernels: Iterable[tuple[str, float]], steps: int = 1) -> dict[str, float]:
    """Seconds a step of each kind, the rest as `other`, and of all.

    Args:
        kernels: name and seconds of each.
    """
    found = dict.fromkeys((*KINDS, "other"), 0.0)
    for name, seconds in kernels:
        fitting = (kind for kind, parts in KINDS.items() if any(part in name for part in parts))
        found[next(fitting, "other")] += seconds
    found["all"] = sum(found.values())
    return {kind: round(seconds / steps, 5) for kind, seconds in found.items()}


def kernels_of(profile: Any) -> list[tuple[str, float]]:
    """Of a finished `torch.profiler.profile`."""
    from torch.autograd import DeviceType

    return [
        (row.key, row.self_device_time_total / 1e6)
        for row in profile.key_averages()
        if row.device_type == DeviceType.CUDA and not row.is_user_annotation
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--steps", type=int, default=1)
    args = parser.parse_args()
    with gzip.open(args.trace) as stream:
        events = json.load(stream)["traceEvents"]
    kinds = ("kernel", "gpu_memcpy", "gpu_memset")
    kernels = sorted((one for one in events if one.get("cat") in kinds), key=lambda one: one["ts"])
    idle, end = 0.0, kernels[0]["ts"]
    for one in kernels:
        idle += max(0.0, one["ts"] - end)
        end = max(end, one["ts"] + one["dur"])
    told = by_kind([(one["name"], one["dur"] / 1e6) for one in kernels], args.steps)
    print(json.dumps(told | {"idle": round(idle / 1e6 / args.steps, 5)}, indent=1))


if __name__ == "__main__":
    main()
