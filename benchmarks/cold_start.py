"""How long from the command to the first description, in a new process?

    python benchmarks/cold_start.py --model MODEL --photo PHOTO [--repeats 5] [--threads 2]

Seconds on the clock, and of processor time, which other programs disturb less with one thread. Runs
`hazardscribe describe` on one photo and takes the time until its line is printed, and that of
`import torch` and `import transformers, torchvision` alone, turn by turn: what no program over
these libraries can go below. Writes benchmarks/results/cold_start.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

from measuring import spread

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    describe = ["-m", "hazardscribe.cli", "describe", str(args.photo), "--model", str(args.model)]
    libraries = ("image_utils", "modeling_utils", "processing_utils")
    imports = "import " + ", ".join(f"transformers.{name}" for name in libraries)
    jobs = {
        "import torch": ["-c", "import torch"],
        "import torch, transformers, torchvision": ["-c", imports],
        "describe": describe,
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(args.repeats):
        for name, job in jobs.items():
            found[name].append(first_line(job, args.threads))
    result = {
        "threads": args.threads,
        "versions": {"python": platform.python_version()},
        "processes": {
            name: {"seconds": spread([a for a, _ in times]), "cpu": spread([b for _, b in times])}
            for name, times in found.items()
        },
    }
    print(json.dumps(result["processes"], indent=1))
    out = ROOT / "benchmarks" / "results" / "cold_start.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def first_line(job: list[str], threads: int) -> tuple[float, float]:
    """Seconds until the first line, or the end where there is none; and the whole's CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *job],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(job)}: failed with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu


if __name__ == "__main__":
    main()
