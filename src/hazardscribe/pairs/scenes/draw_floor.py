"""Housekeeping: floors dry and wet, walkways clear and littered."""

import math
import random

from hazardscribe.pairs.scenes.canvas import Brush, jitter, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_LIQUIDS: tuple[Rgb, ...] = ((30, 26, 24), (64, 44, 24), (50, 84, 110), (70, 90, 40))
_LITTER: tuple[Rgb, ...] = ((150, 106, 66), (168, 78, 58), (120, 122, 126), (60, 60, 64))


def drum(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """Drums in a drip tray on a dry floor, or in the liquid that ran out of them."""
    if hazard:
        liquid = rng.choice(_LIQUIDS)
        rim = []
        for i in range(20):
            angle = i * math.tau / 20
            reach = rng.uniform(0.86, 1.06)
            rim.append((0.6 * reach * math.cos(angle), 0.02 + 0.25 * reach * math.sin(angle)))
        brush.polygon(rim, liquid, 0.02)
        brush.ellipse(-0.22, -0.1, 0.2, 0.05, shade(liquid, 2.0), 0)
        brush.ellipse(0.3, -0.06, 0.12, 0.03, shade(liquid, 2.0), 0)
    else:
        brush.shadow(0.05, 0.0, 0.56, 0.1)
        tray = ((-0.52, -0.06), (0.52, -0.06), (0.56, 0.12), (-0.56, 0.12))
        brush.polygon(tray, (196, 198, 196), 0.03)
    width = 0.54 if count == 1 else 0.42
    tall = rng.uniform(0.84, 0.98) if count == 1 else rng.uniform(0.76, 0.88)
    for i in range(count):
        x = (i - (count - 1) / 2) * (width + 0.03)
        half = width / 2
        base = 0.06
        brush.ellipse(x, base, half, 0.07, shade(colour, 0.7))
        brush.column(x - half, base, x + half, base + tall, colour)
        for at in (0.33, 0.66):
            y = base + at * tall
            brush.line([(x - half, y), (x + half, y)], shade(colour, 0.6), 0.04)
        brush.ellipse(x, base + tall, half, 0.08, shade(colour, 1.15))
        brush.ellipse(x + 0.3 * half, base + tall, 0.05, 0.025, (40, 40, 40), 0)
        if hazard and i == 0:
            brush.line([(x, base + 0.5 * tall), (x + 0.02, base - 0.05)], liquid, 0.09)


def walkway(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A marked lane running into the picture: empty with its arrow, or strewn with litter."""
    far = rng.uniform(0.66, 0.78)
    lane = ((-0.52, -0.04), (0.52, -0.04), (0.24, far), (-0.24, far))
    brush.polygon(lane, (150, 152, 150), 0)
    for side in (-1, 1):
        mark = ((side * 0.56, -0.04), (side * 0.43, -0.04), (side * 0.2, far), (side * 0.26, far))
        brush.polygon(mark, colour, 0)
    if not hazard:
        white = (240, 240, 236)
        brush.polygon(((-0.09, 0.06), (0.09, 0.06), (0.06, 0.36), (-0.06, 0.36)), white, 0)
        brush.polygon(((-0.2, 0.34), (0.2, 0.34), (0, 0.58)), white, 0)
        return
    for y, reach in ((0.5, 0.16), (0.3, 0.22), (0.16, 0.3), (0.02, 0.34)):
        for side in (-1, 1):
            x = side * rng.uniform(0.25, 0.75) * reach
            piece = brush.at(x, y + rng.uniform(-0.03, 0.03), degrees=rng.uniform(-40, 40))
            tint = jitter(rng.choice(_LITTER), rng, 16)
            if rng.random() < 0.5:
                piece.shadow(0, -0.02, reach * 0.9, 0.05)
                piece.rect(-reach * 0.9, -0.045, reach * 0.9, 0.045, tint)
            else:
                piece.shadow(0, -0.02, 0.15, 0.06)
                corner = rng.uniform(0.08, 0.14)
                shape = (
                    (-0.14, -0.06),
                    (0.12, -0.08),
                    (0.15, corner),
                    (-0.04, 0.14),
                    (-0.15, 0.05),
                )
                piece.polygon(shape, tint)
