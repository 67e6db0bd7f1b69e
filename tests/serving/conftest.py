"""A server on a tiny model, in a thread of the test's process, and what is sent to it."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image

from hazardscribe.serving.app import create_app
from hazardscribe.serving.serve import listen
from hazardscribe.serving.settings import ServeSettings

BRIEF: dict[str, Any] = {"max_new_tokens": 8, "device": "cpu", "requests_per_minute": 0}


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """The address of an app that real sockets reach."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def serve_app():
    """An app with a tiny model and no ledger."""

    def make(model: Path, **settings: Any) -> Any:
        return create_app(ServeSettings(model=model, **(BRIEF | settings)))

    return make


@pytest.fixture(scope="session")
def server(start: Path, serve_app, tmp_path_factory) -> Iterator[str]:
    """The address of a server on the tiny model."""
    with running(serve_app(start)) as address:
        yield address


def picture(width: int = 64, height: int = 48, kind: str = "JPEG", **options: Any) -> bytes:
    """A photo file of coarse noise."""
    rng = np.random.default_rng(width * height)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, kind, **options)
    return file.getvalue()
