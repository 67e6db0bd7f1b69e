"""What the routes of the ledger share: who may ask, filters, and the store's refusals in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from hazardscribe.serving.auth import Caller, admin, inspector
from hazardscribe.serving.errors import ApiError, no_room, photo_error
from hazardscribe.serving.schemas import Day, ErrorAnswer, Level, Outcome, Status
from hazardscribe.serving.store.errors import (
    EditConflictError,
    PhotoRefusedError,
    StoreError,
    StoreUnavailableError,
)
from hazardscribe.serving.store.listing import Filters
from hazardscribe.serving.store.store import Store

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

Inspector = Annotated[Caller, Depends(inspector)]
Admin = Annotated[Caller, Depends(admin)]
_Words = Annotated[str, Query(max_length=200)]
_Day = Annotated[Day | Literal[""], Query(description="of the day it was found; YYYY-MM-DD")]

WHY = {
    401: "no valid token",
    403: "not for this role",
    404: "no such record",
    409: "the idempotency key came with another request, or its record was deleted",
    412: "somebody else changed the record first",
    413: "more, or larger, than can be taken",
    415: "a file is no photo",
    422: "a field is missing or wrong",
    428: "no If-Match",
    429: "too many requests",
    503: "the store does not answer, or its disk is full",
}


def answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route for the OpenAPI document: those of every route, and `codes`."""
    every = (401, 403, *codes, 422, 429, 503)
    return {code: {"model": ErrorAnswer, "description": WHY[code]} for code in every}


def _filters(
    q: _Words = "",
    category: _Words = "",
    level: Level | Literal[""] = "",
    status: Status | Literal[""] = "",
    outcome: Outcome | Literal[""] = "",
    place: _Words = "",
    responsible: _Words = "",
    since: _Day = "",
    until: _Day = "",
) -> Filters:
    return Filters(
        *(q, category, level, status, outcome, place, responsible),
        since=since or None,
        until=until or None,
    )


FromFilters = Annotated[Filters, Depends(_filters)]


def store_of(request: Request) -> Store:
    """The store of the app."""
    store = request.app.state.store
    assert isinstance(store, Store)
    return store


async def ask(call: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Call the store in a thread.

    Raises:
        ApiError: what the store refused, in words.
    """
    try:
        return await run_in_threadpool(call, *arguments, **named)
    except StoreError as error:
        raise store_error(error) from error


_SAID: dict[str, tuple[int, str, str]] = {
    "not_found": (
        404,
        "没有这条记录或照片，可能已被删除。",
        "There is no such record or photo; it may have been deleted.",
    ),
    "edit_conflict": (
        412,
        "他人已先修改这条记录。您的修改尚未保存，请对照最新内容后再提交。",
        "Somebody else changed this record first. Your change is not saved; compare it with the "
        "record as it is now, and send it again.",
    ),
    "key_reused": (
        409,
        "同一个 Idempotency-Key 已用于另一条内容不同的提交，请换一个。",
        "This Idempotency-Key came with another request before; use a new one.",
    ),
    "deleted": (
        409,
        "这条记录提交过，之后已被管理员删除。",
        "This record was confirmed before and has been deleted since.",
    ),
    "already_confirmed": (
        409,
        "这段描述已确认进入台账，不能再作废。",
        "This text was confirmed into the ledger and cannot be rejected any more.",
    ),
    "empty_text": (422, "请填写隐患描述。", "Write what the hazard is."),
    "bad_cursor": (
        422,
        "cursor 无效，请从第一页重新开始。",
        "The cursor is not valid; begin again at the first page.",
    ),
    "nothing_to_export": (
        404,
        "所选记录中没有带照片的描述可供导出。",
        "None of these records has a photo and a text to learn from.",
    ),
    "draining": (503, "服务器正在停止，请稍后重试。", "The server is stopping; try again later."),
    "store_unavailable": (
        503,
        "台账暂时无法读写，请稍后重试。",
        "The ledger cannot be read or written at the moment; try again later.",
    ),
}


def store_error(error: StoreError) -> ApiError:
    """The API's form of what the store refused."""
    if isinstance(error, PhotoRefusedError):
        return photo_error(error.cause, error.place)
    if isinstance(error, StoreUnavailableError):
        logger.error("the ledger cannot be read or written: %s", error)
        if error.full:
            return no_room()
    status, zh, en = _SAID[error.code]
    headers = {"Retry-After": "10"} if status == 503 else None
    extra = None
    if isinstance(error, EditConflictError):
        extra = {"current": error.current.model_dump(mode="json")}
    return ApiError(status, error.code, zh, en, headers=headers, extra=extra)
