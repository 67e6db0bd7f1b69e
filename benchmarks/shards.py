"""Pairs in one Parquet table beside pairs in shards: seconds to read, and memory that stays.

    python benchmarks/shards.py [--rows 40000] [--repeats 3]

Rows of nine columns, their photos paths to one file that is not decoded. Each read is a process of
its own: growth of resident memory from before reading until each text of the training split was
seen, pandas and datasets aside, with what else is loaded on the way and with mapped pages. The
second read of the shards finds what the first put into the cache. Writes
benchmarks/results/shards.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import processor, spread

ROOT = Path(__file__).resolve().parent.parent
SHARDS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        read(args.read)
        return
    turns = [turn(args.rows) for _ in range(args.repeats)]
    result = {
        "rows": args.rows,
        "shards": SHARDS,
        "processor": processor(),
        "ways": {
            way: {name: spread([one[way][name] for one in turns], 2) for name in ("seconds", "mib")}
            for way in turns[0]
        },
    }
    print(json.dumps(result["ways"], indent=1))
    out = ROOT / "benchmarks" / "results" / "shards.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def turn(rows: int) -> dict[str, dict[str, float]]:
    """Each way once, in an empty cache."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write(work, rows)
        return {
            "one table": child(work / "one.parquet", work / "cache-1"),
            "shards, first": child(work / "shards", work / "cache-2"),
            "shards, again": child(work / "shards", work / "cache-2"),
        }


def write(work: Path, rows: int) -> None:
    """The same rows as one table and as shards."""
    import pandas as pd
    from PIL import Image

    photo = work / "photo.png"
    Image.new("RGB", (32, 24)).save(photo)
    kept = ("place", "level", "measure", "person", "due", "category")
    frame = pd.DataFrame(
        {
            "photo": str(photo),
            "description": [f"第{i}处隐患：气瓶未固定，未采取防倾倒措施" for i in range(rows)],
            "split": ["dev" if i % 10 == 0 else "train" for i in range(rows)],
            **{name: [f"{name} {i % 97}" for i in range(rows)] for name in kept},
        }
    )
    frame.to_parquet(work / "one.parquet")
    (work / "shards").mkdir()
    size = -(-rows // SHARDS)
    for i in range(SHARDS):
        part = frame.iloc[i * size : (i + 1) * size]
        part.to_parquet(work / "shards" / f"{i}.parquet")


def child(data: Path, cache: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--read", str(data)],
        env=os.environ | {"HAZARDSCRIBE_CACHE": str(cache)},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def read(data: Path) -> None:
    """Read pairs and see each text once."""
    import datasets  # noqa: F401  its memory is none of the rows'
    import pandas  # noqa: F401

    from hazardscribe import read_pairs

    before, start = resident(), time.perf_counter()
    pairs = read_pairs(data)
    seconds = time.perf_counter() - start
    train = pairs["train"]
    texts = [row["description"] for row in train]
    assert len(texts) == len(train)
    print(json.dumps({"seconds": seconds, "mib": resident() - before}))


def resident() -> float:
    """Resident memory of this process in MiB, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
