"""The place around the objects: walls, floors and the things that mean nothing.

Coordinates are in picture heights, x to the right and y up from the lower left corner, so a
picture is `wide` = width / height units wide. Distractors are drawn from a list that no kind
uses, so that none of them can be taken for a hazard or for a safe twin.
"""

import random
from collections.abc import Callable

from hazardscribe.pairs.scenes.canvas import Brush, jitter, shade
from hazardscribe.pairs.scenes.catalogue import COLOURS, Rgb

_WALLS: tuple[Rgb, ...] = (
    (200, 196, 184),
    (172, 184, 188),
    (206, 200, 206),
    (164, 170, 152),
    (188, 168, 150),
    (144, 154, 168),
)
_FLOORS: tuple[Rgb, ...] = ((150, 146, 138), (128, 132, 134), (164, 150, 130), (110, 122, 116))


def paint(brush: Brush, rng: random.Random, wide: float) -> float:
    """Paints wall and floor, with things on the wall; returns the floor's far edge's height."""
    horizon = rng.uniform(0.27, 0.36)
    kind = rng.choice((_workshop, _corridor, _warehouse, _site))
    floor = jitter(rng.choice(_FLOORS), rng, 12)
    brush.rect(0, 0, wide, horizon, floor, 0)
    brush.rect(0, horizon - 0.06, wide, horizon, shade(floor, 0.86), 0)
    kind(brush, rng, wide, horizon)
    _floor_lines(brush, rng, wide, horizon, shade(floor, rng.choice((0.8, 1.14))))
    _hang(brush, rng, wide, _IN_SKY if kind is _site else _ON_WALL)
    return horizon


def _floor_lines(brush: Brush, rng: random.Random, wide: float, horizon: float, tint: Rgb) -> None:
    """Joints that meet in one vanishing point above the floor's far edge."""
    vanish, high = rng.uniform(0.3, 0.7) * wide, horizon + rng.uniform(0.12, 0.3)
    step = rng.uniform(0.22, 0.4)
    t = 1 - horizon / high
    for i in range(-4, 5):
        x = vanish + i * step * 2
        brush.line([(x, 0), (vanish + (x - vanish) * t, horizon)], tint, 0.006)
    for share in (0.12, 0.34, 0.62, 0.84):
        brush.line([(0, horizon * share), (wide, horizon * share)], tint, 0.005)


def _wall(brush: Brush, rng: random.Random, wide: float, horizon: float) -> Rgb:
    wall = jitter(rng.choice(_WALLS), rng, 14)
    brush.rect(0, horizon, wide, 1, wall, 0)
    return wall


def _workshop(brush: Brush, rng: random.Random, wide: float, horizon: float) -> None:
    """A wall with a painted lower half and pipes under the ceiling."""
    wall = _wall(brush, rng, wide, horizon)
    split = rng.uniform(0.5, 0.66)
    lower = shade(jitter(rng.choice(_WALLS), rng, 20), 0.8)
    brush.rect(0, horizon, wide, split, lower, 0)
    brush.rect(0, horizon, wide, horizon + 0.03, shade(lower, 0.6), 0)
    for _ in range(rng.randint(0, 2)):
        y = rng.uniform(0.86, 0.97)
        pipe = shade(jitter(rng.choice(_WALLS), rng, 30), 0.75)
        brush.rect(0, y, wide, y + 0.025, pipe, 0)
        brush.rect(0, y + 0.015, wide, y + 0.02, shade(pipe, 1.4), 0)
    x = rng.uniform(0.1, 0.6) * wide
    brush.line([(x, split), (x, 1)], shade(wall, 0.85), 0.008)


def _corridor(brush: Brush, rng: random.Random, wide: float, horizon: float) -> None:
    """A passage: side walls and a ceiling that converge, with a lamp row."""
    wall = _wall(brush, rng, wide, horizon)
    left, right = rng.uniform(0.04, 0.12) * wide, rng.uniform(0.88, 0.96) * wide
    top = rng.uniform(0.88, 0.93)
    side = shade(wall, rng.uniform(0.8, 0.92))
    brush.polygon(((0, 0.1), (left, horizon), (left, top), (0, 1)), side, 0)
    brush.polygon(((wide, 0.1), (right, horizon), (right, top), (wide, 1)), side, 0)
    brush.polygon(((0, 1), (left, top), (right, top), (wide, 1)), shade(wall, 1.12), 0)
    for i in range(3):
        x = (0.25 + 0.25 * i) * wide
        brush.rect(x - 0.06, top + 0.02, x + 0.06, top + 0.05, (250, 250, 240), 0)
    brush.line([(left, horizon), (left, top)], shade(wall, 0.6), 0.005)
    brush.line([(right, horizon), (right, top)], shade(wall, 0.6), 0.005)


def _warehouse(brush: Brush, rng: random.Random, wide: float, horizon: float) -> None:
    """Corrugated cladding, perhaps with a roller door."""
    wall = _wall(brush, rng, wide, horizon)
    rib = shade(wall, 0.92)
    step = rng.uniform(0.035, 0.06)
    for i in range(int(wide / step) + 1):
        brush.line([(i * step, horizon), (i * step, 1)], rib, 0.008)
    if rng.random() < 0.6:
        x = rng.uniform(0.1, 0.6) * wide
        brush.rect(x, horizon, x + 0.42, 0.92, shade(wall, 0.8), 0.008)
        for i in range(8):
            y = horizon + (0.92 - horizon) * i / 8
            brush.line([(x, y), (x + 0.42, y)], shade(wall, 0.68), 0.006)


def _site(brush: Brush, rng: random.Random, wide: float, horizon: float) -> None:
    """Out of doors: sky, a shell of a building and a brick wall or hoarding."""
    sky = jitter((178, 200, 220), rng, 16)
    brush.rect(0, horizon, wide, 1, sky, 0)
    x = rng.uniform(-0.1, 0.6) * wide
    block = jitter((168, 164, 158), rng, 14)
    brush.rect(x, horizon, x + 0.62, 0.96, block, 0)
    for row in range(3):
        for column in range(4):
            wx, wy = x + 0.05 + 0.145 * column, 0.84 - 0.14 * row
            brush.rect(wx, wy, wx + 0.08, wy + 0.08, shade(block, 0.6), 0)
    brick = jitter(rng.choice(((168, 104, 84), (150, 152, 150), (110, 140, 170))), rng, 14)
    high = rng.uniform(0.5, 0.62)
    brush.rect(0, horizon, wide, high, brick, 0)
    for i in range(1, 6):
        y = horizon + (high - horizon) * i / 6
        brush.line([(0, y), (wide, y)], shade(brick, 0.85), 0.005)


def _window(brush: Brush, rng: random.Random) -> None:
    glass = jitter((176, 206, 224), rng, 18)
    brush.rect(-0.12, -0.1, 0.12, 0.1, glass, 0.02)
    brush.line([(0, -0.1), (0, 0.1)], (236, 236, 232), 0.014)
    brush.line([(-0.12, 0), (0.12, 0)], (236, 236, 232), 0.014)


def _poster(brush: Brush, rng: random.Random) -> None:
    brush.rect(-0.08, -0.1, 0.08, 0.1, (240, 238, 228), 0.006)
    tint = rng.choice(tuple(COLOURS.values()))
    brush.ellipse(0, 0.03, 0.05, 0.05, tint, 0)
    for y in (-0.05, -0.075):
        brush.line([(-0.05, y), (0.05, y)], (110, 110, 110), 0.008)


def _round_sign(brush: Brush, rng: random.Random) -> None:
    brush.ellipse(0, 0, 0.065, 0.065, (244, 244, 240), 0)
    tint = rng.choice((COLOURS["red"], COLOURS["blue"], COLOURS["green"]))
    brush.ring(0, 0, 0.06, 0.06, tint, 0.018)
    brush.line([(-0.04, 0.04), (0.04, -0.04)], tint, 0.016)


def _clock(brush: Brush, rng: random.Random) -> None:
    brush.ellipse(0, 0, 0.06, 0.06, (246, 246, 242), 0.01)
    brush.line([(0, 0.04), (0, 0), (0.03, -0.01)], (30, 30, 30), 0.008)


def _lamp(brush: Brush, rng: random.Random) -> None:
    brush.polygon(((-0.07, -0.04), (0.07, -0.04), (0.03, 0.05), (-0.03, 0.05)), (70, 80, 86))
    brush.ellipse(0, -0.045, 0.05, 0.02, (255, 246, 200), 0)


def _cloud(brush: Brush, rng: random.Random) -> None:
    for x, y, r in ((-0.08, 0.0, 0.06), (0.0, 0.03, 0.08), (0.09, 0.0, 0.06)):
        brush.ellipse(x, y, 1.5 * r, 0.6 * r, (255, 255, 255, 110), 0)


def _crane(brush: Brush, rng: random.Random) -> None:
    steel = jitter((196, 150, 60), rng, 20)
    brush.line([(0, -0.12), (0, 0.06)], steel, 0.014)
    brush.line([(-0.1, 0.02), (0.2, 0.02)], steel, 0.012)
    brush.line([(-0.1, 0.02), (0, 0.06), (0.2, 0.02)], steel, 0.005)
    brush.line([(0.15, 0.02), (0.15, -0.06)], (60, 60, 60), 0.004)


def _cone(brush: Brush, rng: random.Random) -> None:
    brush.shadow(0, 0, 0.11, 0.03)
    body = jitter((236, 104, 36), rng, 20)
    brush.rect(-0.09, 0, 0.09, 0.03, shade(body, 0.7), 0)
    brush.polygon(((-0.07, 0.03), (0.07, 0.03), (0.015, 0.27), (-0.015, 0.27)), body, 0.008)
    brush.polygon(((-0.05, 0.1), (0.05, 0.1), (0.037, 0.16), (-0.037, 0.16)), (244, 244, 240), 0)


def _bin(brush: Brush, rng: random.Random) -> None:
    brush.shadow(0, 0, 0.13, 0.03)
    body = jitter(rng.choice(tuple(COLOURS.values())), rng, 20)
    brush.polygon(((-0.09, 0), (0.09, 0), (0.12, 0.26), (-0.12, 0.26)), body, 0.01)
    brush.rect(-0.135, 0.25, 0.135, 0.3, shade(body, 0.75), 0.008)
    brush.ellipse(0, 0.13, 0.035, 0.035, (240, 240, 236), 0)


def _pallet(brush: Brush, rng: random.Random) -> None:
    brush.shadow(0, 0, 0.17, 0.03)
    wood = jitter((176, 134, 88), rng, 18)
    for i in range(3):
        brush.rect(-0.16, 0.035 * i, 0.16, 0.035 * i + 0.02, wood, 0.006)
    for x in (-0.13, 0, 0.13):
        brush.rect(x - 0.02, 0, x + 0.02, 0.09, shade(wood, 0.75), 0)


def _bucket(brush: Brush, rng: random.Random) -> None:
    brush.shadow(0, 0, 0.1, 0.025)
    body = jitter(rng.choice(tuple(COLOURS.values())), rng, 24)
    brush.polygon(((-0.06, 0), (0.06, 0), (0.085, 0.16), (-0.085, 0.16)), body, 0.01)
    brush.ring(0, 0.16, 0.085, 0.08, (90, 90, 90), 0.008)


def _plant(brush: Brush, rng: random.Random) -> None:
    brush.shadow(0, 0, 0.09, 0.025)
    for x, y in ((-0.08, 0.27), (0.07, 0.3), (0.0, 0.36), (-0.04, 0.33), (0.1, 0.22)):
        leaf = jitter((56, 124, 66), rng, 20)
        brush.polygon(((-0.015, 0.1), (0.015, 0.1), (x + 0.03, y), (x - 0.03, y)), leaf, 0)
    brush.polygon(((-0.05, 0), (0.05, 0), (0.07, 0.12), (-0.07, 0.12)), (176, 98, 70), 0.01)


def _toolbox(brush: Brush, rng: random.Random) -> None:
    brush.shadow(0, 0, 0.15, 0.03)
    body = jitter(rng.choice(tuple(COLOURS.values())), rng, 20)
    brush.rect(-0.13, 0, 0.13, 0.12, body, 0.01)
    brush.line([(-0.05, 0.12), (-0.05, 0.16), (0.05, 0.16), (0.05, 0.12)], (50, 50, 52), 0.014)
    brush.rect(-0.02, 0.08, 0.02, 0.12, (210, 210, 206), 0)


Thing = Callable[[Brush, random.Random], None]
_IN_SKY: tuple[Thing, ...] = (_cloud, _crane)
_ON_WALL: tuple[Thing, ...] = (_window, _window, _poster, _round_sign, _clock, _lamp)
_ON_FLOOR: tuple[Thing, ...] = (_cone, _bin, _pallet, _bucket, _plant, _toolbox)


def _hang(brush: Brush, rng: random.Random, wide: float, things: tuple[Thing, ...]) -> None:
    """Hangs up to three meaningless things high on the wall, or into the sky."""
    for third in rng.sample(range(3), rng.randint(0, 3)):
        x, y = (third + rng.uniform(0.2, 0.8)) / 3 * wide, rng.uniform(0.74, 0.92)
        rng.choice(things)(brush.at(x, y, rng.uniform(0.7, 1.2)), rng)


def clutter(brush: Brush, rng: random.Random, wide: float, horizon: float) -> None:
    """Sets up to three small meaningless things on the far floor, behind the objects."""
    for _ in range(rng.randint(0, 3)):
        x, y = rng.uniform(0.03, 0.97) * wide, horizon - rng.uniform(0.0, 0.06)
        rng.choice(_ON_FLOOR)(brush.at(x, y, rng.uniform(0.45, 0.75)), rng)


def fill_gap(brush: Brush, rng: random.Random, x: float, y: float) -> None:
    """Sets one or two larger meaningless things on the floor where a place is left empty."""
    for _ in range(rng.randint(0, 2)):
        at = x + rng.uniform(-0.12, 0.12)
        rng.choice(_ON_FLOOR)(brush.at(at, y + rng.uniform(0, 0.08), rng.uniform(0.7, 1.1)), rng)
