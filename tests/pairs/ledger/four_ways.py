"""The same pairs as people keep them: two kinds of Excel, WPS, and a CSV with a zip."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import xlsxwriter

from pairs.workbook.build import wps

Pair = tuple[str, str, bytes]
"""(description, name of the photo's file, its bytes)."""


def floating(path: Path, pairs: Sequence[Pair]) -> Path:
    """Floating pictures, a title row, and places merged over two rows each."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("台账")
        sheet.merge_range(0, 0, 0, 3, "XX公司安全隐患台账")
        for column, name in enumerate(("序号", "检查地点", "隐患描述", "隐患照片")):
            sheet.write_string(1, column, name)
        for at, (text, name, content) in enumerate(pairs):
            row = at + 2
            sheet.set_row_pixels(row, 120)
            sheet.write_number(row, 0, at + 1)
            if at % 2 == 0 and at + 1 < len(pairs):
                sheet.merge_range(row, 1, row + 1, 1, f"{at}号楼")
            sheet.write_string(row, 2, text)
            data = {"image_data": io.BytesIO(content), "x_scale": 0.05, "y_scale": 0.05}
            sheet.insert_image(row, 3, name, data)
    return path


def in_wps(path: Path, pairs: Sequence[Pair]) -> Path:
    """Pictures in cells as WPS stores them."""
    rows = [["隐患描述", "隐患照片"], *([text] for text, _, _ in pairs)]
    ids = [f"ID_{at:032X}" for at in range(len(pairs))]
    cells = {f"B{at + 2}": name for at, name in enumerate(ids)}
    media = {f"image{at + 1}{Path(name).suffix}": c for at, (_, name, c) in enumerate(pairs)}
    return wps(path, cells, list(zip(ids, media, strict=True)), media, rows=rows)


def in_cell(path: Path, pairs: Sequence[Pair]) -> Path:
    """Pictures in cells as Microsoft 365 stores them."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("台账")
        sheet.write_row(0, 0, ["隐患描述", "隐患照片"])
        for row, (text, name, content) in enumerate(pairs, start=1):
            sheet.write_string(row, 0, text)
            sheet.embed_image(row, 1, name, {"image_data": io.BytesIO(content)})
    return path


def text_and_zip(path: Path, pairs: Sequence[Pair]) -> tuple[Path, Path]:
    """A CSV in GB18030 and a zip of the photos that it names."""
    with path.open("w", encoding="gb18030", newline="") as stream:
        lines = ((text, name) for text, name, _ in pairs)
        csv.writer(stream).writerows([("隐患描述", "照片"), *lines])
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as photos:
        for name, content in {name: content for _, name, content in pairs}.items():
            photos.writestr(f"照片/{name}", content)
    return path, archive
