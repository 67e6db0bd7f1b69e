"""Which descriptions would do as they stand: what a confidence is the probability of.

A description is acceptable when it is right on whether there is a hazard, names no kind of hazard
that is not there, and, where kinds are known to be there, names at least one. To leave out a second
hazard is no fault here: a ledger row describes one, and the photo may show more. Wording does not
count. Kinds are those of the rule file; what it does not know cannot be judged wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hazardscribe.evaluation.cases import Case, true_elements, true_hazard
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.tokens import normalise


def acceptable(cases: Sequence[Case], rules: Rules) -> np.ndarray:
    """Whether each case's prediction is acceptable, `(N,)` bool; empty and "cannot judge" never."""
    return np.array([_acceptable(case, rules) for case in cases], dtype=bool)


def _acceptable(case: Case, rules: Rules) -> bool:
    text = normalise(case.prediction)
    if not text or rules.cannot_judge(text):
        return False
    if rules.hazard(text) != true_hazard(case, rules):
        return False
    named, shown = rules.elements(text), true_elements(case, rules)
    return named <= shown and (bool(named) or not shown)
