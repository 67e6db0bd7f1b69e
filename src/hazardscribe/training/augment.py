"""Changes to a training photo that its description survives."""

from __future__ import annotations

import random
import re

import numpy as np

from hazardscribe.training.recipe import Augmentation

# "left" is also a verb ("left on the walkway"), "right" also correct or exact ("right next to"): an
# English word counts as a side only in these phrases, and any other use leaves the photo alone.
_BESIDE = (
    r"(?:side|hand|edge|corner|wall|end|part|half(?= of\b)|foreground|background|arm|foot|shoe|boot"
    r"|glove|leg|eye|ear|shoulder|sleeve|one|lane)s?\b(?! tools?\b)"
)
_SIDES = re.compile(
    r"(?:^|[,.;:(]|'s|\b(?:the|a|his|her|their|its|on|at|in|from|to|and|or|upper|lower|top|bottom"
    r"|far|front|rear|back))[\s-]*\b(?P<beside>left|right)(?=[ -]" + _BESIDE + ")"
    r"|\b(?:on|to|at|from|in) (?:the|his|her|their|its) (?:(?:far|upper|lower|top|bottom)[ -])?"
    r"(?P<there>left|right)(?=\s*(?:$|[^\w\s'-]|(?:of|is|are|was|were|has|have|and|or|with|without|in"
    r"|at|on|near|not|lacks?|wears?|wearing|stands?|standing)\b))"
    r"|(?P<sign>[左右])",
    re.IGNORECASE,
)
_OTHER = {"left": "right", "right": "left", "左": "右", "右": "左"}
_WORDS = re.compile(r"\b(?:left|right)(?:s|most|wards?)?\b|[左右]", re.IGNORECASE)
# A direction that mirroring would falsify and no swap of words can mend; and phrases in which
# 左右 or "right" mean no side.
_UNMIRRORABLE = re.compile(
    r"clockwise|\b(?:east|west|north|south)\w*\b|顺时针|逆时针"
    r"|[东西南北][东西南北侧面部边角门区墙端向楼]|左右|\bright of way",
    re.IGNORECASE,
)


def mirrored_text(text: str) -> str | None:
    """The description of the mirrored photo, or None where mirroring would make it false."""
    if _UNMIRRORABLE.search(text):
        return None
    mirrored, swapped = _SIDES.subn(_swap, text)
    return mirrored if swapped == len(_WORDS.findall(text)) else None


def _swap(match: re.Match[str]) -> str:
    side = match[match.lastgroup or 0]
    other = _OTHER[side.lower()]
    cased = other.upper() if side.isupper() else other.title() if side.istitle() else other
    return match.group().removesuffix(side) + cased


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
