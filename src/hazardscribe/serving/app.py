"""The app: puts engine, ledger, page and guards together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from hazardscribe import __version__
from hazardscribe.serving.auth import Gate, Tokens
from hazardscribe.serving.engine import Engine
from hazardscribe.serving.errors import install_handlers
from hazardscribe.serving.guards import Guards
from hazardscribe.serving.memory import Memory
from hazardscribe.serving.metrics import Metrics
from hazardscribe.serving.openapi import DESCRIPTION, install_openapi
from hazardscribe.serving.room import Room
from hazardscribe.serving.routes import describe, export, health, ledger, openai, page
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.retention import Retention, keep_forgetting
from hazardscribe.serving.store.store import Store


def create_app(settings: ServeSettings, store: Store, engine: Engine | None = None) -> FastAPI:
    """The app of a server.

    Args:
        settings: what it was started with.
        store: the ledger, which its owner closes.
        engine: what describes; default: what the settings say. It is closed with the app.

    Raises:
        InputError: if the model cannot be loaded or a tokens file not be read.
    """
    metrics = Metrics()
    tokens = Tokens.load(settings.tokens, settings.token)
    gate = Gate(tokens, settings.requests_per_minute)
    engine = make_engine(settings, metrics) if engine is None else engine

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        retention = Retention(settings.keep_unconfirmed_days, settings.keep_days)
        forgetting = asyncio.create_task(keep_forgetting(store, retention))
        try:
            yield
        finally:
            forgetting.cancel()
            with suppress(asyncio.CancelledError):
                await forgetting
            await engine.close()

    app = FastAPI(
        title="hazardscribe",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's own pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    state = app.state
    state.settings, state.engine, state.store = settings, engine, store
    state.gate, state.metrics = gate, metrics
    state.draining, state.started = False, time.time()
    state.confirming = asyncio.Semaphore(ledger.CONFIRMING)
    metrics.follow_queue(lambda: engine.waiting)
    state.room = Room(store.places, settings.max_request_bytes)
    metrics.follow_room(state.room)
    for part in (health, describe, openai, export, ledger, page):
        app.include_router(part.router)
    install_handlers(app)
    install_openapi(app, settings.max_photos)
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
