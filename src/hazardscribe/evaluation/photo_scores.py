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
        tokens: by suffix of the score names, the references' tokens. cider: likewise, CIDEr-D
            against them.
        hazard: (N,) bool.
        elements: (N, E) bool, in the order of `rules.elements_by_name`.
    """

    references: list[list[str]]
    tokens: dict[str, list[list[Tokens]]]
    cider: dict[str, CiderD]
    hazard: np.ndarray
    elements: np.ndarray
    rules: Rules
    language: str

    @classmethod
    def of(cls, cases: Sequence[Case], rules: Rules, language: str) -> Truth:
        """Reads the truth of each case; see `hazardscribe.evaluation.cases`."""
        references = [[normalise(text) for text in case.references] for case in cases]
        tokens = {
            suffix: [[split(text) for text in group] for group in references]
            for suffix, split in tokenizers(language).items()
        }
        return cls(
            references=references,
            tokens=tokens,
            cider={suffix: CiderD(of_suffix) for suffix, of_suffix in tokens.items()},
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
        (N, k) float64 arrays: `count` 1; `hazard_tp`, `hazard_fp`, `hazard_fn`, `hazard_tn`;
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
        "hazard_tp": said & truth.hazard,
        "hazard_fp": said & ~truth.hazard,
        "hazard_fn": ~said & truth.hazard,
        "hazard_tn": ~said & ~truth.hazard,
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
        cider = truth.cider[suffix]
        if cider.informative:
            weights = cider.weigh(ours)
            scores = columns[f"cider{suffix}"] = cider.scores(weights, np.arange(len(ours)))
            if not suffix:
                columns["shuffle"] = shuffle_drops(cider, weights, scores, seed)
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


def f1_of(kind: str, places: slice | list[int] = slice(None)) -> Formula:
    """F1 from the columns `<kind>_tp`, `_fp` and `_fn`, summed over these of their places."""
    names = [f"{kind}_{count}" for count in ("tp", "fp", "fn")]
    return lambda sums: f1(*(sums[name][:, places].sum(axis=1) for name in names))


def element_f1_macro(present: np.ndarray) -> Formula:
    """The mean F1 of the elements that some photo of the set shows ((E,) bool)."""

    def formula(sums: Mapping[str, np.ndarray]) -> np.ndarray:
        scores = f1(*(sums[f"element_{count}"][:, present] for count in ("tp", "fp", "fn")))
        known = np.isfinite(scores)
        return _ratio(np.where(known, scores, 0.0).sum(axis=1), known.sum(axis=1).astype(float))

    return formula


def share(hits: str, others: str, place: int = 0) -> Share:
    """One column as a share of itself and another."""
    return lambda sums: (sums[hits][:, place], sums[hits][:, place] + sums[others][:, place])


def precision(of: Share) -> Formula:
    """TP / (TP + FP); 0 where nothing was said, as scikit-learn has it."""
    return lambda sums: _ratio(*of(sums), empty=0.0)


def rate(of: Share) -> Formula:
    """A share as a number; NaN where there are no photos of which it could be one."""
    return lambda sums: _ratio(*of(sums))


def mean_of(name: str) -> Formula:
    """The mean over photos of a column."""
    return lambda sums: sums[name][:, 0] / sums["count"][:, 0]


def text_formulas(suffix: str) -> dict[str, Formula]:
    """BLEU, CIDEr-D and ROUGE-L of one tokenizer."""
    return {
        f"cider_d{suffix}": mean_of(f"cider{suffix}"),
        f"bleu_4{suffix}": lambda sums: bleu_from_counts(sums[f"bleu{suffix}"], 4),
        f"bleu_1{suffix}": lambda sums: bleu_from_counts(sums[f"bleu{suffix}"], 1),
        f"rouge_l{suffix}": mean_of(f"rouge{suffix}"),
    }


SHARES: dict[str, Share] = {
    "hazard_precision": share("hazard_tp", "hazard_fp"),
    "hazard_recall": share("hazard_tp", "hazard_fn"),
    "false_alarm_rate": share("hazard_fp", "hazard_tn"),
    "cannot_judge_share": lambda sums: (sums["cannot_judge"][:, 0], sums["count"][:, 0]),
}
_recall, _false_alarms = rate(SHARES["hazard_recall"]), rate(SHARES["false_alarm_rate"])

HAZARD_FORMULAS: dict[str, Formula] = {
    "hazard_f1": f1_of("hazard"),
    "hazard_precision": precision(SHARES["hazard_precision"]),
    "hazard_recall": _recall,
    "balanced_accuracy": lambda sums: (_recall(sums) + 1 - _false_alarms(sums)) / 2,
    "false_alarm_rate": _false_alarms,
    "element_f1": f1_of("element"),
}

SANITY_FORMULAS: dict[str, Formula] = {
    "text_similarity": mean_of("similarity"),
    "distinct_share": mean_of("distinct"),
    "cannot_judge_share": mean_of("cannot_judge"),
    "shuffle_drop": mean_of("shuffle"),
}
