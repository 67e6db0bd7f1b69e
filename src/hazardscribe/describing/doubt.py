"""When the program says that it cannot judge, or that it sees no hazard, instead of its draft.

A photo is answered with the model's draft when its confidence reaches `least_confidence`: the
smallest value at which, on dev, at most a stated share (the risk) of the answered drafts was not
acceptable (selective classification: El-Yaniv and Wiener, JMLR 2010; Geifman and El-Yaniv, NeurIPS
2017). Where no value reaches it, the one with the lowest share takes its place, and a draft must be
likelier right than wrong: asking for less risk never answers more. Below that:

* `no hazard`, where the aligned encoder gives texts without hazard at least `least_safe`, the
  smallest value above which, of the dev photos that come this far, at most the same share showed a
  hazard: those whose draft is given are mostly the easy ones, and say nothing of these;
* `cannot judge` otherwise, and always where a photo is farther from all training photos than
  nearly every dev photo is (`describing.novelty`).

The thresholds are read off some hundred photos: what they promise is what they did there, and
`evaluate` reports what they do on photos nobody has chosen by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hazardscribe.pairs.own_words import CANNOT_JUDGE, NO_HAZARD

Reason = Literal["unfamiliar", "unsure", "likely_safe"]
RISK = 0.1
FAMILIAR = 0.98
"""Share of the dev photos that count as familiar."""
_FEWEST = 15  # answered photos on dev, below which a risk means nothing

ANSWERS = {
    "zh": {"no_hazard": NO_HAZARD["zh"], "cannot_judge": CANNOT_JUDGE["zh"]},
    "en": {"no_hazard": f"{NO_HAZARD['en']}.", "cannot_judge": CANNOT_JUDGE["en"]},
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Thresholds of one model.

    Attributes:
        least_confidence: below it a draft is not given as the answer.
        least_safe: mass of texts without hazard from which "no hazard" is said; None: never.
        farthest: distance from training photos beyond which nothing is said; None: not known.
        risk: the share of unacceptable answers aimed at; reached: whether dev allowed it.
    """

    least_confidence: float
    least_safe: float | None
    farthest: float | None
    risk: float
    reached: bool

    def reason(
        self, confidence: float, no_hazard: float | None, distance: float | None
    ) -> Reason | None:
        """Why a draft is not given as the answer; None where it is."""
        if self.farthest is not None and distance is not None and distance > self.farthest:
            return "unfamiliar"
        if confidence >= self.least_confidence:
            return None
        if self.least_safe is None or no_hazard is None or no_hazard < self.least_safe:
            return "unsure"
        return "likely_safe"

    def at_risk(
        self,
        risk: float,
        confidences: np.ndarray,
        right: np.ndarray,
        no_hazard: np.ndarray | None,
        hazard: np.ndarray | None,
    ) -> Doubt:
        """The same with both thresholds for another risk, from the outcomes on dev.

        Args:
            confidences, right, no_hazard: see `fit_doubt`.
            hazard: see there; None where the calibration was made before this was kept. Then "no
                hazard" is said as for the risk calibrated, or never where less is asked for.
        """
        least, reached = least_confidence(confidences, right, risk)
        if hazard is not None:
            safe = least_safe(no_hazard, hazard, confidences < least, risk)
        else:
            safe = None if risk < self.risk else self.least_safe
        return replace(self, least_confidence=least, least_safe=safe, reached=reached, risk=risk)


def answer(reason: Reason, language: str) -> str:
    """What is said in place of the draft."""
    return ANSWERS[language]["no_hazard" if reason == "likely_safe" else "cannot_judge"]


def fit_doubt(
    confidences: np.ndarray,
    right: np.ndarray,
    no_hazard: np.ndarray | None,
    hazard: np.ndarray,
    distances: np.ndarray,
    risk: float = RISK,
) -> Doubt:
    """Thresholds from N dev photos.

    Args:
        confidences: `(N,)`, of regressions that had not seen the photo.
        right: `(N,)` whether the draft is acceptable.
        no_hazard: `(N,)` mass of texts without hazard; None without an alignment.
        hazard: `(N,)` whether the photo shows a hazard. distances: `(N,)` from training photos.
        risk: the share of unacceptable answers aimed at.
    """
    least, reached = least_confidence(confidences, right, risk)
    farthest = float(np.quantile(distances, FAMILIAR)) if len(distances) >= _FEWEST else None
    safe = least_safe(no_hazard, hazard, confidences < least, risk)
    return Doubt(least, safe, farthest, risk, reached)


def least_safe(
    no_hazard: np.ndarray | None, hazard: np.ndarray, held_back: np.ndarray, risk: float
) -> float | None:
    """The mass of texts without hazard, at least 0.5, from which at most this share of the photos
    whose draft is held back showed one; None where no mass keeps to it, none is known, or such
    photos are too few to tell.

    Args:
        no_hazard, hazard: see `fit_doubt`. held_back: `(N,)` bool.
    """
    if no_hazard is None or held_back.sum() < _FEWEST:
        return None
    found, reached = least_confidence(no_hazard[held_back], ~hazard[held_back].astype(bool), risk)
    return max(found, 0.5) if reached else None


def least_confidence(confidences: np.ndarray, right: np.ndarray, risk: float) -> tuple[float, bool]:
    """The smallest threshold whose answered photos have at most this risk, and whether there is.

    0 where all photos may be answered. Where no threshold with enough photos does, the one with the
    lowest risk, yet at least 0.5: a smaller risk never gives a lower threshold.
    """
    from hazardscribe.evaluation.selective import risk_coverage

    coverage, wrong = risk_coverage(confidences, right)
    levels = np.unique(confidences)[::-1]
    enough = np.round(coverage * len(right)) >= min(_FEWEST, math.ceil(len(right) / 2))
    lowest = float(wrong[enough].min())
    reached = lowest <= risk
    last = int(np.flatnonzero(enough & (wrong <= max(risk, lowest)))[-1])
    # Half way to the next photo, as that one must stay out.
    least = 0.0 if last == len(levels) - 1 else float((levels[last] + levels[last + 1]) / 2)
    return (least, True) if reached else (max(0.5, least), False)
