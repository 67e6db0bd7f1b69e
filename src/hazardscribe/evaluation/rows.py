"""From the rows of a split to what is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hazardscribe.evaluation.cases import Case

_YES, _NO = {"1", "1.0", "true", "yes", "是", "有"}, {"0", "0.0", "false", "no", "否", "无"}


def cases_from_rows(
    rows: Sequence[Mapping[str, Any]], references: Sequence[str], predictions: Mapping[str, str]
) -> list[Case]:
    """One case a photo: rows that share a photo are several references of it.

    Args:
        rows: with `photo`, and `hazard` and `facts` where known.
        references: the written text of each row.
        predictions: predicted text by photo.
    """
    texts: dict[str, list[str]] = {}
    first: dict[str, Mapping[str, Any]] = {}
    for row, reference in zip(rows, references, strict=True):
        photo = str(row["photo"])
        texts.setdefault(photo, []).append(reference)
        first.setdefault(photo, row)
    return [
        Case(
            photo,
            list(dict.fromkeys(of_photo)),
            predictions[photo],
            hazard=hazard_of(first[photo]),
            facts=facts_of(first[photo]),
        )
        for photo, of_photo in texts.items()
    ]


def hazard_of(row: Mapping[str, Any]) -> bool | None:
    """The row's `hazard` column as yes or no; None where it says neither."""
    value = str(row.get("hazard") if row.get("hazard") is not None else "").strip().lower()
    return True if value in _YES else False if value in _NO else None


def facts_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row's `facts` column, a JSON object, or None."""
    value = row.get("facts")
    if isinstance(value, dict):
        return value
    try:
        parsed = json.loads(value) if isinstance(value, str) and value.strip() else None
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
