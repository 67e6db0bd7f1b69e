"""Fire: extinguishers upright and toppled, exits clear and blocked, hydrant cabinets."""

import random

from hazardscribe.pairs.scenes.canvas import Brush, jitter, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_CARTON: Rgb = (178, 136, 88)
_RED: Rgb = (200, 36, 32)


def extinguisher(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A fire point (coloured board and base): the extinguisher stands on it, or lies before it."""
    brush.shadow(0.04, 0.0, 0.5, 0.07)
    brush.rect(-0.34, 0.12, 0.34, 1.28, colour)
    brush.rect(-0.26, 1.0, 0.26, 1.2, (240, 240, 236), 0)
    brush.letters("FIRE", -0.2, 1.04, 0.12, _RED)
    brush.rect(-0.42, 0.0, 0.42, 0.14, shade(colour, 0.7))
    if hazard:
        down = brush.at(0.44, 0.16, degrees=90 + rng.uniform(-5, 5))
        down.shadow(-0.05, 0.4, 0.1, 0.5)
        _bottle(down, tag=False)
    else:
        _bottle(brush.at(0.0, 0.12), tag=True)


def _bottle(brush: Brush, tag: bool) -> None:
    brush.rect(-0.05, 0.68, 0.05, 0.8, (60, 60, 60))
    brush.line([(-0.12, 0.88), (0.02, 0.8), (0.16, 0.84)], (30, 30, 30), 0.055)
    brush.line([(0.05, 0.76), (0.2, 0.66), (0.22, 0.3)], (26, 26, 26), 0.06)
    brush.ellipse(0, 0.62, 0.16, 0.12, _RED)
    brush.column(-0.16, 0, 0.16, 0.62, _RED)
    brush.rect(-0.16, 0.24, 0.16, 0.44, (238, 236, 226), 0)
    if tag:
        brush.rect(-0.36, 0.48, -0.14, 0.78, (250, 250, 244))
        brush.line([(-0.31, 0.68), (-0.19, 0.68)], (60, 120, 70), 0.04)
        brush.line([(-0.31, 0.58), (-0.19, 0.58)], (60, 120, 70), 0.04)


def exit_door(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A door under a lit exit sign: free, or with cartons and crates piled in front."""
    brush.shadow(0.0, 0.0, 0.46, 0.06)
    tall = rng.uniform(1.05, 1.13)
    brush.rect(-0.42, 0, 0.42, tall + 0.06, (92, 94, 98))
    brush.rect(-0.36, 0, 0.36, tall, colour)
    brush.line([(0, 0), (0, tall)], shade(colour, 0.5), 0.025)
    for side in (-1, 1):
        brush.rect(side * 0.18 - 0.09, tall - 0.42, side * 0.18 + 0.09, tall - 0.1, (196, 214, 224))
        brush.line([(side * 0.31, 0.5), (side * 0.05, 0.5)], (210, 212, 214), 0.05)
    brush.rect(-0.33, tall + 0.1, 0.33, tall + 0.34, (20, 140, 72))
    brush.letters("EXIT", -0.19, tall + 0.15, 0.14, (244, 252, 246))
    if not hazard:
        return
    brush.shadow(0.0, -0.08, 0.5, 0.08)
    for x, y, w, h in (
        (-0.5, -0.1, 0.52, 0.36),
        (0.0, -0.12, 0.5, 0.42),
        (-0.4, 0.26, 0.42, 0.34),
        (0.05, 0.3, 0.36, 0.3),
    ):
        _carton(brush, x + rng.uniform(-0.03, 0.03), y, w, h, jitter(_CARTON, rng, 22))


def _carton(brush: Brush, x: float, y: float, w: float, h: float, colour: Rgb) -> None:
    brush.rect(x, y, x + w, y + h, colour, 0.03)
    brush.rect(x + 0.42 * w, y, x + 0.58 * w, y + h, shade(colour, 1.25), 0)
    brush.rect(x + 0.08 * w, y + 0.1 * h, x + 0.32 * w, y + 0.35 * h, (236, 230, 214), 0)


def hydrant(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A hydrant cabinet behind glass: the coiled hose hangs in it, or nothing does."""
    brush.shadow(0.0, 0.0, 0.44, 0.06)
    low = rng.uniform(0.14, 0.3)
    brush.rect(-0.3, 0, 0.3, low, (88, 90, 94))
    brush.rect(-0.46, low, 0.46, low + 1.0, colour)
    brush.rect(-0.38, low + 0.08, 0.38, low + 0.78, (70, 74, 80))
    brush.rect(-0.3, low + 0.83, 0.3, low + 0.96, (240, 240, 236), 0)
    brush.letters("FIRE", -0.16, low + 0.85, 0.09, _RED)
    y = low + 0.43
    if hazard:
        brush.rect(-0.38, low + 0.08, 0.38, low + 0.2, (50, 52, 58), 0)
        brush.line(
            [(-0.1, low + 0.78), (-0.1, low + 0.66), (0.02, low + 0.62)], (170, 172, 176), 0.04
        )
    else:
        for radius, tone in ((0.31, 0.98), (0.24, 0.8), (0.17, 1.0), (0.1, 0.8)):
            brush.ellipse(0, y, radius, radius, shade((236, 226, 196), tone), 0.02)
        brush.ellipse(0, y, 0.05, 0.05, (60, 60, 60), 0)
        brush.line([(0.24, y - 0.2), (0.33, y - 0.3)], (210, 170, 60), 0.08)
    glare = ((-0.34, low + 0.5), (-0.34, low + 0.74), (-0.12, low + 0.74))
    brush.polygon(glare, (255, 255, 255, 60), 0)
