"""What oneDNN's float32 products save in training, beside those that PyTorch takes by itself.

    python benchmarks/products.py [--threads 1] [--repeats 9]

Forward and backward pass of linear layers with the shapes of SmolLM2-135M (840 tokens a batch), as
nn.Linear and as training/products.py, by turns in one process. Prints the ratio of the times, as
median with the least and the largest repeat, and writes benchmarks/results/products.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

from measuring import processor, spread

ROOT = Path(__file__).resolve().parent.parent
TOKENS = 840
SHAPES = {"attention": (576, 576), "feed-forward": (576, 1536), "vocabulary": (576, 49152)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()

    import torch
    from torch import nn

    from hazardscribe.training.products import use_onednn

    torch.set_num_threads(args.threads)
    result: dict[str, Any] = {
        "threads": args.threads,
        "tokens": TOKENS,
        "processor": processor(),
        "torch": torch.__version__,
        "layers": {},
    }
    for name, (inner, outer) in SHAPES.items():
        plain = nn.Linear(inner, outer, bias=False)
        ours = copy.deepcopy(plain)
        use_onednn(ours)
        x, of_y = torch.randn(TOKENS, inner, requires_grad=True), torch.randn(TOKENS, outer)

        def seconds(layer: nn.Module, x: Any = x, of_y: Any = of_y) -> float:
            begin = time.process_time()
            torch.autograd.grad(layer(x), (x, *layer.parameters()), of_y)
            return time.process_time() - begin

        pairs = [(seconds(plain), seconds(ours)) for _ in range(args.repeats + 1)][1:]
        ratios = [one / other for one, other in pairs]
        flop = 6 * TOKENS * inner * outer
        result["layers"][name] = {
            "gflop_per_second_plain": round(flop / min(one for one, _ in pairs) / 1e9),
            "gflop_per_second_ours": round(flop / min(other for _, other in pairs) / 1e9),
            "plain_over_ours": spread(ratios, 2),
        }
        print(f"{name}: {result['layers'][name]}")
    out = ROOT / "benchmarks" / "results" / "products.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
