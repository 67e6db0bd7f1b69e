"""Small pictures for ledgers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def photo_bytes(seed: int, kind: str = "PNG") -> bytes:
    """A small picture that depends on the seed alone."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 9, 3), dtype=np.uint8))
    stream = io.BytesIO()
    coarse.resize((45, 40), Image.Resampling.BICUBIC).save(stream, kind)
    return stream.getvalue()
