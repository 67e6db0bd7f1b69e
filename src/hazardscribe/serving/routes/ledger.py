"""The ledger over HTTP: confirm, list, change, delete, photos, export, dashboard.

Nothing enters the ledger but by `POST /v1/findings`, which a person's click sends. A change names
the version that its sender saw (`If-Match`), so that nobody writes over what another has done.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, File, Form, Header, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import Json
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from hazardscribe.errors import InputError
from hazardscribe.serving.auth import Caller, admin, inspector
from hazardscribe.serving.errors import ApiError, language_of, photo_error
from hazardscribe.serving.schemas import (
    ConflictAnswer,
    Dashboard,
    Day,
    ErrorAnswer,
    Finding,
    FindingChange,
    Findings,
    History,
    Level,
    NewFinding,
    Outcome,
    Status,
)
from hazardscribe.serving.store.errors import (
    EditConflictError,
    PhotoRefusedError,
    StoreError,
    unavailable,
)
from hazardscribe.serving.store.export import Language, write_pairs_zip, write_workbook
from hazardscribe.serving.store.listing import Filters
from hazardscribe.serving.store.photos import Size
from hazardscribe.serving.store.store import Store
from hazardscribe.serving.uploads import read_photos

log = logging.getLogger(__name__)

CONFIRMING = 4
"""Confirmations that are worked on at once."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_Inspector = Annotated[Caller, Depends(inspector)]
_Admin = Annotated[Caller, Depends(admin)]
_Words = Annotated[str, Query(max_length=200)]
_Day = Annotated[Day | Literal[""], Query(description="of the day it was found; YYYY-MM-DD")]

_WHY = {
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
_ETAG = {"ETag": {"description": 'the version, as in `"3"`', "schema": {"type": "string"}}}


def _answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    every = (401, 403, *codes, 422, 429, 503)
    return {code: {"model": ErrorAnswer, "description": _WHY[code]} for code in every}


router = APIRouter(prefix="/v1", tags=["ledger"])


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


_Filters = Annotated[Filters, Depends(_filters)]


@router.post(
    "/descriptions/{description_id}/reject",
    status_code=204,
    responses={
        **_answers(404),
        409: {"model": ErrorAnswer, "description": "it was confirmed into the ledger"},
    },
)
async def reject(request: Request, caller: _Inspector, description_id: str) -> None:
    """Say that a text of the model is of no use; it counts in the dashboard."""
    await _ask(_store(request).reject, description_id, caller.name)


@router.post(
    "/findings",
    status_code=201,
    responses={
        201: {"description": "in the ledger, and on the disk", "headers": _ETAG},
        200: {"model": Finding, "description": "already there by the same request"},
        **_answers(409, 413, 415),
    },
)
async def confirm(
    request: Request,
    response: Response,
    caller: _Inspector,
    finding: Annotated[Json[NewFinding], Form(description="`NewFinding` as JSON")],
    photos: Annotated[list[UploadFile], File(description="its photos, in order")] = [],  # noqa: B006
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=100, pattern=r"^[!-~]+$", description="makes retries safe"),
    ] = None,
) -> Finding:
    """Take what a person confirms into the ledger."""
    async with _confirming(request):
        pictures = await read_photos(photos, request.app.state.settings, least=0)
        record, created = await _ask(
            _store(request).confirm, finding, pictures, caller.name, idempotency_key
        )
    response.status_code = 201 if created else 200
    response.headers["ETag"] = _etag(record)
    return record


@router.get("/findings", responses=_answers())
async def findings(
    request: Request,
    caller: _Inspector,
    filters: _Filters,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=100, description="`next` of the page before")] = "",
) -> Findings:
    """A page of the ledger, newest first."""
    return await _ask(_store(request).find, filters, cursor or None, limit)


@router.get("/findings/{finding_id}", responses={200: {"headers": _ETAG}, **_answers(404)})
async def finding(
    request: Request, response: Response, caller: _Inspector, finding_id: str
) -> Finding:
    """A record."""
    record = await _ask(_store(request).get, finding_id)
    response.headers["ETag"] = _etag(record)
    return record


@router.patch(
    "/findings/{finding_id}",
    responses={
        200: {"headers": _ETAG},
        **_answers(404, 428),
        412: {"model": ConflictAnswer, "description": _WHY[412]},
    },
)
async def change(
    request: Request,
    response: Response,
    caller: _Inspector,
    finding_id: str,
    fields: FindingChange,
    if_match: Annotated[
        str | None, Header(description='the version that was seen, as in `"3"`')
    ] = None,
) -> Finding:
    """Change a record, unless somebody else did since it was seen."""
    version = _version(if_match)
    record = await _ask(_store(request).change, finding_id, fields, version, caller.name)
    response.headers["ETag"] = _etag(record)
    return record


@router.get("/findings/{finding_id}/history", responses=_answers(404))
async def history(request: Request, caller: _Inspector, finding_id: str) -> History:
    """How a record became what it is, oldest first."""
    return await _ask(_store(request).history, finding_id)


@router.delete("/findings/{finding_id}", status_code=204, responses=_answers(404))
async def delete(request: Request, caller: _Admin, finding_id: str) -> None:
    """Remove a record with its history and photos for good (administrators)."""
    await _ask(_store(request).delete, finding_id, caller.name)


@router.get(
    "/photos/{photo_id}",
    response_class=FileResponse,
    responses={
        200: {
            "description": "the photo",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        **_answers(404),
    },
)
async def photo(
    request: Request, caller: _Inspector, photo_id: str, size: Size = "full"
) -> FileResponse:
    """A photo of a record as JPEG: upright, and without anything but its pixels."""
    path = await _ask(_store(request).photo, photo_id, size)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


_MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pairs": "application/zip",
}


@router.get(
    "/export",
    response_class=FileResponse,
    responses={
        200: {
            "description": "the file",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA.values()
            },
        },
        **_answers(404, 413),
        404: {"model": ErrorAnswer, "description": "no record that could be learned from"},
    },
)
async def export(
    request: Request,
    caller: _Inspector,
    filters: _Filters,
    to: Annotated[
        Literal["xlsx", "pairs"],
        Query(description="a workbook with pictures, or a zip of pairs for `hazardscribe train`"),
    ],
) -> FileResponse:
    """The ledger as a file, as far as the filters reach."""
    language = language_of(request.headers)
    path = await _ask(_write_export, _store(request), filters, to, language)
    name = f"hazard-{'ledger' if to == 'xlsx' else 'pairs'}-{date.today().isoformat()}"
    return _Once(path, media_type=_MEDIA[to], filename=f"{name}{path.suffix}")


@router.get("/dashboard", responses=_answers())
async def dashboard(
    request: Request, caller: _Inspector, weeks: Annotated[int, Query(ge=1, le=104)] = 12
) -> Dashboard:
    """How often the model's text was confirmed as it stood, changed, replaced, thrown away."""
    return await _ask(_store(request).dashboard, weeks)


def _store(request: Request) -> Store:
    store = request.app.state.store
    assert isinstance(store, Store)
    return store


def _confirming(request: Request) -> asyncio.Semaphore:
    """How many confirmations are unpacked at once: each may hold a photo of 100 megapixels.

    Those that wait lie on disk, as uploads do, and leave the thread pool to readers.
    """
    state = request.app.state
    if not hasattr(state, "confirming"):
        state.confirming = asyncio.Semaphore(CONFIRMING)
    semaphore = state.confirming
    assert isinstance(semaphore, asyncio.Semaphore)
    return semaphore


async def _ask(call: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Call the store in a thread; what it refuses becomes an error of the API."""
    try:
        return await run_in_threadpool(call, *arguments, **named)
    except StoreError as error:
        raise store_error(error) from error


def _write_export(store: Store, filters: Filters, to: str, language: Language) -> Path:
    if not store.exporting.acquire(blocking=False):
        raise ApiError(
            429,
            "export_busy",
            "另一个导出正在进行，请稍后再试。",
            "Another export is under way; try again a little later.",
            headers={"Retry-After": "10"},
        )
    try:
        work = store.folder.work_folder()
        try:
            records = store.each(filters)
            if to == "xlsx":
                out = work / "ledger.xlsx"
                return write_workbook(records, store.folder, out, language=language)
            return write_pairs_zip(records, store.folder, work / "pairs.zip")
        except BaseException as error:
            shutil.rmtree(work, ignore_errors=True)
            if isinstance(error, InputError):  # its text is for whoever sits at the server
                raise _not_written(error) from error
            raise
    finally:
        store.exporting.release()


def _not_written(error: InputError) -> Exception:
    if isinstance(error.__cause__, OSError):
        return unavailable(error.__cause__)
    log.warning("an export was not written: %s", error)
    return ApiError(
        413,
        "export_too_large",
        "所选记录超出一个 Excel 文件的容量，请按日期等条件分批导出。",
        "These records are more than one Excel file holds; export them in parts, by date.",
    )


class _Once(FileResponse):
    """A file that is removed, with its folder, when it was sent or its reader has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)


def _etag(record: Finding) -> str:
    return f'"{record.version}"'


def _version(if_match: str | None) -> int:
    if if_match is None:
        raise ApiError(
            428,
            "version_required",
            '请用 If-Match 请求头注明所修改的版本，例如 "3"。',
            'Say which version you change, in the header If-Match: "3".',
        )
    found = re.fullmatch(r'(?:W/)?"(\d{1,9})"', if_match.strip())
    if found is None:
        raise ApiError(
            422,
            "bad_if_match",
            'If-Match 应为版本号，例如 "3"（取自 ETag）。',
            'If-Match must be a version as in the ETag: "3".',
        )
    return int(found[1])


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
    "store_full": (
        503,
        "服务器磁盘已满，内容未保存。请保留后重试，并通知管理员。",
        "The server's disk is full; nothing was saved. Keep it, tell the administrator, try again.",
    ),
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
    status, zh, en = _SAID[error.code]
    headers = {"Retry-After": "10"} if status == 503 else None
    extra = None
    if isinstance(error, EditConflictError):
        extra = {"current": error.current.model_dump(mode="json")}
    return ApiError(status, error.code, zh, en, headers=headers, extra=extra)
