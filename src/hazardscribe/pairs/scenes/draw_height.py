"""Height: platform edges, floor openings and ladders."""

import random

from hazardscribe.pairs.scenes.canvas import Brush, shade
from hazardscribe.pairs.scenes.catalogue import Rgb

_CONCRETE: Rgb = (168, 164, 156)


def platform(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A raised working platform: rails all along its edge, or bare post stubs."""
    brush.shadow(0.0, 0.0, 0.52, 0.07)
    deck = rng.uniform(0.42, 0.54)
    brush.rect(-0.46, 0, 0.46, deck, (52, 52, 56))
    for x in (-0.42, 0.0, 0.42):
        brush.column(x - 0.05, 0, x + 0.05, deck, _CONCRETE)
    slab = ((-0.52, deck), (0.52, deck), (0.42, deck + 0.18), (-0.42, deck + 0.18))
    brush.polygon(slab, shade(_CONCRETE, 1.15))
    brush.rect(-0.52, deck - 0.1, 0.52, deck, colour)
    rail = colour
    posts = (-0.48, -0.16, 0.16, 0.48)
    if hazard:
        for x in posts:
            brush.line([(x, deck), (x, deck + 0.07)], shade(rail, 0.6), 0.06)
        return
    for x in posts:
        brush.line([(x, deck), (x, deck + 0.66)], shade(rail, 0.8), 0.06)
    for y in (0.34, 0.64):
        brush.line([(-0.53, deck + y), (0.53, deck + y)], shade(rail, 0.5), 0.105)
        brush.line([(-0.52, deck + y), (0.52, deck + y)], shade(rail, 1.1), 0.075)
    brush.rect(-0.52, deck, 0.52, deck + 0.1, shade(rail, 0.9))


def opening(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A hole in the floor inside a painted kerb: gaping, or closed by a striped plate."""
    deep = rng.uniform(0.56, 0.68)
    outer = ((-0.56, 0.0), (0.56, 0.0), (0.42, deep), (-0.42, deep))
    inner = ((-0.45, 0.07), (0.45, 0.07), (0.35, deep - 0.06), (-0.35, deep - 0.06))
    brush.polygon(outer, colour, 0.03)
    if hazard:
        brush.polygon(inner, (14, 13, 14))
        back = ((-0.35, deep - 0.06), (0.35, deep - 0.06), (0.31, deep - 0.2), (-0.31, deep - 0.2))
        brush.polygon(back, (84, 78, 70), 0)
        for x in (-0.2, 0.0, 0.2):
            brush.line([(x, deep - 0.06), (x * 0.95, deep - 0.2)], (50, 46, 42), 0.02)
        return
    brush.polygon(inner, (196, 190, 178))
    for i in range(4):
        x0 = -0.42 + 0.24 * i
        stripe = ((x0, 0.07), (x0 + 0.11, 0.07), (x0 * 0.78 + 0.13, deep - 0.06))
        brush.polygon((*stripe, (x0 * 0.78 + 0.04, deep - 0.06)), (92, 90, 88), 0)
    for side in (-0.1, 0.1):
        brush.ellipse(side, deep / 2, 0.05, 0.03, (40, 40, 40), 0)


def ladder(brush: Brush, rng: random.Random, colour: Rgb, count: int, hazard: bool) -> None:
    """A ladder against the wall: all its rungs, or the middle ones snapped off."""
    brush.shadow(0.05, 0.0, 0.4, 0.06)
    lean = rng.uniform(-0.08, 0.08)
    tall = rng.uniform(1.3, 1.42)
    half = 0.32
    rungs = 7
    broken = set(range(2, 5)) if hazard else set()
    for i in range(rungs):
        t = (i + 0.7) / (rungs + 0.4)
        y = t * tall
        x = lean * t
        w = half * (1 - 0.15 * t)
        if i not in broken:
            brush.line([(x - w, y), (x + w, y)], shade(colour, 0.5), 0.1)
            brush.line([(x - w, y + 0.01), (x + w, y + 0.01)], shade(colour, 1.15), 0.065)
        else:
            side = rng.choice((-1, 1))
            brush.line([(x - w, y), (x - w + 0.09, y - 0.01)], shade(colour, 1.15), 0.065)
            brush.line([(x + w, y), (x + w - 0.09, y - 0.01)], shade(colour, 1.15), 0.065)
            if i == 3:
                end = (x + side * (w - 0.2), y - 0.2)
                brush.line([(x + side * w, y), end], shade(colour, 1.15), 0.065)
    for side in (-1, 1):
        foot, head = side * half, lean + side * half * 0.85
        brush.line([(foot, 0), (head, tall)], shade(colour, 0.45), 0.13)
        brush.line([(foot, 0), (head, tall)], colour, 0.09)
        brush.rect(foot - 0.07, -0.02, foot + 0.07, 0.05, (36, 36, 38))
