"""The editable list of slips and empty phrases: `wording.yaml` beside this file, or the user's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from hazardscribe import pattern_file
from hazardscribe.errors import InputError

_LISTS = ("typos", "placeholders", "no_hazard")
_TYPO = ("find", "write", "why")


@dataclass(frozen=True, slots=True)
class Typo:
    """A probable slip: where it fits, what was probably meant, and why."""

    find: re.Pattern[str]
    write: str
    why: str


@dataclass(frozen=True, slots=True)
class Wording:
    """The lists of one language; `source` names the file."""

    source: str
    typos: Sequence[Typo]
    placeholders: Sequence[re.Pattern[str]]
    no_hazard: Sequence[re.Pattern[str]]


def load_wording(language: str, path: Path | None = None) -> Wording:
    """The lists of a language, from a file of the user's or from the packaged one.

    A file may hold one language only; for the other nothing is then looked for.

    Raises:
        InputError: no such file, not YAML, of another form, or with a bad pattern.
    """
    if path is None:
        source = "wording.yaml"
        text = (resources.files(__package__) / source).read_text(encoding="utf-8")
    else:
        source = str(path)
        text = pattern_file.read_text(path, f"wording {source}")
    document = _parse(text, source)
    lists = document.get(language) or {}
    where = f"{source}: {language}"
    return Wording(
        source=source,
        typos=[
            Typo(
                pattern_file.compiled(one["find"], f"{where}: typos, entry {number}"),
                one["write"],
                one["why"],
            )
            for number, one in enumerate(lists.get("typos") or [], start=1)
        ],
        placeholders=pattern_file.patterns(lists.get("placeholders"), f"{where}: placeholders"),
        no_hazard=pattern_file.patterns(lists.get("no_hazard"), f"{where}: no_hazard"),
    )


def _parse(text: str, source: str) -> dict[str, Any]:
    document: Any = pattern_file.parse(text, source)
    if not isinstance(document, dict) or not set(document) <= {"zh", "en"}:
        raise InputError(f"{source}: must hold the keys zh and en; see the packaged wording.yaml")
    for language, lists in document.items():
        where = f"{source}: {language}"
        if not isinstance(lists, dict) or not set(lists) <= set(_LISTS):
            raise InputError(f"{where} must hold lists called {', '.join(_LISTS)}")
        typos = lists.get("typos") or []
        if not isinstance(typos, list):
            raise InputError(f"{where}: typos must be a list of entries with {', '.join(_TYPO)}")
        for number, entry in enumerate(typos, start=1):
            if not _is_typo(entry):
                raise InputError(
                    f"{where}: typos, entry {number} must be find, write and why: {entry!r}"
                )
    return document


def _is_typo(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) == set(_TYPO)
        and all(isinstance(text, str) for text in entry.values())
    )
