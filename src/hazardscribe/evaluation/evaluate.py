"""Scores a set of predicted descriptions, always beside the baselines and with intervals.

    evaluation = evaluate_texts(cases, language="zh", train_texts=texts)
    float(evaluation.metrics["hazard_f1"])

What each score means is written where it is computed: `cases` (truth), `rules` (what a text
states), `tokens`, `bleu`, `cider`, `rouge`, `sanity` (shuffle test), `bootstrap` (intervals).

* `hazard_*`, `balanced_accuracy`, `false_alarm_rate`: hazard named or not, over photos. Empty and
  "cannot judge" count as no hazard named; `cannot_judge_share` reports the latter.
* `element_f1`: micro-averaged over all (photo, element) pairs of the rule file;
  `element_f1_macro`: mean over the elements that some photo shows.
* CIDEr-D takes document frequencies from all references of the evaluated photos, in resamples too.
* `text_similarity`: mean cosine of a prediction and its best reference; 0 for an empty one.
* `distinct_share`: distinct descriptions / photos.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import PurePath

import numpy as np

from hazardscribe import __version__
from hazardscribe.errors import InputError
from hazardscribe.evaluation.baselines import BASELINES, hazard_texts, most_frequent, unit
from hazardscribe.evaluation.cases import Case, check_cases
from hazardscribe.evaluation.notices import NO_BASELINE, notices
from hazardscribe.evaluation.photo_scores import SHARES, Columns, Similarity, Truth, photo_columns
from hazardscribe.evaluation.result import CaseScore, Evaluation, Score, Seen
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.scores import (
    defined_formulas,
    element_scores,
    formulas_of,
    with_intervals,
)
from hazardscribe.evaluation.selective import Answer, trust_in
from hazardscribe.evaluation.tokens import DESCRIPTIONS, check_language, normalise

Embed = Callable[[list[str]], np.ndarray]
_MODEL = "model"
_ANSWERED = "answered"


def evaluate_texts(
    cases: Sequence[Case],
    *,
    language: str,
    train_texts: Sequence[str] = (),
    train_hazards: Sequence[bool | None] | None = None,
    nearest: Sequence[str] | None = None,
    rules: Rules | None = None,
    embed: Embed | None = None,
    seed: int = 0,
    resamples: int = 1000,
    confidences: Sequence[float] | None = None,
    answers: Sequence[Answer | None] | None = None,
    unreadable: int = 0,
    left_out: int = 0,
    seen: Seen | None = None,
    other_rules: bool = False,
) -> Evaluation:
    """Scores the predictions of `cases` and three baselines.

    Args:
        cases: the photos with references and predictions.
        language: "zh" or "en".
        train_texts: descriptions of the training photos, for the two constant baselines.
        train_hazards: whether each shows a hazard; None, or None within, leaves it to the rules.
        nearest: for each case, the description of its nearest training photo
            (`baselines.nearest_texts`), or None.
        rules: how statements are read; the shipped rules of the language by default.
        embed: maps n texts to (n, d) vectors, for `text_similarity`.
        seed: of the bootstrap and the shuffle test.
        resamples: of the bootstrap; 0 for no intervals.
        confidences: for each case, how sure the model is that its prediction is acceptable, 0..1.
        answers: for each case, what is answered in the prediction's place, or None.
        unreadable: photos that are no cases since they could not be read, for the account.
        left_out: photos of all splits that were left out before, when the data were read.
        seen: how many of the photos the model knows from its training, for the account.
        other_rules: whether the confidences were fitted to other rules than these.

    Raises:
        InputError: no cases, a case without reference, sequences of unequal length.
    """
    check_language(language)
    check_cases(cases)
    rules = rules if rules is not None else Rules.load(language)
    truth = Truth.of(cases, rules, language)
    constants = _constants(train_texts, train_hazards, rules)
    systems = _systems(cases, constants, nearest, answers)
    similarity = None if embed is None else _similarity(embed, systems, truth.references)
    columns = {name: photo_columns(t, truth, similarity, seed) for name, t in systems.items()}
    formulas, undefined = defined_formulas(truth, columns[_MODEL], embed is not None)
    scores = {
        name: with_intervals(table, formulas, SHARES, resamples, seed)
        for name, table in columns.items()
    }

    def shown(system: str) -> dict[str, Score]:
        return {name: scores[system].get(name, Score(None)) for name in formulas_of(truth)}

    metrics = shown(_MODEL)
    baselines = {name: shown(name) if name in systems else None for name in BASELINES}
    missing = {f"baselines.{n}": NO_BASELINE[n] for n in BASELINES if n not in systems}
    trust = None
    if confidences is not None:
        sure = np.asarray(confidences, dtype=np.float64)
        trust = trust_in(cases, rules, sure, answers, resamples, seed)
        trust = replace(trust, metrics=scores.get(_ANSWERED, {}))
    warnings = notices(
        systems[_MODEL],
        metrics,
        baselines,
        references=truth.references,
        unreadable=unreadable,
        left_out=left_out,
        seen=seen,
        other_rules=other_rules,
    )
    return Evaluation(
        metrics=metrics,
        baselines=baselines,
        elements=element_scores(columns[_MODEL], truth, resamples, seed),
        cases=_case_scores(cases, columns[_MODEL], truth, confidences, answers),
        baseline_texts=constants,
        counts=_counts(truth, columns[_MODEL]) | {"unreadable": unreadable, "left_out": left_out},
        nulls=undefined | missing,
        warnings=tuple(warnings),
        language=language,
        tokenizer=DESCRIPTIONS[language],
        rules=rules.source,
        split_hash=_split_hash(truth, cases),
        versions=_versions(language),
        resamples=resamples,
        seed=seed,
        trust=trust,
        seen=seen,
        other_rules=other_rules,
    )


def _constants(
    train_texts: Sequence[str], train_hazards: Sequence[bool | None] | None, rules: Rules
) -> dict[str, str]:
    """The baselines that say the same of every photo, as far as there are texts for them."""
    texts = {
        "most_frequent": most_frequent(train_texts),
        "always_hazard": most_frequent(hazard_texts(train_texts, train_hazards, rules)),
    }
    return {name: text for name, text in texts.items() if text}


def _systems(
    cases: Sequence[Case],
    constants: Mapping[str, str],
    nearest: Sequence[str] | None,
    answers: Sequence[Answer | None] | None,
) -> dict[str, list[str]]:
    """By name, what is said of each photo: by the model, by each baseline, in answer."""
    if nearest is not None and len(nearest) != len(cases):
        raise InputError(
            f"{len(cases)} cases but {len(nearest)} nearest texts: give one for each case"
        )
    systems = {_MODEL: [normalise(case.prediction) for case in cases]}
    systems |= {name: [text] * len(cases) for name, text in constants.items()}
    if nearest is not None:
        systems["nearest"] = [normalise(text) for text in nearest]
    if answers is not None:
        systems[_ANSWERED] = [
            own if instead is None else normalise(instead.text)
            for own, instead in zip(systems[_MODEL], answers, strict=True)
        ]
    return systems


def _similarity(
    embed: Embed, systems: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]]
) -> Similarity:
    """The function from N predictions to (N,) best cosines; every distinct text embedded once."""
    flat = [text for group in references for text in group]
    distinct = sorted({text for texts in (*systems.values(), flat) for text in texts if text})
    vectors = np.asarray(embed(distinct), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(distinct):
        raise InputError(
            f"embed gave an array of shape {vectors.shape} for {len(distinct)} texts: "
            "it must return (texts, width)"
        )
    vectors = unit(vectors)
    row = {text: number for number, text in enumerate(distinct)}
    group = np.repeat(np.arange(len(references)), [len(texts) for texts in references])
    theirs = vectors[[row[text] for text in flat]]

    def best(predictions: Sequence[str]) -> np.ndarray:
        ours = np.stack([vectors[row[t]] if t else np.zeros(vectors.shape[1]) for t in predictions])
        found = np.full(len(predictions), -1.0)
        np.maximum.at(found, group, (ours[group] * theirs).sum(axis=1))
        return found

    return best


def _case_scores(
    cases: Sequence[Case],
    columns: Columns,
    truth: Truth,
    confidences: Sequence[float] | None,
    answers: Sequence[Answer | None] | None,
) -> tuple[CaseScore, ...]:
    names = np.array(list(truth.rules.elements_by_name), dtype=object)
    said = (columns["hazard_tp"] + columns["hazard_fp"])[:, 0] > 0
    named = (columns["element_tp"] + columns["element_fp"]) > 0

    def one(column: str, index: int) -> float | None:
        return float(columns[column][index, 0]) if column in columns else None

    return tuple(
        CaseScore(
            photo=case.photo,
            references=tuple(text.strip() for text in case.references),
            prediction=case.prediction.strip(),
            hazard=bool(truth.hazard[i]),
            said_hazard=bool(said[i]),
            cannot_judge=bool(columns["cannot_judge"][i, 0]),
            elements=frozenset(names[truth.elements[i]]),
            said_elements=frozenset(names[named[i]]),
            cider_d=one("cider", i),
            rouge_l=one("rouge", i),
            text_similarity=one("similarity", i),
            confidence=None if confidences is None else float(confidences[i]),
            doubt=None if answers is None or (a := answers[i]) is None else a.text,
        )
        for i, case in enumerate(cases)
    )


def _counts(truth: Truth, columns: Columns) -> dict[str, int]:
    tp, fp, fn, tn = (int(columns[f"hazard_{n}"].sum()) for n in ("tp", "fp", "fn", "tn"))
    return {
        "photos": len(truth.hazard),
        "references": sum(len(group) for group in truth.references),
        "hazard_photos": tp + fn,
        "safe_photos": fp + tn,
        "hazards_named": tp,
        "hazards_missed": fn,
        "false_alarms": fp,
        "cannot_judge": int(columns["cannot_judge"].sum()),
        "empty": int(columns["empty"].sum()),
        "distinct": round(float(columns["distinct"].sum())),
    }


def _split_hash(truth: Truth, cases: Sequence[Case]) -> str:
    """Names the evaluated set: equal for equal photo names and references in any order."""
    rows = sorted(
        [PurePath(c.photo).name, *r] for c, r in zip(cases, truth.references, strict=True)
    )
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:16]


def _versions(language: str) -> dict[str, str]:
    packages = ("numpy", "sacrebleu", *(("jieba",) if language == "zh" else ()))
    return {
        "hazardscribe": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }
