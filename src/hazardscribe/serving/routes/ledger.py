"""The ledger over HTTP: confirm, list, change, delete, photos, dashboard.

Nothing enters the ledger but by `POST /v1/findings`, which a person's click sends. A change names
the version that its sender saw (`If-Match`), so that nobody writes over what another has done.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Header, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import Json
from starlette.concurrency import run_in_threadpool

from hazardscribe.serving.auth import inspector
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.openapi import OWN, refusals
from hazardscribe.serving.parameters import KNOWN_QUERY, check_names
from hazardscribe.serving.routes.ledger_parts import Admin, FromFilters, Inspector, Ledger
from hazardscribe.serving.schemas import (
    ConflictAnswer,
    Dashboard,
    Finding,
    FindingChange,
    Findings,
    History,
    NewFinding,
)
from hazardscribe.serving.store.photos import Size
from hazardscribe.serving.uploads import read_photos

CONFIRMING = 2
"""Confirmations that are unpacked at once: each may hold a photo of 100 megapixels. Those that wait
lie on disk, as uploads do, and leave the thread pool to readers."""

_ETAG = {"ETag": {"description": 'the version, as in `"3"`', "schema": {"type": "string"}}}

router = APIRouter(
    prefix="/v1",
    tags=["ledger"],
    dependencies=[KNOWN_QUERY, Depends(inspector)],
    responses=refusals(*OWN, 503),
)


@router.post(
    "/descriptions/{description_id}/reject",
    status_code=204,
    responses=refusals(404, 409, _409="it was confirmed into the ledger"),
)
def reject(store: Ledger, caller: Inspector, description_id: str) -> None:
    """Say that a text of the model is of no use; it counts in the dashboard."""
    store.reject(description_id, caller.name)


@router.post(
    "/findings",
    status_code=201,
    responses={
        201: {"description": "in the ledger, and on the disk", "headers": _ETAG},
        200: {"model": Finding, "description": "already there by the same request"},
        **refusals(400, 409, 413, 415),
    },
)
async def confirm(
    request: Request,
    response: Response,
    store: Ledger,
    caller: Inspector,
    finding: Annotated[Json[NewFinding], Form(description="`NewFinding` as JSON")],
    photos: Annotated[list[UploadFile], File(description="its photos, in order")] = [],  # noqa: B006
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=100, pattern=r"^[!-~]+$", description="makes retries safe"),
    ] = None,
) -> Finding:
    """Take what a person confirms into the ledger."""
    async with request.app.state.confirming:
        given = [name for name, _ in (await request.form()).multi_items()]
        check_names(given, ("finding", "photos"), many=("photos",))
        settings, memory = request.app.state.settings, request.state.memory
        pictures = await read_photos(photos, settings, memory, least=0)
        record, created = await run_in_threadpool(
            store.confirm, finding, pictures, caller.name, idempotency_key
        )
    response.status_code = 201 if created else 200
    response.headers["ETag"] = _etag(record)
    return record


@router.get("/findings")
def findings(
    store: Ledger,
    filters: FromFilters,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=100, description="`next` of the page before")] = "",
) -> Findings:
    """A page of the ledger, newest first."""
    return store.find(filters, cursor or None, limit)


@router.get("/findings/{finding_id}", responses={200: {"headers": _ETAG}, **refusals(404)})
def finding(store: Ledger, response: Response, finding_id: str) -> Finding:
    """A record."""
    record = store.get(finding_id)
    response.headers["ETag"] = _etag(record)
    return record


@router.patch(
    "/findings/{finding_id}",
    responses={
        200: {"headers": _ETAG},
        **refusals(400, 404, 413, 428),
        **refusals(412, form=ConflictAnswer),
    },
)
def change(
    store: Ledger,
    response: Response,
    caller: Inspector,
    finding_id: str,
    fields: FindingChange,
    if_match: Annotated[
        str | None, Header(description='the version that was seen, as in `"3"`')
    ] = None,
) -> Finding:
    """Change a record, unless somebody else did since it was seen."""
    record = store.change(finding_id, fields, _version(if_match), caller.name)
    response.headers["ETag"] = _etag(record)
    return record


@router.get("/findings/{finding_id}/history", responses=refusals(404))
def history(store: Ledger, finding_id: str) -> History:
    """How a record became what it is, oldest first."""
    return store.history(finding_id)


@router.delete("/findings/{finding_id}", status_code=204, responses=refusals(404))
def delete(store: Ledger, caller: Admin, finding_id: str) -> None:
    """Remove a record with its history and photos for good (administrators)."""
    store.delete(finding_id, caller.name)


@router.get(
    "/photos/{photo_id}",
    response_class=FileResponse,
    responses={
        200: {
            "description": "the photo",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        **refusals(404),
    },
)
def photo(store: Ledger, photo_id: str, size: Size = "full") -> FileResponse:
    """A photo of a record as JPEG: upright, and without anything but its pixels."""
    path = store.photo(photo_id, size)
    headers = {"Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


@router.get("/dashboard")
def dashboard(store: Ledger, weeks: Annotated[int, Query(ge=1, le=104)] = 12) -> Dashboard:
    """How often the model's text was confirmed as it stood, changed, replaced, thrown away."""
    return store.dashboard(weeks)


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
