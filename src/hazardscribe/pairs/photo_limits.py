"""What a photo may be before it is refused, told without unpacking a pixel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO

from hazardscribe.errors import PhotoError

_MOST_SCANS = 100
"""Passes of a JPEG; cameras and editors write some ten. Each goes over all pixels, so that a small
file of thousands would keep a decoder busy for an hour."""

# ITU-T T.81, table B.1. A byte FF within a pass is followed by 00, or by one of those that restart
# it; these, and the picture's beginning, have no length.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """What a photo may be before it is refused unread.

    Attributes:
        max_bytes: size of the file in bytes.
        max_pixels: width x height as the header states them.
        max_aspect: longer side / shorter side.
        min_side: shorter side in pixels; smaller pictures are icons and spacers.
    """

    max_bytes: int = 100 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_aspect: float = 20.0
    min_side: int = 16


DEFAULT_LIMITS = PhotoLimits()


def check_shape(size: tuple[int, int], name: str, limits: PhotoLimits) -> None:
    """Refuse a picture of this width and height where it is too large, too small or a strip."""
    width, height = size
    short, long = min(size), max(size)
    if width * height > limits.max_pixels:
        raise PhotoError(
            "too_large",
            f"{name}: {width} x {height} pixels is more than the limit of "
            f"{limits.max_pixels / 1e6:g} million pixels; save a smaller copy of the photo",
        )
    if short < max(1, limits.min_side):
        raise PhotoError(
            "too_small",
            f"{name}: {width} x {height} pixels is too small to show anything (at least "
            f"{limits.min_side} on the shorter side); use the original photo",
        )
    if long > limits.max_aspect * short:
        raise PhotoError(
            "aspect",
            f"{name}: {width} x {height} pixels is a strip (sides may differ up to "
            f"{limits.max_aspect:g} times); crop it to what it is meant to show",
        )


def check_scans(stream: IO[bytes], name: str) -> None:
    """Refuse a JPEG of too many passes.

    Counted up to the picture's end: phones append films, in which any bytes may stand.
    """
    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    scans, at = 0, 0
    while found := _MARKER.search(data, at):
        kind, at = data[found.end() - 1], found.end()
        if kind == _END_OF_IMAGE or scans > _MOST_SCANS:
            break
        scans += kind == _START_OF_SCAN
        at += max(2, int.from_bytes(data[at : at + 2]))  # the length counts itself
    if scans > _MOST_SCANS:
        raise PhotoError(
            "damaged",
            f"{name}: is packed in more than {_MOST_SCANS} passes, which no camera writes; save it "
            "again as JPEG",
        )
