"""Changes to a training photo that its description survives."""

from __future__ import annotations

import random
import re

import numpy as np

from hazardscribe.training.recipe import Augmentation

_PAIRS = (("left", "right"), ("Left", "Right"), ("左", "右"))
_SWAPS = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
_SIDES = re.compile(r"\b(?:left|right)(?=\b|-)|\b(?:Left|Right)(?=\b|-)|左|右")
# A direction that mirroring would falsify and no swap of words can mend; and phrases in which
# 左右 or "right" mean no side.
_UNMIRRORABLE = re.compile(
    r"clockwise|\b(?:east|west|north|south)\w*\b|顺时针|逆时针|[东西南北][侧面部边]"
    r"|左右|\bright (?:of way|away|angle)|\b(?:rights|all right)\b",
    re.IGNORECASE,
)


def mirrored_text(text: str) -> str | None:
    """The description of the mirrored photo, or None where mirroring would make it false."""
    if _UNMIRRORABLE.search(text):
        return None
    return _SIDES.sub(lambda match: _SWAPS[match.group()], text)


def augment(
    photo: np.ndarray, text: str, options: Augmentation, draw: random.Random
) -> tuple[np.ndarray, str]:
    """Change one photo `(H, W, 3)` uint8, and its text with it, as the options say.

    Args:
        draw: source of chance; seeded by run, epoch and photo, so that a resumed run repeats it.
    """
    if options.mirror and draw.random() < options.mirror:
        swapped = mirrored_text(text)
        if swapped is not None:
            photo, text = photo[:, ::-1], swapped
    if options.crop:
        photo = _crop(photo, options.crop, draw)
    if options.brightness:
        photo = _relight(photo, options.brightness, draw)
    return photo, text


def _crop(photo: np.ndarray, most: float, draw: random.Random) -> np.ndarray:
    height, width = photo.shape[:2]
    top, bottom = (int(draw.uniform(0, most) * height / 2) for _ in range(2))
    left, right = (int(draw.uniform(0, most) * width / 2) for _ in range(2))
    return photo[top : height - bottom, left : width - right]


def _relight(photo: np.ndarray, most: float, draw: random.Random) -> np.ndarray:
    contrast, shift = 1 + draw.uniform(-most, most), 255 * draw.uniform(-most, most) / 2
    mean = photo.mean()
    # A table of the 256 levels is a hundred times cheaper than float arithmetic on the photo.
    levels = (np.arange(256) - mean) * contrast + mean + shift
    table = np.clip(levels, 0, 255).astype(np.uint8)
    relit: np.ndarray = table[photo]
    return relit
