"""A model beside another one on the same photos: what changed, and whether chance could do that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.evaluation.bootstrap import interval, resampled_sums
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.paired import mean_scores, paired_differences
from hazardscribe.evaluation.photo_scores import Truth
from hazardscribe.evaluation.result import Changed, Comparison, Score
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.selective import Answer

Answers = Sequence[Answer | None] | None


def compare(
    cases: Sequence[Case],
    theirs: Sequence[str],
    answers: tuple[Answers, Answers],
    *,
    model: str,
    known: int,
    untold: bool,
    language: str,
    rules: Rules,
    resamples: int,
    seed: int,
) -> Comparison:
    """Compare the predictions of `cases` with another model's.

    Args:
        cases: the N photos that neither model knows from its training.
        theirs: the other model's draft for each.
        answers: ours and theirs: what is answered in a draft's place, or None for the draft; None
            where a model has no doubt.
        model: what the other model is called. known: photos that were left out since one of the
            models knows them. untold: whether one of the models does not say what it knows.
        language: of the texts. rules: how both are read. resamples, seed: of the bootstrap.
    """
    truth = Truth.of(cases, rules, language)
    drafts = [case.prediction for case in cases], list(theirs)
    right = [_acceptable(cases, texts, rules) for texts in drafts]
    doubts = [
        _doubt(cases, *one, rules, resamples, seed)
        for one in zip(drafts, right, answers, strict=True)
    ]
    ours, others = (
        {name: score.value for name, score in mean_scores(truth, [texts], resamples=0).items()}
        | {name: _known(values[0]) for name, values in doubt.items()}
        for texts, doubt in zip(drafts, doubts, strict=True)
    )
    differences = paired_differences(
        truth, [drafts[0]], [drafts[1]], resamples=resamples, seed=seed
    )
    for name in doubts[0].keys() & doubts[1].keys():
        (mine, *sampled), (other, *their_sampled) = doubts[0][name], doubts[1][name]
        bounds = interval(np.subtract(sampled, their_sampled)) or (None, None)
        apart = _known(mine - other)
        differences[name] = Score(None) if apart is None else Score(apart, *bounds)
    return Comparison(
        model=model,
        photos=len(cases),
        known=known,
        untold=untold,
        ours=ours,
        theirs=others,
        differences=differences,
        changed={
            case.photo: Changed(text, int(mine) - int(other))
            for case, text, mine, other in zip(cases, theirs, *right, strict=True)
        },
    )


def _known(value: np.ndarray) -> float | None:
    """None for what is not defined: the risk of a model that answers nothing."""
    return float(value) if np.isfinite(value) else None


def _acceptable(cases: Sequence[Case], texts: Sequence[str], rules: Rules) -> np.ndarray:
    said = [replace(case, prediction=text) for case, text in zip(cases, texts, strict=True)]
    return acceptable(said, rules)


def _doubt(
    cases: Sequence[Case],
    drafts: Sequence[str],
    right: np.ndarray,
    answers: Answers,
    rules: Rules,
    resamples: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """`risk_of_all`, and `coverage` and `risk` where there is doubt: see `Trust`.

    Each `(1 + R,)`: of the photos, then of each resample, whose draws are those of every model.
    """
    held = [None] * len(cases) if answers is None else answers
    said = [text if one is None else one.text for text, one in zip(drafts, held, strict=True)]
    answered = np.array([not rules.cannot_judge(text) for text in said])
    wrong = answered & ~_acceptable(cases, said, rules)
    table = np.stack([~right, answered, wrong], axis=1).astype(np.float64)
    sums = np.concatenate([table.sum(0, keepdims=True), resampled_sums(table, resamples, seed)])
    values = {"risk_of_all": sums[:, 0] / len(cases)}
    if answers is not None:
        values["coverage"] = sums[:, 1] / len(cases)
        values["risk"] = np.divide(
            sums[:, 2], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0
        )
    return values
