"""Whether the server lives, is ready, and how it does: for monitors, not for people."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from hazardscribe.serving.auth import Caller, admin
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.openapi import GUARDED, refusals
from hazardscribe.serving.store.errors import StoreUnavailableError

logger = logging.getLogger(__name__)

router = APIRouter(tags=["health"])

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health(BaseModel):
    """That the server lives, or is ready."""

    status: Literal["ok"]


@router.get("/healthz")
async def healthz() -> Health:
    """The process lives and answers."""
    return Health(status="ok")


@router.get("/readyz", responses=refusals(503, _503="not ready, with the reason as `code`"))
async def readyz(request: Request) -> Health:
    """The model is loaded, the ledger answers, there is room to save findings, and the server is
    not about to stop."""
    state = request.app.state
    if state.draining:
        raise _not_ready("draining", "服务器正在停止。", "The server is stopping.")
    if not await state.engine.ready():
        raise _not_ready(
            "engine_unavailable", "描述引擎尚不可用。", "The describing engine does not answer."
        )
    try:
        await run_in_threadpool(state.store.check)
    except Exception as error:
        if isinstance(error, StoreUnavailableError) and error.full:
            logger.warning("the disk of the ledger is full: %s", error)
            raise _no_room() from error
        logger.warning("the store does not answer: %s", error)
        raise _not_ready(
            "store_unavailable", "台账数据库无法访问。", "The ledger does not answer."
        ) from error
    if scarce := await run_in_threadpool(state.room.scarce):
        for place, free in scarce.items():
            wanted = state.room.least / 2**20
            logger.warning(
                "too little room for %s: %s has %.0f MiB free, and one request may need %.0f",
                *(place, state.room.places[place], free / 2**20, wanted),
            )
        raise _no_room()
    return Health(status="ok")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {METRICS_TYPE: {"schema": {"type": "string"}}}},
        **refusals(*GUARDED),
    },
)
async def metrics(request: Request, _: Annotated[Caller, Depends(admin)]) -> Response:
    """Prometheus metrics; for administrators, and for programs on the server's own machine."""
    return Response(request.app.state.metrics.text(), media_type=METRICS_TYPE)


def _no_room() -> ApiError:
    return _not_ready(
        "store_full",
        "服务器磁盘空间不足，隐患无法保存。",
        "Too little disk space is left to save findings.",
    )


def _not_ready(code: str, zh: str, en: str) -> ApiError:
    return ApiError(503, code, zh, en, headers={"Retry-After": "5"})
