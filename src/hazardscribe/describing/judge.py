"""From what the language model wrote to what is answered: re-ranking, confidence, doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hazardscribe.describing.aligner import Aligner
from hazardscribe.describing.calibration import Calibration
from hazardscribe.describing.confidence import log_distance, log_odds
from hazardscribe.describing.doubt import Reason
from hazardscribe.describing.generate import Candidate, Generated
from hazardscribe.describing.rerank import Reranking
from hazardscribe.describing.statements import Statements
from hazardscribe.model.sequences import FirstSequence


@dataclass(frozen=True, slots=True)
class Reading:
    """What the encoder makes of one photo.

    Attributes:
        vector: `(D,)` in the aligned space. posterior: `(C,)` over the training texts, float64.
            Both None without an alignment.
        tower: `(F,)` features for `novelty`.
    """

    vector: torch.Tensor | None
    posterior: np.ndarray | None
    tower: np.ndarray


def read_photos(sequence: FirstSequence, aligner: Aligner | None) -> list[Reading]:
    """The readings of a batch of photos from their first sequences."""
    towers = sequence.tower_vectors().float().cpu().numpy()
    if aligner is None:
        return [Reading(None, None, tower) for tower in towers]
    vectors = aligner.photos(sequence)
    posteriors = aligner.log_posterior(vectors).double().exp().cpu().numpy()
    return [Reading(*one) for one in zip(vectors, posteriors, towers, strict=True)]


def signs(
    candidate: Candidate, reading: Reading, statements: Statements | None, distance: float
) -> dict[str, float]:
    """What the confidence in a description rests on; see `describing.confidence`.

    Args:
        distance: of the photo from the training photos.
    """
    found = {"wording": candidate.mean, "distance": log_distance(distance)}
    if statements is not None and reading.posterior is not None:
        support, agreement = statements.weigh(reading.posterior, candidate.text)
        found |= {"support": log_odds(support), "agreement": log_odds(agreement)}
    return found


@dataclass(frozen=True, slots=True)
class Judgement:
    """Candidates in their final order, with what is to be thought of the first.

    Attributes:
        candidates: best first. confidence: of the first, calibrated.
        reason: why it should not be given as the answer, else None.
    """

    candidates: list[Candidate]
    confidence: float
    reason: Reason | None


class Judge:
    """Applies a model's calibration.

    Args:
        calibration: of the model folder. aligner, statements: of its alignment, where it has one.
        reranking: how candidates are put in order; None: as the language model has them.
    """

    def __init__(
        self,
        calibration: Calibration,
        aligner: Aligner | None,
        statements: Statements | None,
        reranking: Reranking | None,
    ) -> None:
        self._calibration, self._aligner, self._statements = calibration, aligner, statements
        self._reranking = reranking

    def __call__(self, generated: Generated, reading: Reading) -> Judgement:
        """Judge what was written of one photo."""
        candidates = self.order(generated, reading)
        calibration = self._calibration
        distance = float(calibration.novelty.distances(reading.tower[None])[0])
        confidence = calibration.confidence(
            signs(candidates[0], reading, self._statements, distance)
        )
        safe = None
        if self._statements is not None and reading.posterior is not None:
            safe = self._statements.no_hazard(reading.posterior)
        return Judgement(
            candidates, confidence, calibration.doubt.reason(confidence, safe, distance)
        )

    def order(self, generated: Generated, reading: Reading) -> list[Candidate]:
        """What was written of one photo, best first."""
        order = rerank_order(generated.candidates, reading, self._aligner, self._reranking)
        return [generated.candidates[i] for i in order]


def rerank_order(
    candidates: Sequence[Candidate],
    reading: Reading,
    aligner: Aligner | None,
    reranking: Reranking | None,
) -> list[int]:
    """Places of the candidates, best first; the language model's order without re-ranking, or
    where a text cannot be compared with the photo."""
    if reranking is None or aligner is None or reading.vector is None:
        return list(range(len(candidates)))
    fits = aligner.fit(reading.vector, [candidate.text for candidate in candidates])
    return reranking.order(candidates, None if fits is None else fits.tolist())
