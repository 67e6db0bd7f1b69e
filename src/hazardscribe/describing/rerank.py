"""Of several candidates, the one that fits both likelihoods best.

    score(t | photo) = log p_LM(t | photo) / tokens(t)^a + w * s <v, t>

with the language model's log likelihood of the tokens of t, and scale * cosine of photo and text in
the aligned space (`Aligner.fit`). This is a log-linear model of two scores (Och and Ney, ACL 2002)
over the n-best list of a beam search; a is Wu et al.'s length exponent (2016, eq. 14, without their
constant). a and w are searched on a grid, by the score that the recipe chooses weights by. Such a
choice flatters itself, so re-ranking is kept only if it gains in cross-validation over dev, where
each photo is scored with the a and w that the others chose; otherwise the search stays greedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from hazardscribe.describing.generate import Candidate
from hazardscribe.evaluation.photo_scores import Columns, Formula, Truth, photo_columns
from hazardscribe.evaluation.scores import defined_formulas

BEAMS = 4
LENGTH_POWERS = (1.0, 0.5)
WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Reranking:
    """How candidates are put in order.

    Attributes:
        beams: breadth of the search that gives them.
        length_power: a. weight: w, of the alignment.
        score: what it was chosen by. plain, reranked: that score on dev of greedy search, and
            cross-validated with re-ranking.
    """

    beams: int
    length_power: float
    weight: float
    score: str = ""
    plain: float = 0.0
    reranked: float = 0.0

    def order(self, candidates: Sequence[Candidate], fits: Sequence[float] | None) -> list[int]:
        """Places of the candidates, best first.

        Args:
            candidates: of one photo. fits: how well each fits it, in nats; None leaves the language
                model's order.
        """
        if fits is None:
            return list(range(len(candidates)))
        scores = [
            one.log_likelihood / max(1, one.tokens) ** self.length_power + self.weight * fit
            for one, fit in zip(candidates, fits, strict=True)
        ]
        return sorted(range(len(candidates)), key=lambda i: -scores[i])


def fit_reranking(
    truth: Truth,
    plain: Sequence[str],
    candidates: Sequence[Sequence[Candidate]],
    fits: Sequence[Sequence[float]],
    *,
    best_by: str,
    beams: int = BEAMS,
    seed: int = 0,
) -> Reranking | None:
    """Choose a and w on N dev photos; None where re-ranking gains nothing.

    Args:
        truth: of the photos. plain: what greedy search says of them.
        candidates: of each photo. fits: of each candidate, as in `Reranking.order`.
        best_by: name of the score. beams: of the search that gave the candidates. seed: of folds.
    """
    if len(plain) < _FOLDS:
        return None
    grid = [Reranking(beams, a, w, best_by) for a in LENGTH_POWERS for w in WEIGHTS]
    texts = [
        [own[way.order(own, fit)[0]].text for own, fit in zip(candidates, fits, strict=True)]
        for way in grid
    ]

    @cache  # many ways choose the same texts
    def columns(said: tuple[str, ...]) -> Columns:
        return photo_columns(said, truth, None, seed)

    ways = [columns(tuple(said)) for said in (plain, *texts)]
    formulas, _ = defined_formulas(truth, ways[0], embedded=False)
    formula = formulas.get(best_by, formulas["rouge_l"])  # as training falls back
    everything = np.ones(len(plain), dtype=bool)
    folds = np.random.default_rng(seed).permutation(len(plain)) % _FOLDS
    held_out = []
    for fold in range(_FOLDS):
        chosen = ways[_best(ways, formula, folds != fold)]
        held_out.append({name: table[folds == fold] for name, table in chosen.items()})
    joined = {name: np.concatenate([part[name] for part in held_out]) for name in ways[0]}
    before, after = _score(ways[0], formula, everything), _score(joined, formula, everything)
    best = _best(ways, formula, everything)
    if best == 0 or not after > before:
        return None
    way = grid[best - 1]
    return Reranking(beams, way.length_power, way.weight, best_by, before, after)


def _score(columns: Mapping[str, np.ndarray], formula: Formula, rows: np.ndarray) -> float:
    sums = {name: table[rows].sum(0, keepdims=True) for name, table in columns.items()}
    return float(formula(sums)[0])


def _best(ways: Sequence[Columns], formula: Formula, rows: np.ndarray) -> int:
    """The way with the best score; the first of equals, and greedy search is the first of all."""
    scores = np.array([_score(way, formula, rows) for way in ways])
    scores[~np.isfinite(scores)] = -np.inf
    return int(scores.argmax())
