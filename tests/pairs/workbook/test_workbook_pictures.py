"""Each way of storing a picture leads to its bytes, and to the cell that it belongs to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hazardscribe.errors import InputError
from hazardscribe.pairs.workbook import Picture, open_workbook
from pairs.workbook.build import emf, floating, in_cell, photo, replace, rewrite, strict, table, wps

SHEET = "xl/worksheets/sheet1.xml"
DRAWING = "xl/drawings/drawing1.xml"
RELS = "xl/drawings/_rels/drawing1.xml.rels"
ONE, TWO, THREE = photo(1), photo(2), photo(3)


def pictures(path: Path) -> list[Picture]:
    with open_workbook(path) as book:
        return list(book.pictures(book.sheets[0]))


def contents(path: Path) -> dict[tuple[int, int], bytes]:
    with open_workbook(path) as book:
        return {
            (p.row, p.column): book.read_picture(p)
            for p in book.pictures(book.sheets[0])
            if p.problem is None
        }


def place(path: Path) -> tuple[int, int, int]:
    (found,) = pictures(path)
    return found.row, found.column, found.last_column


@pytest.mark.parametrize("position", [1, 2, 3])
def test_floating_pictures(tmp_path: Path, position: int) -> None:
    options = {"object_position": position, "x_offset": 2, "y_offset": 2, "y_scale": 0.3}
    path = floating(
        tmp_path / "f.xlsx", [(1, 1, ONE, options), (5, 2, TWO, options), (5, 1, THREE, options)]
    )
    assert contents(path) == {(2, 2): ONE, (6, 2): THREE, (6, 3): TWO}


def test_a_straddling_picture_belongs_to_the_row_with_most_of_it(tmp_path: Path) -> None:
    # Rows are 20 pixels: 12 of 16 pixels lie in the second.
    path = floating(tmp_path / "f.xlsx", [(3, 1, ONE, {"y_offset": 16, "y_scale": 16 / 48})])
    assert place(path) == (5, 2, 2)


def test_a_picture_over_several_rows_belongs_to_the_first(tmp_path: Path) -> None:
    path = floating(tmp_path / "f.xlsx", [(3, 1, photo(1, size=(64, 60)), {})])
    assert place(path) == (4, 2, 2)


@pytest.mark.parametrize(("offset", "row"), [(0, 3), (4, 3), (10, 3), (14, 4)])
def test_a_picture_taller_than_its_row_belongs_to_the_row_it_begins_in(
    tmp_path: Path, offset: int, row: int
) -> None:
    # Rows are 20 pixels: the next one is always covered wholly, the first by `20 - offset`.
    content = photo(1, size=(60, 51))
    path = floating(tmp_path / "f.xlsx", [(2, 1, content, {"y_offset": offset})])
    assert place(path)[0] == row


def test_a_picture_that_begins_in_a_narrow_column_belongs_to_the_wide_one(tmp_path: Path) -> None:
    # Columns are 64 pixels: 32 of the first are covered, and all of the next.
    content = photo(1, size=(96, 16))
    path = floating(tmp_path / "f.xlsx", [(2, 1, content, {"x_offset": 32})])
    assert place(path)[1] == 3


def to_one_cell(content: bytes) -> bytes:
    content = re.sub(rb"<xdr:to>.*?</xdr:to>", b'<xdr:ext cx="600000" cy="180000"/>', content)
    return re.sub(rb"xdr:twoCellAnchor[^>]*>", b"xdr:oneCellAnchor>", content)


def test_columns_that_are_described_again_keep_their_first_width(tmp_path: Path) -> None:
    every = b'<col min="1" max="16384" width="%d" customWidth="1"/>'
    path = floating(tmp_path / "f.xlsx", [(1, 1, ONE, {})])
    for first, columns in [(9, 1), (2, 4)]:  # of 68 and 19 pixels; the picture has 63
        widths = b"<cols>" + every % first + every % 200 + b"</cols><sheetData>"
        copy = tmp_path / f"{first}.xlsx"
        copy.write_bytes(path.read_bytes())
        rewrite(copy, {DRAWING: to_one_cell, SHEET: replace((b"<sheetData>", widths))})
        (found,) = pictures(copy)
        assert found.last_column - found.column + 1 == columns


def to_absolute(content: bytes) -> bytes:
    start = b'<xdr:pos x="620000" y="770000"/>'
    content = re.sub(rb"<xdr:from>.*?</xdr:from>", start, to_one_cell(content))
    return content.replace(b"oneCellAnchor", b"absoluteAnchor")


def test_one_cell_and_absolute_anchors(tmp_path: Path) -> None:
    path = floating(tmp_path / "f.xlsx", [(3, 1, ONE, {})])
    assert place(rewrite(path, {DRAWING: to_one_cell})) == (4, 2, 2)
    path = floating(tmp_path / "f.xlsx", [(3, 1, ONE, {})])
    assert place(rewrite(path, {DRAWING: to_absolute})) == (5, 2, 2)


def test_heights_and_hidden_rows_move_absolute_pictures(tmp_path: Path) -> None:
    path = floating(tmp_path / "f.xlsx", [(3, 1, ONE, {})])
    rewrite(
        path,
        {
            DRAWING: to_absolute,
            SHEET: replace(
                (b'<row r="1"', b'<row ht="60" customHeight="1" r="1"'),
                (b'<row r="2"', b'<row hidden="1" r="2"'),
            ),
        },
    )
    # 770,000 EMU are 60.6 points: row 1 ends there, row 2 takes no room.
    assert place(path)[0] == 3


def test_groups_place_their_members_one_by_one(tmp_path: Path) -> None:
    path = floating(tmp_path / "f.xlsx", [(2, 1, ONE, {}), (8, 1, TWO, {})])

    def group(content: bytes) -> bytes:
        first, second = re.findall(rb"<xdr:pic>.*?</xdr:pic>", content, re.DOTALL)

        def moved(pic: bytes, y: int) -> bytes:
            frame = (
                b'<a:xfrm rot="5400000"><a:off x="0" y="%d"/><a:ext cx="100" cy="100"/></a:xfrm>'
            )
            return re.sub(rb"<a:xfrm>.*?</a:xfrm>", frame % y, pic)

        inner = (
            b'<xdr:grpSp><xdr:grpSpPr><a:xfrm><a:off x="9" y="9"/><a:ext cx="9" cy="9"/>'
            b'<a:chOff x="0" y="0"/><a:chExt cx="100" cy="200"/></a:xfrm></xdr:grpSpPr>'
            + moved(first, 0)
            + moved(second, 100)
            + b"</xdr:grpSp><xdr:clientData/></xdr:twoCellAnchor></xdr:wsDr>"
        )
        start = content.index(b"<xdr:pic>")
        to = (
            b"<xdr:to><xdr:col>2</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>6</xdr:row>"
            b"<xdr:rowOff>0</xdr:rowOff></xdr:to>"
        )
        return re.sub(rb"<xdr:to>.*?</xdr:to>", to, content[:start]) + inner

    assert contents(rewrite(path, {DRAWING: group})) == {(3, 2): ONE, (5, 2): TWO}


def test_alternatives_count_once(tmp_path: Path) -> None:
    path = floating(tmp_path / "f.xlsx", [(2, 1, ONE, {})])

    def wrap(content: bytes) -> bytes:
        pic = re.search(rb"<xdr:pic>.*</xdr:pic>", content, re.DOTALL)[0]
        both = b"<mc:Choice Requires='a14'>%s</mc:Choice><mc:Fallback>%s</mc:Fallback>" % (pic, pic)
        space = b"http://schemas.openxmlformats.org/markup-compatibility/2006"
        whole = b"<mc:AlternateContent xmlns:mc='%s'>%s</mc:AlternateContent>" % (space, both)
        return content.replace(pic, whole)

    assert contents(rewrite(path, {DRAWING: wrap})) == {(3, 2): ONE}


def test_microsoft_pictures_in_cells(tmp_path: Path) -> None:
    path = in_cell(tmp_path / "m.xlsx", [(1, 1, ONE), (2, 1, TWO), (3, 1, ONE), (3, 2, THREE)])
    assert contents(path) == {(2, 2): ONE, (3, 2): TWO, (4, 2): ONE, (4, 3): THREE}
    with open_workbook(path) as book:
        assert [row.cells for row in book.rows(book.sheets[0])] == [
            ("第2行",),
            ("第3行",),
            ("第4行",),
        ]
        assert book.unplaced == ()


def test_an_error_that_is_no_picture_stays_text(tmp_path: Path) -> None:
    path = in_cell(tmp_path / "m.xlsx", [(1, 1, ONE)])
    rewrite(path, {SHEET: replace((b'vm="1"', b'vm="7"'))})
    with open_workbook(path) as book:
        assert [row.cells for row in book.rows(book.sheets[0])] == [("第2行", "#VALUE!")]
        assert book.pictures(book.sheets[0]) == ()
        assert len(book.unplaced) == 1


@pytest.mark.parametrize("value", ['=DISPIMG("{}",1)', "#NAME?", None])
def test_wps_pictures_go_by_id(tmp_path: Path, value: str | None) -> None:
    path = wps(
        tmp_path / "w.xlsx",
        {"B2": "ID_C", "B3": "ID_A", "B4": "ID_B", "B5": "ID_C"},
        [("ID_A", "image1.png"), ("ID_B", "image1.png"), ("ID_C", "image2.png")],
        {"image1.png": ONE, "image2.png": TWO},
        value=value,
    )
    assert contents(path) == {(2, 2): TWO, (3, 2): ONE, (4, 2): ONE, (5, 2): TWO}
    with open_workbook(path) as book:
        rows = list(book.rows(book.sheets[0]))
        assert rows[1].cells == ("第2行",)
        assert book.unplaced == ()


def test_a_wps_picture_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    path = wps(
        tmp_path / "w.xlsx",
        {"B2": "ID_A", "B3": "ID_X"},
        [("ID_A", "gone.png")],
        {"gone.png": ONE, "left.png": TWO},
    )
    rewrite(path, {"xl/media/gone.png": None})
    assert [p.problem[0] for p in pictures(path) if p.problem] == ["picture_missing"] * 2
    with open_workbook(path) as book:
        assert [p.member for p in book.unplaced] == ["xl/media/left.png"]
        with pytest.raises(InputError, match="row 3"):
            book.read_picture(book.pictures(book.sheets[0])[1])


def test_image_formulas_are_links(tmp_path: Path) -> None:
    path = table(tmp_path / "i.xlsx", [["a"]])
    cell = b'<c r="B1" t="e"><f>_xlfn.IMAGE("http://host/a.png")</f><v>#NAME?</v></c></row>'
    (found,) = pictures(rewrite(path, {SHEET: replace((b"</row>", cell))}))
    assert (found.row, found.column) == (1, 2)
    assert found.problem
    assert found.problem[0] == "picture_linked"
    assert "http://host/a.png" in found.problem[1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (emf(), "picture_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture_format"),
        (b"\xd7\xcd\xc6\x9a" + b"\0" * 40, "picture_format"),
        (b"nothing known", "picture_format"),
        (b"", "picture_damaged"),
    ],
)
def test_what_no_photo_is_has_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = floating(tmp_path / "f.xlsx", [(1, 1, ONE, {})])
    (found,) = pictures(rewrite(path, {"xl/media/image1.png": content}))
    assert found.problem
    assert found.problem[0] == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (b'Target="../media/none.png"', "picture_missing"),
        (b'TargetMode="External" Target="file:///D:/a.png"', "picture_linked"),
    ],
)
def test_targets_that_are_not_there(tmp_path: Path, change: bytes, reason: str) -> None:
    path = floating(tmp_path / "f.xlsx", [(1, 1, ONE, {})])
    rewrite(path, {RELS: replace((b'Target="../media/image1.png"', change))})
    (found,) = pictures(path)
    assert found.problem
    assert found.problem[0] == reason


@pytest.mark.parametrize("target", [b"/xl/media/image1.png", b"../MEDIA/Image1.PNG"])
def test_absolute_targets_and_other_cases(tmp_path: Path, target: bytes) -> None:
    path = floating(tmp_path / "f.xlsx", [(1, 1, ONE, {})])
    rewrite(path, {RELS: replace((b"../media/image1.png", target))})
    assert list(contents(path).values()) == [ONE]


def test_strict_drawings(tmp_path: Path) -> None:
    path = strict(floating(tmp_path / "f.xlsx", [(1, 1, ONE, {"y_scale": 0.3})]))
    assert contents(path) == {(2, 2): ONE}


def test_backgrounds_are_unplaced(tmp_path: Path) -> None:
    path = floating(tmp_path / "f.xlsx", [(1, 1, ONE, {})])
    rewrite(path, {"xl/media/image9.png": TWO})
    with open_workbook(path) as book:
        (left,) = book.unplaced
        assert (left.row, left.member) == (0, "xl/media/image9.png")
        assert book.read_picture(left) == TWO
