"""People: hard hats and high-visibility vests, worn and not worn.

The hard hat is judged on a close half figure that always wears its vest, the vest on a whole
figure that always wears its hard hat, so that each figure shows one kind only.
"""

import math
import random

from hazardscribe.pairs.scenes.canvas import Brush, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_SKIN: tuple[Rgb, ...] = ((238, 198, 164), (222, 172, 132), (178, 124, 88), (116, 80, 58))
_HAIR: tuple[Rgb, ...] = ((28, 24, 22), (66, 44, 30), (104, 74, 46), (120, 118, 116))
_HELMETS: tuple[Rgb, ...] = (
    (242, 206, 44),
    (242, 242, 238),
    (206, 44, 40),
    (44, 96, 184),
    (236, 130, 40),
)
_LIME: Rgb = (196, 236, 52)
_ORANGE: Rgb = (250, 112, 30)
_TAPE: Rgb = (232, 236, 238)


def bust(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A worker seen from the waist up behind a bench, with a hard hat or bare-headed."""
    brush.shadow(0.0, 0.0, 0.54, 0.07)
    shoulders = (
        (-0.46, 0.2),
        (-0.44, 0.58),
        (-0.26, 0.74),
        (0.26, 0.74),
        (0.44, 0.58),
        (0.46, 0.2),
    )
    brush.polygon(shoulders, colour)
    _vest(brush, _contrast(colour, rng), 0.27, 0.2, 0.74)
    skin = rng.choice(_SKIN)
    brush.rect(-0.09, 0.68, 0.09, 0.86, shade(skin, 0.85), 0)
    _head(brush.at(rng.uniform(-0.03, 0.03), 1.02), rng, 0.25, skin, not hazard)
    wood = shade((156, 118, 80), rng.uniform(0.8, 1.15))
    brush.rect(-0.52, 0, 0.52, 0.3, wood)
    brush.rect(-0.56, 0.26, 0.56, 0.35, shade(wood, 1.2))


def standing(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A whole worker with a hard hat, in a high-visibility vest or in plain clothes."""
    brush.shadow(0.05, 0.0, 0.36, 0.06)
    trousers = rng.choice(((40, 46, 66), (70, 66, 60), (52, 52, 54)))
    for side in (-1, 1):
        leg = ((side * 0.02, 0.5), (side * 0.25, 0.5), (side * 0.22, 0.04), (side * 0.06, 0.04))
        brush.polygon(leg, trousers)
        brush.rect(side * 0.15 - 0.11, -0.01, side * 0.15 + 0.11, 0.07, (30, 28, 28), 0)
    skin = rng.choice(_SKIN)
    raised = rng.choice((-1, 0, 1))
    for side in (-1, 1):
        hand = (side * 0.5, 0.86) if side == raised else (side * 0.38, 0.46)
        elbow = (side * 0.42, 0.66)
        brush.line([(side * 0.25, 0.92), elbow, hand], shade(colour, 0.8), 0.14)
        brush.ellipse(*hand, 0.065, 0.065, skin, 0)
    torso = ((-0.27, 0.44), (-0.31, 0.96), (-0.16, 1.04), (0.16, 1.04), (0.31, 0.96), (0.27, 0.44))
    brush.polygon(torso, colour)
    if hazard:
        brush.line([(0, 0.46), (0, 1.0)], shade(colour, 0.55), 0.03)
        brush.rect(0.07, 0.76, 0.2, 0.88, shade(colour, 0.75), 0)
    else:
        _vest(brush, _contrast(colour, rng), 0.28, 0.44, 1.03)
    brush.rect(-0.06, 1.0, 0.06, 1.1, shade(skin, 0.85), 0)
    _head(brush.at(0, 1.2), rng, 0.165, skin, helmet=True)


def _contrast(colour: Rgb, rng: random.Random) -> Rgb:
    """A vest colour that stands out against the clothes under it."""
    warm = colour[0] > 180
    green = colour[1] > colour[0] and colour[1] > colour[2]
    if warm:
        return _LIME
    return _ORANGE if green else rng.choice((_LIME, _ORANGE))


def _vest(brush: Brush, vest: Rgb, half: float, low: float, high: float) -> None:
    tall = high - low
    for side in (-1, 1):
        panel = (
            (side * 0.02, low),
            (side * (half + 0.01), low),
            (side * (half + 0.03), high - 0.12 * tall),
            (side * half * 0.62, high),
            (side * half * 0.3, high),
            (side * 0.02, high - 0.35 * tall),
        )
        brush.polygon(panel, vest)
        brush.line([(side * half * 0.6, low), (side * half * 0.6, high)], _TAPE, 0.075)
    for at in (0.22, 0.5):
        y = low + at * tall
        brush.line([(-half, y), (half, y)], _TAPE, 0.085)


def _head(brush: Brush, rng: random.Random, r: float, skin: Rgb, helmet: bool) -> None:
    """A head around the origin, `r` its half height; hair in any case, a hard hat over it."""
    hair = rng.choice(_HAIR)
    brush.ellipse(0, 0.06 * r, 0.86 * r, r, hair, 0.015)
    for side in (-1, 1):
        brush.ellipse(side * 0.82 * r, -0.05 * r, 0.14 * r, 0.22 * r, shade(skin, 0.9), 0)
    brush.ellipse(0, -0.12 * r, 0.76 * r, 0.86 * r, skin, 0)
    for side in (-1, 1):
        brush.ellipse(side * 0.3 * r, -0.02 * r, 0.09 * r, 0.09 * r, (24, 22, 22), 0)
    brush.line([(-0.25 * r, -0.5 * r), (0.25 * r, -0.5 * r)], shade(skin, 0.6), 0.1 * r)
    dome = [
        (1.04 * r * math.cos(i * math.pi / 10), 0.28 * r + 0.95 * r * math.sin(i * math.pi / 10))
        for i in range(11)
    ]
    if not helmet:
        fringe = [(0.84 * x, 0.88 * y) for x, y in dome]
        brush.polygon([*fringe, (-0.3 * r, 0.45 * r), (0.1 * r, 0.3 * r)], hair, 0)
        return
    hat = rng.choice(_HELMETS)
    brush.polygon(dome, hat, 0.025)
    brush.line([(0, 0.3 * r), (0, 1.2 * r)], shade(hat, 0.75), 0.2 * r)
    brush.line([(-1.3 * r, 0.26 * r), (1.3 * r, 0.26 * r)], shade(hat, 0.55), 0.3 * r)
    brush.line([(-1.28 * r, 0.29 * r), (1.28 * r, 0.29 * r)], shade(hat, 1.05), 0.2 * r)
