"""A bound on the bytes of bodies and photos that requests hold in memory, all of them together.

The queue bounds how many photos wait, but a body stands in memory before its photos are in line,
and one that comes slowly does so for long.

    held = Memory(most).hold()
    held.take(len(photo))
    held.release()
"""

from __future__ import annotations

from hazardscribe.serving.engine import busy

_AGAIN = 5.0
"""Seconds after which those are told to come again for whom there is no room."""


class Memory:
    """What all requests hold, and the most that they may; in the event loop's thread alone."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    def hold(self) -> Held:
        """What one request holds: nothing yet."""
        return Held(self)


class Held:
    """What one request holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory, self._count = memory, 0

    def take(self, count: int) -> None:
        """Hold so many bytes more.

        Raises:
            ApiError: 429 where other requests hold too many.
        """
        if self._memory.taken + count > self._memory.most:
            raise busy(_AGAIN)
        self._memory.taken += count
        self._count += count

    def release(self) -> None:
        """Hold nothing any more; a second time does nothing."""
        self._memory.taken -= self._count
        self._count = 0
