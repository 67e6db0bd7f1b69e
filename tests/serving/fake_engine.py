"""An engine without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo import photo_header
from hazardscribe.serving.engine import Ask, Described, Watch


class FakeEngine:
    """Says `text` after `wait` seconds, or fails then with `error`, or at once with `refusal`."""

    model, language, categories, waiting = "fake@0123", "zh", ["电气"], 0

    def __init__(self, text: str = "未戴安全帽", wait: float = 0, error: Exception | None = None):
        self.text, self.wait, self.error = text, wait, error
        self.asked: list[Ask] = []
        self.cancelled = asyncio.Event()
        self.refusal: Exception | None = None
        self.is_ready, self.closed = True, False
        self.told = True  # where the photo stands in line

    async def describe(
        self, photos: Sequence[bytes], ask: Ask, watch: Watch | None = None
    ) -> list[Described]:
        self.asked.append(ask)
        if self.refusal is not None:
            raise self.refusal
        if watch is not None and self.told:
            watch.position(0)
        try:
            await asyncio.sleep(self.wait)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.error is not None:
            raise self.error
        return [self._of(photo) for photo in photos]

    def _of(self, photo: bytes) -> Described:
        try:
            photo_header(photo)
        except PhotoError as error:
            return Described(problem=error)
        return Described(text=self.text, draft=self.text, confidence=0.5)

    def check_room(self) -> None:
        return

    async def ready(self) -> bool:
        return self.is_ready

    async def close(self) -> None:
        self.closed = True
