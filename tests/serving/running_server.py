"""An app, a server of it in a thread of the test's process, and photos to send to it."""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from PIL import Image

from hazardscribe.serving.app import create_app
from hazardscribe.serving.connections import PatientProtocol
from hazardscribe.serving.serve import listen
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.store import Store


def make_app(settings: ServeSettings, engine: Any = None) -> FastAPI:
    """An app with an empty ledger, which is gone when the app is."""
    folder = tempfile.TemporaryDirectory()
    store = Store.open(f"sqlite:///{folder.name}/ledger.sqlite", Path(folder.name, "photos"))
    app = create_app(settings, store, engine)
    app.state.folder = folder
    return app


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """The address of an app that real sockets reach."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
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


def picture(width: int = 64, height: int = 48, kind: str = "JPEG", **options: Any) -> bytes:
    """A photo file of coarse noise."""
    rng = np.random.default_rng(width * height)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, kind, **options)
    return file.getvalue()
