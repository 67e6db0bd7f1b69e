"""What attention over short texts saves, beside PyTorch's kernel, on a processor.

    python benchmarks/attention.py [--threads 1] [--repeats 15]

Forward and backward pass as transformers calls them, with the heads of SmolLM2-135M (9 of 64
numbers, keys and values shared by three each), 8 rows: a whole batch of 105 tokens, one whose first
24 are shared (model/composed.py), one word, and longer ones up to the length from which PyTorch's
kernel is taken. By turns in one process; ratios of the processor times, as median with the least
and the largest repeat. Writes benchmarks/results/attention.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from measuring import processor, spread

ROOT = Path(__file__).resolve().parent.parent
ROWS, HEADS, SHARED, WIDTH = 8, 9, 3, 64
LENGTHS = ((105, 105), (81, 105), (1, 105), (192, 192), (256, 256))  # queries, keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()

    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    from hazardscribe.model.attention import short_attention
    from hazardscribe.model.memory import keep_freed_memory

    keep_freed_memory()  # as training and describing do
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    layer = torch.nn.Module()
    layer.num_key_value_groups = HEADS // SHARED  # type: ignore[assignment]
    found: dict[str, Any] = {}
    for dtype in (torch.float32, torch.bfloat16):
        for queries, keys in LENGTHS:
            query = torch.randn(ROWS, HEADS, queries, WIDTH, dtype=dtype, requires_grad=True)
            key, value = (
                torch.randn(ROWS, SHARED, keys, WIDTH, dtype=dtype, requires_grad=True)
                for _ in range(2)
            )
            hidden = torch.ones(queries, keys).triu(1 + keys - queries).bool()
            mask = torch.zeros(1, 1, queries, keys).masked_fill(hidden, -torch.inf).to(dtype)
            of_y = torch.randn(ROWS, queries, HEADS, WIDTH, dtype=dtype)

            def seconds(
                attend: Any,
                given: Any = (query, key, value),
                mask: Any = mask,
                of_y: Any = of_y,
            ) -> tuple[float, float]:
                begin = time.process_time()
                y, _ = attend(layer, *given, mask, scaling=WIDTH**-0.5)
                middle = time.process_time()
                torch.autograd.grad(y, given, of_y)
                return middle - begin, time.process_time() - middle

            turns = [
                (seconds(sdpa_attention_forward), seconds(short_attention))
                for _ in range(args.repeats + 2)
            ][2:]
            name = f"{str(dtype).removeprefix('torch.')}, {queries} queries, {keys} keys"
            found[name] = {
                "forward": spread([theirs[0] / ours[0] for theirs, ours in turns], 2),
                "both": spread([sum(theirs) / sum(ours) for theirs, ours in turns], 2),
            }
            print(f"{name}: {found[name]}")
    result = {
        "threads": args.threads,
        "processor": processor(),
        "torch": torch.__version__,
        "sdpa_over_ours": found,
    }
    out = ROOT / "benchmarks" / "results" / "attention.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
