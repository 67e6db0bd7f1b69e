"""Connections on which nothing is asked are closed, so that strangers cannot hold them all.

Uvicorn closes a connection that stays silent after an answer. One on which no request ever comes,
or whose head comes a byte at a time, it would keep for ever. Bodies have a pace of their own
(`guards`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

LOOK = 15.0
"""Seconds between looks; a connection that had no request under way at two of them is closed."""

_NEVER = object()


class PatientProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1 with an end to its patience."""

    _timer: asyncio.TimerHandle | None = None
    _seen: object = _NEVER

    def connection_made(self, transport: Any) -> None:
        """Begin to look."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(LOOK, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        under_way = self.cycle is not None and not self.cycle.response_complete
        if not under_way and self.cycle is self._seen:
            self.transport.close()
            return
        self._seen = _NEVER if under_way else self.cycle
        self._timer = self.loop.call_later(LOOK, self._look)
