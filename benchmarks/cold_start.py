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
# What describing does not need and the libraries bring.
BROUGHT = ("torch", "torch._dynamo", "sympy", "torch.distributed.tensor", "scipy.optimize")


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
        "describe, no re-ranking": [*describe, "--rerank", "false"],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(args.repeats):
        for name, job in jobs.items():
            found[name].append(first_line(job, args.threads))
    result = {
        "threads": args.threads,
        "seconds_of_imports": of_imports(jobs["import torch, transformers, torchvision"]),
        "versions": {"python": platform.python_version()},
        "processes": {
            name: {"seconds": spread([a for a, _ in times]), "cpu": spread([b for _, b in times])}
            for name, times in found.items()
        },
    }
    print(json.dumps({key: result[key] for key in ("processes", "seconds_of_imports")}, indent=1))
    out = ROOT / "benchmarks" / "results" / "cold_start.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def of_imports(job: list[str]) -> dict[str, float]:
    """Seconds of the largest imports within a job, each with all that it brings, by Python."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *job], capture_output=True, text=True, check=True
    )
    lines = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()]
    found = {one[2].strip(): one[1] for one in lines if len(one) == 3 and one[1].strip().isdigit()}
    return {name: round(int(found[name]) / 1e6, 2) for name in BROUGHT if name in found}


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
