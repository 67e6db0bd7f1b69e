"""What every request passes before a route sees it, and every answer before it leaves.

A request gets an id, and on `/v1/` its caller, before its body is read; a body beyond the limit,
one that drips, or one for which there is no room is refused. An answer gets the security headers.
An exception that nobody expected becomes a 500 with the request's id; its text stays in the log.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hazardscribe.serving.auth import LOCAL, Caller, Gate, is_local
from hazardscribe.serving.errors import ApiError, error_answer, told

if TYPE_CHECKING:
    from hazardscribe.serving.memory import Held, Memory
    from hazardscribe.serving.metrics import Metrics
    from hazardscribe.serving.settings import ServeSettings

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(), geolocation=(), payment=()",
}
_SMALL = 256 * 1024
_OF_PHOTOS = frozenset(("/v1/describe", "/v1/findings"))
_CHAT = "/v1/chat/"
_GRACE, _SLOWEST = 60.0, 1000.0
"""A body may take so many seconds, and a second more for so many bytes of it that have come."""
_DRAINED = 30.0
"""Seconds for the rest of a body that was refused."""
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Guards:
    """ASGI middleware around the whole app.

    Args:
        gate: knows the callers. metrics: counts requests.
        memory: what all requests hold. Routes that read photos into memory take their part of
            it from the request's state, as `memory`.
    """

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, gate: Gate, metrics: Metrics, memory: Memory
    ) -> None:
        self._app, self._settings, self._gate, self._metrics = app, settings, gate, metrics
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        held = self._memory.hold()
        scope["state"]["memory"] = held
        # A chat's body is read whole before its route is asked; a form's photos lie on the disk.
        chat = scope["path"].startswith(_CHAT)
        body = _Body(receive, self._limit(scope, headers), held if chat else None)
        answer = _Answer(send, request_id, body)
        began = time.perf_counter()
        try:
            caller = self._caller(scope)
            if caller is not None:
                scope["state"]["caller"] = caller
            body.check_length(headers)
            if chat:
                scope["app"].state.engine.check_room()
            try:
                await self._app(scope, body, answer)
            finally:  # however the route took the body's early end
                if body.refusal is not None and not answer.started:
                    raise body.refusal
        except ApiError as error:
            held.release()
            await body.drain()
            if not body.complete:
                error.headers["Connection"] = "close"
            await error_answer(error, scope)(scope, receive, answer.pass_on)
        except ClientDisconnect:
            answer.status = answer.status or 499
        except Exception as error:
            failure = told(error, scope)
            if not answer.started:
                await error_answer(failure, scope)(scope, receive, answer.pass_on)
        finally:
            held.release()
            route = getattr(scope.get("route"), "path", "-")
            seconds = time.perf_counter() - began
            self._metrics.request(scope["method"], route, answer.status, seconds)

    def _caller(self, scope: Scope) -> Caller | None:
        path = scope["path"]
        if path == "/metrics" and is_local(scope):
            return LOCAL
        if path.startswith("/v1/") or path == "/metrics":
            return self._gate.admit(scope)
        return None

    def _limit(self, scope: Scope, headers: Headers) -> int:
        """Bytes that the body may have."""
        path = scope["path"]
        form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        if form and path in _OF_PHOTOS:  # others would read it into memory
            return self._settings.max_request_bytes
        if path.startswith(_CHAT):
            return self._settings.max_json_bytes
        return _SMALL


def body_too_large(limit: int) -> ApiError:
    """The refusal of a body beyond its limit."""
    size = f"{limit / 2**20:.3g} MiB"
    return ApiError(
        413,
        "request_too_large",
        f"请求超过 {size}，请减少照片或分批提交。",
        f"The request is larger than {size}; send fewer or smaller photos.",
    )


def body_too_slow() -> ApiError:
    """The refusal of a body that drips."""
    return ApiError(
        408,
        "too_slow",
        "上传速度过慢，请在网络较好时重试。",
        "The request came too slowly; try again on a better network.",
    )


class _Body:
    """The body's messages, counted; at a limit it ends as if the client had left.

    Args:
        held: what holds its bytes, where it is read into memory.

    Attributes:
        complete: whether all of it has come. refusal: why it was ended, if it was.
    """

    def __init__(self, receive: Receive, limit: int, held: Held | None) -> None:
        self._receive, self.limit, self._held = receive, limit, held
        self._bytes, self._began = 0, time.monotonic()
        self.complete, self._gone = False, False
        self.refusal: ApiError | None = None

    def check_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limit:
            raise body_too_large(self.limit)

    async def __call__(self) -> Message:
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        if self.complete or self._gone:  # whoever asks waits for the client to leave
            return await self._receive()
        left = self._began + _GRACE + self._bytes / _SLOWEST - time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await self._next()
        except TimeoutError:
            self.refusal = body_too_slow()
            return {"type": "http.disconnect"}
        if self._bytes > self.limit:
            self.refusal = body_too_large(self.limit)
            return {"type": "http.disconnect"}
        if self._held is not None:
            try:
                self._held.take(len(message.get("body", b"")))
            except ApiError as error:
                self.refusal = error
                return {"type": "http.disconnect"}
        return message

    async def drain(self) -> None:
        """Throw away what is still to come, up to the limit: a client that has not sent all of its
        body would take an early answer for a broken connection."""
        left = self._bytes + self.limit
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED):
                while not (self.complete or self._gone) and self._bytes <= left:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        else:
            self._gone = True
        return message


class _Answer:
    """The answer's messages, with the headers that all answers bear."""

    def __init__(self, send: Send, request_id: str, body: _Body) -> None:
        self._send, self._request_id, self._body = send, request_id, body
        self.status, self.started = 0, False

    async def __call__(self, message: Message) -> None:
        # What a route makes of a body that was cut off at its limit is not the true answer.
        if self._body.refusal is None or self.started:
            await self.pass_on(message)

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
