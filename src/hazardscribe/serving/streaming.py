"""Requests while their client is there: events as they come, and work given up when it leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Value = TypeVar("Value")

EVENTS = {
    # A proxy must pass each event on at once.
    "X-Accel-Buffering": "no",
    "Cache-Control": "no-store",
}

ALIVE_EVERY = 15.0
"""Seconds after which a stream without news shows that its request is still worked on: proxies and
clients give up what is silent, and a slow processor may need minutes."""
STILL_ALIVE = b": still at work\n\n"
"""A comment, which readers of server-sent events leave out."""

EVENT_SCHEMA = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "string", "contentMediaType": "application/json"}},
}
"""Of each event, in the OpenAPI document."""


def sse(data: Any) -> bytes:
    """One server-sent event with JSON data."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


class Channel:
    """What an engine tells of a request, as events in their order; an `engine.Watch`.

    Of positions and texts that nobody has taken yet only the last of each photo counts, so a slow
    client cannot make the server's memory grow.
    """

    def __init__(self) -> None:
        self._pending: dict[object, dict[str, Any]] = {}
        self._news = asyncio.Event()

    def position(self, place: int) -> None:
        """See `engine.Watch`."""
        self._tell("waiting", {"event": "waiting", "position": place})

    def text(self, photo: int, text: str) -> None:
        """See `engine.Watch`."""
        self._tell(photo, {"event": "text", "photo": photo, "text": text})

    def _tell(self, key: object, event: dict[str, Any]) -> None:
        self._pending[key] = event
        self._news.set()

    def take(self) -> list[dict[str, Any]]:
        """The events since the last time."""
        events = list(self._pending.values())
        self._pending.clear()
        self._news.clear()
        return events

    async def events_until(self, task: asyncio.Future[Any]) -> AsyncIterator[list[dict[str, Any]]]:
        """Events while a task is under way, and the last ones when it is done; now and then none,
        where `STILL_ALIVE` is to be sent."""
        while not task.done():
            something = await self._news_or_end(task)
            events = self.take()
            if events or not something:
                yield events
        if events := self.take():  # told before the task was done, but taken by nobody
            yield events

    async def first_or_done(self, task: asyncio.Future[Any]) -> None:
        """Wait for the first event, or `ALIVE_EVERY`; a task that fails before raises here."""
        try:
            await self._news_or_end(task)
        except BaseException:
            task.cancel()
            raise
        if task.done():
            task.result()

    async def _news_or_end(self, task: asyncio.Future[Any]) -> bool:
        """Wait for news or the end of a task; whether any came within `ALIVE_EVERY`."""
        news = asyncio.ensure_future(self._news.wait())
        try:
            came, _ = await asyncio.wait(
                {task, news}, timeout=ALIVE_EVERY, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            news.cancel()
        return bool(came)


async def while_connected(request: Request, work: Coroutine[Any, Any, Value]) -> Value:
    """The result of work that is cancelled when the client leaves; its body must be read before.

    Raises:
        ClientDisconnect: the client has left.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
