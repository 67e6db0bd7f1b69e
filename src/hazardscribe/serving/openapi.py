"""The OpenAPI document, with the answers that the guards give added to every route."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hazardscribe.serving.errors import speaks_openai
from hazardscribe.serving.openai_forms import OpenAIErrorAnswer
from hazardscribe.serving.schemas import ErrorAnswer

_DESCRIPTION = """\
Describes hazard photos and keeps the ledger of what people confirmed.

Every error has a stable `code`, a `message` for people (in English where `Accept-Language` begins
with `en`, else in Chinese) and the `request_id` that the header `X-Request-ID` bears too. A request
that is refused with 429 or 503 may be sent again after `Retry-After` seconds."""

_EVERY = {
    401: "no valid token",
    403: "the caller's role does not allow it, or the request comes from another site's page, or "
    "from elsewhere to a server without tokens",
    429: "too many requests, or no room in the queue; `Retry-After` says when",
    500: "the server failed",
}
_OWN = {422: "a parameter is not known, or a field does not fit"}
_WITH_BODY = {400: "the body cannot be parsed", 413: "the body or a photo is too large"}
_DESCRIBING = {502: "the engine elsewhere failed", 504: "not done within the deadline"}
_OF_DESCRIBE = {
    415: "the body is no multipart form, or the photo no photo",
    422: "a field does not fit, or the photo is damaged",
    503: "the ledger cannot be written",
}
_NOT_READY = {503: "not ready, with the reason as `code`"}


def install_openapi(app: FastAPI) -> None:
    """Let the app give the completed document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for model in (ErrorAnswer, OpenAIErrorAnswer):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    forms: list[dict[str, Any]] = []
    for path, operations in made["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
            if "requestBody" in operation:
                operation["requestBody"] = deepcopy(operation["requestBody"])
                forms.append(_form_of(operation["requestBody"], schemas))
    for form in forms:
        if "photos" in form.get("properties", {}):
            form["properties"]["photos"]["maxItems"] = app.state.settings.max_photos
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form, never sent
        schemas.pop(name, None)
    return made


def _form_of(body: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a multipart body, by its name or as it stands there; empty for other bodies."""
    schema: dict[str, Any] = body["content"].get("multipart/form-data", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name] if name else schema


def _complete(path: str, operation: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    openai = speaks_openai(path)
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
        if not openai:
            answers["422"] = _answer("a field does not fit", openai)
    wanted: dict[int, str] = {}
    if path.startswith("/v1/") or path == "/metrics":
        wanted |= _EVERY
    if path.startswith("/v1/") and not openai:
        wanted |= _OWN
    if "requestBody" in operation:
        wanted |= _WITH_BODY
    if path in ("/v1/describe", "/v1/chat/completions"):
        wanted |= _DESCRIBING
    if path == "/v1/describe":
        wanted |= _OF_DESCRIBE
    if path == "/readyz":
        wanted |= _NOT_READY
    for status, why in wanted.items():
        answers.setdefault(str(status), _answer(why, openai))
    operation["responses"] = dict(sorted(answers.items()))


def _answer(why: str, openai: bool) -> dict[str, Any]:
    model = OpenAIErrorAnswer if openai else ErrorAnswer
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": why, "content": {"application/json": {"schema": reference}}}
