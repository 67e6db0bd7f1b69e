"""Evidence as pictures: the photo, paled, with warm colours where a phrase has its support."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from hazardscribe.describing.evidence import evidence, phrases_of
from hazardscribe.errors import PhotoError
from hazardscribe.pages import data_url

if TYPE_CHECKING:
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.evidence import Evidence

SIDE = 180  # pixels, longest side of a picture
_PALE = 0.55  # how much of the photo's colour stays where nothing speaks for the phrase


def heat_maps(describer: Describer, photo: str, text: str) -> list[tuple[str, str]]:
    """Each phrase of a description with its picture as a data URL.

    Empty where the photo cannot be read or the model's tokens form no grid over it.
    """
    try:
        pixels = describer.pixels(photo)
    except PhotoError:
        return []
    with describer.products():
        found = evidence(describer.vlm, describer.prompter, pixels, text, phrases_of(text))
    return [(one.phrase, picture(pixels, one)) for one in found]


def picture(pixels: np.ndarray, shown: Evidence) -> str:
    """A photo `(H, W, 3)` uint8 under the map of one phrase, as a JPEG data URL."""
    import matplotlib
    from PIL import Image

    small = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE))
    width, height = small.size
    strength = shown.map_onto(height, width)[..., None]
    grey = np.asarray(small.convert("L").convert("RGB"), dtype=np.float64)
    colour = np.asarray(small, dtype=np.float64)
    warm = np.asarray(matplotlib.colormaps["inferno"](strength[..., 0])[..., :3]) * 255
    base = _PALE * colour + (1 - _PALE) * (0.5 * grey + 110)
    mixed = (1 - 0.65 * strength) * base + 0.65 * strength * warm
    buffer = io.BytesIO()
    Image.fromarray(mixed.clip(0, 255).astype(np.uint8)).save(buffer, format="JPEG", quality=80)
    return data_url("image/jpeg", buffer.getvalue())
