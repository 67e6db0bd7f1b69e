"""Fit re-ranking, confidence and doubt of a model folder on dev, and write them into it.

    calibrate(Path("runs/mine/model"), pairs["train"], pairs["dev"])

Called at the end of training, and by `hazardscribe calibrate` for a model that was changed or came
from elsewhere. Dev has also chosen the weights, so that its figures flatter a little; those that
count are `evaluate`'s, on validation.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazardscribe.describing.aligner import Aligner
from hazardscribe.describing.calibration import (
    Calibration,
    Search,
    load_calibration,
    save_calibration,
)
from hazardscribe.describing.confidence import fit_confidence
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.doubt import RISK, fit_doubt
from hazardscribe.describing.generate import Candidate, Decoding, Generated, generate
from hazardscribe.describing.judge import Reading, rerank_order, signs
from hazardscribe.describing.novelty import Novelty
from hazardscribe.describing.rerank import BEAMS, Reranking, fit_reranking
from hazardscribe.describing.statements import Statements
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.photo_scores import Truth
from hazardscribe.evaluation.rows import cases_from_rows
from hazardscribe.evaluation.rules import Rules, rules_of
from hazardscribe.model.seen_photos import load_seen
from hazardscribe.pairs.fingerprints import fingerprints
from hazardscribe.pairs.left_out import tell_unreadable
from hazardscribe.pairs.targets import target_texts

logger = logging.getLogger(__name__)

# Enough to choose three numbers and a threshold; beams cost a multiple of greedy search.
DEV_PHOTOS = 600
TRAIN_PHOTOS = 3000


class NoUnseenPhotoError(InputError):
    """All photos of dev were trained on."""


Rows = Sequence[Mapping[str, Any]]
Pixels = Callable[[str], np.ndarray]


def calibrate(
    model: Path,
    train_rows: Rows | Any,
    dev_rows: Rows | Any,
    *,
    best_by: str = "cider_d",
    risk: float = RISK,
    beams: int = BEAMS,
    device: str | None = None,
    batch_size: int = 16,
    precision: str = "float32",
    pixels: Pixels | None = None,
    rules: Rules | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Calibration:
    """Fit what describing takes from dev; see the modules `rerank`, `confidence` and `doubt`.

    Args:
        model: model folder; `calibration.json` and `training_photos.safetensors` are written there.
        train_rows, dev_rows: splits of `read_pairs`; of many photos an even selection is taken.
        best_by: score that re-ranking is chosen by.
        risk: share of unacceptable answers aimed at.
        beams: candidates a photo for re-ranking.
        pixels: gives a photo's pixels, where they are decoded already.
        rules: by which descriptions are acceptable, kept in the folder; default: the folder's own,
            else those shipped for its language.
        progress: show progress bars.

    Raises:
        NoUnseenPhotoError: an InputError, if the model was trained on all dev photos; where it was
            on some, they are left out with a warning.
        InputError: if there are no dev or training photos, none of either can be read (single ones
            that cannot are left out with a warning), or the model cannot be loaded.
    """
    dev_rows = list(dev_rows)
    if not len(train_rows) or not dev_rows:
        raise InputError("calibrate: needs train and dev rows; check the pairs' split column")
    describer = Describer(
        model, device=device, batch_size=batch_size, precision=precision, calibrated=False
    )
    aligner = Aligner.load(Path(model), describer.device)
    look = _Look(describer, aligner, pixels or describer.pixels, batch_size, progress)
    train_photos = _even(list(dict.fromkeys(str(r["photo"]) for r in train_rows)), TRAIN_PHOTOS)
    dev_photos = _even(list(dict.fromkeys(str(row["photo"]) for row in dev_rows)), DEV_PHOTOS)
    dev_photos = _unseen(Path(model), dev_photos, look.pixels, threads=1 if pixels else 0)
    _warn_of_few(len(dev_photos), risk)
    train_readings = look.read(train_photos, "training photos").values()
    novelty = Novelty(np.stack([one.tower for one in train_readings]))

    read = look.read(dev_photos, "dev photos")
    dev_photos, readings = list(read), list(read.values())
    rows = [row for row in dev_rows if str(row["photo"]) in read]
    references = target_texts(rows, describer.card.target)
    own, rules = rules, rules or rules_of(model, describer.card.language)

    def cases_of(drafts: Sequence[Candidate]) -> list[Case]:
        texts = dict(zip(dev_photos, (one.text for one in drafts), strict=True))
        return cases_from_rows(rows, references, texts)

    longest = describer.max_new_tokens
    first = look.write(dev_photos, Decoding(max_new_tokens=longest), "describe dev")
    candidates = [one.candidates for one in first]
    greedy = [own[0] for own in candidates]
    truth = Truth.of(cases_of(greedy), rules, describer.card.language)
    reranking = None
    if aligner is not None:
        decoding = Decoding(beams, longest, alternatives=beams)
        several = [one.candidates for one in look.write(dev_photos, decoding, "candidates")]
        fits = _fits(aligner, readings, several)
        if fits is not None:
            drafts = [one.text for one in greedy]
            reranking = fit_reranking(
                truth, drafts, several, fits, best_by=best_by, beams=beams, seed=seed
            )
        if reranking is not None:
            candidates = several
    chosen = _first(candidates, readings, aligner, reranking)
    right = acceptable(cases_of(chosen), rules).astype(np.int64)
    statements = None if aligner is None else Statements(aligner.bank.texts, rules)
    found = [signs(c, r, statements) for c, r in zip(chosen, readings, strict=True)]
    confidence, predicted = fit_confidence(found, right, seed)
    no_hazard = None
    if statements is not None:
        no_hazard = np.array(
            [statements.no_hazard(r.posterior) for r in readings if r.posterior is not None]
        )
    doubt = fit_doubt(
        predicted,
        right,
        no_hazard,
        truth.hazard,
        novelty.distances(np.stack([reading.tower for reading in readings])),
        risk,
    )
    search = Search(1 if reranking is None else beams, reranking is not None, precision)
    _warn_of_lost_safe(Path(model), truth.hazard)
    calibration = Calibration(
        reranking,
        confidence,
        doubt,
        novelty,
        predicted,
        right,
        no_hazard,
        truth.hazard,
        search,
        rules.digest,
    )
    if own is not None:
        own.save(Path(model))
    save_calibration(Path(model), calibration)
    return calibration


def _unseen(model: Path, photos: list[str], pixels: Pixels, threads: int) -> list[str]:
    """The photos that the model was not trained on: it is surer of the others than of new ones."""
    seen = load_seen(model)
    if seen is None:
        return photos
    learned = seen.trained_on(fingerprints(photos, pixels, threads=threads))
    if learned.all():
        raise NoUnseenPhotoError(
            f"calibrate: the model was trained on all {len(photos)} photos of dev, or on pictures "
            "that are nearly the same, and is surer of them than of any other. Give photos that "
            "it has not seen the split dev."
        )
    if learned.any():
        logger.warning(
            "calibrate: the model was trained on %d of %d dev photos, or on pictures that are "
            "nearly the same; they are left out, since it is surer of them than of others",
            learned.sum(),
            len(photos),
        )
    return [photo for photo, known in zip(photos, learned, strict=True) if not known]


def _warn_of_lost_safe(model: Path, hazard: np.ndarray) -> None:
    """Say that the former calibration rested on safe photos, and this one does not."""
    former = None
    with suppress(InputError):  # a damaged one is what calibrating puts right
        former = load_calibration(model)
    if former is None or former.dev_hazard is None or former.dev_hazard.all() or not hazard.all():
        return
    logger.warning(
        "calibrate: the former calibration rested on %d dev photos without a hazard, and now dev "
        "holds none: that no hazard is seen will not be said, and the confidence is that of photos "
        "with a hazard. Give pairs with safe photos (`--safe_share` takes those after "
        "rectification).",
        (former.dev_hazard == 0).sum(),
    )


def _warn_of_few(photos: int, risk: float) -> None:
    least = math.ceil(3 / risk)
    if photos < least:
        logger.warning(
            "calibrate: %d dev photos are few; that at most %g %% of the answers are not "
            "acceptable could not be shown with fewer than %d even if all were right. Take "
            "confidence and doubt with care, and give more rows the split dev.",
            photos,
            100 * risk,
            least,
        )


def _fits(
    aligner: Aligner, readings: Sequence[Reading], candidates: Sequence[Sequence[Candidate]]
) -> list[list[float]] | None:
    """How well each photo's candidates fit it; None where a text has no vector."""
    fits = [
        aligner.fit(reading.vector, [one.text for one in own])
        for reading, own in zip(readings, candidates, strict=True)
        if reading.vector is not None
    ]
    known = [fit.tolist() for fit in fits if fit is not None]
    return known if len(known) == len(fits) else None


def _first(
    candidates: Sequence[Sequence[Candidate]],
    readings: Sequence[Reading],
    aligner: Aligner | None,
    reranking: Reranking | None,
) -> list[Candidate]:
    return [
        own[rerank_order(own, reading, aligner, reranking)[0]]
        for own, reading in zip(candidates, readings, strict=True)
    ]


def _even(photos: list[str], most: int) -> list[str]:
    """At most so many, evenly spaced over all."""
    if len(photos) <= most:
        return photos
    return [photos[i] for i in np.linspace(0, len(photos) - 1, most).round().astype(int)]


@dataclass
class _Look:
    """Runs encoder and language model over many photos."""

    describer: Describer
    aligner: Aligner | None
    pixels: Pixels
    batch_size: int
    progress: bool

    def read(self, photos: Sequence[str], name: str) -> dict[str, Reading]:
        """What is read off each photo; those that cannot be decoded are left out with a warning."""
        found: dict[str, Reading] = {}
        failed: list[PhotoError] = []
        for batch in self._batches(photos, name):
            pixels: dict[str, np.ndarray] = {}
            for photo in batch:
                try:
                    pixels[photo] = self.pixels(photo)
                except PhotoError as error:
                    failed.append(error)
            if pixels:
                readings = self.describer.read(list(pixels.values()), self.aligner)
                found |= zip(pixels, readings, strict=True)
        if not found:
            raise InputError(f"calibrate: none of the {name} can be read. First: {failed[0]}")
        tell_unreadable("calibrate", failed, len(photos), name)
        return found

    def write(self, photos: Sequence[str], decoding: Decoding, name: str) -> list[Generated]:
        found: list[Generated] = []
        for batch in self._batches(photos, name):
            found += generate(
                self.describer.vlm,
                self.describer.prompter,
                [self.pixels(photo) for photo in batch],
                decoding,
                compute=self.describer.compute,
            )
        return found

    def _batches(self, photos: Sequence[str], name: str) -> Iterator[Sequence[str]]:
        from tqdm import tqdm

        with tqdm(total=len(photos), desc=name, unit="photo", disable=not self.progress) as bar:
            for i in range(0, len(photos), self.batch_size):
                batch = photos[i : i + self.batch_size]
                yield batch
                bar.update(len(batch))
