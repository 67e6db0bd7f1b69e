"""The app: puts engine, ledger, page and guards together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI

from hazardscribe import __version__
from hazardscribe.serving.auth import Gate, Tokens
from hazardscribe.serving.engine import Engine
from hazardscribe.serving.errors import install_handlers
from hazardscribe.serving.guards import Guards
from hazardscribe.serving.memory import Memory
from hazardscribe.serving.metrics import Metrics
from hazardscribe.serving.openapi import install_openapi
from hazardscribe.serving.room import Room
from hazardscribe.serving.routes import describe, export, health, ledger, openai, page
from hazardscribe.serving.settings import ServeSettings


def create_app(
    settings: ServeSettings, *, engine: Engine | None = None, store: Any = None
) -> FastAPI:
    """The app of a server.

    Args:
        settings: what it was started with.
        engine: what describes; default: what the settings say. It is closed with the app.
        store: the ledger (`store.store.Store`), which its owner closes; None in tests alone.

    Raises:
        InputError: if the model cannot be loaded or a tokens file not be read.
    """
    metrics = Metrics()
    tokens = Tokens.load(settings.tokens, settings.token)
    gate = Gate(tokens, settings.requests_per_minute)
    engine = make_engine(settings, metrics) if engine is None else engine

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        forgetting = None
        if store is not None:
            from hazardscribe.serving.store.retention import Retention, keep_forgetting

            retention = Retention(settings.keep_unconfirmed_days, settings.keep_days)
            forgetting = asyncio.create_task(keep_forgetting(store, retention))
        try:
            yield
        finally:
            if forgetting is not None:
                forgetting.cancel()
                with suppress(asyncio.CancelledError):
                    await forgetting
            await engine.close()

    app = FastAPI(
        title="hazardscribe",
        version=__version__,
        lifespan=lifespan,
        # FastAPI's own pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    state = app.state
    state.settings, state.engine, state.store = settings, engine, store
    state.gate, state.metrics = gate, metrics
    state.draining, state.started = False, time.time()
    metrics.follow_queue(lambda: engine.waiting)
    state.room = Room({} if store is None else store.places, settings.max_request_bytes)
    metrics.follow_room(state.room)
    for part in (health, describe, openai, export, ledger, page):
        app.include_router(part.router)
    install_handlers(app)
    install_openapi(app)
    memory = Memory(settings.max_held_bytes)
    app.add_middleware(Guards, settings=settings, gate=gate, metrics=metrics, memory=memory)
    return app


def make_engine(settings: ServeSettings, metrics: Metrics) -> Engine:
    """The engine that the settings name.

    Raises:
        InputError: if it cannot be made.
    """
    if settings.engine is not None:
        from hazardscribe.serving.remote_engine import RemoteEngine

        return RemoteEngine(settings)
    from hazardscribe.serving.local_engine import LocalEngine

    return LocalEngine(settings, metrics.batch)
