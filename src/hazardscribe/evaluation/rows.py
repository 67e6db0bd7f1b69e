"""From the rows of a split to what is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hazardscribe.evaluation.cases import Case, is_positive, listed_kinds, speaks
from hazardscribe.pairs.yes_no import read_yes_no


def cases_from_rows(
    rows: Sequence[Mapping[str, Any]], references: Sequence[str], predictions: Mapping[str, str]
) -> list[Case]:
    """One case a photo: rows that share a photo are several references of it.

    Ledgers hold a row a hazard, so what rows of one photo state is put together: `hazard` is true
    where any says so, and an element is there where the `facts` of any count it.

    Args:
        rows: with `photo`, and `hazard` and `facts` where known.
        references: the written text of each row.
        predictions: predicted text by photo.
    """
    texts: dict[str, list[str]] = {}
    hazards: dict[str, list[bool | None]] = {}
    facts: dict[str, list[dict[str, Any] | None]] = {}
    for row, reference in zip(rows, references, strict=True):
        photo = str(row["photo"])
        texts.setdefault(photo, []).append(reference)
        hazards.setdefault(photo, []).append(hazard_of(row))
        facts.setdefault(photo, []).append(facts_of(row))
    return [
        Case(
            photo,
            list(dict.fromkeys(of_photo)),
            predictions[photo],
            hazard=_any_hazard(hazards[photo]),
            facts=_all_facts(facts[photo]),
        )
        for photo, of_photo in texts.items()
    ]


def _any_hazard(said: Sequence[bool | None]) -> bool | None:
    known = [one for one in said if one is not None]
    return any(known) if known else None


def _all_facts(said: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The facts of a photo's rows as one; a list speaks for all elements if each row has one."""
    if len(said) == 1:
        return said[0]
    listed = [kinds for kinds in map(listed_kinds, said) if kinds is not None]
    if len(listed) == len(said):
        return {"hazards": [kind for kinds in listed for kind in kinds]}
    found: dict[str, Any] = {}
    for one in said:
        for name, value in _flags(one or {}).items():
            if speaks(value) and (name not in found or is_positive(value)):
                found[name] = value
    return found or None


def _flags(facts: dict[str, Any]) -> dict[str, Any]:
    """A list of hazards as flags, which speak for those named alone; counts as they are."""
    kinds = listed_kinds(facts)
    return facts if kinds is None else {str(kind): True for kind in kinds}


def hazard_of(row: Mapping[str, Any]) -> bool | None:
    """The row's `hazard` column as yes or no; None where it says neither."""
    return read_yes_no(row.get("hazard"))


def facts_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row's `facts` column, a JSON object, or None."""
    value = row.get("facts")
    if isinstance(value, dict):
        return value
    try:
        parsed = json.loads(value) if isinstance(value, str) and value.strip() else None
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
