"""Findings about descriptions: those that say nothing, slips, leftovers of other programs.

Each distinct text is looked at once, whatever the number of photos it serves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from hazardscribe.pairs.checking.findings import EXAMPLES, Example, Finding, Severity
from hazardscribe.pairs.checking.personal import find_personal
from hazardscribe.pairs.checking.subject import Row, Subject, places_of
from hazardscribe.pairs.checking.wording import Typo, Wording
from hazardscribe.pairs.ledger.numbered import split_numbered
from hazardscribe.pairs.targets import detect_language

MIN_LENGTH = {"zh": 4, "en": 2}
"""Characters of a Chinese text, words of an English one, below which it hardly names a hazard."""

MAX_LENGTH = {"zh": 120, "en": 80}
"""Beyond these, training by default (128 tokens) begins to cut texts."""

FREQUENT_SHARE = 0.05
FREQUENT_LEAST = 20
"""A text on this share of the pairs, and this many, is worth a hint."""

# Rests of spreadsheets and web pages, UTF-8 read as GBK or Latin-1, signs that show nothing.
_GARBLED = re.compile(
    r"_x000[0-9A-Fa-f]_|</?(?:br|p|div|span|font)\b[^>]*>|&(?:nbsp|lt|gt|amp|quot);|锟斤拷|烫烫烫|屯屯屯"
    r"|\ufffd|Ã[\x80-\xbf]|â€|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200c-\u200f\u202a-\u202e\u2060-\u2069]"
    r"|[\ue000-\uf8ff]"
)
_FULL_WIDTH = re.compile(r"[０-９Ａ-Ｚａ-ｚ]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]+(?:[-'’][A-Za-z]+)*")


def text_length(text: str, language: str) -> int:
    """Characters without blanks for Chinese, words for English."""
    return len("".join(text.split())) if language == "zh" else len(text.split())


def text_findings(subject: Subject, wording: Wording) -> Iterator[Finding]:
    """Findings on the texts of the pairs."""
    language = subject.language
    by_text = subject.by_text()

    def placeholder(text: str) -> str:
        return text if any(one.fullmatch(text) for one in wording.placeholders) else ""

    def short(text: str) -> str:
        few = text_length(text, language) < MIN_LENGTH[language]
        return text if few and not placeholder(text) else ""

    def long(text: str) -> str:
        return text[:40] if text_length(text, language) > MAX_LENGTH[language] else ""

    def other_language(text: str) -> str:
        return text if _foreign(text, language) else ""

    tests: list[tuple[str, Severity, Callable[[str], str]]] = [
        ("text_placeholder", "warning", placeholder),
        ("text_short", "warning", short),
        ("text_long", "warning", long),
        ("text_garbled", "warning", _match(_GARBLED)),
        ("text_other_language", "hint", other_language),
        ("text_numbered", "hint", _numbered),
        ("text_full_width", "hint", _match(_FULL_WIDTH)),
    ]
    for code, severity, find in tests:
        hits = [(text, found) for text in by_text if (found := find(text))]
        rows = [row for text, _ in hits for row in by_text[text]]
        examples = [_example(by_text[text], found=found) for text, found in hits[:EXAMPLES]]
        yield from _on_pairs(code, severity, rows, examples)
    yield from _typos(by_text, wording)
    yield from _personal(by_text)
    yield from _frequent(subject, by_text)
    yield from _denied(subject, wording)


def _on_pairs(
    code: str, severity: Severity, rows: Sequence[Row], examples: Sequence[Example]
) -> Iterator[Finding]:
    """A finding on pairs, if there are any."""
    if rows:
        yield Finding(code, severity, len(rows), "pairs", places_of(rows), tuple(examples))


def _match(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def find(text: str) -> str:
        found = pattern.search(text)
        return found.group() if found else ""

    return find


def _numbered(text: str) -> str:
    """The text where an import could split it into several hazards."""
    return text if len(split_numbered(text)) > 1 else ""


def _foreign(text: str, language: str) -> bool:
    """Whether a text is in the other language, or in both (names such as PPE do not count)."""
    chinese, words = len(_CHINESE.findall(text)), len(_WORD.findall(text))
    if language == "en":
        return chinese > 0
    return words >= 2 and detect_language([text]) == "en"


def _typos(by_text: dict[str, list[Row]], wording: Wording) -> Iterator[Finding]:
    rows: list[Row] = []
    kinds: dict[Typo, list[Row]] = {}
    spans: dict[Typo, str] = {}
    for text, ours in by_text.items():
        found = [(typo, hit) for typo in wording.typos if (hit := typo.find.search(text))]
        rows += ours if found else []
        for typo, hit in found:
            kinds.setdefault(typo, []).extend(ours)
            # A lone sign such as 带 tells little: show what follows it, too.
            spans.setdefault(typo, text[hit.start() : max(hit.end(), hit.start() + 4)])
    frequent = sorted(kinds.items(), key=lambda item: -len(item[1]))[:EXAMPLES]
    examples = [
        _example(ours, found=spans[typo], suggestion=typo.write, why=typo.why, times=len(ours))
        for typo, ours in frequent
    ]
    yield from _on_pairs("text_typo", "hint", rows, examples)


def _personal(by_text: dict[str, list[Row]]) -> Iterator[Finding]:
    hits = [(text, kinds) for text in by_text if (kinds := find_personal(text))]
    rows = [row for text, _ in hits for row in by_text[text]]
    examples = [_example(by_text[text], kinds=kinds) for text, kinds in hits[:EXAMPLES]]
    yield from _on_pairs("text_personal", "hint", rows, examples)


def _frequent(subject: Subject, by_text: dict[str, list[Row]]) -> Iterator[Finding]:
    least = max(FREQUENT_LEAST, FREQUENT_SHARE * len(subject.rows))
    often = sorted(
        ((text, rows) for text, rows in by_text.items() if len(rows) >= least),
        key=lambda item: -len(item[1]),
    )
    if often:
        total = sum(len(rows) for _, rows in often)
        yield Finding(
            "text_frequent",
            "hint",
            len(often),
            "texts",
            (),
            tuple(_example(rows, photos=4, times=len(rows)) for _, rows in often[:EXAMPLES]),
            {"share": round(total / len(subject.rows), 3), "pairs": total},
        )


def _denied(subject: Subject, wording: Wording) -> Iterator[Finding]:
    """Rows whose column says that there is a hazard while their text says that there is none."""
    rows = [
        row
        for row in subject.rows
        if row.hazard and any(one.search(row.text) for one in wording.no_hazard)
    ]
    examples = [_example([row]) for row in rows[:EXAMPLES]]
    yield from _on_pairs("hazard_contradicts", "warning", rows, examples)


def _example(rows: Sequence[Row], photos: int = 1, **values: object) -> Example:
    shown = tuple(dict.fromkeys(row.photo for row in rows))[:photos]
    return Example(places_of(rows[:5]), shown, (rows[0].text,), values)
