"""The editable list of slips and empty phrases: `wording.yaml` beside this file, or the user's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

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
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{source}: cannot be read ({error}); give a YAML file in UTF-8"
            ) from error
    document = _parse(text, source)
    lists = document.get(language) or {}
    return Wording(
        source=source,
        typos=[
            Typo(_compile(one["find"], source), one["write"], one["why"])
            for one in lists.get("typos") or []
        ],
        placeholders=[_compile(one, source) for one in lists.get("placeholders") or []],
        no_hazard=[_compile(one, source) for one in lists.get("no_hazard") or []],
    )


def _parse(text: str, source: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document: Any = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InputError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(document, dict) or not set(document) <= {"zh", "en"}:
        raise InputError(f"{source}: must hold the keys zh and en; see the packaged wording.yaml")
    for language, lists in document.items():
        where = f"{source}: {language}"
        if not isinstance(lists, dict) or not set(lists) <= set(_LISTS):
            raise InputError(f"{where} must hold lists called {', '.join(_LISTS)}")
        for name, entries in lists.items():
            form = _is_typo if name == "typos" else _is_text
            for number, entry in enumerate(entries or [], start=1):
                if not form(entry):
                    needed = "find, write and why" if name == "typos" else "one pattern"
                    raise InputError(f"{where}: {name}, entry {number} must be {needed}: {entry!r}")
    return document


def _is_typo(entry: Any) -> bool:
    return (
        isinstance(entry, dict) and set(entry) == set(_TYPO) and all(map(_is_text, entry.values()))
    )


def _is_text(entry: Any) -> bool:
    return isinstance(entry, str)


def _compile(pattern: str, source: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise InputError(
            f"{source}: {pattern!r} is not a regular expression ({error}); mend or remove it"
        ) from error
