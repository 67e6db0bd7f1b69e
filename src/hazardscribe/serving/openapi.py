"""The OpenAPI document: with which refusals each route may answer, and how many photos it takes.

router = APIRouter(prefix="/v1", responses=refusals(*OWN))
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from hazardscribe.serving.schemas import ErrorAnswer

DESCRIPTION = """\
Describes hazard photos and keeps the ledger of what people confirmed.

Every error has a stable `code`, a `message` for people (in English where `Accept-Language` begins
with `en`, else in Chinese) and the `request_id` that the header `X-Request-ID` bears too. A request
that is refused with 429 or 503 may be sent again after `Retry-After` seconds."""

_WHY = {
    400: "the body cannot be parsed",
    401: "no valid token",
    403: "the caller's role does not allow it, or the request comes from another site's page, or "
    "from elsewhere to a server without tokens",
    404: "no such record",
    409: "the idempotency key came with another request, or its record was deleted",
    412: "somebody else changed the record first",
    413: "the body or a photo is too large, or there are too many",
    415: "a file is no photo",
    422: "a parameter is not known, or a field does not fit",
    428: "no If-Match",
    429: "too many requests, or no room in the queue; `Retry-After` says when",
    500: "the server failed",
    502: "the engine elsewhere failed",
    503: "the ledger cannot be read or written, or its disk is full",
    504: "not done within the deadline",
}
GUARDED = (401, 403, 429, 500)
"""What the guards may answer, whatever the route."""
OWN = (*GUARDED, 422)
"""And the routes of our own form."""


def refusals(
    *statuses: int, form: type[BaseModel] = ErrorAnswer, **why: str
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route or router for these statuses.

    Args:
        form: of their bodies. why: other words for a status, as `_404="no such model"`.
    """
    words = _WHY | {int(name[1:]): said for name, said in why.items()}
    return {status: {"model": form, "description": words[status]} for status in statuses}


def install_openapi(app: FastAPI, max_photos: int) -> None:
    """Let the app give the document with what FastAPI does not know of."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(deepcopy(plain()), max_photos)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(made: dict[str, Any], max_photos: int) -> dict[str, Any]:
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form, never sent
        schemas.pop(name, None)
    for operations in made["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
            body = operation.get("requestBody", {}).get("content", {})
            form = body.get("multipart/form-data", {}).get("schema", {})
            form = schemas.get(form.get("$ref", "").rpartition("/")[2], form)
            if "photos" in form.get("properties", {}):
                form["properties"]["photos"]["maxItems"] = max_photos
    return made
