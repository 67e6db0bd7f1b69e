"""How fast is a training step, beside TRL's trainer and a plain Trainer doing the same work?

    python benchmarks/training_speed.py --data DIR --start MODEL [--threads 2] [--repeats 3]
    python benchmarks/training_speed.py ... --precision bfloat16 --steps 60
    python benchmarks/training_speed.py ... --megapixels 12 --peers ours trl-defaults

Every peer runs in a process of its own, turn by turn, on the same checkpoint, with the same pairs
in the same order, the same batch, optimizer and learning rates; a ratio is taken within a turn.
Printed: seconds a step (median after the first two); the whole from the checkpoint and the photo
files to the end of training beside ours (photos decoded into an empty cache included); how far the
first ten losses lie from plain Trainer's (the last peer's, without it) as a share of them; peak
memory, of the GPU where there is one; operations a second, as torch counts those of the first step,
and with `--peak` their share of what the device can do at most. The learning rate is low: at 1e-4
an untrained projector magnifies rounding to hundredths within ten steps.
`--data-path` times the way of photos into batches alone, from the second epoch on. On two cores
`--workers 0` is best; beside a GPU give many. Writes
benchmarks/results/training_speed-<name>.json.

    ours              `DescriptionTrainer`, caption likelihood alone
    ours-both         with the alignment likelihood
    ours-compiled     with `compile`, as on a GPU
    ours-compiled-padded  the same, with texts padded to multiples of 16 tokens
    ours-contiguous   without channels-last kernels, whose batch norms are rounded otherwise
    ours-mkl          with the products that PyTorch takes by itself, as on Intel's processors
    ours-onednn       with those of oneDNN, as on all others
    ours-mkl-contiguous   without either: its losses begin as plain's do
    ours-giving-back      with memory given back to the system as soon as it is free
    ours-never-giving-back  without giving back every eighth step what lies between buffers
    ours-padded           with texts padded to multiples of 16 tokens
    ours-sdpa             with PyTorch's attention kernel
    ours-whole-prompt     with the text before the photo read for each of the rows
    trl               SFTTrainer, prompt and completion apart, no checkpointing
    trl-defaults      SFTTrainer as it comes: with checkpointing, in bfloat16
    plain             transformers' Trainer with the model's own loss
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from measuring import accelerator, processor, spread

ROOT = Path(__file__).resolve().parent.parent
PEERS = (
    *("ours", "ours-both", "ours-compiled", "ours-compiled-padded", "ours-contiguous"),
    *("ours-giving-back", "ours-never-giving-back", "ours-mkl", "ours-mkl-contiguous"),
    *("ours-onednn", "ours-padded", "ours-sdpa", "ours-whole-prompt"),
    *("trl", "trl-defaults", "plain"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--target", default="{description_en}")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--steps", type=int, default=13)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-5, help="learning rate of every part")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="that make batches, of ours and tuned peers",
    )
    parser.add_argument("--peak", type=float, help="TFLOP/s of the device, by its data sheet")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--tower-precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--megapixels", type=float, help="blow the photos up to JPEGs of this size")
    parser.add_argument("--data-path", action="store_true", help="no steps, only batches")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "training_speed")
    parser.add_argument("--name", default="cpu", help="of the result")
    parser.add_argument("--worker", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        from training_peers import work

        print("RESULT " + json.dumps(work(args)))
        return
    if not args.peers[0].startswith("ours"):
        parser.error("--peers: the first is the one to which ratios are, one of ours")
    turns: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for turn in range(args.repeats):
        order = args.peers[turn % len(args.peers) :] + args.peers[: turn % len(args.peers)]
        turns.append({})
        for peer in order:
            try:
                turns[-1][peer] = run(peer)
            except PeerFailedError as error:
                if peer == args.peers[0]:
                    raise SystemExit(f"{peer} failed: {error}") from error
                print(f"{peer} failed and is left out: {error}", file=sys.stderr)
                args.peers.remove(peer)
                failed[peer] = str(error).splitlines()[-1]
        told = {peer: round(found["seconds"], 3) for peer, found in turns[-1].items()}
        print(f"turn {turn + 1}: {told}", file=sys.stderr)
    result = summary(args, turns) | {"failed": failed}
    kind = "data_path" if args.data_path else args.precision
    out = ROOT / "benchmarks" / "results" / f"training_speed-{args.name}-{kind}.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_table(result)


class PeerFailedError(Exception):
    """A peer ended without a result; the end of what it said."""


def run(peer: str) -> dict[str, Any]:
    """One peer in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--worker", peer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise PeerFailedError(done.stderr[-3000:].strip() or f"exit code {done.returncode}")
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


def summary(args: argparse.Namespace, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Ratios of each peer to the first within a turn, and how far the losses lie apart."""
    import torch
    import transformers

    reference = "plain" if "plain" in args.peers else args.peers[-1]
    peers: dict[str, Any] = {}
    for peer in args.peers:
        ratios = [turn[peer]["seconds"] / turn[args.peers[0]]["seconds"] for turn in turns]
        peers[peer] = {
            "seconds": spread([turn[peer]["seconds"] for turn in turns]),
            "times_ours": spread(ratios),
            "total_seconds": spread([turn[peer]["total_seconds"] for turn in turns]),
            "total_times_ours": spread(
                [
                    turn[peer]["total_seconds"] / turn[args.peers[0]]["total_seconds"]
                    for turn in turns
                ]
            ),
            "peak_mib": spread([turn[peer]["peak_mib"] for turn in turns]),
            "teraflop": round(turns[0][peer]["teraflop"], 4),
            "gflop_a_second": spread(
                [1e3 * turn[peer]["teraflop"] / turn[peer]["seconds"] for turn in turns], 1
            ),
            "in_use_mib": spread([turn[peer]["in_use_mib"] for turn in turns]),
        }
        if args.peak:
            gflop = peers[peer]["gflop_a_second"]["median"]
            peers[peer]["utilisation"] = round(gflop / 1e3 / args.peak, 4)
        losses, others = turns[0][peer]["losses"], turns[0][reference]["losses"]
        if losses and others:
            apart = [abs(a - b) / b for a, b in zip(losses[:10], others[:10], strict=True)]
            peers[peer]["first_losses"] = [round(loss, 6) for loss in losses[:10]]
            peers[peer]["first_losses_apart"] = max(apart)
            peers[peer]["last_losses"] = statistics.mean(losses[-20:])
    return {
        "batch": args.batch,
        "learning_rate": args.rate,
        "steps": args.steps,
        "threads": args.threads,
        "workers": args.workers,
        "precision": args.precision,
        "tower_precision": args.tower_precision,
        "megapixels": args.megapixels,
        "losses_beside": reference,
        "processor": processor(),
        "accelerator": accelerator(),
        "peak_teraflop_a_second": args.peak,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "trl": version_of("trl"),
            "python": platform.python_version(),
        },
        "peers": peers,
    }


def print_table(result: dict[str, Any]) -> None:
    head = ("seconds a step", "times ours", "whole, times ours")
    more = ("peak MiB", "in use", "losses apart", "GFLOP/s", "of the peak")
    print(
        f"{'':22}" + "".join(f"{one:>22}" for one in head) + "".join(f"{one:>13}" for one in more)
    )
    for peer, found in result["peers"].items():
        cells = [
            f"{one['median']:.3g} [{one['low']:.3g}, {one['high']:.3g}]"
            for one in (found["seconds"], found["times_ours"], found["total_times_ours"])
        ]
        apart = found.get("first_losses_apart")
        print(
            f"{peer:22}"
            + "".join(f"{cell:>22}" for cell in cells)
            + f"{found['peak_mib']['median']:>13.0f}{found['in_use_mib']['median']:>13.0f}"
            f"{'-' if apart is None else format(apart, '.1e'):>13}"
            f"{found['gflop_a_second']['median']:>13.0f}"
            f"{format(found['utilisation'], '.1%') if 'utilisation' in found else '-':>13}"
        )


def version_of(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
