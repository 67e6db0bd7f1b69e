"""How `hazardscribe serve` bears many clients at once, and what its batches gain.

    python benchmarks/serve_load.py --model DIR [--clients 200] [--seconds 30] [--repeats 3]

Two servers run as processes of their own, one with batches and one with `--max_batch 1`, and are
loaded by turns from this process. Each client sends a photo, waits for its description and sends
the next; one that is refused with 429 waits as long as `Retry-After` says. Prints the latency of
answered requests, answers a second, the share of 429, whatever else came back (nothing should),
the batching server's memory over time, and the throughput with batches over that without, as
median with the least and largest repeat. Clients and servers share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

OUT = Path(__file__).parent / "results" / "serve_load.json"


@dataclass
class Load:
    """What a server gave in one turn."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)

    @property
    def throughput(self) -> float:
        """Photos described a second."""
        return len(self.latencies) / self.seconds

    def summary(self) -> dict[str, Any]:
        """For people and the results file; latencies in seconds."""
        refused = self.others["429"]
        asked = len(self.latencies) + self.others.total()
        cuts = (
            statistics.quantiles(self.latencies, n=100) if len(self.latencies) > 1 else [0.0] * 99
        )
        errors = {name: n for name, n in self.others.items() if name != "429"}
        return {
            "answered": len(self.latencies),
            "per_second": round(self.throughput, 2),
            "latency_s": {f"p{p}": round(cuts[p - 1], 3) for p in (50, 90, 95, 99)},
            "share_of_429": round(refused / max(1, asked), 3),
            "errors": errors,
        }


@contextmanager
def server(options: list[str], log: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a server, stopped at the end."""
    command = [sys.executable, "-m", "hazardscribe.cli", "serve", "--port", "0", *options]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+?(?=/ )", process.stdout.readline())
        if found is None:
            raise SystemExit(f"the server did not start:\n{log.read_text()}")
        yield found[0], process.pid
    finally:
        process.terminate()
        process.wait(60)


def memory_of(process: int) -> int:
    """Resident memory in MiB (Linux)."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


async def load(
    address: str, process: int, photos: list[bytes], clients: int, seconds: float
) -> Load:
    """Load a server for so many seconds; at the end the clients leave."""
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    result = Load(seconds)
    end = time.perf_counter() + seconds

    async def client(number: int, http: httpx.AsyncClient) -> None:
        turn = number
        while time.perf_counter() < end:
            turn += 1
            files = [("photos", ("photo.jpg", photos[turn % len(photos)], "image/jpeg"))]
            began = time.perf_counter()
            try:
                answer = await http.post(f"{address}/v1/describe", files=files)
            except httpx.HTTPError as error:
                result.others[type(error).__name__] += 1
                continue
            now = time.perf_counter()
            if answer.status_code == 200:
                result.latencies.append(now - began)
                continue
            result.others[str(answer.status_code)] += 1
            wait = float(answer.headers.get("Retry-After", 1))
            await asyncio.sleep(min(wait, max(0.0, end - now)))

    async def watch() -> None:
        while time.perf_counter() < end:
            result.memory.append(memory_of(process))
            await asyncio.sleep(0.5)

    async with httpx.AsyncClient(limits=limits, timeout=120, trust_env=False) as http:
        tasks = [asyncio.ensure_future(client(i, http)) for i in range(clients)]
        await watch()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
    return result


def drawn_photos(count: int = 16) -> list[bytes]:
    """JPEGs of 1280 x 960 pixels, as a phone page sends them."""
    import numpy as np
    from PIL import Image

    photos = []
    for i in range(count):
        rng = np.random.default_rng(i)
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((1280, 960), Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
        photos.append(file.getvalue())
    return photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, help="folder of .jpg; default: drawn ones")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30, help="of each turn")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max_batch", type=int, default=16)
    parser.add_argument("--queue_size", type=int, default=64)
    parser.add_argument("--max_new_tokens", type=int, default=96)
    parser.add_argument("--out", type=Path, default=OUT, help="JSON file for the result")
    args = parser.parse_args()

    photos = drawn_photos()
    if args.photos is not None:
        photos = [path.read_bytes() for path in sorted(args.photos.glob("*.jpg"))[:64]]
    batched, single, ratios, memory = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        common = ["--model", str(args.model), "--requests_per_minute", "0"]
        common += ["--queue_size", str(args.queue_size), "--deadline_s", "600"]
        common += ["--max_new_tokens", str(args.max_new_tokens)]

        def options(name: str, batch: int) -> list[str]:
            return [*common, "--max_batch", str(batch), "--store", f"{folder}/{name}"]

        with (
            server(options("batched", args.max_batch), Path(folder, "batched.log")) as many,
            server(options("single", 1), Path(folder, "single.log")) as one,
        ):

            def turn(at: tuple[str, int], seconds: float) -> Load:
                return asyncio.run(load(*at, photos, args.clients, seconds))

            for at in (many, one):
                turn(at, min(5.0, args.seconds))  # warm up
            for repeat in range(args.repeats):
                batched.append(turn(many, args.seconds))
                single.append(turn(one, args.seconds))
                memory += batched[-1].memory
                ratios.append(batched[-1].throughput / max(1e-9, single[-1].throughput))
                print(
                    f"turn {repeat + 1}: {batched[-1].throughput:.2f}/s in batches, "
                    f"{single[-1].throughput:.2f}/s one at a time, ratio {ratios[-1]:.2f}",
                    flush=True,
                )
    together = Load(sum(one.seconds for one in batched))
    for one_turn in batched:
        together.latencies += one_turn.latencies
        together.others += one_turn.others
    alone = Load(sum(one.seconds for one in single))
    for one_turn in single:
        alone.latencies += one_turn.latencies
        alone.others += one_turn.others
    result = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "clients": args.clients,
        "seconds": args.seconds,
        "max_batch": args.max_batch,
        "queue_size": args.queue_size,
        "batched": together.summary(),
        "one_at_a_time": alone.summary(),
        "batched_over_one_at_a_time": {
            "median": round(statistics.median(ratios), 2),
            "low": round(min(ratios), 2),
            "high": round(max(ratios), 2),
            "repeats": args.repeats,
        },
        "memory_mib": {
            "start": memory[0],
            "middle": memory[len(memory) // 2],
            "end": memory[-1],
            "most": max(memory),
        },
    }
    print(json.dumps(result, indent=1))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
