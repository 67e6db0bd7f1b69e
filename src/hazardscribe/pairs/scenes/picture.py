"""From a scene's items to its photo."""

import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from hazardscribe.pairs.scenes import backdrop, camera
from hazardscribe.pairs.scenes.canvas import Brush, jitter
from hazardscribe.pairs.scenes.catalogue import COLOURS, PLACES
from hazardscribe.pairs.scenes.compose import Item
from hazardscribe.pairs.scenes.drawings import DRAWINGS

_FINER = 2  # drawn at twice the size, then averaged: smooth edges for little time
# Drawings with lettering, which must not be mirrored.
_LETTERED = frozenset({"extinguisher_toppled", "exit_blocked", "hydrant_empty"})


def take_photo(items: Sequence[Item], seed: int, width: int, height: int) -> Image.Image:
    """Draws the items in a random setting and photographs it; RGB of `width` x `height` pixels."""
    rng = random.Random(seed)
    wide, high = width * _FINER, height * _FINER
    scene = Image.new("RGB", (wide, high))
    draw = ImageDraw.Draw(scene, "RGBA")  # this mode blends half-transparent fills
    ratio = wide / high
    room = Brush(draw, (high, 0, 0, 0, -high, high))
    horizon = backdrop.paint(room, rng, ratio)
    backdrop.clutter(room, rng, ratio, horizon)

    spots = {
        place: (0.18 + 0.32 * i + rng.uniform(-0.025, 0.025), rng.uniform(0.05, 0.15))
        for i, place in enumerate(PLACES)
    }
    taken = {item.place for item in items}
    for place, (x, y) in spots.items():
        if place not in taken:
            backdrop.fill_gap(room, rng, x * ratio, y)
    for item in sorted(items, key=lambda item: -spots[item.place][1]):
        x, y = spots[item.place]
        size = min(0.285 * ratio, 0.42) * rng.uniform(0.88, 1.08)
        unit = size * high
        mirror = rng.choice((-1, 1)) if item.kind not in _LETTERED else 1
        spot = (mirror * unit * rng.uniform(0.94, 1.06), 0.0, x * wide, 0.0, -unit, (1 - y) * high)
        brush = Brush(draw, spot).at(0, 0, degrees=rng.uniform(-2, 2))
        colour = jitter(COLOURS[item.colour], rng, 10)
        DRAWINGS[item.kind](brush, rng, colour, item.count, item.hazard)

    return camera.shoot(scene.reduce(_FINER), np.random.default_rng(seed))
