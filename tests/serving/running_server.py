"""A server in a thread of the test's process, and photos to send to it."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import uvicorn
from PIL import Image

from hazardscribe.serving.connections import PatientProtocol
from hazardscribe.serving.serve import listen


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
