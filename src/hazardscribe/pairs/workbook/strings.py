"""Text as workbooks store it: the shared table, rich runs, escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from hazardscribe.pairs.workbook.package import Package
from hazardscribe.pairs.workbook.safe_xml import local

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_STRINGS = 20_000_000


def unescape(text: str) -> str:
    """Decode `_xHHHH_`, and write line ends as a single newline."""
    if "_x" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        if _SURROGATE.search(text):  # two escapes may be one character; half a one is nothing
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def shared_strings(package: Package, part: str) -> list[str]:
    """The texts that cells refer to by number."""
    strings: list[str] = []
    for entry in package.children(part):
        if local(entry.tag) == "si":
            strings.append(unescape("".join(run.text or "" for run in _runs(entry))))
        if len(strings) > _MAX_STRINGS:
            raise package.damaged(part, f"it holds more than {_MAX_STRINGS:,} texts")
    return strings


def _runs(entry: Element) -> Iterator[Element]:
    """What a text is made of; how it is pronounced (`rPh`) is no part of it."""
    for below in entry:
        kind = local(below.tag)
        if kind == "t":
            yield below
        elif kind == "r":
            yield from (run for run in below if local(run.tag) == "t")
