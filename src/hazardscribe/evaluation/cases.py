"""What is evaluated, photo by photo, and what is true about each photo.

Truth comes from the surest source at hand: a `hazard` field; else `facts`, which count hazards
directly; else the rules on the references. Predictions are always read by rule. Facts that speak
for some elements alone leave the others to the references: "no_helmet: 0" does not deny the cable.
A photo without a hazard shows no element, whatever its text tells of what was put right.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.tokens import normalise
from hazardscribe.pairs.yes_no import read_yes_no


@dataclass(frozen=True, slots=True)
class Case:
    """One photo with what people wrote and what the model wrote.

    Attributes:
        photo: path or name, for the report.
        references: at least one written description that is not empty.
        prediction: the model's description; may be empty.
        hazard: whether the photo shows a hazard, where that is known.
        facts: counts or flags by element name (`{"no_helmet": 2}`: speaks for those elements),
            or a list `hazards` of names or of `{"kind": name}` (speaks for all elements).
    """

    photo: str
    references: list[str]
    prediction: str
    hazard: bool | None = None
    facts: dict[str, Any] | None = None


def check_cases(cases: Sequence[Case]) -> None:
    """Raises InputError when there is nothing to score, or a photo lacks a reference."""
    if not cases:
        raise InputError("nothing to evaluate: the split holds no photos; choose another split")
    for case in cases:
        if isinstance(case.references, str) or not case.references:
            raise InputError(f"{case.photo}: references must be a list of at least one description")
        if not all(isinstance(text, str) and normalise(text) for text in case.references):
            raise InputError(f"{case.photo}: a written description is empty; leave such rows out")
        if not isinstance(case.prediction, str):
            raise InputError(
                f"{case.photo}: the prediction is {type(case.prediction).__name__}, not text"
            )


def listed_kinds(facts: Mapping[str, Any] | None) -> list[Any] | None:
    """The kinds that a list `hazards` names; None where facts hold no such list."""
    listed = (facts or {}).get("hazards")
    if not isinstance(listed, (list, tuple)):
        return None
    return [item.get("kind") if isinstance(item, Mapping) else item for item in listed]


def element_facts(facts: Mapping[str, Any] | None, rules: Rules) -> dict[str, bool]:
    """What `facts` say about elements; elements on which they are silent are left out."""
    if not facts:
        return {}
    kinds = listed_kinds(facts)
    if kinds is not None:
        return {
            name: any(key in kinds for key in element.facts_keys)
            for name, element in rules.elements_by_name.items()
        }
    said: dict[str, bool] = {}
    for name, element in rules.elements_by_name.items():
        values = [facts[key] for key in element.facts_keys if speaks(facts.get(key))]
        if values:
            said[name] = any(is_positive(value) for value in values)
    return said


def speaks(value: object) -> bool:
    """Whether a value of `facts` says anything: a blank, None or NaN is a cell left empty."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return value is not None and not (isinstance(value, str) and not value.strip())


def is_positive(value: object) -> bool:
    """Whether a count or flag of `facts` says that something is there."""
    if isinstance(value, str):
        said = read_yes_no(value)
        if said is not None:
            return said
        word = normalise(value)
        try:
            value = float(word)
        except ValueError:
            return bool(word)
    return value > 0 if isinstance(value, (int, float)) else bool(value)


def true_hazard(case: Case, rules: Rules) -> bool:
    """Whether the photo shows a hazard: `hazard`, else `facts`, else any reference by rule.

    Facts that find none of the elements they speak for deny these alone: a reference that states
    something else still counts.
    """
    if case.hazard is not None:
        return bool(case.hazard)
    kinds = listed_kinds(case.facts)
    if kinds is not None:
        return bool(kinds)
    said = element_facts(case.facts, rules)
    if any(said.values()) or len(said) == len(rules.elements_by_name) > 0:
        return any(said.values())
    return any(_states_more(text, said, rules) for text in case.references)


def _states_more(text: str, denied: Collection[str], rules: Rules) -> bool:
    """Whether the text states a hazard that is not wholly of elements that are denied."""
    named = rules.elements(text)
    return rules.hazard(text) and not (named and named <= set(denied))


def true_elements(case: Case, rules: Rules) -> frozenset[str]:
    """Elements the photo shows: none where `hazard` says that there is no hazard, else by `facts`
    where they speak, else by rule on any reference."""
    if case.hazard is not None and not case.hazard:
        return frozenset()
    said = element_facts(case.facts, rules)
    read = frozenset[str]().union(*(rules.elements(text) for text in case.references))
    return frozenset(name for name in rules.elements_by_name if said.get(name, name in read))
