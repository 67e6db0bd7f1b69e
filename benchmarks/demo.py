"""Run the demo and keep its scores: what `make demo` reaches, kind by kind, and how long it takes.

    python benchmarks/demo.py [--out runs/demo-benchmark] [--seed 0]

Writes benchmarks/results/demo.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "cider_d", "bleu_4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "demo-benchmark")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    import torch

    from hazardscribe.demo import demo

    began = time.time()
    demo(args.out, seed=args.seed)
    keep(args.out, args.seed, time.time() - began, torch.get_num_threads())


def keep(out: Path, seed: int, seconds: float, threads: int) -> None:
    """Write the result file from a demo's folder."""
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    elements = metrics["elements"].items()
    result = {
        "seed": seed,
        "seconds": round(seconds),
        "threads": threads,
        "validation_photos": metrics["counts"]["photos"],
        "model": {name: metrics[name] for name in KEPT},
        "baselines": {
            baseline: {name: scores[name] for name in ("hazard_f1", "element_f1")}
            for baseline, scores in metrics["baselines"].items()
        },
        "kinds": {name: entry["f1"] for name, entry in elements if entry.get("support")},
    }
    path = ROOT / "benchmarks" / "results" / "demo.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: written")


if __name__ == "__main__":
    main()
