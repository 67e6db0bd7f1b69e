"""What a run notes of its photos: which the model will have seen, and which its start had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from hazardscribe.model.seen_photos import SeenPhotos, load_seen
from hazardscribe.pairs.fingerprints import Fingerprints, Pixels, fingerprints, kept_fingerprints
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.training.rows import Rows


def note_photos(
    cache: PixelCache, rows: Mapping[str, Rows], validation: Sequence[str], start: Path
) -> tuple[SeenPhotos, str]:
    """The photos that a model trained on `rows` from that start has seen.

    Args:
        cache: holds the photos of `rows`, and keeps the fingerprints.
        rows: of `train` and `dev`.
        validation: photos that are in no row; decoded where the start tells what it has seen.
        start: the folder that training starts from.

    Returns:
        What is seen, the start's share included; and in words how many photos of dev and validation
        the start was trained on, empty where it was on none.
    """
    train, dev = (
        _fingerprints(cache, [row["photo"] for row in rows[split]], cache.pixels, threads=1)
        for split in ("train", "dev")
    )
    seen, former = SeenPhotos.of(train, dev), load_seen(start)
    if former is None:
        return seen, ""
    learned = {"dev": former.trained_on(dev)}
    if len(validation):
        photos = _fingerprints(cache, validation, partial(_decode, cache.bound))
        learned["validation"] = former.trained_on(photos)
    counts = [f"{n.sum()} of {len(n)} {name} photos" for name, n in learned.items() if n.any()]
    return former | seen, " and ".join(counts)


def _fingerprints(
    cache: PixelCache, photos: Sequence[str], pixels: Pixels, threads: int = 0
) -> Fingerprints:
    kept = kept_fingerprints(cache.folder, cache.bound)
    return fingerprints(list(dict.fromkeys(photos)), pixels, kept=kept, threads=threads)


def _decode(bound: int, photo: str) -> np.ndarray:
    return np.asarray(load_photo(photo, bound=bound))
