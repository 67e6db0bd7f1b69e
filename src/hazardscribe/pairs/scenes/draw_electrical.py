"""Electrical: distribution boxes closed and open, wiring in order and in a tangle."""

import math
import random

from hazardscribe.pairs.scenes.canvas import Brush, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_WIRES: tuple[Rgb, ...] = (
    (190, 40, 40),
    (40, 80, 170),
    (220, 190, 50),
    (40, 130, 70),
    (30, 30, 34),
)


def box(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A distribution box on legs: door shut with its warning sign, or swung open on breakers."""
    brush.shadow(0.04, 0.0, 0.45, 0.06)
    low, high = 0.3, rng.uniform(1.1, 1.25)
    left, right = (-0.18, 0.5) if hazard else (-0.35, 0.35)
    for x in (left + 0.06, right - 0.06):
        brush.line([(x, 0), (x, low)], (60, 62, 66), 0.07)
    brush.rect(left, low, right, high, colour)
    if not hazard:
        brush.rect(left + 0.05, low + 0.05, right - 0.05, high - 0.05, shade(colour, 1.12))
        _warning(brush, 0.0, high - 0.52, 0.2)
        brush.rect(right - 0.13, low + 0.32, right - 0.08, low + 0.5, (40, 40, 44), 0)
        for i in range(3):
            y = low + 0.13 + 0.06 * i
            brush.line([(left + 0.15, y), (right - 0.2, y)], shade(colour, 0.55), 0.03)
        return
    brush.rect(left + 0.06, low + 0.06, right - 0.06, high - 0.06, (34, 36, 40))
    for row in range(2):
        y = high - 0.33 - 0.33 * row
        for i in range(4):
            x = left + 0.1 + 0.13 * i
            brush.rect(x, y, x + 0.11, y + 0.17, (232, 232, 226), 0)
            brush.rect(x + 0.03, y + 0.05, x + 0.08, y + 0.13, (40, 40, 40), 0)
            drop = rng.uniform(0.08, 0.16)
            wire = [(x + 0.05, y), (x + 0.05 + rng.uniform(-0.06, 0.06), y - drop)]
            brush.line(wire, rng.choice(_WIRES), 0.03)
    lean = 0.09
    door = ((left, low), (left - 0.3, low - lean), (left - 0.3, high - lean), (left, high))
    brush.polygon(door, shade(colour, 0.82))
    _warning(brush, left - 0.15, (low + high) / 2 - 0.08, 0.1)


def _warning(brush: Brush, x: float, y: float, half: float) -> None:
    tip = y + 1.75 * half
    brush.polygon(((x - half, y), (x + half, y), (x, tip)), (244, 208, 40), 0.03)
    bolt = [(x + 0.15 * half, tip - 0.5 * half), (x - 0.2 * half, y + 0.75 * half)]
    bolt += [(x + 0.2 * half, y + 0.7 * half), (x - 0.1 * half, y + 0.2 * half)]
    brush.line(bolt, (20, 20, 20), 0.18 * half)


def cable(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A socket panel with its cables: straight into a floor duct, or looping all over."""
    brush.shadow(0.0, 0.0, 0.48, 0.06)
    brush.rect(-0.46, 0.0, 0.46, 0.14, (150, 152, 150))
    top = rng.uniform(0.98, 1.1)
    wires = rng.sample(_WIRES, 5)
    if hazard:
        for i, wire in enumerate(wires):
            start = -0.28 + 0.14 * i
            turns, phase = rng.uniform(1.4, 2.4), rng.uniform(0, math.tau)
            reach, bulge = rng.uniform(0.2, 0.36), rng.uniform(0.1, 0.22)
            path = []
            for k in range(29):
                t = k / 28
                swing = math.sin(math.pi * t) * reach
                x = start * (1 - t) + swing * math.sin(math.tau * turns * t + phase)
                y = top * (1 - t) + bulge * math.sin(math.pi * t) * math.cos(math.tau * turns * t)
                path.append((max(-0.5, min(0.5, x)), max(0.0, y)))
            brush.line(path, wire, 0.055)
    else:
        for i, wire in enumerate(wires):
            x = -0.28 + 0.14 * i
            brush.line([(x, top), (x, 0.1)], wire, 0.055)
        for y in (0.34, 0.62):
            brush.rect(-0.36, y, 0.36, y + 0.07, (206, 208, 206))
    brush.rect(-0.42, top - 0.02, 0.42, top + 0.3, colour)
    for i in range(3):
        x = -0.26 + 0.26 * i
        brush.rect(x - 0.09, top + 0.06, x + 0.09, top + 0.22, (236, 236, 230), 0.015)
        for hole in (-0.035, 0.035):
            brush.rect(x + hole - 0.012, top + 0.11, x + hole + 0.012, top + 0.17, (20, 20, 20), 0)
