"""Where bad inputs are tried: a folder to write into, pairs, a model, and a server."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class World:
    """What a bad input may need.

    Attributes:
        tmp: an empty folder of its own. pairs: a folder of sound pairs. start: a sound model
            folder. run: a finished training. server: address of a running server without tokens.
    """

    tmp: Path
    pairs: Path
    start: Path
    run: Path
    server: str

    def file(self, name: str, content: bytes | str) -> Path:
        """A file in the folder."""
        path = self.tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def model(self) -> Path:
        """A copy of the model, to be damaged."""
        return Path(shutil.copytree(self.start, self.tmp / "model"))

    def copy_run(self) -> Path:
        """A copy of the training, to be damaged."""
        return Path(shutil.copytree(self.run, self.tmp / "run"))

    def ask(self, method: str, path: str, **options: Any) -> str:
        """What the server answers: `STATUS CODE: sentence`."""
        options["headers"] = {"Accept-Language": "en"} | options.get("headers", {})
        answer = httpx.request(method, self.server + path, timeout=60, **options)
        assert answer.status_code < 500, answer.text
        if answer.status_code < 400:
            return f"{answer.status_code}"
        error = answer.json()["error"]
        assert error["request_id"] == answer.headers["x-request-id"]
        return f"{answer.status_code} {error['code']}: {error['message']}"


# What is tried, and the sentence that must come of it; `…` stands for anything.
Case = tuple[Callable[[World], object], str]
