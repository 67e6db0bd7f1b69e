"""Run the server: what must not be wrong is checked first, then it listens until told to stop.

SIGTERM and Ctrl-C drain: no new connection is taken, requests under way get `drain_s` seconds, and
the process ends with code 0.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from hazardscribe.errors import InputError
from hazardscribe.serving.app import create_app
from hazardscribe.serving.auth import Tokens, check_exposure, warn_if_readable
from hazardscribe.serving.connections import PatientProtocol
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.store import Store
from hazardscribe.serving.uploads import photo_limits

logger = logging.getLogger(__name__)


def serve(settings: ServeSettings, say: Callable[[str], None] = logger.info) -> None:
    """Serve until told to stop.

    Args:
        settings: of the server. say: told where it listens, once it does.

    Raises:
        InputError: an address, token, model or ledger that cannot be used.
    """
    check_exposure(settings.host, Tokens.load(settings.tokens, settings.token))
    warn_if_readable(settings.tokens)
    listener = listen(settings.host, settings.port)
    try:
        with opened_store(settings) as store:
            run(create_app(settings, store), settings, listener, say)
    finally:
        listener.close()


@contextmanager
def opened_store(settings: ServeSettings) -> Iterator[Store]:
    """The ledger that the settings name, closed at the end.

    Raises:
        InputError: if it cannot be opened.
    """
    store = Store.open(settings.store_url, settings.store_photos, photo_limits(settings))
    try:
        yield store
    finally:
        store.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address.

    Raises:
        InputError: if it is taken, not this machine's, or not allowed.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(
            f"--host {host}: is no address of this machine; write 127.0.0.1, or 0.0.0.0 for all"
        ) from error
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)  # so that a second server finds the port taken
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"--port {port}: is taken by another program on {host}; name another, or 0 for a "
                "free one"
            ) from error
        if error.errno == errno.EACCES:
            raise InputError(
                f"--port {port}: this user may not listen there; take one from 1024 on"
            ) from error
        raise InputError(f"--host {host}: cannot listen there ({error.strerror})") from error
    return listener


def run(
    app: FastAPI,
    settings: ServeSettings,
    listener: socket.socket,
    say: Callable[[str], None],
) -> None:
    """Answer on a bound socket until a signal comes."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        log_config=None,  # ours stands
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        ws="none",
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with _signals_survived():
        Server(config, app, lambda: say(f"http://{shown}:{port}/")).run(sockets=[listener])


class Server(uvicorn.Server):
    """Uvicorn's server, which says when it listens and lets `/readyz` know when it stops."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._listening = app, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._app.state.draining = True
        super().handle_exit(sig, frame)


@contextmanager
def _signals_survived() -> Iterator[None]:
    """Uvicorn sends itself the signal again once it has drained; that must not end us halfway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def nothing(number: int, frame: FrameType | None) -> None:
        return

    before = {number: signal.signal(number, nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
