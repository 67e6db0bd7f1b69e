"""Commands that are killed at random moments until they come to their end; for soak.py."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

CLI = [sys.executable, "-m", "hazardscribe.cli"]


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
