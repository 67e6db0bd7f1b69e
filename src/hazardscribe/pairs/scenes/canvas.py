"""Drawing in an object's own coordinates.

A drawing is written once, with the ground at y = 0, y upwards, and a width of about one unit; a
`Brush` carries it to pixels through an affine map, so that position, size, tilt and mirroring are
the composer's business and no drawing can depend on them.
"""

import math
import random
from collections.abc import Iterable, Sequence

from PIL.ImageDraw import ImageDraw

from hazardscribe.pairs.scenes.catalogue import Rgb

Point = tuple[float, float]
Fill = tuple[int, int, int] | tuple[int, int, int, int]
# x' = a x + b y + c and y' = d x + e y + f, in pixels
Affine = tuple[float, float, float, float, float, float]

_TURN = tuple((math.cos(i * math.tau / 22), math.sin(i * math.tau / 22)) for i in range(22))

# Strokes of the few capital letters that signs need, on a grid of width 2 and height 4.
_LETTERS: dict[str, tuple[tuple[Point, ...], ...]] = {
    "E": (((2, 4), (0, 4), (0, 0), (2, 0)), ((0, 2), (1.6, 2))),
    "F": (((2, 4), (0, 4), (0, 0)), ((0, 2), (1.6, 2))),
    "I": (((1, 0), (1, 4)),),
    "R": (((0, 0), (0, 4), (2, 4), (2, 2), (0, 2)), ((0.8, 2), (2, 0))),
    "T": (((0, 4), (2, 4)), ((1, 4), (1, 0))),
    "X": (((0, 0), (2, 4)), ((0, 4), (2, 0))),
}


def shade(colour: Fill, factor: float) -> Rgb:
    """The colour made darker (`factor` < 1) or lighter (> 1), clipped to 0-255."""
    r, g, b = (min(255, max(0, round(v * factor))) for v in colour[:3])
    return r, g, b


def jitter(colour: Rgb, rng: random.Random, spread: int) -> Rgb:
    """The colour with each channel moved by at most `spread` levels."""
    r, g, b = (min(255, max(0, v + rng.randint(-spread, spread))) for v in colour)
    return r, g, b


class Brush:
    """Draws on a picture through an affine map from object units to pixels."""

    def __init__(self, draw: ImageDraw, affine: Affine) -> None:
        self.draw = draw
        self.affine = affine
        a, b, _, d, e, _ = affine
        self.scale = math.sqrt(abs(a * e - b * d))  # pixels per unit

    def at(self, x: float, y: float, scale: float = 1.0, degrees: float = 0.0) -> "Brush":
        """A brush whose origin lies at (x, y), scaled, then turned anticlockwise."""
        a, b, c, d, e, f = self.affine
        cos = math.cos(math.radians(degrees)) * scale
        sin = math.sin(math.radians(degrees)) * scale
        moved = (
            a * cos + b * sin,
            b * cos - a * sin,
            a * x + b * y + c,
            d * cos + e * sin,
            e * cos - d * sin,
            d * x + e * y + f,
        )
        return Brush(self.draw, moved)

    def polygon(self, points: Iterable[Point], fill: Fill, edge: float = 0.02) -> None:
        """A filled polygon; its outline is a darker shade, `edge` units wide (0: none)."""
        pixels = self._pixels(points)
        self.draw.polygon(pixels, fill=fill)
        if edge:
            dark = shade(fill, 0.5)
            width = max(1, round(edge * self.scale))
            self.draw.line([*pixels, pixels[0], pixels[1]], fill=dark, width=width)

    def rect(
        self, x0: float, y0: float, x1: float, y1: float, fill: Fill, edge: float = 0.02
    ) -> None:
        """A filled rectangle between two corners."""
        self.polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), fill, edge)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: Fill, edge: float = 0.02
    ) -> None:
        """A filled ellipse around (x, y)."""
        self.polygon([(x + rx * cos, y + ry * sin) for cos, sin in _TURN], fill, edge)

    def ring(self, x: float, y: float, rx: float, ry: float, fill: Fill, width: float) -> None:
        """The outline of an ellipse."""
        self.line([(x + rx * c, y + ry * s) for c, s in (*_TURN, *_TURN[:2])], fill, width)

    def line(self, points: Sequence[Point], fill: Fill, width: float) -> None:
        """A polyline with rounded joints, `width` units wide."""
        pixels = max(1, round(width * self.scale))
        joint = "curve" if pixels > 4 and len(points) > 2 else None
        self.draw.line(self._pixels(points), fill=fill, width=pixels, joint=joint)

    def column(self, x0: float, y0: float, x1: float, y1: float, fill: Fill) -> None:
        """An upright round body: a rectangle with a bright streak and a dark flank."""
        w = x1 - x0
        self.rect(x0, y0, x1, y1, fill)
        self.rect(x0 + 0.12 * w, y0, x0 + 0.3 * w, y1, shade(fill, 1.28), 0)
        self.rect(x0 + 0.7 * w, y0, x1 - 0.03 * w, y1, shade(fill, 0.72), 0)

    def shadow(self, x: float, y: float, rx: float, ry: float) -> None:
        """A soft dark patch on the ground, so that objects stand instead of float."""
        for grow in (1.0, 0.85, 0.7):
            self.ellipse(x, y, rx * grow, ry * grow, (0, 0, 0, 38), 0)

    def letters(self, text: str, x: float, y: float, height: float, fill: Fill) -> None:
        """Capital letters of a sign, the text's lower left corner at (x, y)."""
        grid = height / 4
        for at, letter in enumerate(text):
            for stroke in _LETTERS[letter]:
                moved = [(x + (px + 3 * at) * grid, y + py * grid) for px, py in stroke]
                self.line(moved, fill, 0.8 * grid)

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        a, b, c, d, e, f = self.affine
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]
