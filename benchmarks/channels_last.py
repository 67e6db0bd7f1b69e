"""What channels-last kernels save in a training step of a convolutional tower.

    python benchmarks/channels_last.py --model DIR [--batch 16] [--repeats 7]

DIR is a model folder with a convolutional tower (`hazardscribe init --vision timm:...`). Forward
and backward pass of tower and projector, both layouts by turns in one process; prints the ratio of
the times, plain layout over channels-last, as median with the least and the largest repeat; and
how far a batch norm's output lies from float64's in either layout, in standard deviations.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

from measuring import spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    args = parser.parse_args()

    import torch

    from hazardscribe.model.checkpoint import load_checkpoint
    from hazardscribe.model.layout import lay_out_convolutions

    plain = load_checkpoint(args.model)
    laid_out = copy.deepcopy(plain.vlm)
    lay_out_convolutions(laid_out)
    size = plain.processor.image_processor.size
    side = size.get("height") or size["shortest_edge"]
    pixels = torch.randn(args.batch, 3, side, side)
    step(plain.vlm, pixels), step(laid_out, pixels)  # warm up
    ratios = [step(plain.vlm, pixels) / step(laid_out, pixels) for _ in range(args.repeats)]
    result = {
        "batch": args.batch,
        "side": side,
        "threads": torch.get_num_threads(),
        "plain_over_channels_last": spread(ratios, 2),
        "batch_norm_error": {
            name: float(f"{batch_norm_error(layout):.1e}")
            for name, layout in (
                ("plain", torch.contiguous_format),
                ("channels_last", torch.channels_last),
            )
        },
    }
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def batch_norm_error(layout: Any) -> float:
    """Largest error of a normalised map, 8 photos, 96 channels, 56 x 56, against float64."""
    import torch

    torch.manual_seed(0)
    x = torch.randn(8, 96, 56, 56) + 1
    exact = torch.nn.BatchNorm2d(96).double()(x.double())
    found = torch.nn.BatchNorm2d(96)(x.contiguous(memory_format=layout))
    return float((found - exact).detach().abs().max())


def step(vlm: Any, pixels: Any) -> float:
    """Seconds of one forward and backward pass of tower and projector."""
    began = time.perf_counter()
    features = vlm.get_image_features(pixel_values=pixels)
    output = getattr(features, "pooler_output", features)
    parts = output if isinstance(output, list | tuple) else [output]
    sum(part.float().sum() for part in parts).backward()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
