"""What it saves to keep the memory that a layer frees, on a processor (model/memory.py).

    python benchmarks/kept_memory.py [--threads 1] [--repeats 9]

Forward and backward pass of layers over a large map (16 photos, 96 channels, 128 x 128, as
EfficientNet's first block has at 256 pixels), channels-last, in two processes turn by turn: one
keeps what it frees, one gives it back. Prints the ratio of their processor times, and writes
benchmarks/results/kept_memory.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import processor, spread

ROOT = Path(__file__).resolve().parent.parent
SHAPE = (16, 96, 128, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--worker", choices=("keep", "give-back"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args)
        return
    turns = [{how: run(args, how) for how in ("keep", "give-back")} for _ in range(args.repeats)]
    layers = turns[0]["keep"]
    result = {
        "threads": args.threads,
        "shape": SHAPE,
        "processor": processor(),
        "give_back_over_keep": {
            name: spread([turn["give-back"][name] / turn["keep"][name] for turn in turns], 2)
            for name in layers
        },
        "keep_seconds": {name: spread([turn["keep"][name] for turn in turns]) for name in layers},
    }
    print(json.dumps(result["give_back_over_keep"], indent=1))
    out = ROOT / "benchmarks" / "results" / "kept_memory.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def run(args: argparse.Namespace, how: str) -> dict[str, float]:
    """A fresh process's seconds by layer."""
    command = [sys.executable, __file__, "--worker", how, "--threads", str(args.threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def work(args: argparse.Namespace) -> None:
    import torch
    from torch import nn

    from hazardscribe.model.memory import keep_freed_memory

    torch.set_num_threads(args.threads)
    if args.worker == "keep" and not keep_freed_memory():
        raise SystemExit("this system's memory cannot be arranged")
    channels = SHAPE[1]
    layers: dict[str, Any] = {
        "copy": torch.clone,
        "batch norm, ReLU6": nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU6()),
        "depthwise convolution": nn.Conv2d(
            channels, channels, 3, padding=1, groups=channels, bias=False
        ).to(memory_format=torch.channels_last),
    }
    photo = torch.randn(SHAPE).contiguous(memory_format=torch.channels_last).requires_grad_()
    of_y = torch.randn_like(photo)
    seconds = {}
    for name, layer in layers.items():
        times = []
        for _ in range(6):
            begin = time.process_time()
            torch.autograd.grad(layer(photo), photo, of_y)
            times.append(time.process_time() - begin)
        seconds[name] = min(times[2:])
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
