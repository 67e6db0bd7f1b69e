"""Reads a statement out of a description: is a hazard named, and which.

Text scores alone cannot tell "wears a hard hat" from "wears no hard hat", which differ by one word.
These rules can, and they are plain YAML that a safety engineer edits: `rules/zh.yaml` and
`rules/en.yaml` beside this file, or any file of the same form:

    language: en
    no_hazard: ['\\bno (?:visible )?hazards?\\b']   # phrases that say there is none
    cannot_judge: ['\\bcannot (?:judge|tell)\\b']   # phrases that say it cannot be seen
    hazard: ['\\bmissing\\b']                       # states a defect even beside such a phrase
    elements:
      no_helmet:
        label: {en: no hard hat, zh: 未戴安全帽}    # optional, for the report
        patterns: ['\\bwithout (?:a )?hard hats?\\b']
        unless: ['\\bmannequin\\b']                 # optional: ignore a match in such a clause
        facts_keys: [no_hat]                        # optional: other names of it in `facts`

All patterns are Python regular expressions, searched in the NFKC-normalised text with straight
apostrophes, case ignored.

How a text is read: clauses (split at commas, stops, "but", 但) with a `no_hazard` or `cannot_judge`
phrase are set aside; elements are searched in the rest. A text with such a phrase states a hazard
only if the rest names an element or matches `hazard`, or if a clause set aside matches `hazard`
before its phrase; any other text that is not empty states one, since a ledger describes hazards.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from hazardscribe import pattern_file
from hazardscribe.errors import InputError
from hazardscribe.evaluation.tokens import LANGUAGES, normalise
from hazardscribe.files import write_whole
from hazardscribe.pattern_file import read_text

RULES_FILE = "rules.yaml"
"""In a model folder: rules of its own."""

_KEYS = {"language", "no_hazard", "cannot_judge", "hazard", "elements"}
_ELEMENT_KEYS = {"label", "patterns", "unless", "facts_keys"}
_CLAUSE_END = re.compile(
    r"[,;:!?。\n]|\.(?=\s|$)|但是?|然而|\b(?:but|however|although)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Element:
    """One named kind of hazard.

    Attributes:
        name: stable name, used in `element_f1.<name>`.
        patterns: a match of any of them states the element ...
        unless: ... save in a clause where any of these matches.
        facts_keys: names under which `facts` may count it; `name` comes first.
        labels: words for people, by language.
    """

    name: str
    patterns: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...] = ()
    facts_keys: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, language: str) -> str:
        """Words for people, or the name where the file gives none."""
        return self.labels.get(language, self.name.replace("_", " "))


@dataclass(frozen=True, slots=True)
class Rules:
    """The rule file of one language; see the module's docstring for what the lists mean."""

    no_hazard_patterns: tuple[re.Pattern[str], ...]
    cannot_judge_patterns: tuple[re.Pattern[str], ...]
    hazard_patterns: tuple[re.Pattern[str], ...]
    elements_by_name: Mapping[str, Element]
    source: str
    text: str = field(default="", repr=False)

    @classmethod
    def load(cls, language_or_path: str | Path) -> Rules:
        """Reads the shipped rules of a language (`zh`, `en`) or a file of one's own.

        Raises:
            InputError: no such file, not YAML, a key missing or unknown, a bad pattern.
        """
        if str(language_or_path) in LANGUAGES:
            name = f"{language_or_path}.yaml"
            text = (resources.files(__package__) / "rules" / name).read_text(encoding="utf-8")
            return _parse(text, f"rules/{name}")
        path = Path(language_or_path)
        instead = "".join(f"{language} or " for language in LANGUAGES)
        return _parse(read_text(path, f"rule file {path}", instead), str(path))

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the file as a model folder's own."""
        write_whole(folder / RULES_FILE, lambda draft: draft.write_bytes(self.text.encode()))

    def knowing(self, no_hazard: str, cannot_judge: str) -> Rules:
        """The same rules, which also know these two sentences by their wording."""
        own = [re.compile(re.escape(_plain(text))) for text in (no_hazard, cannot_judge)]
        return replace(
            self,
            no_hazard_patterns=(*self.no_hazard_patterns, own[0]),
            cannot_judge_patterns=(*self.cannot_judge_patterns, own[1]),
        )

    def hazard(self, text: str) -> bool:
        """Whether the text states a hazard; False when empty or when it says it cannot tell."""
        text = _plain(text)
        if not text:
            return False
        rest, reserved = self._rest(text)
        if not reserved:
            return True
        return (
            any(True for _ in self._elements(rest))
            or _any(self.hazard_patterns, rest)
            or any(_any(self.hazard_patterns, head) for head in self._heads(text))
        )

    def cannot_judge(self, text: str) -> bool:
        """Whether the text says that it cannot be judged, and names no hazard besides."""
        text = _plain(text)
        return _any(self.cannot_judge_patterns, text) and not self.hazard(text)

    def elements(self, text: str) -> frozenset[str]:
        """Names of the elements that the text states."""
        return frozenset(self._elements(self._rest(_plain(text))[0]))

    @property
    def _reserved(self) -> tuple[re.Pattern[str], ...]:
        return (*self.no_hazard_patterns, *self.cannot_judge_patterns)

    def _rest(self, text: str) -> tuple[str, bool]:
        """The text without the clauses that deny or doubt a hazard, and whether there were any."""
        reserved = self._reserved
        spans = list(_clauses(text))
        kept = [text[start:end] for start, end in spans if not _any(reserved, text[start:end])]
        if len(kept) == len(spans):
            # A phrase may also run over a comma: then it speaks for the whole text.
            return ("", True) if _any(reserved, text) else (text, False)
        return ",".join(kept), True

    def _heads(self, text: str) -> Iterator[str]:
        """What stands before the phrase in each clause that is set aside.

        What follows the phrase is what it denies or doubts; what precedes it is still stated
        ("hose cracked and unclear whether it leaks").
        """
        for start, end in _clauses(text):
            found = (pattern.search(text[start:end]) for pattern in self._reserved)
            first = min((match.start() for match in found if match), default=0)
            if first:
                yield text[start : start + first]

    def _elements(self, text: str) -> Iterator[str]:
        if not text:
            return
        for name, element in self.elements_by_name.items():
            matches = (match for pattern in element.patterns for match in pattern.finditer(text))
            if any(not _any(element.unless, _around(text, match)) for match in matches):
                yield name


def own_rules(model: str | Path) -> Rules | None:
    """The rules that a model folder holds; None where it goes by the shipped ones.

    Raises:
        InputError: as `Rules.load`.
    """
    path = Path(model) / RULES_FILE
    # Not the whole path: a report that is passed on does not tell where the model lay.
    return replace(Rules.load(path), source=f"model/{RULES_FILE}") if path.is_file() else None


def rules_of(model: str | Path, language: str) -> Rules:
    """The rules by which a model's texts are read: its own, else those shipped for the language."""
    return own_rules(model) or Rules.load(language)


def _plain(text: str) -> str:
    """The form in which texts and patterns are compared: typographic apostrophes are ordinary."""
    return normalise(text).replace("\u2019", "'")


def _any(patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


def _clauses(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in _CLAUSE_END.finditer(text):
        if text[start : end.start()].strip():
            yield start, end.start()
        start = end.end()
    if text[start:].strip():
        yield start, len(text)


def _around(text: str, match: re.Match[str]) -> str:
    """The clauses that a match touches."""
    touched = [
        (start, end)
        for start, end in _clauses(text)
        if start < max(match.end(), match.start() + 1) and end > match.start()
    ]
    return text[touched[0][0] : touched[-1][1]] if touched else match.group()


def _parse(text: str, source: str) -> Rules:
    document: Any = pattern_file.parse(text, source)
    if not isinstance(document, dict):
        raise InputError(f"{source}: expected the keys {', '.join(sorted(_KEYS))}")
    _known(document, _KEYS, source, "")
    elements = document.get("elements") or {}
    if not isinstance(elements, dict):
        raise InputError(f"{source}: elements: expected names, each with its patterns")
    return Rules(
        no_hazard_patterns=_patterns(document, "no_hazard", source, required=True),
        cannot_judge_patterns=_patterns(document, "cannot_judge", source),
        hazard_patterns=_patterns(document, "hazard", source),
        elements_by_name={
            str(name): _element(str(name), entry, source) for name, entry in elements.items()
        },
        source=source,
        text=text,
    )


def _element(name: str, entry: object, source: str) -> Element:
    where = f"elements.{name}"
    if not isinstance(entry, dict):
        raise InputError(f"{source}: {where}: expected the key patterns with a list of patterns")
    _known(entry, _ELEMENT_KEYS, source, where)
    labels = entry.get("label") or {}
    if isinstance(labels, str):
        labels = dict.fromkeys(LANGUAGES, labels)
    if not isinstance(labels, dict):
        raise InputError(f"{source}: {where}.label: expected text, or text by language")
    keys = pattern_file.texts(entry.get("facts_keys"), f"{source}: {where}.facts_keys")
    return Element(
        name=name,
        patterns=_patterns(entry, "patterns", source, where=f"{where}.", required=True),
        unless=_patterns(entry, "unless", source, where=f"{where}."),
        facts_keys=(name, *(key for key in keys if key != name)),
        labels={str(language): str(words) for language, words in labels.items()},
    )


def _known(entry: Mapping[Any, Any], known: set[str], source: str, where: str) -> None:
    unknown = sorted(str(key) for key in entry if key not in known)
    if unknown:
        raise InputError(
            f"{source}: {where or 'top level'}: unknown key {', '.join(unknown)}; "
            f"known are {', '.join(sorted(known))}"
        )


def _patterns(
    entry: Mapping[Any, Any], key: str, source: str, where: str = "", required: bool = False
) -> tuple[re.Pattern[str], ...]:
    place = f"{source}: {where}{key}"
    compiled = pattern_file.patterns(entry.get(key), place, _plain)
    if required and not compiled:
        raise InputError(f"{place}: at least one pattern is needed")
    return compiled
