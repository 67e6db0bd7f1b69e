"""Gas: cylinders with and without a restraining chain, hoses cracked and intact."""

import math
import random

from hazardscribe.pairs.scenes.canvas import Brush, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_STEEL = (172, 176, 180)
_LINK = (236, 238, 240)


def cylinder(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """Gas cylinders at a wall rack; the chain goes across them, or hangs loose at the side."""
    brush.shadow(0.06, 0.0, 0.5, 0.07)
    board = shade(_STEEL, rng.uniform(0.55, 0.8))
    brush.rect(-0.5, 0.42, 0.5, 0.86, board)
    width = {1: 0.4, 2: 0.33, 3: 0.28}[count]
    step = width + 0.02
    tall = rng.uniform(0.95, 1.1)
    for i in range(count):
        x = (i - (count - 1) / 2) * step
        top = tall + rng.uniform(-0.03, 0.03)
        half = width / 2
        brush.rect(x - 0.045, top, x + 0.045, top + 0.14, shade(_STEEL, 0.8))
        brush.rect(x - 0.1, top + 0.1, x + 0.1, top + 0.17, shade(_STEEL, 0.6))
        brush.ellipse(x, top - 0.1, half, 0.16, colour)
        brush.column(x - half, 0, x + half, top - 0.1, colour)
        brush.rect(x - half, top - 0.2, x + half, top - 0.13, shade(colour, 1.5), 0)
    y = rng.uniform(0.56, 0.7)
    if hazard:
        end = rng.choice((-0.46, 0.46))
        points = [(end, 0.8 - 0.085 * i) for i in range(7)]
    else:
        brush.line([(-0.5, y), (0.5, y)], (40, 40, 44), 0.2)
        points = [(-0.47 + 0.0855 * i, y) for i in range(12)]
    for i, (px, py) in enumerate(points):
        long, short = (0.062, 0.055) if i % 2 else (0.062, 0.03)
        rx, ry = (short, long) if hazard else (long, short)
        brush.ring(px, py, rx, ry, _LINK, 0.028)
    for side in (-0.49, 0.49):
        brush.rect(side - 0.03, 0.74, side + 0.03, 0.86, shade(_STEEL, 1.1))


def hose(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A gas valve on a standpipe feeding a burner through a thick hose."""
    brush.shadow(0.05, 0.0, 0.5, 0.07)
    brush.column(-0.47, 0, -0.35, 1.15, (206, 176, 60))
    brush.rect(-0.52, 0.86, -0.28, 1.02, shade(_STEEL, 0.85))
    brush.line([(-0.5, 1.08), (-0.22, 1.16)], (190, 40, 36), 0.06)
    brush.rect(0.08, 0, 0.52, 0.34, shade(_STEEL, 0.7))
    brush.rect(0.05, 0.34, 0.55, 0.41, (54, 56, 60))
    for x in (0.18, 0.3, 0.42):
        brush.ellipse(x, 0.2, 0.035, 0.035, (30, 30, 30), 0)
    sag = rng.uniform(0.02, 0.2)
    sway = rng.uniform(-0.05, 0.1)
    path = [
        (
            -0.3 + 0.6 * t + sway * math.sin(math.pi * t),
            0.92 - 0.5 * t + (0.36 - sag) * math.sin(math.tau * t * 0.9),
        )
        for t in (i / 24 for i in range(25))
    ]
    brush.line(path, shade(colour, 0.5), 0.21)
    brush.line(path, colour, 0.17)
    brush.line([(x - 0.02, y + 0.03) for x, y in path], shade(colour, 1.35), 0.035)
    brush.rect(-0.36, 0.84, -0.26, 1.02, _STEEL)
    first = rng.randint(4, 6)
    for at in (first, first + 6, first + 12):
        x, y = path[at]
        nx, ny = path[at + 1][0] - path[at - 1][0], path[at + 1][1] - path[at - 1][1]
        along = brush.at(x, y, degrees=math.degrees(math.atan2(ny, nx)))
        if hazard:
            _crack(along, rng)
        else:
            along.rect(-0.06, -0.13, 0.06, 0.13, _STEEL)


def _crack(along: Brush, rng: random.Random) -> None:
    """A burst across the hose: torn dark rubber, pale braid inside, frayed ends outside."""
    star = []
    for i in range(14):
        reach = (0.25 if i % 2 else 0.14) * rng.uniform(0.85, 1.15)
        angle = i * math.tau / 14
        star.append((reach * 0.75 * math.cos(angle), reach * math.sin(angle)))
    along.polygon(star, (22, 18, 16), 0)
    zigzag = [(-0.06 + 0.06 * (i % 2) * 2, -0.12 + 0.06 * i) for i in range(5)]
    along.line(zigzag, (226, 206, 160), 0.06)
