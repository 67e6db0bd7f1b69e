"""What does the corpus likelihood of very many texts cost, exact and sampled, and how far apart?

    python benchmarks/sampled_bank.py [--texts 1000 10000 100000 1000000] [--threads 1]

Made-up unit vectors: texts in clusters, as a ledger's are, counts that fall off as Zipf's, photos
at a cosine of about 0.6 to their own text, the scale at CLIP's start. For each number of texts:
seconds of loss and gradient (least of `--repeats`), the error of the sampled loss (mean and
deviation over draws, nats a photo) and the cosine of its gradient with the exact one.
`--step-seconds` is the length of a training step to compare with. Writes
benchmarks/results/sampled_bank.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from hazardscribe.objectives.alignment import INITIAL_SCALE, corpus_nll
from hazardscribe.objectives.sampled import draw_texts, sampled_corpus_nll
from hazardscribe.training.module import SAMPLED_ABOVE, SAMPLED_TEXTS

ROOT = Path(__file__).resolve().parent.parent
NEAR = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--width", type=int, default=384, help="of the text vectors")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--step-seconds", type=float, help="of a step of the model compared with")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    found = [measure(texts, args) for texts in args.texts]
    result = {
        "width": args.width,
        "batch": args.batch,
        "samples": SAMPLED_TEXTS,
        "sampled_above": SAMPLED_ABOVE,
        "threads": args.threads,
        "step_seconds": args.step_seconds,
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "corpora": found,
    }
    out = ROOT / "benchmarks" / "results" / "sampled_bank.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(count: int, args: argparse.Namespace) -> dict[str, Any]:
    """Cost and error at one size of the corpus."""
    torch.manual_seed(0)
    vectors = clustered(count, args.width)
    counts = (count / torch.arange(1, count + 1)).sqrt().ceil().long()
    log_counts, cumulative = counts.float().log(), counts.cumsum(0)
    total = float(cumulative[-1])
    targets = draw_texts(cumulative, args.batch)
    noise = F.normalize(torch.randn(args.batch, args.width), dim=-1)
    photos = F.normalize(vectors[targets] * 0.75 + noise, dim=-1).requires_grad_()

    def exact() -> torch.Tensor:
        return corpus_nll(photos, vectors, log_counts, targets, INITIAL_SCALE, NEAR)

    def sampled() -> torch.Tensor:
        drawn = draw_texts(cumulative, SAMPLED_TEXTS)
        return sampled_corpus_nll(
            photos, vectors, log_counts, targets, INITIAL_SCALE, drawn, total, NEAR
        )

    loss, gradient = value_and_gradient(exact, photos)
    estimates = [value_and_gradient(sampled, photos) for _ in range(args.draws)]
    errors = torch.tensor([(one - loss) / args.batch for one, _ in estimates])
    cosines = [float(F.cosine_similarity(g.flatten(), gradient.flatten(), 0)) for _, g in estimates]
    row = {
        "texts": count,
        "exact_seconds": seconds(exact, photos, args.repeats),
        "sampled_seconds": seconds(sampled, photos, args.repeats),
        "exact_nats_a_photo": round(loss / args.batch, 4),
        "error_mean": round(float(errors.mean()), 5),
        "error_deviation": round(float(errors.std()), 5),
        "gradient_cosine_least": round(min(cosines), 5),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if args.step_seconds:
        for kind in ("exact", "sampled"):
            row[f"{kind}_share_of_step"] = round(row[f"{kind}_seconds"] / args.step_seconds, 4)
    print(row, flush=True)
    return row


def clustered(count: int, width: int) -> torch.Tensor:
    """Unit vectors `(C, D)` around one centre for each fifty of them."""
    centres = torch.randn(max(2, count // 50), width)
    vectors = torch.randn(count, width).mul_(0.4)
    for i in range(0, count, 65_536):  # without a second copy of the whole
        block = vectors[i : i + 65_536]
        block += centres[torch.randint(len(centres), (len(block),))]
        block /= block.norm(dim=-1, keepdim=True)
    return vectors


def value_and_gradient(
    loss: Callable[[], torch.Tensor], photos: torch.Tensor
) -> tuple[float, torch.Tensor]:
    value = loss()
    return float(value.detach()), torch.autograd.grad(value, photos)[0]


def seconds(loss: Callable[[], torch.Tensor], photos: torch.Tensor, repeats: int) -> float:
    """Least time of loss and gradient."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        value_and_gradient(loss, photos)
        best = min(best, time.perf_counter() - start)
    return round(best, 5)


if __name__ == "__main__":
    main()
