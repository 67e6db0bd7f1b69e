"""Everything at once for as long as you like, with kills: is anything lost, does memory stay flat?

    python benchmarks/soak.py [--minutes 60] [--kills 20] [--seed 0] [--work DIR]

Three things run beside each other on made-up scenes and a small untrained model:

* trainings and imports, each in a process that is killed by SIGKILL at a random moment, started
  again, and so on until it ends; then compared, byte for byte, with one that nobody disturbed;
* a server that is killed or stopped every few seconds and started again on the same ledger, while
  a client confirms findings, changes them, and sends nonsense, and repeats what was not answered;
* a second server that nobody stops, under the same requests: its memory is what must stay flat.

Before that, the test that kills trainings at `--kills` random calls (tests/training). At the end
every finding that was acknowledged must be there once, with its text and its photos, and the
ledger's file must be whole. Writes benchmarks/results/soak.json; exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from soak_client import Client, Server
from soak_jobs import Import, Job, Training

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).parent / "results" / "soak.json"
SCENES = {"train": 16, "dev": 4, "validation": 4}
_GROWTH = 1.10  # of the median memory of the last third over that of the second
_FLAT_AFTER = 600  # seconds: before that, caches that fill look like growth


def random_kills(kills: int, seed: int) -> dict[str, Any]:
    """The test that kills at random calls, over so many."""
    environment = os.environ | {
        "HAZARDSCRIBE_KILLS": str(kills),
        "HAZARDSCRIBE_KILLS_SEED": str(seed),
    }
    test = [sys.executable, "-m", "pytest", "-q", "tests/training/test_killed_anywhere.py"]
    began = time.monotonic()
    done = subprocess.run(test, cwd=ROOT, env=environment, capture_output=True, text=True)
    return {
        "kills": kills,
        "passed": done.returncode == 0,
        "seconds": round(time.monotonic() - began),
        "said": "" if done.returncode == 0 else done.stdout[-2000:],
    }


def whole_ledger(store: Path) -> list[str]:
    """What SQLite finds wrong with the file."""
    with sqlite3.connect(store / "ledger.sqlite") as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        found += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
    return [one for one in found if one != "ok"]


def disturb(
    server: Server, rng: random.Random, ended: threading.Event, found: Counter[str]
) -> None:
    """Kill or stop the server every few seconds and start it again."""
    while not ended.wait(rng.uniform(4, 20)) and not found["starts that failed"]:
        kill = rng.random() < 0.7
        code = server.stop(signal.SIGKILL if kill else signal.SIGTERM)
        found["kills" if kill else "stops"] += 1
        if not kill and code != 0:
            found["stops that failed"] += 1
        try:
            server.start()
        except AssertionError:
            found["starts that failed"] += 1


def growth(memory: Sequence[tuple[float, float]]) -> float:
    """Median memory of the last third of the time over that of the second."""
    third = len(memory) // 3
    if not third:
        return 1.0
    values = [value for _, value in memory]
    return statistics.median(values[-third:]) / statistics.median(values[third : 2 * third])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder to work in; default: a temporary one")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="hazardscribe-soak-"))
    os.environ["HAZARDSCRIBE_CACHE"] = str(work / "cache")
    rng = random.Random(given.seed)

    print(f"killing trainings at {given.kills} random calls ...", flush=True)
    killed = random_kills(given.kills, given.seed)

    from hazardscribe import verbs
    from hazardscribe.pairs.scenes import render_scenes

    scenes = render_scenes(work / "scenes", **SCENES, seed=given.seed)
    start = verbs.init(work / "start", data=scenes)
    ledger = verbs.export(scenes, to="xlsx", out=work / "ledger.xlsx")
    photos = [path.read_bytes() for path in sorted((scenes / "photos").iterdir())]
    jobs: list[Job] = [
        Training(rng, work / "train", scenes, start),
        Import(rng, work / "import", ledger),
    ]
    for job in jobs:
        job.prepare()

    print(f"everything at once for {given.minutes:g} minutes ...", flush=True)
    servers = [Server(start, work / "store-killed"), Server(start, work / "store")]
    clients = [
        Client(server, photos, name, random.Random(f"{given.seed} {name}"))
        for server, name in zip(servers, ("killed", "steady"), strict=True)
    ]
    ended, disturbed = threading.Event(), Counter[str]()
    threads = [threading.Thread(target=client.run) for client in clients]
    disturbing = (servers[0], random.Random(given.seed), ended, disturbed)
    threads.append(threading.Thread(target=disturb, args=disturbing))
    for thread in threads:
        thread.start()
    began, memory = time.monotonic(), list[tuple[float, float]]()
    until = began + 60 * given.minutes

    def watch() -> None:
        while not ended.wait(2):
            memory.append((round(time.monotonic() - began), servers[1].memory()))

    threads.append(threading.Thread(target=watch))
    threads[-1].start()
    while time.monotonic() < until:
        for job in jobs:
            job.round()
    ended.set()
    for client in clients:
        client.ended.set()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began

    lost = [one for client in clients for one in client.lost()]
    codes = [server.stop(signal.SIGTERM) for server in servers]
    faults = [
        *([] if killed["passed"] else ["tests/training/test_killed_anywhere.py failed"]),
        *(one for part in (*jobs, *clients) for one in part.failed),
        *(f"lost: {one}" for one in lost),
        *(f"ledger: {one}" for server in servers for one in whole_ledger(server.store)),
        *(f"a server ended with {code}" for code in codes if code),
    ]
    faults += [f"{name}: {n}" for name, n in disturbed.items() if "failed" in name]
    grown = growth(memory)
    if grown > _GROWTH and seconds > _FLAT_AFTER:
        faults.append(f"memory grew by {grown - 1:.0%}")
    result = {
        "minutes": round(seconds / 60, 1),
        "seed": given.seed,
        "random_kills": {name: killed[name] for name in ("kills", "passed", "seconds")},
        "jobs": {job.name: {"rounds": job.rounds, "kills": job.kills} for job in jobs},
        "server": dict(disturbed) | {"starts": servers[0].starts},
        "requests": {client.name: dict(sorted(client.answers.items())) for client in clients},
        "findings": {client.name: len(client.kept) for client in clients},
        "lost": len(lost),
        "memory_mib": [[at, round(value)] for at, value in memory[:: max(1, len(memory) // 60)]],
        "memory_growth": round(grown, 3),
        "faults": faults[:50],
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shown = {name: value for name, value in result.items() if name != "memory_mib"}
    print(json.dumps(shown, indent=1, ensure_ascii=False))
    if given.work is None and not faults:
        shutil.rmtree(work)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
