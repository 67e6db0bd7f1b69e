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
import re
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).parent / "results" / "soak.json"
CLI = [sys.executable, "-m", "hazardscribe.cli"]
SCENES = {"train": 16, "dev": 4, "validation": 4}
_GROWTH = 1.10  # of the median memory of the last third over that of the second
_FLAT_AFTER = 600  # seconds: before that, caches that fill look like growth


class Server:
    """`hazardscribe serve` in a process of its own, on one ledger and one port."""

    def __init__(self, model: Path, store: Path) -> None:
        self.model, self.store, self.port = model, store, 0
        self.process: subprocess.Popen[str] | None = None
        self.starts = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again; returns when it listens."""
        options = ["--model", self.model, "--store", self.store, "--port", self.port]
        options += ["--max_new_tokens", 12, "--requests_per_minute", 0, "--device", "cpu"]
        self.process = subprocess.Popen(
            [*CLI, "serve", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://[^ ]*:(\d+)", line)
        assert found, f"the server did not start: {line!r}"
        self.port = int(found[1])
        self.starts += 1

    def stop(self, number: int) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(120)

    def memory(self) -> float:
        """Resident memory in MiB."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0


@dataclass
class Client:
    """Sends sense and nonsense to a server, and remembers what was acknowledged.

    Attributes:
        kept: id of a finding -> its text and number of photos, as the server acknowledged.
        answers: status -> how many; failed: what a server may never answer.
    """

    server: Server
    photos: Sequence[bytes]
    name: str
    rng: random.Random
    kept: dict[str, tuple[str, int]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    sent: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `ended`."""
        acts: list[Callable[[], object]] = [self.confirm, self.describe, self.change]
        acts += [self.nonsense, self.look]
        try:
            while not self.ended.is_set():
                self.rng.choice(acts)()
                time.sleep(0.02)
        except Exception as error:  # or the thread would end without a word
            self.failed.append(f"client {self.name}: {error!r}")

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """One answer; None where the server was not there or went away."""
        try:
            answer = httpx.request(method, self.server.address + path, timeout=60, **options)
        except httpx.HTTPError:
            self.answers["away"] += 1
            return None
        self.answers[str(answer.status_code)] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def confirm(self) -> None:
        """Confirm a finding; repeated under the same key until it is acknowledged."""
        self.sent += 1
        key = f"{self.name}-{self.sent}"
        text, count = f"{key} 临边未设护栏", self.rng.randrange(3)
        files = [("photos", ("a.jpg", self.rng.choice(self.photos))) for _ in range(count)]
        finding = ("finding", (None, json.dumps({"text": text, "place": "A区"})))
        while True:
            answer = self.ask(
                "POST", "/v1/findings", files=[finding, *files], headers={"Idempotency-Key": key}
            )
            if answer is not None and answer.status_code in (200, 201):
                self.kept[answer.json()["id"]] = (text, count)
                return
            if answer is not None and answer.status_code not in (429, 503):
                self.failed.append(f"confirm: {answer.status_code} {answer.text[:200]}")
                return
            time.sleep(0.2)

    def describe(self) -> None:
        """Photos, of which some are cut off."""
        photos = [self.rng.choice(self.photos) for _ in range(self.rng.randrange(1, 4))]
        if self.rng.random() < 0.3:
            photos[0] = photos[0][: self.rng.randrange(len(photos[0]))]
        self.ask("POST", "/v1/describe", files=[("photos", ("a.jpg", one)) for one in photos])

    def change(self) -> None:
        """Change the text of a finding that is there."""
        if not self.kept:
            return
        one = self.rng.choice(list(self.kept))
        found = self.ask("GET", f"/v1/findings/{one}")
        if found is None:
            return
        if found.status_code != 200:
            self.failed.append(f"{one} was acknowledged and is {found.status_code}")
            return
        before, count = self.kept[one]
        text = f"{before.split('，')[0]}，改{self.rng.randrange(1000)}"
        headers = {"If-Match": found.headers["etag"]}
        answer = self.ask("PATCH", f"/v1/findings/{one}", json={"text": text}, headers=headers)
        if answer is not None and answer.status_code == 200:
            self.kept[one] = (text, count)
        elif answer is None:  # done or not: what is there counts
            self.kept[one] = (f"{before}\0{text}", count)

    def nonsense(self) -> None:
        """What no client should send."""
        noise = self.rng.randbytes(self.rng.randrange(2000))
        method, path, options = self.rng.choice(
            [
                ("POST", "/v1/describe", {"files": {"photos": noise}}),
                ("POST", "/v1/describe", {"content": noise}),
                ("POST", "/v1/chat/completions", {"content": noise}),
                ("POST", "/v1/findings", {"data": {"finding": noise.hex()}}),
                ("PATCH", "/v1/findings/none", {"json": {"text": 1}}),
                ("GET", f"/v1/findings?cursor={noise[:20].hex()}", {}),
                ("DELETE", f"/{noise[:9].hex()}", {}),
            ]
        )
        self.ask(method, path, **options)

    def look(self) -> None:
        """Lists, counts, and now and then an export."""
        path = self.rng.choice(["/v1/findings?limit=50", "/v1/dashboard", "/metrics", "/"])
        self.ask("GET", "/v1/export?to=pairs" if self.rng.random() < 0.02 else path)

    def lost(self) -> list[str]:
        """What was acknowledged and is not there as it was acknowledged."""
        found = []
        for one, (texts, count) in self.kept.items():
            answer = self.ask("GET", f"/v1/findings/{one}")
            if answer is None or answer.status_code != 200:
                found.append(f"{one}: gone")
                continue
            record = answer.json()
            if record["text"] not in texts.split("\0") or len(record["photos"]) != count:
                found.append(f"{one}: {record['text']!r} with {len(record['photos'])} photos")
            for photo in record["photos"]:
                picture = self.ask("GET", f"/v1/photos/{photo}")
                if picture is None or picture.status_code != 200:
                    found.append(f"{one}: a photo is gone")
        answer = self.ask("GET", "/v1/findings?limit=1")
        total = answer.json()["total"] if answer is not None else None
        if total != len(self.kept):
            found.append(f"{total} findings where {len(self.kept)} were confirmed")
        return found


class Job:
    """A command that is killed at random moments until it comes to its end, again and again."""

    def __init__(self, name: str, rng: random.Random, work: Path) -> None:
        self.name, self.rng, self.work = name, rng, work
        self.rounds = self.kills = 0
        self.failed: list[str] = []
        self.seconds = 0.0

    def command(self, out: Path) -> list[str]:
        raise NotImplementedError

    def result(self, out: Path) -> dict[str, bytes]:
        """The files that must be equal."""
        raise NotImplementedError

    def prepare(self) -> None:
        """The undisturbed run, whose end all others must reach."""
        began = time.monotonic()
        subprocess.run(self.command(self.work / "whole"), check=True, capture_output=True)
        self.seconds = time.monotonic() - began
        self.whole = self.result(self.work / "whole")

    def round(self) -> None:
        """One run with up to three kills."""
        out = self.work / "killed"
        shutil.rmtree(out, ignore_errors=True)
        for attempt in range(4):
            process = subprocess.Popen(
                self.command(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                limit = 600 if attempt == 3 else self.rng.uniform(0.3, 1.2) * self.seconds
                _, said = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.kills += 1
                continue
            if process.returncode != 0:
                self.failed.append(f"{self.name}: {said.decode(errors='replace')[-500:]}")
                return
            break
        self.rounds += 1
        found = self.result(out)
        names = sorted(self.whole.keys() | found)
        differing = [name for name in names if self.whole.get(name) != found.get(name)]
        if differing:
            self.failed.append(f"{self.name}: differs in {', '.join(differing[:5])}")


class Training(Job):
    """Two objectives, accumulation, a checkpoint at each step."""

    def __init__(self, rng: random.Random, work: Path, data: Path, start: Path) -> None:
        super().__init__("train", rng, work)
        self.options = ["--data", data, "--start", start, "--steps", 6, "--batch_size", 2]
        self.options += ["--accumulation", 2, "--save_every", 1, "--evaluate_every", 3]
        self.options += ["--max_text_tokens", 12]

    def command(self, out: Path) -> list[str]:
        resume = ["--resume"] if (out / "run.json").exists() else []
        return [*CLI, "train", *map(str, self.options), "--out", str(out), *resume]

    def result(self, out: Path) -> dict[str, bytes]:
        files = [*(out / "model").glob("*.safetensors")]
        files += (out / "checkpoints").glob("*/model.safetensors")
        return {str(path.relative_to(out)): path.read_bytes() for path in files}


class Import(Job):
    """A ledger of many rows; the folder is whole or not there."""

    def __init__(self, rng: random.Random, work: Path, ledger: Path) -> None:
        super().__init__("import", rng, work)
        self.ledger = ledger

    def command(self, out: Path) -> list[str]:
        return [*CLI, "import", str(self.ledger), "--out", str(out)]

    def result(self, out: Path) -> dict[str, bytes]:
        names = {"report.html", "import.json"}  # they name moments and folders
        files = [path for path in out.rglob("*") if path.is_file() and path.name not in names]
        return {str(path.relative_to(out)): path.read_bytes() for path in files}


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
