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
    f1_of,
    precision,
    rate,
    share,
    text_formulas,
)
from hazardscribe.evaluation.result import ElementScore, Score


def formulas_of(truth: Truth) -> dict[str, Formula]:
    """The formulas of all scores, in the order in which people read them."""
    present = np.asarray(truth.elements.any(axis=0))
    formulas = {**HAZARD_FORMULAS, "element_f1_macro": element_f1_macro(present)}
    for suffix in truth.tokens:
        formulas |= text_formulas(suffix)
    return (
        formulas
        | SANITY_FORMULAS
        | {
            f"element_f1.{name}": f1_of("element", [index])
            for index, name in enumerate(truth.rules.elements_by_name)
            if present[index]
        }
    )


def defined_formulas(
    truth: Truth, columns: Columns, embedded: bool
) -> tuple[dict[str, Formula], dict[str, str]]:
    """The formulas of the scores that are defined for these photos, and why others are not."""
    nulls: dict[str, str] = {}
    if truth.hazard.all():
        names = ("hazard_f1", "hazard_precision", "balanced_accuracy", "false_alarm_rate")
        nulls |= dict.fromkeys(names, NO_SAFE_PHOTO)
    if not truth.hazard.any():
        names = ("hazard_f1", "hazard_precision", "hazard_recall", "balanced_accuracy")
        nulls |= dict.fromkeys(names, NO_HAZARD_PHOTO)
    if not truth.elements.any():
        nulls |= dict.fromkeys(("element_f1", "element_f1_macro"), NO_ELEMENT)
    alike = ONE_PHOTO if len(truth.hazard) < 2 else ALIKE
    for suffix in truth.tokens:
        if f"cider{suffix}" not in columns:
            nulls[f"cider_d{suffix}"] = alike
    if "shuffle" not in columns:
        nulls["shuffle_drop"] = alike
    if not embedded:
        nulls["text_similarity"] = NO_EMBEDDING
    formulas = {name: one for name, one in formulas_of(truth).items() if name not in nulls}
    return formulas, nulls


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
    formulas: dict[str, Formula] = {}
    shares: dict[str, Share] = {}
    for i in np.flatnonzero(support + named).tolist():
        right = shares[f"{i}.precision"] = share("element_tp", "element_fp", i)
        found = shares[f"{i}.recall"] = share("element_tp", "element_fn", i)
        formulas[f"{i}.f1"] = f1_of("element", [i])
        formulas |= {f"{i}.precision": precision(right), f"{i}.recall": rate(found)}
    scores = with_intervals(needed, formulas, shares, resamples, seed)
    elements = {}
    for index, (name, element) in enumerate(truth.rules.elements_by_name.items()):
        if support[index] + named[index] == 0:
            continue
        # Where no photo shows it, F1 is 0 for every model that names it: say so, not "0".
        f1 = scores[f"{index}.f1"] if support[index] else Score(None)
        # Of a kind that was never named nothing can be precise.
        precise = scores[f"{index}.precision"] if named[index] else Score(None)
        elements[name] = ElementScore(
            label=element.label(truth.language),
            f1=f1,
            precision=precise,
            recall=scores[f"{index}.recall"],
            support=int(support[index]),
            predicted=int(named[index]),
        )
    return elements
