"""From the per-photo numbers of one set of predictions to its scores, with intervals.

Which scores a set of photos defines, the values and intervals of those, the elements one by one,
and the order in which people read them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hazardscribe.evaluation.bootstrap import interval, resampled_columns, wilson
from hazardscribe.evaluation.notices import (
    ALIKE,
    NO_ELEMENT,
    NO_EMBEDDING,
    NO_HAZARD_PHOTO,
    NO_SAFE_PHOTO,
    ONE_PHOTO,
)
from hazardscribe.evaluation.photo_scores import (
    HAZARD_FORMULAS,
    SANITY_FORMULAS,
    Columns,
    Formula,
    Share,
    Truth,
    element_f1_macro,
    element_formulas,
    element_shares,
    text_formulas,
)
from hazardscribe.evaluation.result import ElementScore, Score


def defined_formulas(
    truth: Truth, columns: Columns, embedded: bool
) -> tuple[dict[str, Formula], dict[str, str]]:
    """The formulas of the scores that are defined for these photos, and why others are not."""
    present = np.asarray(truth.elements.any(axis=0))
    formulas = {**HAZARD_FORMULAS, "element_f1_macro": element_f1_macro(present)}
    formulas |= {
        f"element_f1.{name}": element_formulas(index)["f1"]
        for index, name in enumerate(truth.rules.elements_by_name)
        if present[index]
    }
    for suffix in truth.tokens:
        formulas |= text_formulas(suffix)
    formulas |= SANITY_FORMULAS

    nulls: dict[str, str] = {}
    if truth.hazard.all():
        names = ("hazard_f1", "hazard_precision", "balanced_accuracy", "false_alarm_rate")
        nulls |= dict.fromkeys(names, NO_SAFE_PHOTO)
    if not truth.hazard.any():
        names = ("hazard_f1", "hazard_precision", "hazard_recall", "balanced_accuracy")
        nulls |= dict.fromkeys(names, NO_HAZARD_PHOTO)
    if not present.any():
        nulls |= dict.fromkeys(("element_f1", "element_f1_macro"), NO_ELEMENT)
    alike = ONE_PHOTO if len(truth.hazard) < 2 else ALIKE
    for suffix in truth.tokens:
        if f"cider{suffix}" not in columns:
            nulls[f"cider_d{suffix}"] = alike
    if "shuffle" not in columns:
        nulls["shuffle_drop"] = alike
    if not embedded:
        nulls["text_similarity"] = NO_EMBEDDING
    return {name: formula for name, formula in formulas.items() if name not in nulls}, nulls


def with_intervals(
    columns: Columns,
    formulas: Mapping[str, Formula],
    shares: Mapping[str, Share],
    resamples: int,
    seed: int,
) -> dict[str, Score]:
    """Values from the sums over all photos, intervals of shares by Wilson, else of resamples."""
    whole = {name: table.sum(axis=0, keepdims=True) for name, table in columns.items()}
    drawn = resampled_columns(columns, resamples, seed)
    found: dict[str, Score] = {}
    for name, formula in formulas.items():
        value = float(formula(whole)[0])
        if not resamples:
            bounds = None
        elif name in shares:
            hits, of = (float(counts[0]) for counts in shares[name](whole))
            bounds = wilson(hits, int(of)) if np.isfinite(value) else None
        else:
            bounds = interval(formula(drawn))
        found[name] = Score(value if np.isfinite(value) else None, *(bounds or (None, None)))
    return found


def element_scores(
    columns: Columns, truth: Truth, resamples: int, seed: int
) -> dict[str, ElementScore]:
    """By name, the elements that some photo shows or is said to show."""
    support = (columns["element_tp"] + columns["element_fn"]).sum(axis=0)
    named = (columns["element_tp"] + columns["element_fp"]).sum(axis=0)
    needed = {name: columns[name] for name in ("element_tp", "element_fp", "element_fn")}
    formulas = {
        f"{index}.{kind}": formula
        for index in np.flatnonzero(support + named)
        for kind, formula in element_formulas(int(index)).items()
    }
    shares = {
        f"{index}.{kind}": share
        for index in np.flatnonzero(support + named)
        for kind, share in element_shares(int(index)).items()
    }
    scores = with_intervals(needed, formulas, shares, resamples, seed) if formulas else {}
    found = {}
    for index, (name, element) in enumerate(truth.rules.elements_by_name.items()):
        if support[index] + named[index] == 0:
            continue
        # Where no photo shows it, F1 is 0 for every model that names it: say so, not "0".
        f1 = scores[f"{index}.f1"] if support[index] else Score(None)
        # Of a kind that was never named nothing can be precise.
        precision = scores[f"{index}.precision"] if named[index] else Score(None)
        found[name] = ElementScore(
            label=element.label(truth.language),
            f1=f1,
            precision=precision,
            recall=scores[f"{index}.recall"],
            support=int(support[index]),
            predicted=int(named[index]),
        )
    return found


def in_order(scores: Mapping[str, Score], truth: Truth) -> dict[str, Score]:
    """Scores in the order in which people read them."""
    names = [*HAZARD_FORMULAS, "element_f1_macro"]
    for suffix in truth.tokens:
        names += text_formulas(suffix)
    names += SANITY_FORMULAS
    names += [name for name in scores if name not in names]
    return {name: scores[name] for name in names}
