"""Fit re-ranking, confidence and doubt of a model folder on dev, and write them into it.

    calibrate(Path("runs/mine/model"), pairs["train"], pairs["dev"])

Called at the end of training, and by `hazardscribe calibrate` for a model that was changed or came
from elsewhere. Dev has also chosen the weights, so that its figures flatter a little; those that
count are `evaluate`'s, on validation.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from hazardscribe.describing.generate import Candidate
from hazardscribe.describing.judge import rerank_order, signs
from hazardscribe.describing.look import Described, Look, Pixels
from hazardscribe.describing.novelty import Novelty
from hazardscribe.describing.rerank import BEAMS, Reranking, fit_reranking
from hazardscribe.describing.statements import Statements
from hazardscribe.errors import InputError
from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.photo_scores import Truth
from hazardscribe.evaluation.rows import cases_from_rows
from hazardscribe.evaluation.rules import Rules, rules_of
from hazardscribe.model.seen_photos import load_seen
from hazardscribe.pairs.targets import target_texts

logger = logging.getLogger(__name__)

# Enough to choose three numbers and a threshold; beams cost a multiple of greedy search.
DEV_PHOTOS = 600
TRAIN_PHOTOS = 3000


Rows = Sequence[Mapping[str, Any]]


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
    look = Look(describer, aligner, pixels or describer.pixels, progress)
    dev = look.describe(_even(dev_rows, DEV_PHOTOS), load_seen(model), beams)
    _warn_of_few(len(dev.photos), risk)
    novelty = Novelty(look.towers(_even(train_rows, TRAIN_PHOTOS)))

    own, rules = rules, rules or rules_of(model, describer.card.language)
    described = set(dev.photos)
    rows = [row for row in dev_rows if str(row["photo"]) in described]
    references = target_texts(rows, describer.card.target)

    def cases_of(drafts: Sequence[Candidate]) -> list[Case]:
        texts = dict(zip(dev.photos, (one.text for one in drafts), strict=True))
        return cases_from_rows(rows, references, texts)

    greedy = [candidates[0] for candidates in dev.greedy]
    truth = Truth.of(cases_of(greedy), rules, describer.card.language)
    reranking = None
    if aligner is not None and (fits := _fits(aligner, dev)) is not None:
        texts = [one.text for one in greedy]
        reranking = fit_reranking(
            truth, texts, dev.several, fits, best_by=best_by, beams=beams, seed=seed
        )
    chosen = _chosen(dev, aligner, reranking)
    right = acceptable(cases_of(chosen), rules).astype(np.int64)
    statements = None if aligner is None else Statements(aligner.bank.texts, rules)
    distances = novelty.distances(np.stack([reading.tower for reading in dev.readings]))
    of_each = zip(chosen, dev.readings, distances.tolist(), strict=True)
    found = [signs(draft, reading, statements, far) for draft, reading, far in of_each]
    confidence, predicted = fit_confidence(found, right, seed)
    no_hazard = None if statements is None else _no_hazard(statements, dev)
    _warn_of_lost_safe(Path(model), truth.hazard)
    calibration = Calibration(
        reranking,
        confidence,
        fit_doubt(predicted, right, no_hazard, truth.hazard, distances, risk),
        novelty,
        predicted,
        right,
        no_hazard,
        truth.hazard,
        Search(1 if reranking is None else beams, reranking is not None, precision),
        rules.digest,
    )
    if own is not None:
        own.save(Path(model))
    save_calibration(Path(model), calibration)
    return calibration


def _no_hazard(statements: Statements, dev: Described) -> np.ndarray:
    """`(N,)`: how much of each photo's mass lies on texts that state no hazard."""
    posteriors = [one.posterior for one in dev.readings]
    return np.array([statements.no_hazard(one) for one in posteriors if one is not None])


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


def _fits(aligner: Aligner, dev: Described) -> list[list[float]] | None:
    """How well each photo's candidates fit it; None where a text has no vector."""
    fits = [
        aligner.fit(reading.vector, [one.text for one in own])
        for reading, own in zip(dev.readings, dev.several, strict=True)
        if reading.vector is not None
    ]
    known = [fit.tolist() for fit in fits if fit is not None]
    return known if len(known) == len(fits) else None


def _chosen(
    dev: Described, aligner: Aligner | None, reranking: Reranking | None
) -> list[Candidate]:
    """The draft of each photo, as it is described with that re-ranking."""
    candidates = dev.greedy if reranking is None else dev.several
    return [
        own[rerank_order(own, reading, aligner, reranking)[0]]
        for own, reading in zip(candidates, dev.readings, strict=True)
    ]


def _even(rows: Rows | Any, most: int) -> list[str]:
    """The distinct photos of rows, at most so many, evenly spaced over all."""
    photos = list(dict.fromkeys(str(row["photo"]) for row in rows))
    if len(photos) <= most:
        return photos
    return [photos[i] for i in np.linspace(0, len(photos) - 1, most).round().astype(int)]
