"""The ledger out: a workbook for people, and pairs from which tomorrow's model learns.

Both hold what people confirmed. What the model had proposed stands beside it under names that
import and training never take for the description. A record with several photos gives a row for
each; one without photos stands in the workbook, and nothing can be learned from it.
"""

from __future__ import annotations

import json
import logging
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.columns import AI_COLUMNS, AI_KEY, CHINESE_HEADERS, EXPORTED, TRANSLATED
from hazardscribe.pairs.descriptions import is_empty
from hazardscribe.pairs.exporting.layout import WIDEST
from hazardscribe.pairs.exporting.workbook import PHOTO_WIDTH, Cell, Column, LedgerWriter
from hazardscribe.pairs.near_duplicates import Look, look_at
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.write import write_pairs
from hazardscribe.serving.schemas import Finding
from hazardscribe.serving.store.errors import NothingToExportError
from hazardscribe.serving.store.photos import PhotoFolder

log = logging.getLogger(__name__)

Language = Literal["zh", "en"]

_WIDTHS = {
    "number": 8.0,
    "photo": PHOTO_WIDTH,
    "description": 44.0,
    "date": 12.0,
    "place": 20.0,
    "category": 14.0,
    "level": 10.0,
    "measure": 30.0,
    "responsible": 12.0,
    "due": 12.0,
    "status": 12.0,
    "inspector": 12.0,
    AI_KEY: WIDEST - 10,
    "outcome": 14.0,
    "model": 24.0,
}
"""Column of the workbook, in order -> its width in characters."""

_OWN = {"number": "编号", AI_KEY: AI_COLUMNS["zh"], "outcome": "采用情况", "model": "AI模型"}
_FIRST = {"photo": EXPORTED["photo"], "description": EXPORTED["description"]}
_SHEET = {"zh": "隐患台账", "en": "Hazards"}
_VALUES = {
    "open": "待整改",
    "done": "已整改",
    "accepted": "原样采用",
    "edited": "改后采用",
    "written": "人工填写",
}


def write_workbook(
    records: Iterable[Finding], folder: PhotoFolder, out: Path, *, language: Language
) -> Path:
    """Write records as a workbook with pictures; no text in it is a formula.

    Args:
        records: in the order in which they are to stand.
        folder: where their photos lie.
        out: the .xlsx file.
        language: of the headers and of fixed values.

    Returns:
        The file.

    Raises:
        InputError: it cannot be written, or is beyond what Excel holds.
    """
    kinds: dict[str, Literal["number", "photo", "main"]] = {
        "number": "number",
        "photo": "photo",
        "description": "main",
    }
    columns = [
        Column(_header(name, language), kinds.get(name, "text"), width)
        for name, width in _WIDTHS.items()
    ]
    contents = TRANSLATED if language == "zh" else "pairs"
    with LedgerWriter(out, columns, title=_SHEET[language], contents=contents) as ledger:
        for record in records:
            row = _row(record)
            if language == "zh":
                row |= {name: _VALUES[str(row[name])] for name in ("status", "outcome")}
            cells: list[Cell] = [None if name == "photo" else row[name] for name in _WIDTHS]
            shown: list[str | None] = [*record.photos] or [None]
            for photo in shown:
                try:
                    ledger.add(cells, None if photo is None else folder.path(photo))
                except PhotoError as error:  # the row counts, also where a disk lost its photo
                    log.error("record %d: %s", record.number, error)
                    ledger.add(cells)
    return out


def _header(name: str, language: Language) -> str:
    if name in _FIRST:
        return _FIRST[name][language == "en"]
    return {**CHINESE_HEADERS, **_OWN}[name] if language == "zh" else name


def write_pairs_zip(
    records: Iterable[Finding],
    folder: PhotoFolder,
    out: Path,
    *,
    between: Callable[[], None] = lambda: None,
) -> Path:
    """Write records as a zip of a folder of pairs; unzipped, `train --data` takes it.

    The description is what a person confirmed. All photos of a record, and photos that show nearly
    the same, are in one split.

    Args:
        records: which; those without photos are listed in `rejected.csv`.
        folder: where their photos lie.
        out: the .zip file.
        between: called between photos and files, also from other threads; what it raises ends the
            work.

    Returns:
        The file.

    Raises:
        NothingToExportError: no record has a photo and a text to learn from.
        InputError: it cannot be written.
    """

    def look(photo: str) -> Look | str:
        between()
        return _look(photo)

    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        table = Path(work, "ledger.jsonl")
        usable = 0
        try:
            with table.open("w", encoding="utf-8") as stream:
                for record in records:
                    usable += bool(record.photos) and not is_empty(record.text)
                    stream.write(json.dumps(_line(record, folder), ensure_ascii=False) + "\n")
            if not usable:
                raise NothingToExportError
            # It finds the near-duplicates; the miniatures are enough for that.
            pairs = read_pairs(table, examine=look)
            whole = write_pairs(pairs, Path(work, "pairs"))
            with zipfile.ZipFile(out, "w") as archive:
                for path in sorted(whole.rglob("*")):
                    between()
                    if path.is_file():
                        archive.write(path, path.relative_to(whole))
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
    return out


def _look(photo: str) -> Look | str:
    path = Path(photo)
    thumb = path.with_name(f"{path.stem}.thumb.jpg")
    return look_at(thumb if thumb.is_file() else path) or photo_digest(path)


def _line(record: Finding, folder: PhotoFolder) -> dict[str, object]:
    photos = [str(folder.path(photo)) for photo in record.photos]
    row = _row(record)
    number = row.pop("number")
    source = {"row_file": "hazardscribe serve", "row_sheet": "", "row_number": str(number)}
    return {"photo": json.dumps(photos, ensure_ascii=False), **row, **source}


def _row(record: Finding) -> dict[str, Cell]:
    """A record under the names that ledgers and pairs use."""
    return {
        "number": record.number,
        "description": record.text,
        "category": record.category,
        "level": record.level,
        "place": record.place,
        "date": record.found_on.isoformat(),
        "inspector": record.confirmed_by,
        "measure": record.measure,
        "responsible": record.responsible,
        "due": record.due.isoformat() if record.due else "",
        "status": record.status,
        AI_KEY: record.ai_text or "",
        "model": record.model or "",
        "outcome": record.outcome,
    }
