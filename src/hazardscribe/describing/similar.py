"""The past cases most like a photo: exact search among the aligned vectors of the pairs' photos.

Photo and past photos go through the trained encoder and the alignment head into the space of the
texts, where photos of like hazards lie close together whatever else they show. The similarity is
the cosine there, -1..1. Every past photo is compared: one product of `(1, D)` and `(N, D)`, a
millisecond for a hundred thousand photos. Their vectors are kept in the cache, by the photo's
content and the model, so that a second question costs one photo.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from hazardscribe.describing.aligner import load_head
from hazardscribe.describing.calibration import load_calibration
from hazardscribe.describing.describer import Describer, Photo
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.files import cache_folder
from hazardscribe.model.checkpoint import HEAD_FILE
from hazardscribe.model.folders import fingerprint
from hazardscribe.model.sequences import first_sequence
from hazardscribe.model.vector_cache import VectorCache
from hazardscribe.objectives.alignment import AlignmentHead
from hazardscribe.pairs.columns import ledger_columns
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.records import PROVENANCE
from hazardscribe.pairs.targets import target_texts

logger = logging.getLogger(__name__)

_FACTS = ("date", "place", "site", "project", "category", "level", "measure", "status")


@dataclass(frozen=True, slots=True)
class PastCase:
    """A photo of the pairs.

    Attributes:
        photo: its path. texts: what was written of it.
        similarity: to the photo asked about, -1..1.
        source: the ledger, its sheet and the row below the header that it came from.
        facts: what else its row says, where it does: date, place, site, category, measure ...
    """

    photo: str
    texts: tuple[str, ...]
    similarity: float
    source: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def find_similar(
    describer: Describer,
    photo: Photo,
    rows: Sequence[Mapping[str, Any]],
    k: int = 5,
    *,
    progress: bool = False,
) -> list[PastCase]:
    """The k past cases most like a photo, most alike first; rows that share a photo are one case.

    Args:
        describer: the model. photo: a path or bytes, of the pairs or not. rows: of `read_pairs`.

    Raises:
        InputError: if the model holds no alignment head of a pooled form, or there are no rows.
        PhotoError: if the photo cannot be used; past photos that cannot are passed over.
    """
    index = CaseIndex(describer, rows)
    pixels = describer.pixels(photo)
    _tell_unfamiliar(describer, pixels)
    asked = index.encode(pixels)
    index.build(progress=progress)
    return index.nearest(asked, k)


class CaseIndex:
    """The past cases with their vectors, for one question or many.

    Args:
        describer: the model. rows: of `read_pairs`.
        on_model: runs what uses the model, where that must happen in a place of its own.

    Raises:
        InputError: if the model holds no alignment head of a pooled form, or there are no rows.
    """

    def __init__(
        self,
        describer: Describer,
        rows: Sequence[Mapping[str, Any]],
        on_model: Callable[[Callable[[], np.ndarray]], np.ndarray] | None = None,
    ) -> None:
        head = load_head(describer.folder)
        if head is None or head.form == "token":
            raise InputError(
                f"{describer.folder}: holds no {HEAD_FILE} of a pooled form, by which photos are "
                "compared. Train with alignment.weight above 0 and form corpus, in_batch or "
                "sigmoid."
            )
        columns = ledger_columns(list(rows[0])) if len(rows) else {}
        self._facts = {fact: columns[fact] for fact in _FACTS if fact in columns}
        self._texts: dict[str, list[str]] = {}
        self._first: dict[str, Mapping[str, Any]] = {}
        for row, text in zip(rows, target_texts(list(rows), describer.card.target), strict=True):
            self._texts.setdefault(str(row["photo"]), []).append(text)
            self._first.setdefault(str(row["photo"]), row)
        if not self._texts:
            raise InputError("similar: the pairs hold no photos to compare with")
        self._encoder = _Encoder(describer, head.to(describer.device), on_model)
        self._names: list[str] = []
        self._vectors = np.empty((0, 0), dtype=np.float32)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """A decoded photo `(H, W, 3)` as a unit vector `(D,)` in the aligned space."""
        [vector] = self._encoder.encode([pixels])
        return np.asarray(vector)

    def build(self, *, progress: bool = False) -> None:
        """Encode the past photos that the cache does not hold.

        Raises:
            InputError: if none can be read.
        """
        past = self._encoder.vectors(list(self._texts), progress)
        if not past:
            raise InputError(
                "similar: none of the pairs' photos can be read; run `hazardscribe check`"
            )
        self._names, self._vectors = list(past), np.stack(list(past.values()))

    def nearest(self, vector: np.ndarray, k: int) -> list[PastCase]:
        """The k cases nearest to a photo's vector `(D,)`, nearest first."""
        nearness = self._vectors @ vector
        best = np.argsort(-nearness, kind="stable")[:k]
        return [self._case(self._names[i], float(nearness[i])) for i in best]

    def _case(self, name: str, similarity: float) -> PastCase:
        row = self._first[name]
        return PastCase(
            name,
            tuple(dict.fromkeys(self._texts[name])),
            similarity,
            _source(row),
            {fact: str(row[name]) for fact, name in self._facts.items() if row.get(name)},
        )


def _source(row: Mapping[str, Any]) -> str:
    """`台账.xlsx [3月] 12`; empty where the row does not say."""
    file, sheet, number = (row.get(name) or "" for name in PROVENANCE)
    return f"{file}{f' [{sheet}]' if sheet else ''} {number}".strip()


def _tell_unfamiliar(describer: Describer, pixels: np.ndarray) -> None:
    """Something is always nearest: say so where the photo is unlike all that was trained on."""
    calibration = load_calibration(describer.folder)
    if calibration is None or calibration.doubt.farthest is None:
        return
    [reading] = describer.read([pixels], None)
    [distance] = calibration.novelty.distances(reading.tower[None])
    if distance > calibration.doubt.farthest:
        logger.warning(
            "this photo is unlike the photos the model was trained on, so its nearest cases may "
            "have nothing to do with it"
        )


class _Encoder:
    """Photos to unit vectors `(D,)` in the aligned space, kept between calls."""

    def __init__(
        self,
        describer: Describer,
        head: AlignmentHead,
        on_model: Callable[[Callable[[], np.ndarray]], np.ndarray] | None = None,
    ) -> None:
        self._describer, self._head = describer, head
        self._on_model = on_model or (lambda encode: encode())
        model = fingerprint(describer.folder, str(describer.card))
        self._kept = VectorCache(cache_folder("aligned-vectors", f"{model}.sqlite"), "photos")

    def encode(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        return self._on_model(lambda: self._encode(pixels))

    @torch.inference_mode()
    def _encode(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        vlm = self._describer.vlm
        inputs = self._describer.prompter.inputs(pixels, vlm.device)
        with self._describer.products():
            sequence = first_sequence(vlm, inputs)
        vectors: np.ndarray = self._head(sequence.values, sequence.mask).float().cpu().numpy()
        return vectors

    def vectors(self, photos: Sequence[str], progress: bool) -> dict[str, np.ndarray]:
        """By photo; those that cannot be read are left out."""
        from tqdm import tqdm

        digests: dict[str, str] = {}
        for photo in photos:
            with suppress(PhotoError, OSError):
                digests[photo] = photo_digest(photo)

        known = self._kept.find(digests.values())
        found = {photo: known[digest] for photo, digest in digests.items() if digest in known}
        missing = [photo for photo in digests if photo not in found]
        bar = tqdm(total=len(missing), desc="encode", unit="photo", disable=not progress)
        with bar:
            size = self._describer.batch_size
            for i in range(0, len(missing), size):
                batch = missing[i : i + size]
                made = self._encode_readable(batch)
                found |= made
                self._kept.keep({digests[photo]: vector for photo, vector in made.items()})
                bar.update(len(batch))
        return {photo: found[photo] for photo in photos if photo in found}

    def _encode_readable(self, photos: Sequence[str]) -> dict[str, np.ndarray]:
        pixels: dict[str, np.ndarray] = {}
        for photo in photos:
            with suppress(PhotoError):
                pixels[photo] = self._describer.pixels(photo)
        if not pixels:
            return {}
        return dict(zip(pixels, self.encode(list(pixels.values())), strict=True))
