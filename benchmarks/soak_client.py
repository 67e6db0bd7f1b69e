"""A server that may be killed, and a client that remembers what it acknowledged; for soak.py."""

from __future__ import annotations

import json
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from soak_jobs import CLI


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
        kept: id of a finding -> its text and number of photos, as the server acknowledged; the
            texts that it may have, where an answer did not come.
        answers: status -> how many; failed: what a server may never answer.
    """

    server: Server
    photos: Sequence[bytes]
    name: str
    rng: random.Random
    kept: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
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
                self.kept[answer.json()["id"]] = ((text,), count)
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
        text = f"{before[0].split('，')[0]}，改{self.rng.randrange(1000)}"
        headers = {"If-Match": found.headers["etag"]}
        answer = self.ask("PATCH", f"/v1/findings/{one}", json={"text": text}, headers=headers)
        if answer is not None and answer.status_code == 200:
            self.kept[one] = ((text,), count)
        elif answer is None:  # done or not: what is there counts
            self.kept[one] = ((*before, text), count)

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
            if record["text"] not in texts or len(record["photos"]) != count:
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
