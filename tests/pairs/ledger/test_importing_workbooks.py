"""Importing workbooks: merged cells, hidden parts, sheets, and pictures in their cells."""

from __future__ import annotations

import re
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from ledger_files import photo_bytes

from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.ledger.result import Imported
from hazardscribe.pairs.photo_file import photo_digest
from pairs.ledger.four_ways import in_cell
from pairs.workbook.build import emf, replace, rewrite, table

Write = Callable[..., Path]
HEAD = ["序号", "检查地点", "隐患描述", "隐患照片", "整改后照片"]


def dry(path: Path, **options: object) -> Imported:
    return import_ledger(path, dry_run=True, **options)  # type: ignore[arg-type]


def pairs(imported: Imported) -> list[tuple[str, int]]:
    """(description, seed of the picture)."""
    seeds = {photo_digest(photo_bytes(seed)): seed for seed in range(30)}
    return [
        (text, seeds[photo.digest])
        for row in imported.rows
        if row.photos
        for text in row.draft.texts
        for photo in row.photos
    ]


def left(imported: Imported, kind: str = "row") -> list[tuple[int | None, str]]:
    return [(one.line, one.reason) for one in imported.account.left if one.kind == kind]


def test_title_merged_cells_and_pictures(workbook: Write) -> None:
    rows = [
        ["XX公司安全隐患台账"],
        HEAD,
        [1, "A区", "护栏缺失"],
        [2, "", "灯损坏"],
        [3, "B区", "线裸露"],
        ["合计", "", "3项"],
    ]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(0, 0, 0, 4), (2, 1, 3, 1), (2, 3, 3, 3)]},
        pictures={"台账": [(0, 0, 9), (2, 3, 1), (4, 3, 2), (4, 4, 3), (5, 3, 4), (4, 1, 5)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("护栏缺失", 1), ("灯损坏", 1), ("线裸露", 2)]
    assert [row.draft.value("place") for row in imported.rows] == ["A区", "A区", "B区"]
    assert imported.safe == 1
    assert left(imported) == [(6, "total")]
    assert left(imported, "picture") == [
        (1, "title_row"),
        (5, "other_column"),
        (6, "rejected_row"),
    ]
    account = imported.account
    assert (account.pictures_found, account.pictures_used) == (6, 3)


def test_two_row_merged_header(workbook: Write) -> None:
    rows = [
        ["隐患排查治理台账"],
        ["序号", "隐患描述", "照片", "", "整改", ""],
        ["", "", "整改前", "整改后", "期限", "责任人"],
        [1, "护栏缺失", "", "", datetime(2025, 1, 3), "王五"],
    ]
    path = workbook(
        {"一月": rows},
        merges={"一月": [(0, 0, 0, 5), (1, 0, 2, 0), (1, 1, 2, 1), (1, 2, 1, 3), (1, 4, 1, 5)]},
        pictures={"一月": [(3, 2, 1), (3, 3, 2)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("护栏缺失", 1)]
    assert imported.safe == 1
    assert imported.sheets[0].columns["responsible"] == ("整改-责任人",)
    assert imported.sheets[0].columns["after_photo"] == ("照片-整改后",)
    assert imported.account.rows_read == 1


def test_several_photos_under_one_merged_header(workbook: Write) -> None:
    rows = [["隐患描述", "照片", "", "备注"], ["护栏缺失", "", "", "急"]]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(0, 1, 0, 2)]},
        pictures={"台账": [(1, 1, 1), (1, 2, 2)]},
    )
    assert pairs(dry(path)) == [("护栏缺失", 1), ("护栏缺失", 2)]


def test_a_sheet_a_month_hidden_rows_and_sheets(workbook: Write) -> None:
    path = workbook(
        {
            "封面": [["安全部"], ["2025年"]],
            "一月": [["隐患描述", "照片"], ["甲隐患"], ["乙隐患"]],
            "二月": [["照片", "地点", "问题描述"], ["", "A区", "丙隐患"]],
            "旧": [["隐患描述", "照片"], ["丁隐患"]],
        },
        pictures={
            "一月": [(1, 1, 1)],
            "二月": [(1, 0, 3)],
            "旧": [(1, 1, 4)],
            "封面": [(0, 0, 5)],
        },
        hidden=["旧"],
        hidden_rows={"一月": [2]},
    )
    imported = dry(path)
    assert pairs(imported) == [("甲隐患", 1), ("丙隐患", 3)]
    assert left(imported) == [(2, "hidden_sheet"), (3, "hidden_row")]
    assert sorted(reason for _, reason in left(imported, "picture")) == [
        *("no_header", "rejected_row")
    ]
    assert imported.account.rows_read == 4
    assert pairs(dry(path, sheets=["旧"])) == [("丁隐患", 4)]
    with pytest.raises(InputError, match="no sheet '三月'"):
        dry(path, sheets=["三月"])


@pytest.mark.parametrize("sentence", ["灶具无熄火保护，存在燃气泄漏安全隐患", "存在燃气泄漏隐患"])
def test_a_sentence_is_no_header(workbook: Write, sentence: str) -> None:
    def month(name: str) -> list[list[object]]:
        return [["序号", name, "照片"], [1, "甲"], [2, sentence], [3, "乙"], [4, "丙"]]

    pictures = [(at, 2, at) for at in range(1, 5)]
    path = workbook(
        {"一月": month("隐患描述"), "二月": month("检查结论")},
        pictures={"一月": pictures, "二月": pictures},
    )
    imported = dry(path)
    assert [text for text, _ in pairs(imported)] == ["甲", sentence, "乙", "丙"]
    reasons = [reason for _, reason in left(imported, "picture")]
    assert reasons == ["no_header"] * 4  # of the sheet whose column nobody knows
    named = dry(path, columns={"description": "检查结论"})
    assert [text for text, _ in pairs(named)] == ["甲", sentence, "乙", "丙"]
    assert {reason for _, reason in left(named, "picture")} == {"no_such_column"}
    alone = workbook({"台账": month("检查结论")}, name="b.xlsx")
    with pytest.raises(InputError, match="no column for the description"):
        dry(alone)


def test_rows_merged_as_a_whole_are_one_record(workbook: Write) -> None:
    rows = [["序号", "隐患描述", "照片"], [1, "护栏缺失"], [], [2, "灯损坏"], []]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(at, column, at + 1, column) for at in (1, 3) for column in range(3)]},
        pictures={"台账": [(1, 2, 1), (3, 2, 2)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("护栏缺失", 1), ("灯损坏", 2)]
    assert {reason for _, reason in left(imported)} == {"continued"}
    assert imported.findings == 0


def test_a_description_over_several_photos(workbook: Write) -> None:
    rows = [["序号", "隐患描述", "照片"], [1, "护栏缺失"], [], []]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(1, 0, 3, 0), (1, 1, 3, 1)]},
        pictures={"台账": [(1, 2, 1), (2, 2, 2), (3, 2, 3)]},
    )
    assert pairs(dry(path)) == [("护栏缺失", 1), ("护栏缺失", 2), ("护栏缺失", 3)]


def test_a_photo_cell_that_is_merged_down_to_the_sheets_end(workbook: Write) -> None:
    rows = [["隐患描述", "照片"], *([f"隐患{n}"] for n in range(3))]
    path = workbook({"台账": rows}, merges={"台账": [(1, 1, 3, 1)]}, pictures={"台账": [(2, 1, 7)]})
    rewrite(path, {"xl/worksheets/sheet1.xml": replace((b'ref="B2:B4"', b'ref="B2:B1048576"'))})
    tracemalloc.start()
    imported = dry(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pairs(imported) == [(f"隐患{n}", 7) for n in range(3)]
    assert imported.account.pictures_found == imported.account.pictures_used == 1
    assert most < 2**25  # lists of its rows take seven times as much


def test_a_merged_photo_cell_without_a_row_loses_no_picture(workbook: Write) -> None:
    rows = [["隐患描述", "照片"], ["甲"]]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(1, 1, 2, 1), (4, 1, 9, 1)]},
        pictures={"台账": [(1, 1, 1), (2, 1, 2), (6, 1, 3)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("甲", 1), ("甲", 2)]
    assert imported.account.pictures_found == 3
    assert len(left(imported, "picture")) == 1


def test_no_photo_column_at_all(workbook: Write) -> None:
    path = workbook(
        {"台账": [["隐患描述", "检查人"], ["护栏缺失", "张三"], ["灯损坏", "李四"]]},
        pictures={"台账": [(1, 3, 1), (2, 1, 2)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("护栏缺失", 1)]
    assert left(imported) == [(3, "no_photo_named")]


@pytest.mark.parametrize("sides", [("Before", "After"), ("改善前", "改善后")])
def test_before_and_after_are_photo_columns_where_pictures_lie(
    workbook: Write, sides: tuple[str, str]
) -> None:
    rows = [["隐患描述", *sides], ["护栏缺失"], ["灯损坏"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (1, 2, 2), (2, 2, 3)]})
    imported = dry(path)
    assert pairs(imported) == [("护栏缺失", 1)]
    assert imported.safe == 2
    assert left(imported) == [(3, "no_photo_named")]
    # Over texts, as in ratings of a risk, they name none.
    rows = [["隐患描述", "照片", *sides], ["护栏缺失", "", "高", "低"]]
    imported = dry(workbook({"台账": rows}, pictures={"台账": [(1, 1, 1)]}))
    assert pairs(imported) == [("护栏缺失", 1)]
    assert set(imported.sheets[0].others) >= set(sides)


@pytest.mark.parametrize("after", ["整改后照片", "After", "佐证照片", "Close-out photo"])
def test_beside_photos_after_repair_no_other_column_is_guessed(workbook: Write, after: str) -> None:
    rows = [["隐患描述", after, "备注"], ["护栏缺失"], ["灯损坏"]]
    path = workbook(
        {"台账": rows, "二": [["隐患描述", "照片"], ["甲"]]},
        pictures={"台账": [(1, 2, 1), (2, 3, 2)], "二": [(1, 1, 3)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("甲", 3)]
    assert left(imported, "picture") == [(2, "other_column"), (3, "other_column")]
    details = [one.detail for one in imported.account.left if one.kind == "picture"]
    assert all(after in detail and "--columns.photo" in detail for detail in details)
    named = dry(path, columns={"photo": "备注"}, sheets=["台账"])
    assert pairs(named)[0] == ("护栏缺失", 1)


@pytest.mark.parametrize("name", ["签名图片", "检查人签字", "整改前后照片", "整改措施", "正确做法"])
def test_a_picture_over_something_else_is_no_hazards(workbook: Write, name: str) -> None:
    rows = [["隐患描述", name, "备注"], ["护栏缺失"], ["灯损坏"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (2, 2, 2)]})
    imported = dry(path)
    assert pairs(imported) == [("灯损坏", 2)]
    assert left(imported, "picture") == [(2, "other_column")]


def test_pictures_and_names_together(workbook: Write, tmp_path: Path) -> None:
    (tmp_path / "named.png").write_bytes(photo_bytes(7))
    rows = [["隐患描述", "照片"], ["甲", "见附图"], ["乙", "named.png"], ["丙", "见附图"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1)]})
    imported = dry(path)
    assert pairs(imported) == [("甲", 1), ("乙", 7)]
    assert left(imported) == [(4, "photo_missing")]
    assert imported.account.pictures_found == 3


def test_written_folders_are_equal_byte_by_byte(workbook: Write, tmp_path: Path) -> None:
    rows = [["隐患描述", "照片"], *([f"隐患{n}"] for n in range(8))]
    path = workbook({"台账": rows}, pictures={"台账": [(n + 1, 1, n) for n in range(8)]})
    for name in ("a", "b"):
        import_ledger(path, out=tmp_path / name)
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) == 8 + 4
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_damaged_picture_costs_its_own_row_alone(workbook: Write) -> None:
    rows = [["隐患描述", "照片"], ["甲"], ["乙"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (2, 1, 2)]})
    content = path.read_bytes()
    with zipfile.ZipFile(path) as book:
        info = book.getinfo("xl/media/image2.png")
    at = info.header_offset + 30 + len(info.filename) + info.compress_size - 40
    path.write_bytes(content[:at] + bytes(20) + content[at + 20 :])
    imported = dry(path)
    assert pairs(imported) == [("甲", 1)]
    assert left(imported) == [(3, "picture_damaged")]
    assert left(imported, "picture") == [(3, "picture_damaged")]


def test_a_picture_of_a_hidden_row_never_meets_the_next_rows_text(workbook: Write) -> None:
    rows = [["隐患描述", "照片"], ["甲"], ["乙"], ["丙"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (2, 1, 2), (3, 1, 3)]})
    hide = replace((b'<row r="3"', b'<row hidden="1" r="3"'))
    rewrite(path, {"xl/worksheets/sheet1.xml": hide})
    imported = dry(path)
    assert pairs(imported) == [("甲", 1), ("丙", 3)]
    assert left(imported) == [(3, "hidden_row")]
    assert left(imported, "picture") == [(3, "rejected_row")]


def test_drawings_are_rejected_with_their_row(workbook: Write, tmp_path: Path) -> None:
    rows = [["隐患描述", "照片"], ["甲"], ["乙"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (2, 1, 2)]})
    rewrite(path, {"xl/media/image2.png": emf()})
    imported = dry(path)
    assert pairs(imported) == [("甲", 1)]
    assert left(imported) == [(3, "picture_format")]
    assert "EMF" in imported.account.left[0].detail


def test_a_workbook_with_macros(workbook: Write) -> None:
    path = workbook({"台账": [["隐患描述", "照片"], ["甲"]]}, pictures={"台账": [(1, 1, 1)]})
    kind = (
        b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    )
    rewrite(path, {"[Content_Types].xml": replace(kind), "xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"})
    assert pairs(dry(path.rename(path.with_suffix(".xlsm")))) == [("甲", 1)]


def test_links_to_photo_files_are_followed(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["隐患描述", "照片"], ["甲", '=HYPERLINK("照片\\1.png","查看")'], ["乙", "查看"]):
        sheet.append(row)
    sheet["B3"].hyperlink = "照片/2.png"
    sheet.append(["丙", "查看"])
    sheet["B4"].hyperlink = "https://host/3.png"
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "照片").mkdir()
    for seed in (1, 2):
        (tmp_path / "照片" / f"{seed}.png").write_bytes(photo_bytes(seed))
    imported = dry(tmp_path / "a.xlsx")
    assert pairs(imported) == [("甲", 1), ("乙", 2)]
    assert left(imported) == [(4, "photo_missing")]


def test_a_link_over_several_cells_is_a_link_of_each(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["隐患描述", "照片"],
        ["甲", "查看"],
        ["乙", "查看"],
        ["丙"],
        [],
        [None, None],
        ["丁"],
    ):
        sheet.append(row)
    sheet["B2"].hyperlink = "1.png"
    sheet["B2"].hyperlink.ref = "B2:B6"
    sheet["B6"].style = "Note"  # so that the empty row is in the file
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "1.png").write_bytes(photo_bytes(1))
    imported = dry(tmp_path / "a.xlsx")
    assert pairs(imported) == [("甲", 1), ("乙", 1), ("丙", 1)]
    assert left(imported) == [(6, "blank"), (7, "no_photo_named")]
    assert (imported.account.pictures_found, imported.account.pictures_used) == (1, 1)


def test_a_description_that_links_to_a_photo_stays_a_description(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["隐患描述", "照片"], ["配电箱门未关", "1.png"], ["临边无防护", "查看"]):
        sheet.append(row)
    for cell, file in (("A2", "1.png"), ("A3", "1.png"), ("B3", "2.png")):
        sheet[cell].hyperlink = file
        sheet[cell].value = {"A2": "配电箱门未关", "A3": "临边无防护", "B3": "查看"}[cell]
    book.save(tmp_path / "a.xlsx")
    for seed in (1, 2):
        (tmp_path / f"{seed}.png").write_bytes(photo_bytes(seed))
    assert pairs(dry(tmp_path / "a.xlsx")) == [("配电箱门未关", 1), ("临边无防护", 2)]


@pytest.mark.parametrize("column", [2, 1])
def test_pictures_of_a_column_that_holds_texts_and_pictures(workbook: Write, column: int) -> None:
    rows = [
        ["序号", "隐患情况（附照片）", "", "整改完成情况（附照片）"],
        [1, "护栏缺失", "", "已恢复"],
        [2, "灯损坏", "", ""],
    ]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(0, 1, 0, 2)]},
        pictures={"台账": [(1, column, 1), (1, 3, 2), (2, column, 3)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("护栏缺失", 1), ("灯损坏", 3)]
    assert imported.safe == 1
    assert imported.sheets[0].columns["photo"] == ("隐患情况（附照片）",)


def test_pictures_below_their_row_are_told(workbook: Write) -> None:
    rows = [["序号", "存在问题", "责任人"], [1, "脚手架未设连墙件", "刘"], [], [2, "灯损坏", "张"]]
    imported = dry(workbook({"通报": rows}, pictures={"通报": [(2, 1, 1), (3, 1, 2)]}))
    assert pairs(imported) == [("灯损坏", 2)]
    assert left(imported) == [(2, "no_photo_named"), (3, "empty_description")]
    details = [one.detail for one in imported.account.left if one.line == 3]
    assert all("if they belong to the row above" in detail for detail in details)


@pytest.mark.parametrize("status", ["In progress", "否", "No", "未闭环", "Not started"])
def test_a_photo_of_what_is_not_done_is_no_safe_one(workbook: Write, status: str) -> None:
    rows = [["隐患描述", "照片", "整改后照片", "是否整改"], ["甲", "", "", status]]
    imported = dry(workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (1, 2, 2)]}))
    assert (imported.safe, imported.account.reasons("picture")) == (0, {"not_rectified": 1})


def test_pictures_that_are_shown_otherwise_are_told(workbook: Write) -> None:
    rows = [["隐患描述", "照片"], ["甲"], ["乙"], ["丙"]]
    path = workbook({"台账": rows}, pictures={"台账": [(1, 1, 1), (2, 1, 2), (3, 1, 3)]})

    def edit(drawing: bytes) -> bytes:
        first, second, third = drawing.split(b"<a:xfrm>")[:1], *drawing.split(b"<a:xfrm>", 2)[1:]
        whole = first[0] + b'<a:xfrm rot="5400000">' + second + b"<a:xfrm>" + third
        at = whole.rindex(b"<a:stretch>")
        return whole[:at] + b'<a:srcRect l="20000"/>' + whole[at:]

    imported = dry(rewrite(path, {"xl/drawings/drawing1.xml": edit}))
    assert pairs(imported) == [("甲", 1), ("乙", 2), ("丙", 3)]
    assert "2 pictures are cropped or turned" in imported.warnings[0]


def test_a_form_of_one_hazard_is_no_table(workbook: Write) -> None:
    rows = [["隐患整改通知单"], ["检查单位", "安全部"], ["隐患描述", "围堰破损"], ["隐患照片", ""]]
    path = workbook({"通知单": rows}, pictures={"通知单": [(3, 1, 1)]})
    with pytest.raises(InputError, match="no column for the description"):
        dry(path)


@pytest.mark.parametrize(
    "text", ["，", "见照片", "如图所示。", "#REF!", "12345", "See photo", "\u3000", "同上"]
)
def test_what_stands_for_a_text_is_none(workbook: Write, text: str) -> None:
    path = workbook(
        {"台账": [["隐患描述", "照片"], ["甲"], [text]]},
        pictures={"台账": [(1, 1, 1), (2, 1, 2)]},
    )
    imported = dry(path)
    assert pairs(imported) == [("甲", 1)]
    assert left(imported) == [(3, "empty_description")]


def test_an_old_workbook_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "旧.xls"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    with pytest.raises(InputError, match="xlsx"):
        dry(path)


@pytest.mark.parametrize("name", ["台账.html", "台账", "台账.DOCX"])
def test_a_file_of_any_name_says_what_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes("<html><body><table><tr><td>隐患描述</td></tr></table></body></html>".encode())
    for source in (path, tmp_path):
        with pytest.raises(InputError, match="a web page.*另存为" if source == path else "台账"):
            dry(source)


def test_a_workbook_without_its_suffix_is_read(workbook: Write) -> None:
    path = workbook({"台账": [["隐患描述", "照片"], ["甲"]]}, pictures={"台账": [(1, 1, 1)]})
    assert pairs(dry(path.rename(path.with_suffix(".xltx")))) == [("甲", 1)]


def test_the_report_names_rows_as_the_sheet_does_and_masks_people(
    workbook: Write, tmp_path: Path
) -> None:
    rows = [
        ["XX公司安全隐患台账"],
        HEAD,
        [1, "A区", "张工13912345678未戴安全帽"],
        [2, "B区", "1、灯损坏；2、线裸露"],
        [3, "B区", "/"],
        ["合计：3项，已整改1项"],
    ]
    path = workbook(
        {"台账": rows},
        merges={"台账": [(0, 0, 0, 4), (5, 0, 5, 4)]},
        pictures={"台账": [(2, 3, 1), (3, 3, 2), (4, 3, 3)]},
    )
    imported = import_ledger(path, out=tmp_path / "out")
    assert left(imported) == [(5, "empty_description"), (6, "total")]
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert re.search("台账 第 3 行 · (?:训练集|开发集|验证集)", page)
    assert "13912345678" not in page
    assert "有 1 行在一个单元格里编号列出多条隐患" in page


def test_pictures_in_cells_that_another_program_lost(tmp_path: Path) -> None:
    path = in_cell(tmp_path / "台账.xlsx", [("护栏缺失", "0.png", photo_bytes(0))])
    # What LibreOffice 7.4 makes of the cell when it saves the workbook.
    lost = b'<c r="B2" s="0" t="e"><f aca="false">#VALUE!</f><v>#VALUE!</v></c>'

    def saved(sheet: bytes) -> bytes:
        return re.sub(rb'<c r="B2".*?</c>', lost, sheet)

    rewrite(path, {"xl/worksheets/sheet1.xml": saved})
    left = import_ledger(path, dry_run=True).account.left
    [row] = [one for one in left if one.kind == "row"]
    assert row.reason == "no_photo_named"
    assert "programs other than Excel and WPS lose it when they save" in row.detail


def test_each_picture_that_another_program_lost_is_counted(tmp_path: Path) -> None:
    lost = "#VALUE!"
    rows = [["隐患描述", "照片", "整改后照片"], ["甲", lost, lost], ["乙", lost], ["/", lost]]
    imported = dry(table(tmp_path / "台账.xlsx", rows))
    account = imported.account
    assert (account.pictures_found, account.pictures_used) == (4, 0)
    assert account.reasons("picture") == {"no_photo_named": 3, "rejected_row": 1}
