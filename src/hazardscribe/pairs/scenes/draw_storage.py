"""Storage: stacks and racks, in order and about to fail."""

import random

from hazardscribe.pairs.scenes.canvas import Brush, jitter, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_WOOD: Rgb = (170, 128, 84)


def stack(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """Crates on a pallet: squarely on one another, or drifting sideways and turning."""
    brush.shadow(0.05, 0.0, 0.5, 0.07)
    for x in (-0.38, 0.0, 0.38):
        brush.rect(x - 0.07, 0, x + 0.07, 0.09, shade(_WOOD, 0.7))
    brush.rect(-0.47, 0.08, 0.47, 0.15, _WOOD)
    layers = rng.randint(3, 4)
    tall = 1.12 / layers
    half = rng.uniform(0.3, 0.34)
    y = 0.15
    shift, turn = (-0.18, 0.0) if hazard else (0.0, 0.0)
    for i in range(layers):
        x = shift if hazard else rng.uniform(-0.015, 0.015)
        crate = brush.at(x, y, degrees=-turn)
        tint = jitter(colour, rng, 8)
        crate.rect(-half, 0, half, tall, tint, 0.03)
        crate.rect(-half + 0.05, tall * 0.26, half - 0.05, tall * 0.43, shade(tint, 0.65), 0)
        # a pale rim shows which way each crate lies, whatever its colour
        crate.rect(-half - 0.02, tall * 0.74, half + 0.02, tall, (238, 234, 222))
        y += tall
        if hazard:
            shift += 0.44 / layers * (0.7 + 0.4 * i)
            turn += rng.uniform(6.0, 9.0)
            y -= 0.012 * i


def rack(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A loaded rack with level shelves, or with shelves bent down in the middle."""
    brush.shadow(0.0, 0.0, 0.54, 0.06)
    tall = rng.uniform(1.22, 1.34)
    brush.rect(-0.48, 0.06, 0.48, tall - 0.02, (66, 68, 72), 0)
    sag = rng.uniform(0.2, 0.26) if hazard else 0.0
    for level in (0.1, 0.5, 0.9):
        drop = sag if level > 0.1 else 0.0
        _load(brush, rng, level, drop)
        path = [(-0.5 + 0.1 * i, level - drop * (1 - ((i - 5) / 5) ** 2) ** 0.8) for i in range(11)]
        brush.line(path, shade(colour, 0.5), 0.12)
        brush.line(path, shade(colour, 1.1), 0.08)
    for x in (-0.49, 0.49):
        brush.rect(x - 0.05, 0, x + 0.05, tall, colour)


def _load(brush: Brush, rng: random.Random, level: float, drop: float) -> None:
    for x in (-0.28, 0.0, 0.28):
        sunk = drop * (1 - (2 * x) ** 2)
        turn = -60 * drop * x / 0.28
        tint = jitter(rng.choice((_WOOD, (120, 140, 160), (176, 170, 150))), rng, 16)
        high = rng.uniform(0.17, 0.24)
        brush.at(x, level - sunk, degrees=-turn if x else 0).rect(-0.12, 0.03, 0.12, high, tint)
