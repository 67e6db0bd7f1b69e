"""Per-photo numbers whose sums over photos give every score, and the formulas from the sums.

A model's predictions and each baseline's go through the same `photo_columns`; bootstrap intervals
apply the same `FORMULAS` to resampled sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hazardscribe.evaluation.bleu import bleu_counts, bleu_from_counts
from hazardscribe.evaluation.cases import Case, true_elements, true_hazard
from hazardscribe.evaluation.cider import CiderD
from hazardscribe.evaluation.rouge import rouge_l
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.sanity import shuffle_drops
from hazardscribe.evaluation.tokens import Tokens, normalise, tokenizers

Columns = dict[str, np.ndarray]  # (N, k) each; under resampling (R, k)
Formula = Callable[[Mapping[str, np.ndarray]], np.ndarray]
# The counts of a plain share: hits, and photos of which they are the share.
Share = Callable[[Mapping[str, np.ndarray]], tuple[np.ndarray, np.ndarray]]
Similarity = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true about N photos, in the forms that scoring needs.

    Attributes:
        references: N lists of normalised texts.
        tokens: by suffix of the score names, the references' tokens.
        hazard: (N,) bool.
        elements: (N, E) bool, in the order of `rules.elements_by_name`.
    """

    references: list[list[str]]
    tokens: dict[str, list[list[Tokens]]]
    hazard: np.ndarray
    elements: np.ndarray
    rules: Rules
    language: str

    @classmethod
    def of(cls, cases: Sequence[Case], rules: Rules, language: str) -> Truth:
        """Reads the truth of each case; see `hazardscribe.evaluation.cases`."""
        references = [[normalise(text) for text in case.references] for case in cases]
        return cls(
            references=references,
            tokens={
                suffix: [[split(text) for text in group] for group in references]
                for suffix, split in tokenizers(language).items()
            },
            hazard=np.array([true_hazard(case, rules) for case in cases]),
            elements=element_table([true_elements(case, rules) for case in cases], rules),
            rules=rules,
            language=language,
        )


def element_table(names: Sequence[frozenset[str]], rules: Rules) -> np.ndarray:
    """(N, E) bool: which elements of the rule file each set holds."""
    known = list(rules.elements_by_name)
    return np.array([[name in held for name in known] for held in names], dtype=bool).reshape(
        len(names), len(known)
    )


def photo_columns(
    predictions: Sequence[str], truth: Truth, similarity: Similarity | None, seed: int
) -> Columns:
    """All per-photo numbers of one set of predictions.

    Args:
        predictions: N texts.
        truth: of the same N photos.
        similarity: gives each prediction's (N,) similarity with its best reference.
        seed: of the shuffle test.

    Returns:
        (N, k) float64 arrays: `count` 1; `hazard` true/false positives, false/true negatives;
        `cannot_judge`, `empty`, `distinct`; `element_tp`, `element_fp`, `element_fn` (k = E);
        `bleu*`, `cider*`, `rouge*` for each tokenizer; `similarity`, `shuffle` where defined.
        `cider*` and `shuffle` are left out where the references tell no photos apart.
    """
    texts = [normalise(text) for text in predictions]
    rules = truth.rules
    # A sentence serves many photos: read each one once.
    read = {t: (rules.hazard(t), rules.cannot_judge(t), rules.elements(t)) for t in set(texts)}
    said = np.array([read[text][0] for text in texts], dtype=bool)
    named = element_table([read[text][2] for text in texts], rules)
    times = Counter(texts)
    columns: dict[str, np.ndarray] = {
        "count": np.ones(len(texts)),
        "hazard": np.stack(
            [
                said & truth.hazard,
                said & ~truth.hazard,
                ~said & truth.hazard,
                ~said & ~truth.hazard,
            ],
            axis=1,
        ),
        "cannot_judge": np.array([read[text][1] for text in texts]),
        "empty": np.array([not text for text in texts]),
        # Sums to the number of distinct texts of the whole set. Counting distinct texts anew in
        # each resample would be biased: a third of the photos are missing from a resample.
        "distinct": np.array([1.0 / times[text] for text in texts]),
        "element_tp": named & truth.elements,
        "element_fp": named & ~truth.elements,
        "element_fn": ~named & truth.elements,
    }
    for suffix, split in tokenizers(truth.language).items():
        ours, theirs = [split(text) for text in texts], truth.tokens[suffix]
        columns[f"rouge{suffix}"] = rouge_l(ours, theirs)
        if truth.language == "zh" and not suffix:
            columns["bleu"] = bleu_counts(texts, truth.references, "zh")
        else:
            columns[f"bleu{suffix}"] = bleu_counts(
                [" ".join(text) for text in ours],
                [[" ".join(text) for text in group] for group in theirs],
                "none",
            )
        cider = CiderD(ours, theirs)
        if cider.informative:
            scores = columns[f"cider{suffix}"] = cider.scores()
            if not suffix:
                columns["shuffle"] = shuffle_drops(cider, scores, seed)
    if similarity is not None:
        columns["similarity"] = similarity(texts)
    return {
        name: np.asarray(values, dtype=np.float64).reshape(len(texts), -1)
        for name, values in columns.items()
    }


def _ratio(top: np.ndarray, bottom: np.ndarray, empty: float = np.nan) -> np.ndarray:
    ratio: np.ndarray = np.divide(top, bottom, out=np.full_like(bottom, empty), where=bottom > 0)
    return ratio


def f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN); NaN where there is nothing to find and nothing was said."""
    return _ratio(2 * tp, 2 * tp + fp + fn)


def precision(tp: np.ndarray, fp: np.ndarray) -> np.ndarray:
    """TP / (TP + FP); 0 where nothing was said, as scikit-learn has it."""
    return _ratio(tp, tp + fp, empty=0.0)


def recall(tp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """TP / (TP + FN); NaN where there is nothing to find."""
    return _ratio(tp, tp + fn)


def mean_of(name: str) -> Formula:
    """The mean over photos of a column."""
    return lambda sums: sums[name][:, 0] / sums["count"][:, 0]


def _hazard(sums: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(sums["hazard"].T)


def _hazard_f1(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    tp, fp, fn, _ = _hazard(sums)
    return f1(tp, fp, fn)


def _hazard_precision(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    tp, fp, _, _ = _hazard(sums)
    return precision(tp, fp)


def _hazard_recall(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    tp, _, fn, _ = _hazard(sums)
    return recall(tp, fn)


def _false_alarm_rate(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    _, fp, _, tn = _hazard(sums)
    return _ratio(fp, fp + tn)


def _balanced_accuracy(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray((_hazard_recall(sums) + 1 - _false_alarm_rate(sums)) / 2)


def _elements(sums: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return sums["element_tp"], sums["element_fp"], sums["element_fn"]


def _element_f1(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    tp, fp, fn = (counts.sum(axis=1) for counts in _elements(sums))
    return f1(tp, fp, fn)


def element_f1_macro(present: np.ndarray) -> Formula:
    """The mean F1 of the elements that some photo of the set shows ((E,) bool)."""

    def formula(sums: Mapping[str, np.ndarray]) -> np.ndarray:
        tp, fp, fn = (counts[:, present] for counts in _elements(sums))
        scores = f1(tp, fp, fn)
        known = np.isfinite(scores)
        return _ratio(np.where(known, scores, 0.0).sum(axis=1), known.sum(axis=1).astype(float))

    return formula


def element_formulas(index: int) -> dict[str, Formula]:
    """F1, precision and recall of one element."""
    return {
        "f1": lambda sums: f1(*(counts[:, index] for counts in _elements(sums))),
        "precision": lambda sums: precision(
            sums["element_tp"][:, index], sums["element_fp"][:, index]
        ),
        "recall": lambda sums: recall(sums["element_tp"][:, index], sums["element_fn"][:, index]),
    }


def element_shares(index: int) -> dict[str, Share]:
    """The counts behind precision and recall of one element."""

    def counts(sums: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [column[:, index] for column in _elements(sums)]

    def precision_of(sums: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        tp, fp, _ = counts(sums)
        return tp, tp + fp

    def recall_of(sums: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        tp, _, fn = counts(sums)
        return tp, tp + fn

    return {"precision": precision_of, "recall": recall_of}


def text_formulas(suffix: str) -> dict[str, Formula]:
    """BLEU, CIDEr-D and ROUGE-L of one tokenizer."""
    return {
        f"cider_d{suffix}": mean_of(f"cider{suffix}"),
        f"bleu_4{suffix}": lambda sums: bleu_from_counts(sums[f"bleu{suffix}"], 4),
        f"bleu_1{suffix}": lambda sums: bleu_from_counts(sums[f"bleu{suffix}"], 1),
        f"rouge_l{suffix}": mean_of(f"rouge{suffix}"),
    }


HAZARD_FORMULAS: dict[str, Formula] = {
    "hazard_f1": _hazard_f1,
    "hazard_precision": _hazard_precision,
    "hazard_recall": _hazard_recall,
    "balanced_accuracy": _balanced_accuracy,
    "false_alarm_rate": _false_alarm_rate,
    "element_f1": _element_f1,
}

SHARES: dict[str, Share] = {
    "hazard_precision": lambda sums: (_hazard(sums)[0], _hazard(sums)[0] + _hazard(sums)[1]),
    "hazard_recall": lambda sums: (_hazard(sums)[0], _hazard(sums)[0] + _hazard(sums)[2]),
    "false_alarm_rate": lambda sums: (_hazard(sums)[1], _hazard(sums)[1] + _hazard(sums)[3]),
    "cannot_judge_share": lambda sums: (sums["cannot_judge"][:, 0], sums["count"][:, 0]),
}

SANITY_FORMULAS: dict[str, Formula] = {
    "text_similarity": mean_of("similarity"),
    "distinct_share": mean_of("distinct"),
    "cannot_judge_share": mean_of("cannot_judge"),
    "shuffle_drop": mean_of("shuffle"),
}
