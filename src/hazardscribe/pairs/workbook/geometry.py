"""Which row and column a picture lies on: sizes of cells, and the largest overlap.

All lengths are in EMU (914,400 an inch, 12,700 a point, 9,525 a pixel), the unit of drawings.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

POINT = 12_700
PIXEL = 9_525
_SEARCHED = 1_000  # cells along one axis; no photo covers more
_TIE = 2 * PIXEL


class Axis:
    """The rows or the columns of a sheet, counted from 0.

    Args:
        default: size of an ordinary cell in EMU.
        sizes: index -> size of those that differ; 0 for hidden ones.
        count: how many there can be.
    """

    def __init__(self, default: float, sizes: Mapping[int, float], count: int) -> None:
        self._default = default
        self._sizes = sizes
        self._count = count
        self._keys = sorted(sizes)
        self._extra = [0.0, *accumulate(sizes[key] - default for key in self._keys)]

    def size(self, index: int) -> float:
        return self._sizes.get(index, self._default)

    def start(self, index: int) -> float:
        """Distance of a cell's near edge from the sheet's."""
        return index * self._default + self._extra[bisect_left(self._keys, index)]

    def at(self, place: float) -> int:
        """The cell that a distance falls into; hidden ones are passed over."""
        found = bisect_right(range(self._count), place, key=self.start) - 1
        return min(max(found, 0), self._count - 1)

    def place(self, index: int, offset: float) -> float:
        """Distance of a point that lies `offset` into a cell, at most at its far edge."""
        index = min(max(index, 0), self._count - 1)
        return self.start(index) + min(max(offset, 0.0), self.size(index))

    def covered(self, near: float, far: float, *, begun: bool = False) -> tuple[int, int]:
        """The cell with most of the stretch, and the last one covered by at least half.

        Among equals (to two pixels) the first wins; where `begun`, also over a cell with more of
        the stretch, if at least half of the first is covered.
        """
        first = self.at(near)
        best, most, last = first, 0.0, first
        for index in range(first, min(first + _SEARCHED, self._count)):
            start, size = self.start(index), self.size(index)
            if start >= far:
                break
            overlap = min(far, start + size) - max(near, start)
            half = size > 0 and overlap >= size / 2
            if overlap > most + _TIE or (most == 0 < overlap):
                best, most, last = index, overlap, index
                if begun and half and index == first:
                    most = far - near  # no other cell has more
            elif half:
                last = index
        return best, last


def column_width(characters: float) -> float:
    """Width of a column in EMU from its width in digits of the usual font (7 pixels each).

    Source: ISO/IEC 29500-1, 18.3.1.13.
    """
    pixels = int((256 * max(0.0, min(characters, 255.0)) + 128 // 7) / 256 * 7)
    return pixels * PIXEL


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a sheet in EMU."""

    left: float
    top: float
    right: float
    bottom: float

    def part(self, left: float, top: float, right: float, bottom: float) -> Box:
        """The rectangle at these shares of the width and height."""
        width, height = self.right - self.left, self.bottom - self.top
        return Box(
            self.left + left * width,
            self.top + top * height,
            self.left + right * width,
            self.top + bottom * height,
        )
