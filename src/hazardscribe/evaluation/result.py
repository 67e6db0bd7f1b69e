"""The outcome of an evaluation as values: what the report, the command line and callers read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Score:
    """A score with its 95 % interval over photos: Wilson's of a share, else percentile bootstrap.

    `value` is None where the score is not defined; `Evaluation.nulls` says why. `float(score)` is
    the value, or NaN.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def __float__(self) -> float:
        return math.nan if self.value is None else self.value

    def __str__(self) -> str:
        if self.value is None:
            return "n/a"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class CaseScore:
    """One photo: its texts as given, what was true and said, and the scores of this photo alone.

    Attributes:
        hazard, said_hazard: truth, and what the prediction states.
        elements, said_elements: names of elements, likewise.
        cider_d, rouge_l, text_similarity: None where not defined for the set.
        confidence: that the prediction is acceptable, where known. doubt: what was answered in its
            place, else None.
    """

    photo: str
    references: tuple[str, ...]
    prediction: str
    hazard: bool
    said_hazard: bool
    cannot_judge: bool
    elements: frozenset[str]
    said_elements: frozenset[str]
    cider_d: float | None
    rouge_l: float | None
    text_similarity: float | None
    confidence: float | None = None
    doubt: str | None = None

    @property
    def named(self) -> frozenset[str]:
        """Elements that are there and were named."""
        return self.elements & self.said_elements

    @property
    def missing(self) -> frozenset[str]:
        """Elements that are there and were not named."""
        return self.elements - self.said_elements

    @property
    def invented(self) -> frozenset[str]:
        """Elements that were named and are not there."""
        return self.said_elements - self.elements

    @property
    def badness(self) -> tuple[float, ...]:
        """Sort key, worst first when descending: hazard missed or invented, elements, wording."""
        wrong = self.hazard != self.said_hazard
        wording = self.cider_d if self.cider_d is not None else 10 * (self.rouge_l or 0.0)
        return (float(wrong), float(len(self.missing) + len(self.invented)), -wording)


@dataclass(frozen=True, slots=True)
class ElementScore:
    """One element: F1, precision, recall, photos that show it and photos said to show it."""

    label: str
    f1: Score
    precision: Score
    recall: Score
    support: int
    predicted: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Photos of like confidence: how many, their mean confidence, and the share whose description
    is acceptable with its 95 % interval."""

    photos: int
    confidence: float
    acceptable: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the confidences can be trusted, and what doubt changes; see `selective`.

    Attributes:
        brier_score, calibration_error, area_under_risk: of the confidences in the drafts.
        risk_of_all: share of drafts that are not acceptable.
        coverage: share of photos with an answer, "no hazard found" among them; risk: share of those
            answers that is not acceptable. None in value where nothing was held back by rule.
        bins: the reliability diagram. curve: (coverage, risk) points.
        metrics: the scores of the answers, by the names of `Evaluation.metrics`.
        reasons: photos by reason of doubt.
    """

    brier_score: Score
    calibration_error: Score
    area_under_risk: Score
    risk_of_all: Score
    coverage: Score
    risk: Score
    bins: tuple[Bin, ...]
    curve: tuple[tuple[float, float], ...]
    metrics: Mapping[str, Score]
    reasons: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain data for `metrics.json`."""
        values = asdict(self)
        values["risk_coverage"] = [[round(c, 4), round(r, 4)] for c, r in values.pop("curve")]
        values["metrics_with_doubt"] = values.pop("metrics")
        return values


@dataclass(frozen=True, slots=True)
class Seen:
    """How many of the evaluated photos the model knows from its training.

    Attributes:
        photos: evaluated. in_train: trained on. in_dev: of the others, those that chose the
            weights. near: of the rest, those that show nearly the same as one that was trained on.
        unseen: the scores over the other photos alone, by the names of `Evaluation.metrics`; empty
            where there are no others, or only others.
    """

    photos: int
    in_train: int
    near: int
    in_dev: int
    unseen: Mapping[str, Score] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `metrics.json`."""
        return {
            "seen_in_train": self.in_train,
            "near_seen": self.near,
            "seen_in_dev": self.in_dev,
            "metrics_unseen": _plain(self.unseen),
        }


@dataclass(frozen=True, slots=True)
class Changed:
    """What the other model wrote of a photo, and whether ours is better (1), as good or as bad (0),
    or worse (-1): acceptable where the other is not, and the other way round."""

    text: str
    better: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another model on the same photos, as far as neither model knows them.

    Attributes:
        model: what the other model is called.
        photos: compared. known: left out, since one of the two was trained on them or chosen by
            them, or on photos that show nearly the same. untold: whether one of the two does not
            say what it was trained on.
        ours, theirs: values by the names of `Evaluation.metrics`, and `risk_of_all`, `coverage` and
            `risk` as in `Trust`.
        differences: ours minus theirs, with the paired bootstrap's interval.
        changed: by photo.
    """

    model: str
    photos: int
    known: int
    untold: bool
    ours: Mapping[str, float | None]
    theirs: Mapping[str, float | None]
    differences: Mapping[str, Score]
    changed: Mapping[str, Changed]

    @property
    def better(self) -> int:
        """Photos of which only our draft is acceptable."""
        return sum(one.better > 0 for one in self.changed.values())

    @property
    def worse(self) -> int:
        """Photos of which only the other's draft is acceptable."""
        return sum(one.better < 0 for one in self.changed.values())

    def to_json(self) -> dict[str, Any]:
        """Plain data for `metrics.json`."""
        return {
            "model": self.model,
            "photos": self.photos,
            "known": self.known,
            "untold": self.untold,
            "better": self.better,
            "worse": self.worse,
            "scores": {
                name: {"ours": self.ours[name], "theirs": self.theirs[name]}
                | {"difference": asdict(score)}
                for name, score in self.differences.items()
            },
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All scores of one set of predictions, beside the baselines.

    Attributes:
        metrics: score by name, `element_f1.<name>` included.
        baselines: the same names by baseline; None where a baseline cannot be formed.
        elements: per element that occurs or was named.
        cases: one a photo, in the order given.
        baseline_texts: the constant texts of the first two baselines.
        counts: photos, references, hazards, false alarms and so on.
        nulls: reason by metric (or `baselines.<name>`) for every null.
        warnings: plain words on what makes these numbers doubtful.
        split_hash: names the evaluated set (photo names and references).
        trust: how far confidences can be trusted, where they were given.
        seen: how many photos the model knows from its training; None where it cannot be told.
        other_rules: whether the confidences were fitted to other rules than these.
        against: another model on the same photos, where one was named.
    """

    metrics: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, Score] | None]
    elements: Mapping[str, ElementScore]
    cases: tuple[CaseScore, ...]
    baseline_texts: Mapping[str, str]
    counts: Mapping[str, int]
    nulls: Mapping[str, str]
    warnings: tuple[str, ...]
    language: str
    tokenizer: str
    rules: str
    split_hash: str
    versions: Mapping[str, str]
    resamples: int
    seed: int
    trust: Trust | None = None
    seen: Seen | None = None
    other_rules: bool = False
    against: Comparison | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for `metrics.json`: flat metric names, each `{value, low, high}`."""
        return {
            **_plain(self.metrics),
            "baselines": {
                name: None if scores is None else _plain(scores)
                for name, scores in self.baselines.items()
            },
            "elements": _plain(self.elements),
            "confidence": None if self.trust is None else self.trust.to_json(),
            "counts": dict(self.counts),
            "seen": None if self.seen is None else self.seen.to_json(),
            "against": None if self.against is None else self.against.to_json(),
            "nulls": dict(self.nulls),
            "warnings": list(self.warnings),
            "language": self.language,
            "tokenizer": self.tokenizer,
            "rules": self.rules,
            "split_hash": self.split_hash,
            "versions": dict(self.versions),
            "baseline_texts": dict(self.baseline_texts),
            "resamples": self.resamples,
            "seed": self.seed,
        }


def _plain(scores: Mapping[str, Score] | Mapping[str, ElementScore]) -> dict[str, Any]:
    return {name: asdict(score) for name, score in scores.items()}
