"""Text as workbooks store it: the shared table, rich runs, escapes."""

from __future__ import annotations

import re

from hazardscribe.pairs.workbook.package import Package
from hazardscribe.pairs.workbook.safe_xml import MAX_DEPTH, BadXmlError, Parser

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
    runs: list[str] = []
    depth = phonetic = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, phonetic
        depth += 1
        if depth > MAX_DEPTH or len(strings) > _MAX_STRINGS:
            raise BadXmlError("its elements are nested too deeply or too many")
        if name.endswith("}rPh"):
            phonetic = depth
        parser.pieces.clear()

    def end(name: str) -> None:
        nonlocal depth, phonetic
        if name.endswith("}t"):
            if not phonetic:
                runs.append("".join(parser.pieces))
        elif name.endswith("}si"):
            strings.append(unescape("".join(runs)))
            runs.clear()
        elif depth == phonetic:
            phonetic = 0
        depth -= 1

    parser = Parser(start, end)
    with package.reading(part), package.open(part) as stream:
        for _ in parser.feed(stream):
            pass
    return strings
