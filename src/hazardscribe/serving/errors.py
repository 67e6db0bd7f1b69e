"""Errors of the API: a stable code for machines, a sentence in zh or en for people, a request id.

Whatever goes wrong leaves the server in this form (`schemas.ErrorAnswer`), or in OpenAI's on the
routes that speak it. A library's text never does: it may name paths, versions and other people's
data.

    raise ApiError(404, "not_found", "没有这条记录。", "There is no such record.")
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from hazardscribe.errors import PhotoError
from hazardscribe.serving.schemas import Error, ErrorAnswer

logger = logging.getLogger(__name__)

# What pydantic tells of a schema beside the kind of an error.
_BOUNDS = ("expected", "min_length", "max_length", "gt", "ge", "lt", "le")

Language = Literal["zh", "en"]
Body = dict[str, Any]


class ApiError(Exception):
    """A request that is not done.

    Attributes:
        status: HTTP status. code: stable, for machines.
        zh, en: what was wrong and what to do, for people.
        headers: further headers of the answer, such as `Retry-After`.
        extra: further fields of the body beside `error`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        zh: str,
        en: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Body | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {en}")
        self.status, self.code, self.zh, self.en = status, code, zh, en
        self.headers, self.extra = dict(headers or {}), dict(extra or {})

    def message(self, language: Language) -> str:
        """The sentence in a language."""
        return self.en if language == "en" else self.zh


def language_of(headers: Mapping[str, str]) -> Language:
    """`en` where the client asks for English first, else `zh`."""
    return "en" if headers.get("accept-language", "").strip().lower().startswith("en") else "zh"


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """The id that `guards` gave the request."""
    return str(scope.get("state", {}).get("request_id", "-"))


def error_body(error: ApiError, scope: MutableMapping[str, Any]) -> Body:
    """The body of the answer, in the form that the route speaks."""
    request_id = request_id_of(scope)
    message = error.message(language_of(Headers(scope=scope)))
    if speaks_openai(str(scope.get("path", ""))):
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(error.status, kind)
        said = {"message": message, "type": kind, "param": error.extra.get("param")}
        return {"error": said | {"code": error.code, "request_id": request_id}}
    answer = ErrorAnswer(error=Error(code=error.code, message=message, request_id=request_id))
    return answer.model_dump() | error.extra


def failure_body(error: Exception, scope: MutableMapping[str, Any]) -> Body:
    """What a stream that has begun says instead of a status and headers: the body, and `status`
    and `retry_after` (seconds, None where nobody knows) beside it."""
    error = told(error, scope)
    seconds = error.headers.get("Retry-After", "")
    retry_after = int(seconds) if seconds.isdecimal() else None
    return error_body(error, scope) | {"status": error.status, "retry_after": retry_after}


def speaks_openai(path: str) -> bool:
    """Whether a path's errors are in OpenAI's form."""
    return path.startswith(("/v1/chat/", "/v1/models"))


def error_answer(error: ApiError, scope: MutableMapping[str, Any]) -> JSONResponse:
    """The answer to a request that is not done."""
    return JSONResponse(error_body(error, scope), error.status, error.headers)


def install_handlers(app: FastAPI) -> None:
    """Give every error that a route can raise the form of this module."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return error_answer(told(error, request.scope), request.scope)

    for kind in (ApiError, RequestValidationError, HTTPException, OSError):
        app.add_exception_handler(kind, answer)


def told(error: Exception, scope: MutableMapping[str, Any]) -> ApiError:
    """What a client is told of an error; the log is told of those that are the server's own."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        found = invalid_request(error.errors())
        if speaks_openai(str(scope.get("path", ""))):
            found.status = 400
        return found
    if isinstance(error, HTTPException):
        # FastAPI takes whatever happens while a form is read for a fault of the form.
        cause = error.__cause__
        return told(cause, scope) if isinstance(cause, OSError) else _of_status(error)
    if isinstance(error, OSError):
        logger.error("request %s failed: %s", request_id_of(scope), error)
        return no_room() if error.errno in (errno.ENOSPC, errno.EDQUOT) else INTERNAL
    logger.error("request %s failed", request_id_of(scope), exc_info=error)
    return INTERNAL


def invalid_request(found: Any) -> ApiError:
    """Which fields do not fit the schema, and how, from pydantic's list of errors.

    Pydantic's own sentences say nothing about the server, but may quote the input: names, kinds of
    error and the schema's own bounds alone are passed on.
    """
    places = []
    for one in list(found)[:5]:
        # Pydantic names the branches of a union too, such as `literal['']`: no place of a client's.
        parts = [str(part) for part in one["loc"] if part not in ("body", "query")]
        where = ".".join(part for part in parts if "[" not in part)
        kind = f"{one['type']}{_wanted(one)}"
        places.append(f"{where[:80] or '-'} ({kind})")
    named = ", ".join(places)
    return ApiError(
        422,
        "invalid_request",
        f"请求内容不符合接口要求：{named}。请对照 /openapi.json 检查。",
        f"The request does not fit the API: {named}. See /openapi.json.",
    )


def _wanted(one: Mapping[str, Any]) -> str:
    """What the schema asks for in place of what did not fit."""
    if str(one["type"]).startswith("date_"):
        return ": YYYY-MM-DD"
    context = one.get("ctx", {})
    told = [f"{key} {context[key]}" for key in _BOUNDS if context.get(key) not in (None, "''")]
    return f": {', '.join(told)}" if told else ""


INTERNAL = ApiError(
    500,
    "internal",
    "服务器内部出错，请把请求编号告诉管理员。",
    "The server failed; give the request id to its administrator.",
)


def no_room() -> ApiError:
    """The refusal while a disk is full, be it that of the ledger or that of uploads."""
    return ApiError(
        503,
        "store_full",
        "服务器磁盘已满，内容未保存。请保留后重试，并通知管理员。",
        "The server's disk is full; nothing was saved. Keep it, tell the administrator, try again.",
        headers={"Retry-After": "10"},
    )


def _of_status(error: HTTPException) -> ApiError:
    """Starlette's own refusals: no such path, wrong method, a body that is no form."""
    known = {
        404: ("not_found", "没有这个地址。", "There is nothing at this address."),
        405: (
            "method_not_allowed",
            "这个地址不支持该方法。",
            "This address does not take that method.",
        ),
        400: (
            "bad_request",
            "请求内容无法解析，请检查格式。",
            "The request's body cannot be parsed; check its form.",
        ),
    }
    code, zh, en = known.get(
        error.status_code, ("refused", "请求被拒绝。", "The request was refused.")
    )
    return ApiError(error.status_code, code, zh, en, headers=error.headers)


_PHOTO = {
    "format": (415, "不支持这种文件格式，请另存为 JPEG 或 PNG。"),
    "not_an_image": (415, "文件不是照片，请选择 JPEG、PNG、WebP、BMP、GIF 或 TIFF。"),
    "too_large": (413, "照片太大，请保存较小的副本。"),
    "too_small": (422, "照片太小，看不清内容，请使用原图。"),
    "aspect": (422, "照片过于细长，请裁剪到要展示的部分。"),
    "damaged": (422, "照片文件已损坏或不完整，请重新复制或拍摄。"),
    "missing": (422, "照片文件无法读取，请重新选择。"),
}
_PHOTO_EN = {
    "format": "This file format is not supported; save the photo as JPEG or PNG.",
    "not_an_image": "The file is not a photo; choose a JPEG, PNG, WebP, BMP, GIF or TIFF file.",
    "too_large": "The photo is too large; save a smaller copy of it.",
    "too_small": "The photo is too small to show anything; use the original.",
    "aspect": "The photo is a narrow strip; crop it to what it is meant to show.",
    "damaged": "The photo file is damaged or cut off; copy or take it again.",
    "missing": "The photo file cannot be read; choose it again.",
}


def photo_error(error: PhotoError, place: int | None = None) -> ApiError:
    """The API's form of a photo that cannot be used; its code is the photo error's reason.

    Args:
        place: of the photo among several, from 0, to be named.
    """
    status, zh = _PHOTO.get(error.reason, (422, "照片无法使用。"))
    en = _PHOTO_EN.get(error.reason, "The photo cannot be used.")
    if place is not None:
        zh, en = f"第 {place + 1} 张：{zh}", f"Photo {place + 1}: {en}"
    return ApiError(status, error.reason, zh, en)
