"""Which descriptions say what no photo can show, by an editable list (`unseeable.yaml`)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from hazardscribe import pattern_file
from hazardscribe.errors import InputError
from hazardscribe.pairs.descriptions import is_empty

_CLAUSE_END = re.compile(
    r"[,;!?。\n]|\.(?=\s|$)|\(?\d{1,2}[、)]|但是?|且|并且|同时|\b(?:but|and also)\b"
)
_LISTS = ("unseeable", "unless", "visible", "passing")


@dataclass(frozen=True, slots=True)
class Unseeable:
    """The list, ready for use.

    Attributes:
        unseeable: a clause that matches one of them speaks of what no photo shows ...
        unless: ... save where it matches one of these.
        visible: another clause that matches one of these is a reason to keep the row ...
        passing: ... as is any other, save where it matches one of these, which only go on
            (存在安全隐患) or lead up to what is meant (经查).
    """

    unseeable: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    visible: tuple[re.Pattern[str], ...]
    passing: tuple[re.Pattern[str], ...]

    def find(self, text: str) -> str | None:
        """The words for which a description is left out, None where it is kept."""
        plain = _plain(text).casefold()
        found: str | None = None
        for clause in map(str.strip, _CLAUSE_END.split(plain)):
            match = next((hit for one in self.unseeable if (hit := one.search(clause))), None)
            if match and not any(one.search(clause) for one in self.unless):
                found = found or match[0]
            elif self._can_show(clause):
                return None
        return found

    def _can_show(self, clause: str) -> bool:
        """Whether a clause that is not unseeable says something that a photo may show."""
        if is_empty(clause) or not any(map(str.isalpha, clause)):
            return False
        visible = any(one.search(clause) for one in self.visible)
        return visible or not any(one.search(clause) for one in self.passing)


def load_unseeable(path: Path | None = None) -> Unseeable:
    """The list in a file, or the one that comes with the program.

    Raises:
        InputError: the file cannot be read or is not of that form.
    """
    where = f"unseeable {path or 'unseeable.yaml'}"
    if path is None:
        text = (resources.files(__package__) / "unseeable.yaml").read_text(encoding="utf-8")
    else:
        text = pattern_file.read_text(Path(path), where)
    data: Any = pattern_file.parse(text, where)
    if not isinstance(data, dict) or not all(isinstance(one, dict) for one in data.values()):
        raise InputError(f"{where}: must hold {_form()}")
    lists: dict[str, list[re.Pattern[str]]] = {name: [] for name in _LISTS}
    for language, parts in data.items():
        for name, entries in parts.items():
            if name not in lists:
                raise InputError(f"{where}: {language}: unknown {name!r}; {_form()}")
            place = f"{where}: {language}: {name}"
            lists[name] += pattern_file.patterns(entries, place, _plain)
    if path is not None and not lists["passing"]:
        lists["passing"] = list(load_unseeable().passing)
    return Unseeable(*(tuple(lists[name]) for name in _LISTS))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _form() -> str:
    return f"for each language lists of patterns under {', '.join(_LISTS)}"
