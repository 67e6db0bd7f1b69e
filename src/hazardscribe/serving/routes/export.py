"""The ledger as a file over HTTP: written whole, sent, and removed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from hazardscribe.errors import InputError
from hazardscribe.serving.auth import inspector
from hazardscribe.serving.errors import ApiError, language_of
from hazardscribe.serving.openapi import OWN, refusals
from hazardscribe.serving.parameters import KNOWN_QUERY
from hazardscribe.serving.routes.ledger_parts import FromFilters, Ledger
from hazardscribe.serving.schemas import Finding
from hazardscribe.serving.store.errors import unavailable
from hazardscribe.serving.store.export import Language, write_pairs_zip, write_workbook
from hazardscribe.serving.store.listing import Filters
from hazardscribe.serving.store.store import Store

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["ledger"], dependencies=[KNOWN_QUERY, Depends(inspector)])

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
        **refusals(*OWN, 404, 413, 503, _404="no record that could be learned from"),
    },
)
def export(
    request: Request,
    store: Ledger,
    filters: FromFilters,
    to: Annotated[
        Literal["xlsx", "pairs"],
        Query(description="a workbook with pictures, or zipped pairs (unzip them to train)"),
    ],
) -> FileResponse:
    """The ledger as a file, as far as the filters reach."""
    path = _write_export(store, filters, to, language_of(request.headers))
    name = f"hazard-{'ledger' if to == 'xlsx' else 'pairs'}-{date.today().isoformat()}"
    return _Once(path, media_type=_MEDIA[to], filename=f"{name}{path.suffix}")


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
            records = _going_on(store, store.each(filters))
            if to == "xlsx":
                out = work / "ledger.xlsx"
                write_workbook(records, store.folder, out, language=language)
            else:
                out = work / "pairs.zip"
                write_pairs_zip(records, store.folder, out, between=store.check_going_on)
            store.check_going_on()  # whoever waited for the file may have been sent away
            return out
        except BaseException as error:
            shutil.rmtree(work, ignore_errors=True)
            if isinstance(error, InputError):  # its text is for whoever sits at the server
                raise _not_written(error) from error
            raise
    finally:
        store.exporting.release()


def _going_on(store: Store, records: Iterable[Finding]) -> Iterator[Finding]:
    """Records until the store is closed."""
    for record in records:
        store.check_going_on()
        yield record


def _not_written(error: InputError) -> Exception:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__  # xlsxwriter wraps it once more
    if cause is not None:
        return unavailable(cause)
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
