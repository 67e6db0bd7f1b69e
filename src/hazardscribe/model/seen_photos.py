"""Which photos a model was trained on, kept in its folder so that scores on them are told as such.

`seen_photos.json` holds, for `train` and for `dev`, the fingerprints of their distinct photos
(`pairs.fingerprints`): base64 of sorted little-endian uint64, about 21 bytes a photo. Digests and
looks are sorted each for itself. They show no photo; whoever has a photo can tell by them whether
it was one of these. What the start had seen stays seen.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazardscribe.errors import InputError
from hazardscribe.files import write_json
from hazardscribe.pairs.fingerprints import Fingerprints

SEEN_FILE = "seen_photos.json"
_SPLITS = ("train", "dev")
_WORDS = np.dtype("<u8")


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of the photos of a split: `(n,)` digests and `(m,)` looks, sorted."""

    digests: np.ndarray
    looks: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class SeenPhotos:
    """The photos that trained a model and those that chose its weights, its starts' among them."""

    train: Known
    dev: Known

    @classmethod
    def of(cls, train: Fingerprints, dev: Fingerprints) -> SeenPhotos:
        """Of the splits of one training."""
        return cls(_known(train.digests, train.looks), _known(dev.digests, dev.looks))

    def __or__(self, other: SeenPhotos) -> SeenPhotos:
        """What either has seen."""
        both = [(getattr(self, split), getattr(other, split)) for split in _SPLITS]
        return SeenPhotos(
            *(_known(np.append(a.digests, b.digests), np.append(a.looks, b.looks)) for a, b in both)
        )

    def trained_on(self, photos: Fingerprints) -> np.ndarray:
        """Which photos were trained on, or show nearly the same as one that was: `(N,)` bool."""
        found: np.ndarray = photos.are_in(self.train.digests) | photos.are_near(self.train.looks)
        return found

    def kinds(self, photos: Fingerprints) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which photos were trained on; of the others, which chose the weights; of the rest, which
        show nearly the same as one that was trained on: three `(N,)` bool."""
        in_train = photos.are_in(self.train.digests)
        in_dev = photos.are_in(self.dev.digests) & ~in_train
        return in_train, in_dev, photos.are_near(self.train.looks) & ~in_train & ~in_dev

    def save(self, folder: Path) -> None:
        """Write the file into a model folder."""
        splits = {split: getattr(self, split) for split in _SPLITS}
        values = {
            split: {"digests": _packed(known.digests), "looks": _packed(known.looks)}
            for split, known in splits.items()
        }
        write_json(folder / SEEN_FILE, values)


def load_seen(folder: str | Path) -> SeenPhotos | None:
    """What a model folder says that it has seen; None where it does not say.

    Raises:
        InputError: if the file is damaged.
    """
    path = Path(folder) / SEEN_FILE
    if not path.is_file():
        return None
    try:
        stored: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        splits = [stored[split] for split in _SPLITS]
        return SeenPhotos(
            *(_known(_unpacked(one["digests"]), _unpacked(one["looks"])) for one in splits)
        )
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise InputError(
            f"{path}: cannot be used ({error}). Copy the model folder again from its origin, or "
            f"delete {SEEN_FILE}; then it cannot be told which photos the model was trained on."
        ) from error


def _known(digests: np.ndarray, looks: np.ndarray) -> Known:
    """Distinct and sorted; 0 stands for what could not be told."""
    return Known(*(np.unique(values[values != 0]) for values in (digests, looks)))


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype(_WORDS).tobytes()).decode("ascii")


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype=_WORDS).astype(np.uint64)
