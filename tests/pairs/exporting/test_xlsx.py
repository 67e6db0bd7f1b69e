"""Workbooks, read back with openpyxl: texts are texts, pictures are the photos, in their cells."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export_files import photo, see, turned
from pandas.testing import assert_frame_equal
from PIL import Image

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.columns import AI_COLUMNS, CHINESE_HEADERS, find_columns
from hazardscribe.pairs.exporting import workbook
from hazardscribe.pairs.exporting.workbook import Column, LedgerWriter
from hazardscribe.pairs.exporting.xlsx import write_ledger
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.read import Pairs, read_pairs

One = MakePairs = Callable[..., Pairs]


def import_again(book: Path, folder: Path) -> Pairs:
    import_ledger(book, out=folder)
    return read_pairs(folder, check_photos=False, dev_share=0)


def assert_same_records(one: Pairs, other: Pairs) -> None:
    drop = "photo"
    assert_frame_equal(one.frame.drop(columns=drop), other.frame.drop(columns=drop))
    for first, second in zip(one.frame["photo"], other.frame["photo"], strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_export_imported_again_holds_the_same_records(
    tmp_path: Path, make_pairs: MakePairs, language: str
) -> None:
    photo(tmp_path / "a.jpg", 1, dpi=(300, 300))
    photo(tmp_path / "b.png", 2)
    photo(tmp_path / "c.gif", 3)
    photo(tmp_path / "d.bmp", 4)
    photo(tmp_path / "e.webp", 5)
    photo(tmp_path / "f.tif", 6)
    photo(tmp_path / "g.jpg", 7, mode="CMYK")
    turned(tmp_path / "h.jpg", 8)
    more = [Image.open(tmp_path / "b.png")]
    photo(tmp_path / "i.jpg", 9, format="MPO", save_all=True, append_images=more)
    files = [path.name for path in sorted(tmp_path.glob("?.*"))]
    assert len(files) == 9
    rows = [
        {
            "photo": f"{name};a.jpg" if name == "b.png" else name,
            "description": f"描述{i}，未戴安全帽",
            "split": ("train", "validation", "dev")[i % 3],
            "检查地点": f"{i}号楼",
            "编号": f"00{i}",
            "问题描述": "另一列",  # a usual name of the description, and yet another column
            "row_sheet": "一月",
        }
        for i, name in enumerate(files)
    ]
    pairs = make_pairs(rows)
    book = write_ledger(pairs, tmp_path / "out" / "台账.xlsx", language=language)
    assert_same_records(import_again(book, tmp_path / "again"), pairs)
    kept = {path.suffix for path in (tmp_path / "out/台账_photos").iterdir()}
    assert kept == {".webp", ".tif", ".jpg"}
    assert len(list((tmp_path / "out/台账_photos").iterdir())) == 4


def test_headers_say_what_they_hold(tmp_path: Path, one: One) -> None:
    pairs = one("未戴安全帽", 检查地点="一号楼")
    [zh] = see(write_ledger(pairs, tmp_path / "zh.xlsx", language="zh"))
    provenance = ["row_file", "row_sheet", "row_number"]
    assert zh.header == ["隐患照片", "隐患描述", "检查地点", "划分", *provenance, "照片原件"]
    assert zh.sheet.title == "隐患台账"
    [en] = see(write_ledger(pairs, tmp_path / "en.xlsx", language="en"))
    assert en.header[:2] == ["Hazard photo", "Hazard description"]
    for header in (zh.header, en.header):
        roles = find_columns(header, where="book")
        assert (roles["photo"], roles["description"], header[roles["split"]]) == (0, 1, header[3])
    assert find_columns(["照片", "描述", *AI_COLUMNS.values(), "ai_description"], where="book") == {
        "photo": 0,
        "description": 1,
    }


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x","y")',
        "+1-2",
        "-cmd|' /C calc'!A0",
        "@SUM(A1)",
        "http://example.org",
        "mailto:a@b",
        "0012",
        "1e5",
        "{=1}",
        "<r>x</r>",
        "<r><t>x</t></r>",
        "TRUE",
        "'quoted",
        "a\nb\tc",
        " blank ends ",
        "_x0041_ is meant",
        "😀 emoji",
    ],
)
def test_texts_stay_texts(tmp_path: Path, one: One, text: str) -> None:
    pairs = one("描述", 备注=text)
    [seen] = see(write_ledger(pairs, tmp_path / "o.xlsx", language="zh"))
    cell = seen.sheet["C2"]
    # openpyxl leaves Excel's escape for an underscore as it stands in the file.
    assert cell.value.replace("_x005F_", "_") == text
    assert (cell.data_type, cell.hyperlink) == ("s", None)


def test_what_xml_cannot_hold_is_left_out(tmp_path: Path, one: One) -> None:
    pairs = one("描述")
    pairs.frame["备注"] = ["a\x00b\x0b\x1fc\ufffed\r\ne\rf"]
    pairs.frame.loc[0, "description"] = "=\x01未戴"
    [seen] = see(write_ledger(pairs, tmp_path / "o.xlsx", language="zh"))
    assert seen.rows[0][1:3] == ["=未戴", "abcd\ne\nf"]
    assert workbook.clean_cell("a\ud800b") == "ab"


def test_pictures_lie_in_their_cells_and_keep_their_shape(
    tmp_path: Path, make_pairs: MakePairs
) -> None:
    shapes = [(400, 300), (300, 400), (1200, 100), (60, 50), (40, 700)]
    for i, size in enumerate(shapes):
        photo(tmp_path / f"{i}.jpg", i, size, dpi=((72, 72), (300, 300))[i % 2])
    rows = [{"photo": f"{i}.jpg", "description": "隐" * (1 + 150 * (i == 3))} for i in range(5)]
    [seen] = see(write_ledger(make_pairs(rows), tmp_path / "o.xlsx", language="zh"))
    assert sorted(seen.pictures) == [(row, 0) for row in range(1, 6)]
    column_pixels = 24 * 7 + 5
    for image, (width, height) in zip(seen.sheet._images, shapes, strict=True):
        start, end = image.anchor._from, image.anchor.to
        assert (start.row, start.col) == (end.row, end.col)
        x, y = end.colOff - start.colOff, end.rowOff - start.rowOff
        assert x / y == pytest.approx(width / height, rel=0.03)
        assert image.anchor.editAs in (None, "twoCell")  # hidden and moved with its row
        row_pixels = seen.sheet.row_dimensions[start.row + 1].height * 4 / 3
        assert end.colOff / 9525 < column_pixels
        assert end.rowOff / 9525 < row_pixels
        assert max(x, y) / 9525 > 60 or (width, height) == (60, 50)
    assert x / 9525 == pytest.approx(124 * 40 / 700, abs=1)
    small = seen.sheet._images[3].anchor
    natural = 60 * 96 / 300
    assert (small.to.colOff - small._from.colOff) / 9525 == pytest.approx(natural, abs=1)


def test_a_photo_that_excel_would_show_lying_is_shown_upright(
    tmp_path: Path, make_pairs: MakePairs
) -> None:
    turned(tmp_path / "t.jpg")
    pairs = make_pairs([{"photo": "t.jpg", "description": "描述"}])
    [seen] = see(write_ledger(pairs, tmp_path / "o.xlsx", language="zh"))
    image = seen.sheet._images[0]
    assert (image.width, image.height) == (64, 96)
    [original] = (tmp_path / "o_photos").iterdir()
    assert seen.rows[0][-1] == f"o_photos/{original.name}"
    assert original.read_bytes() == (tmp_path / "t.jpg").read_bytes()


def test_one_photo_of_many_rows_is_stored_once(tmp_path: Path, make_pairs: MakePairs) -> None:
    photo(tmp_path / "a.jpg")
    rows = [{"photo": "a.jpg", "description": f"描述{i}"} for i in range(5)]
    book = write_ledger(make_pairs(rows), tmp_path / "o.xlsx", language="zh")
    import zipfile

    media = [name for name in zipfile.ZipFile(book).namelist() if "media" in name]
    assert len(media) == 1
    assert len(see(book)[0].pictures) == 5


def test_the_sheet_is_ready_to_work_with(tmp_path: Path, one: One) -> None:
    [seen] = see(write_ledger(one("描述" * 40, 地点="一号楼"), tmp_path / "o.xlsx", language="zh"))
    sheet = seen.sheet
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:H2"
    assert sheet["B2"].alignment.wrap_text
    assert sheet.column_dimensions["B"].width > 40 > sheet.column_dimensions["C"].width
    assert sheet["G2"].value == 1  # the source row is a number


def test_equal_pairs_give_equal_bytes(tmp_path: Path, one: One) -> None:
    pairs = one("描述")
    first = write_ledger(pairs, tmp_path / "a.xlsx", language="zh").read_bytes()
    assert write_ledger(pairs, tmp_path / "a.xlsx", language="zh").read_bytes() == first


def test_a_text_too_long_for_a_cell_is_named(tmp_path: Path, one: One) -> None:
    write_ledger(one("描述", 备注="a" * 32_767), tmp_path / "o.xlsx", language="zh")
    with pytest.raises(InputError, match=r"row 1, column '备注'.*32,767"):
        # Excel counts UTF-16: this has 20,000 characters and 40,000 units.
        write_ledger(one("描述", 备注="😀" * 20_000), tmp_path / "o.xlsx", language="zh")
    assert len(see(tmp_path / "o.xlsx")[0].rows[0][2]) == 32_767  # as it was


ROLES = ("category", "place", "date", "status")


@pytest.mark.parametrize(
    ("others", "heads"),
    [
        (ROLES, [CHINESE_HEADERS[role] for role in ROLES]),
        # A column that bears the name already: then all stay as they are.
        ((*ROLES, "隐患类别"), [*ROLES, "隐患类别"]),
        (("隐患类别", "备注"), ["隐患类别", "备注"]),
    ],
)
def test_columns_have_chinese_headers_and_their_own_names_again(
    tmp_path: Path, one: One, others: tuple[str, ...], heads: list[str]
) -> None:
    pairs = one("护栏缺失", **{name: f"值{at}" for at, name in enumerate(others)})
    book = write_ledger(pairs, tmp_path / "o.xlsx", language="zh")
    [sheet] = see(book)
    assert [head for head in sheet.header if head in heads] == heads
    assert_same_records(import_again(book, tmp_path / "again"), pairs)
    # Named as the sheet shows it, or as the pairs call it.
    for group in (heads[0], others[0]):
        assert import_ledger(book, dry_run=True, split=f"group={group}").pairs == 1


@pytest.mark.parametrize(("limit", "value"), [("MAX_ROWS", 4), ("PICTURES", 3)])
def test_more_than_a_sheet_holds_goes_to_further_sheets(
    tmp_path: Path, make_pairs: MakePairs, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(workbook, limit, value)
    photo(tmp_path / "a.jpg")
    pairs = make_pairs([{"photo": "a.jpg", "description": f"描述{i}"} for i in range(7)])
    book = write_ledger(pairs, tmp_path / "o.xlsx", language="zh")
    sheets = see(book)
    assert [len(sheet.rows) for sheet in sheets] == [3, 3, 1]
    assert [sheet.sheet.title for sheet in sheets] == ["隐患台账", "隐患台账 2", "隐患台账 3"]
    assert [sheet.sheet.auto_filter.ref for sheet in sheets] == ["A1:G4", "A1:G4", "A1:G2"]
    assert_same_records(import_again(book, tmp_path / "again"), pairs)


def test_other_limits_are_told(tmp_path: Path, one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = one("描述")
    monkeypatch.setattr(workbook, "PICTURE_BYTES", 10)
    with pytest.raises(InputError, match=r"pictures are more than .*--split"):
        write_ledger(pairs, tmp_path / "o.xlsx", language="zh")
    monkeypatch.setattr(workbook, "MAX_COLUMNS", 3)
    with pytest.raises(InputError, match="7 columns are more than"):
        write_ledger(pairs, tmp_path / "o.xlsx", language="zh")
    with pytest.raises(InputError, match=r"must end in \.xlsx"):
        write_ledger(pairs, tmp_path / "o.xls", language="zh")
    pairs.frame["照片原件"] = "x"
    with pytest.raises(InputError, match="照片原件"):
        write_ledger(pairs, tmp_path / "o.xlsx", language="zh")


def test_written_whole_or_not_at_all(tmp_path: Path, make_pairs: MakePairs) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "o.xlsx").write_bytes(b"the former")
    photo(tmp_path / "a.jpg")
    turned(tmp_path / "b.jpg")
    photo(tmp_path / "c.jpg")
    pairs = make_pairs([{"photo": f"{n}.jpg", "description": "描述"} for n in "abc"])
    (tmp_path / "c.jpg").unlink()
    with pytest.raises(PhotoError, match="no such file"):
        write_ledger(pairs, out / "o.xlsx", language="zh")
    assert [path.name for path in out.iterdir()] == ["o.xlsx"]
    assert (out / "o.xlsx").read_bytes() == b"the former"


def test_a_place_that_cannot_be_written(tmp_path: Path, one: One) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_ledger(one("描述"), tmp_path / "file" / "o.xlsx", language="zh")


def test_xlsxwriter_missing(tmp_path: Path, one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "xlsxwriter":
            raise ImportError(name)
        return real(name, *rest)

    pairs = one("描述")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"xlsxwriter, which is not installed: .*excel"):
        write_ledger(pairs, tmp_path / "o.xlsx", language="zh")


def test_a_photo_that_breaks_leaves_no_half_row(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff" + b"\0" * 100)
    columns = [Column("photo", "photo", 24), Column("text", "main")]
    with LedgerWriter(tmp_path / "o.xlsx", columns, title="x" * 60) as ledger:
        with pytest.raises(PhotoError):
            ledger.add([None, "lost"], tmp_path / "bad.jpg")
        ledger.add([None, "kept"])
    assert see(tmp_path / "o.xlsx")[0].rows == [[None, "kept"]]
