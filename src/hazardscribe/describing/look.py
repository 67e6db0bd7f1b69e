"""What a model makes of many photos, before anything is fitted to it.

Each photo is decoded once: whether the model has seen it, what the encoder reads off it, and what
the language model writes of it, greedily and with beams, all come of the same pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from hazardscribe.describing.aligner import Aligner
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.generate import Candidate, Decoding
from hazardscribe.describing.judge import Reading
from hazardscribe.describing.sources import place_of
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.model.seen_photos import SeenPhotos
from hazardscribe.pairs.fingerprints import fingerprints
from hazardscribe.pairs.left_out import tell_unreadable

logger = logging.getLogger(__name__)

Pixels = Callable[[str], np.ndarray]
Decoded = tuple[str, np.ndarray]  # a photo and its pixels


class NoUnseenPhotoError(InputError):
    """All photos of dev were trained on."""


@dataclass(frozen=True, slots=True)
class Described:
    """Photos, and what was made of each.

    Attributes:
        readings: what the encoder sees.
        greedy: the one candidate of greedy search.
        several: those of beam search; empty without an alignment, which would choose among them.
    """

    photos: list[str] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    greedy: list[list[Candidate]] = field(default_factory=list)
    several: list[list[Candidate]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Look:
    """Runs encoder and language model over many photos.

    Attributes:
        pixels: gives a photo's pixels, `(H, W, 3)` uint8.
    """

    describer: Describer
    aligner: Aligner | None
    pixels: Pixels
    progress: bool

    def towers(self, photos: Sequence[str]) -> np.ndarray:
        """`(N, F)`: what the tower makes of the training photos that can be read."""
        found: list[np.ndarray] = []
        for batch in self._batches(self._decoded(photos, "training photos")):
            pixels = [one for _, one in batch]
            found += [one.tower for one in self.describer.read(pixels, self.aligner)]
        return np.stack(found)

    def describe(self, photos: Sequence[str], seen: SeenPhotos | None, beams: int) -> Described:
        """Read and describe the dev photos that can be read and were not trained on.

        Args:
            seen: the photos that the model has seen, where it tells.
            beams: candidates a photo.

        Raises:
            NoUnseenPhotoError: if it was trained on all of them.
            InputError: if none can be read.
        """
        found = Described()
        longest = self.describer.max_new_tokens
        for batch in self._batches(self._unseen(photos, seen)):
            found.photos.extend(photo for photo, _ in batch)
            pixels = [one for _, one in batch]
            searches = [Decoding(max_new_tokens=longest)]
            if self.aligner is not None:
                searches.append(Decoding(beams, longest, alternatives=beams))
            readings, written = self.describer.read_and_write(pixels, self.aligner, searches)
            found.readings.extend(readings)
            for texts, of in zip(written, (found.greedy, found.several), strict=False):
                of.extend(one.candidates for one in texts)
        return found

    def _unseen(self, photos: Sequence[str], seen: SeenPhotos | None) -> Iterator[Decoded]:
        """The others are left out: the model is surer of them than of new ones."""
        readable = learned = 0
        for batch in self._batches(self._decoded(photos, "dev photos")):
            readable += len(batch)
            known = [False] * len(batch)
            if seen is not None:
                at_hand = {place_of(photo): pixels for photo, pixels in batch}
                names = [photo for photo, _ in batch]
                taken = fingerprints(names, at_hand.__getitem__, threads=1)
                known = seen.trained_on(taken).tolist()
            learned += sum(known)
            yield from (one for one, trained_on in zip(batch, known, strict=True) if not trained_on)
        if learned == readable:
            raise NoUnseenPhotoError(
                f"calibrate: the model was trained on all {readable} photos of dev, or on "
                "pictures that are nearly the same, and is surer of them than of any other. Give "
                "photos that it has not seen the split dev."
            )
        if learned:
            logger.warning(
                "calibrate: the model was trained on %d of %d dev photos, or on pictures that are "
                "nearly the same; they are left out, since it is surer of them than of others",
                learned,
                readable,
            )

    def _decoded(self, photos: Sequence[str], name: str) -> Iterator[Decoded]:
        """Those that can be decoded; a warning tells of the others."""
        from tqdm import tqdm

        failed: list[PhotoError] = []
        for photo in tqdm(photos, desc=name, unit="photo", disable=not self.progress):
            try:
                yield photo, self.pixels(photo)
            except PhotoError as error:
                failed.append(error)
        if len(failed) == len(photos):
            raise InputError(f"calibrate: none of the {name} can be read. First: {failed[0]}")
        tell_unreadable("calibrate", failed, len(photos), name)

    def _batches(self, decoded: Iterator[Decoded]) -> Iterator[list[Decoded]]:
        while batch := list(islice(decoded, self.describer.batch_size)):
            yield batch
