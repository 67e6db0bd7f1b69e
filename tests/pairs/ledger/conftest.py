"""Ledgers of every layout, made by the tests: text files, zips and workbooks with pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from ledger_files import photo_bytes


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[..., Path]:
    """Write a text ledger, and the photos that it names, into a folder of its own."""

    def write(
        text: str, *, name: str = "台账.csv", encoding: str = "utf-8", photos: Sequence[str] = ()
    ) -> Path:
        folder = tmp_path / "ledger"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode(encoding))
        for number, photo in enumerate(photos):
            path = folder / photo
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo_bytes(number))
        return folder / name

    return write


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Write a workbook: sheets of rows, with merged cells and floating pictures (0-based cells)."""

    def write(
        sheets: Mapping[str, Sequence[Sequence[object]]],
        *,
        merges: Mapping[str, Sequence[tuple[int, int, int, int]]] | None = None,
        pictures: Mapping[str, Sequence[tuple[int, int, int]]] | None = None,
        hidden: Sequence[str] = (),
        hidden_rows: Mapping[str, Sequence[int]] | None = None,
        name: str = "台账.xlsx",
    ) -> Path:
        import xlsxwriter

        path = tmp_path / name
        book = xlsxwriter.Workbook(str(path), {"in_memory": True})
        for title, rows in sheets.items():
            sheet = book.add_worksheet(title)
            for number, cells in enumerate(rows):
                sheet.set_row_pixels(number, 60)
                for column, value in enumerate(cells):
                    if value is not None and value != "":
                        sheet.write(number, column, value)
            for first, left, last, right in (merges or {}).get(title, ()):
                cells = rows[first] if first < len(rows) else ()
                value = cells[left] if left < len(cells) else ""
                sheet.merge_range(first, left, last, right, value)
            for row, column, seed in (pictures or {}).get(title, ()):
                sheet.insert_image(
                    row, column, f"{seed}.png", {"image_data": io.BytesIO(photo_bytes(seed))}
                )
            for row in (hidden_rows or {}).get(title, ()):
                sheet.set_row(row, None, None, {"hidden": True})
            if title in hidden:
                sheet.hide()
        book.close()
        return path

    return write
