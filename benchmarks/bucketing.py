"""Does sorting batches by text length harm learning? The alignment loss with and without it.

    python benchmarks/bucketing.py --data DIR --start MODEL [--steps 100] [--text_encoder FOLDER]

Trains the encoder alone (`alignment.first_share` = 1) twice with the same seed, once in chance
order and once with 16 batches sorted together, and prints the mean alignment loss of the last half
beside the entropy of the texts' counts, which a model that ignores the photo reaches.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
from collections import Counter
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--text_encoder", default="lsa")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--work", type=Path, default=Path("runs/bucketing"))
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

    from hazardscribe import Recipe, read_pairs, train
    from hazardscribe.pairs.targets import target_texts

    pairs = read_pairs(args.data)
    counts = Counter(target_texts(pairs["train"], args.target)).values()
    entropy = -sum(n / sum(counts) * math.log(n / sum(counts)) for n in counts)
    result = {"steps": args.steps, "entropy_of_counts": round(entropy, 3)}
    for name, bucket in (("chance_order", 1), ("sorted_16", 16)):
        recipe = Recipe.from_dict(
            {
                "start": str(args.start),
                "target": args.target,
                "tower": {"learning_rate": 3e-4},
                "llm": {"tune": "freeze"},
                "alignment": {
                    "text_encoder": args.text_encoder,
                    "prefix": args.prefix,
                    "share_above": 1.0,
                    "first_share": 1.0,
                },
                "steps": args.steps,
                "bucket": bucket,
                "evaluate_photos": 1,
            }
        )
        folder = args.work / name
        shutil.rmtree(folder, ignore_errors=True)
        train(pairs, recipe, folder, progress=True)
        history = json.loads((folder / "run.json").read_text(encoding="utf-8"))["history"]
        losses = [entry["alignment_loss"] for entry in history if "alignment_loss" in entry]
        result[name] = round(statistics.mean(losses[len(losses) // 2 :]), 3)
    print(json.dumps(result))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
