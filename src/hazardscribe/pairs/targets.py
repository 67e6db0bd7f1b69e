"""The text to learn, made from a row's columns, and the language it is in."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.pairs.records import PROVENANCE

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LETTER = re.compile(r"[A-Za-z]+")


def target_texts(rows: Sequence[Mapping[str, Any]] | Any, template: str) -> list[str]:
    """Fill a template such as `{description}` or `{部位}：{description}` from each row.

    Args:
        rows: mappings, or a `datasets.Dataset`.

    Raises:
        InputError: if the template names a column that the rows lack, or gives an empty text.
    """
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise InputError(f"target {template!r}: is no valid template: {error}") from error
    if not names:
        raise InputError(f"target {template!r}: names no column; write {{description}}")
    texts = []
    for i, row in enumerate(rows):
        missing = [name for name in names if name not in row]
        if missing:
            names = sorted(str(name) for name in row if name not in PROVENANCE)
            raise InputError(
                f"target {template!r}: there is no column {missing[0]!r}. "
                f"Columns: {', '.join(names)}."
            )
        values = {name: "" if row[name] is None else str(row[name]).strip() for name in names}
        try:
            text = template.format_map(values).strip()
        except (ValueError, AttributeError, LookupError) as error:
            raise InputError(
                f"target {template!r}: {error}; write a column's name in braces, and nothing else"
            ) from error
        if not text:
            raise InputError(f"target {template!r}: gives an empty text for row {i + 1}")
        texts.append(text)
    return texts


def detect_language(texts: Iterable[str]) -> str:
    """`zh` where Chinese characters outnumber Latin words, else `en`."""
    chinese = latin = 0
    for text in texts:
        chinese += len(_CHINESE.findall(text))
        latin += len(_LETTER.findall(text))
    return "zh" if chinese > latin else "en"
