"""Ledgers drawn at random, as hypothesis strategies, and written as files of every kind."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter
from hypothesis import strategies as st
from ledger_files import photo_bytes

from pairs.workbook.build import strict, wps

FORMS = ("floating", "in_cell", "wps", "strict", "csv", "tsv", "folder", "zip")
PHOTOS = 6
WORDS = st.sampled_from(
    ["", "", "护栏缺失", "灯损坏，线裸露", "/", "同上", "合计", "小计：3项", "无证上岗", "见照片",
     "1、甲坏 2、乙坏", "①门坏②灯坏", "0.png", "1.png;2.png", "照片\\3.JPG", "无此图.png",
     "http://a/b.png", "备注：急", "审核人：张三", "隐患描述", "照片", "整改", "整改后照片",
     "2025.1.3", "45660", "二〇二五年一月三日", "train", "未整改", "7", "=1+1", "\u202e反",
     "👷未戴帽", "x" * 300, "A\nB", "\t", '"', "'", "AI描述"]
)  # fmt: skip
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
CELLS = st.one_of(WORDS, WORDS, WORDS, TEXT, st.integers(-5, 99999), st.floats(0, 1e6))
NAMES = st.sampled_from(
    ["序号", "隐患描述", "问题描述", "照片", "隐患照片", "整改后照片", "整改前", "整改后", "整改",
     "照片1", "近景", "地点", "整改情况", "日期", "划分", "类别", "备注", "AI描述",
     "", "", "责任", "人", "XX台账"]
)  # fmt: skip


PLACED = st.sampled_from(["", "", "0.png", "2.png", "照片/3.jpg", "4"])


@dataclass(frozen=True)
class Drawn:
    """A ledger: its rows with titles and header, merged cells, pictures and hidden rows."""

    form: str
    rows: list[list[object]]
    merges: list[tuple[int, int, int, int]]
    pictures: list[tuple[int, int, int, float]]
    hidden: list[int]
    encoding: str
    separator: str


@st.composite
def ledgers(draw: st.DrawFn) -> Drawn:
    """Any ledger; most have a header that can be found somewhere."""
    width = draw(st.integers(1, 7))
    titles = draw(st.lists(st.lists(CELLS, max_size=width), max_size=2))
    usual = draw(st.sampled_from([True, True, False]))
    names = st.lists(NAMES, min_size=width, max_size=width)
    heads = draw(st.lists(names, max_size=1 if usual else 3))
    if usual:
        heads.append(["隐患描述", "照片", *draw(names)])
    told = st.tuples(st.sampled_from(["护栏缺失", "1、甲坏 2、乙坏", "灯"]), PLACED)
    record = st.builds(lambda first, rest: [*first, *rest], told, st.lists(CELLS, max_size=width))
    body = draw(
        st.lists(record | st.lists(CELLS, max_size=width + 3), min_size=3 * usual, max_size=9)
    )
    rows = [*titles, *heads, *body]
    merges: list[tuple[int, int, int, int]] = []
    for _ in range(draw(st.integers(0, 4))):
        top, left = draw(st.integers(0, len(rows))), draw(st.integers(0, width))
        last, right = draw(st.integers(top, top + 4)), draw(st.integers(left, left + 4))
        apart = all(last < a or top > c or right < b or left > d for a, b, c, d in merges)
        if apart and (last, right) != (top, left):
            merges.append((top, left, last, right))
    places = st.tuples(
        st.integers(0, len(rows) + 2),
        st.integers(0, width + 2),
        st.integers(0, PHOTOS),
        st.sampled_from([0.1, 0.5, 1.0, 5.0]),
    )
    pictures = draw(st.lists(places, max_size=8))
    if usual and draw(st.booleans()):  # in the photo column, as people put them
        first = len(rows) - len(body)
        pictures += [(first + at, 1, at % PHOTOS, 0.3) for at in range(len(body))]
    return Drawn(
        draw(st.sampled_from(FORMS)),
        rows,
        merges,
        pictures,
        draw(st.lists(st.integers(0, len(rows)), max_size=2)),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"])),
        draw(st.sampled_from([",", ";", "\t"])),
    )


def picture(seed: int) -> bytes:
    """A photo, or for the last number something that is none."""
    return photo_bytes(seed) if seed < PHOTOS else b"GIF89a nothing"


def write(drawn: Drawn, folder: Path) -> Path:
    """Write the ledger into a folder; what the user would name."""
    folder.mkdir(parents=True)
    if drawn.form in ("floating", "in_cell"):
        return _workbook(drawn, folder / "a.xlsx")
    if drawn.form == "strict":
        return strict(_workbook(drawn, folder / "a.xlsx"))
    if drawn.form == "wps":
        return _wps(drawn, folder / "a.xlsx")
    (folder / "照片").mkdir()
    for seed in range(PHOTOS):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    (folder / "照片" / "3.jpg").write_bytes(photo_bytes(3, "JPEG"))
    stream = io.StringIO()
    separator = "\t" if drawn.form == "tsv" else drawn.separator
    csv.writer(stream, delimiter=separator).writerows(drawn.rows)
    table = folder / ("a.tsv" if drawn.form == "tsv" else "a.csv")
    table.write_bytes(stream.getvalue().encode(drawn.encoding, "replace"))
    if drawn.form == "folder":
        _workbook(drawn, folder / "二月.xlsx")
        return folder
    if drawn.form == "zip":
        target = folder / "a.zip"
        members = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with zipfile.ZipFile(target, "w") as archive:
            for path in members:
                archive.write(path, path.relative_to(folder).as_posix())
        return target
    return table


def _wps(drawn: Drawn, path: Path) -> Path:
    # The builder adds pictures to rows that are there, so column A says something in each.
    rows: list[list[object]] = [[row[0] if row and row[0] != "" else "x", *row[1:]]
                                for row in drawn.rows]  # fmt: skip
    cells: dict[str, str] = {}
    for row, column, seed, _ in drawn.pictures:
        if 0 < column < 10 and row < len(rows):
            cells[f"{'ABCDEFGHIJ'[column]}{row + 1}"] = f"ID_{seed}"
            if column < len(rows[row]):
                rows[row][column] = None
    media = {f"{seed}.png": picture(seed) for seed in range(PHOTOS + 1)}
    ids = [(f"ID_{seed}", f"{seed}.png") for seed in range(PHOTOS)]
    return wps(path, cells, ids, media, rows=rows or [["x"]])


def _workbook(drawn: Drawn, path: Path) -> Path:
    with xlsxwriter.Workbook(path, {"in_memory": True, "nan_inf_to_errors": True}) as book:
        sheet = book.add_worksheet("台账")
        for number, cells in enumerate(drawn.rows):
            sheet.set_row_pixels(number, 30 + 17 * (number % 4), None,
                                 {"hidden": number in drawn.hidden})  # fmt: skip
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                else:
                    sheet.write_number(number, column, float(cell))  # type: ignore[arg-type]
        for top, left, last, right in drawn.merges:
            cells = drawn.rows[top] if top < len(drawn.rows) else []
            sheet.merge_range(top, left, last, right, str(cells[left]) if left < len(cells) else "")
        for at, (row, column, seed, scale) in enumerate(drawn.pictures):
            data = {"image_data": io.BytesIO(photo_bytes(seed)), "y_scale": scale}
            if drawn.form == "in_cell":
                sheet.embed_image(row, column, f"{at}.png", data)
            else:
                sheet.insert_image(row, column, f"{at}.png", data | {"y_offset": 7 * at})
    return path
