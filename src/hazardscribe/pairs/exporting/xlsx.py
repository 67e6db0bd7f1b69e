"""Which columns an exported ledger has, and what they are called.

Pairs: the header names are such that importing the workbook maps them back, and every column of
the pairs goes along, so that an export read again holds the same records: photos byte for byte,
descriptions, splits, where each row came from, and all other columns. Not kept: characters that
XML cannot hold, and the kind of line end within a cell. Where the picture in the cell is a copy
(see `pictures`), `照片原件` / `Original file` names the photo's own file in the folder that is
written beside the workbook.

Descriptions by the model stand under `AI描述` / `AI description`, which import never takes for
the description: what the program itself wrote becomes truth only when a person says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.columns import (
    AI_COLUMNS,
    AI_KEY,
    CHINESE_HEADERS,
    EXPORTED,
    FIRST_COLUMNS,
    ORIGINAL_COLUMNS,
    TRANSLATED,
    usual_columns,
)
from hazardscribe.pairs.exporting.layout import WIDEST, column_width
from hazardscribe.pairs.exporting.workbook import PHOTO_WIDTH, Column, LedgerWriter
from hazardscribe.pairs.records import Pairs
from hazardscribe.pairs.sentences import SENTENCES, in_language, say
from hazardscribe.pairs.tables.cells import cell_text

_WORDS = {
    "zh": {
        "sheet": "隐患台账",
        "photo": "照片",
        "file": "文件名",
        "confidence": "置信度",
        "doubt": "存疑（模型草稿）",
        "alternatives": "其他可能的描述",
        "error": "未能识别的原因",
    },
    "en": {
        "sheet": "Hazards",
        "photo": "Photo",
        "file": "File",
        "confidence": "Confidence",
        "doubt": "In doubt (the model's draft)",
        "alternatives": "Alternatives",
        "error": "Error",
    },
}
_DOUBTS = {
    "unfamiliar": {"zh": "与训练照片差别过大：", "en": "Unlike the training photos:"},
    "unsure": {"zh": "把握不足：", "en": "Not sure enough:"},
    "likely_safe": {
        "zh": "把握不足，但近似无隐患照片：",
        "en": "Not sure, but like photos without hazard:",
    },
}


def write_ledger(pairs: Pairs, out: str | Path, *, language: str) -> Path:
    """Write pairs as a workbook, one row a pair.

    Args:
        pairs: what to write.
        out: the .xlsx file.
        language: `zh` or `en`, of the header.

    Returns:
        The file.

    Raises:
        InputError: the workbook cannot be written, or a text or the pictures are beyond what
            Excel holds.
        PhotoError: a photo has gone or broken since the pairs were read.
    """
    at = 0 if language == "zh" else 1
    original = ORIGINAL_COLUMNS[at]
    frame = pairs.frame
    others = [str(name) for name in frame if name not in FIRST_COLUMNS]
    order = ["photo", "description", *others, *FIRST_COLUMNS[2:]]
    headers = dict(zip(order, order, strict=True))
    for role, names in EXPORTED.items():
        # Another column that could be meant would leave the importer in doubt; the names of the
        # pairs format itself go before all others.
        headers[role] = role if usual_columns(others, role) else names[at]
    chinese = CHINESE_HEADERS if language == "zh" else {}
    # A column that bears one of these names already would come back as another.
    translated = chinese.keys() & set(order) and set(chinese.values()).isdisjoint(others)
    if translated:
        headers |= {name: header for name, header in chinese.items() if name in headers}
    if original in others:
        raise InputError(
            f"{out}: the pairs have a column {original!r}, which the workbook needs for itself; "
            "rename it"
        )
    columns = []
    values = []
    for name in order:
        cells = [value if isinstance(value, int) else cell_text(value) for value in frame[name]]
        values.append(cells)
        if name == "photo":
            columns.append(Column(headers[name], "photo", PHOTO_WIDTH))
            continue
        texts = (str(cell) for cell in cells)
        main = name == "description"
        width = column_width(headers[name], texts, widest=WIDEST if main else 30)
        columns.append(Column(headers[name], "main" if main else "text", width))
    # Mostly empty: as narrow as its header, a name in it is wrapped.
    columns.append(Column(original, "original", column_width(original, [])))
    contents = TRANSLATED if translated else "pairs"
    title = _WORDS[language]["sheet"]
    with LedgerWriter(Path(out), columns, title=title, contents=contents) as ledger:
        for photo, *cells in zip(*values, strict=True):
            ledger.add([None, *cells, None], Path(str(photo)))
    return Path(out)


class DescribedLedger:
    """A workbook of photos and what the model says of them, written as they come.

    Columns: the photo, its file name, the description, how sure the model is, what it would have
    written and why that was held back, other descriptions
    (when `alternatives`), and why a photo could not be used.
    """

    def __init__(self, out: Path, *, language: str, alternatives: bool = True) -> None:
        """Begin the workbook; see `LedgerWriter` for what may be wrong."""
        words = _WORDS[language]
        self._alternatives, self._language = alternatives, language
        columns = [
            Column(words["photo"], "photo", PHOTO_WIDTH),
            Column(words["file"], "text", 22),
            Column(AI_COLUMNS[language], "main", 44),
            Column(words["confidence"], "share", column_width(words["confidence"], [])),
            Column(words["doubt"], "text", 40),
            *([Column(words["alternatives"], "text", 40)] if alternatives else []),
            Column(words["error"], "text", 30),
        ]
        self._ledger = LedgerWriter(out, columns, title=words["sheet"], contents="described")

    def add(self, record: Mapping[str, Any]) -> None:
        """Add one record of `describe`: photo, ai_description, confidence, alternatives, error."""
        photo = str(record.get("photo") or "")
        error = str(record.get("error") or "")
        confidence = record.get("confidence")
        cells = [
            None,
            # XML holds no bytes that are not UTF-8: such a name is shown with them written out.
            Path(photo.replace("\\", "/")).name.encode("utf-8", "backslashreplace").decode(),
            str(record.get(AI_KEY) or ""),
            float(confidence) if isinstance(confidence, int | float) else None,
            self._doubt(record),
            *(["\n".join(map(str, record.get("alternatives") or []))] * self._alternatives),
            self._error(error),
        ]
        try:
            self._ledger.add(cells, None if error else Path(photo))
        except PhotoError as gone:  # it was there when it was described
            self._ledger.add([*cells[:-1], self._error(f"{gone.reason}: {gone}")])

    def _error(self, error: str) -> str:
        """Why a photo could not be used, in the workbook's language."""
        code = f"unreadable_{error.partition(': ')[0]}"
        if code not in SENTENCES["en"]:
            return error
        return in_language(say(code, cause=error), self._language)

    def _doubt(self, record: Mapping[str, Any]) -> str:
        """Why the draft is not the description, and the draft; empty where it is."""
        reason = str(record.get("doubt") or "")
        if not reason:
            return ""
        return f"{_DOUBTS.get(reason, {}).get(self._language, reason)}\n{record.get('draft') or ''}"

    def close(self) -> None:
        """Put the workbook in place; without a row, leave what was there before."""
        if self._ledger.rows:
            self._ledger.close()
        else:
            self._ledger.discard()

    def discard(self) -> None:
        """Leave no workbook."""
        self._ledger.discard()
