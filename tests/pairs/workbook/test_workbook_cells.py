"""Cells come back as a person sees them."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.styles.numbers import is_date_format

from hazardscribe.pairs.workbook import CellRange, open_workbook
from hazardscribe.pairs.workbook.number_formats import built_in, number_format
from pairs.workbook.build import replace, rewrite, strict, table

SHEET = "xl/worksheets/sheet1.xml"


def cells(path: Path) -> list[tuple[str, ...]]:
    with open_workbook(path) as book:
        return [row.cells for row in book.rows(book.sheets[0])]


def with_cells(tmp_path: Path, xml: str, **edits: object) -> Path:
    """A workbook whose only row is written by hand."""
    path = table(tmp_path / "hand.xlsx", [["A", "B"]])
    found = {}

    def sheet(content: bytes) -> bytes:
        start, end = content.index(b"<sheetData>"), content.index(b"</sheetData>")
        found["sheet"] = True
        return content[:start] + b"<sheetData>" + xml.encode() + content[end:]

    return rewrite(path, {SHEET: sheet, **edits})


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("General", "0.30000000000000004", "0.3"),
        ("General", "12", "12"),
        ("General", "12.0", "12"),
        ("General", "-0.5", "-0.5"),
        ("General", "1E-05", "0.00001"),
        ("General", "320106199001011234", "320106199001011234"),
        ("0.00", "3.14159", "3.14"),
        ("0.00", "2.675", "2.68"),
        ("000", "7", "007"),
        ("#,##0.0", "1234567.89", "1,234,567.9"),
        ("0%", "0.256", "26%"),
        ("0.00%", "0.12345", "12.35%"),
        ('"第"0"号"', "5", "第5号"),
        ("0.0_);[Red](0.0)", "-2", "(2.0)"),
        ("0;-0;无", "0", "无"),
        ("# ?/?", "0.5", "0.5"),
        ("[>100]0.0;0", "5", "5"),
        ("@", "5", "5"),
        ("yyyy-mm-dd", "45660", "2025-01-03"),
        ('yyyy"年"m"月"d"日"', "45660.6", "2025-01-03"),
        ("yyyy/m/d h:mm", "45660.604166666664", "2025-01-03 14:30"),
        ("yyyy-mm-dd hh:mm:ss", "45660.99999999", "2025-01-04 00:00:00"),
        ("[$-804]aaaa", "45660", "2025-01-03"),
        ("h:mm AM/PM", "0.6041666667", "14:30"),
        ("[h]:mm", "1.5", "36:00"),
        ("mm:ss", "0.5", "12:00:00"),
        ("yyyy-mm-dd", "1", "1900-01-01"),
        ("yyyy-mm-dd", "59", "1900-02-28"),
        ("yyyy-mm-dd", "60", "1900-02-29"),
        ("yyyy-mm-dd", "61", "1900-03-01"),
        ("yyyy-mm-dd", "-1", "-1"),
        ("yyyy-mm-dd", "99999999", "99999999"),
        ("yyyy-mm-dd", "nan", "nan"),
        ("0.00", "1e400", "1e400"),
    ],
)
def test_a_number_is_shown_by_its_format(code: str, number: str, shown: str) -> None:
    assert number_format(code, from_1904=False)(number) == shown


def test_macintosh_workbooks_count_from_1904() -> None:
    assert number_format("yyyy-mm-dd", from_1904=True)("44198") == "2025-01-03"


@pytest.mark.parametrize("number", [14, 22, 27, 31, 57, 58])
def test_built_in_dates_include_the_chinese_ones(number: int) -> None:
    assert number_format(built_in(number), from_1904=False)("45660").startswith("2025-01-03")


@settings(max_examples=50)
@given(st.text(alphabet='ymdhsAP/:-0#,.%"年月日 ;_\\@?', max_size=12))
def test_no_format_code_fails_and_quoted_dates_are_none(code: str) -> None:
    show = number_format(code, from_1904=False)
    assert isinstance(show("45660.5"), str)
    if not is_date_format(code) and not set(code.lower()) & set("ymdhs"):
        assert "2025-01-03" not in show("45660")


def test_dates_in_a_workbook_of_either_epoch(tmp_path: Path) -> None:
    for from_1904 in (False, True):
        path = tmp_path / f"{from_1904}.xlsx"
        with xlsxwriter.Workbook(path, {"date_1904": from_1904}) as book:
            sheet = book.add_worksheet()
            day = book.add_format({"num_format": 'yyyy"年"m"月"d"日"'})
            minute = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
            when = datetime.datetime(2025, 1, 3, 14, 30)
            sheet.write_datetime(0, 0, when, day)
            sheet.write_datetime(0, 1, when, minute)
        assert cells(path) == [("2025-01-03", "2025-01-03 14:30")]


def test_kinds_of_cells(tmp_path: Path) -> None:
    path = with_cells(
        tmp_path,
        '<row r="2"><c r="A2" t="inlineStr"><is><r><t>配电</t></r><r><t>箱</t></r>'
        "<rPh><t>pei</t></rPh></is></c>"
        '<c r="B2" t="b"><v>1</v></c><c r="C2" t="e"><v>#N/A</v></c>'
        '<c r="D2" t="str"><f>A1&amp;"x"</f><v>a_x000D_b</v></c><c r="E2"><f>SUM(A1:A2)</f></c>'
        '<c r="F2"><f>1+1</f><v>2</v></c><c r="G2" t="d"><v>2025-01-03T14:30:00</v></c>'
        '<c r="H2" s="0"/></row><row><c><v>1</v></c><c r="D3"><v>4</v></c></row>',
    )
    assert cells(path) == [
        ("配电箱", "TRUE", "#N/A", "a\nb", "=SUM(A1:A2)", "2", "2025-01-03 14:30"),
        ("1", "", "", "4"),
    ]


def test_shared_strings_join_runs_and_leave_phonetics_out(tmp_path: Path) -> None:
    path = table(tmp_path / "rich.xlsx", [["x"]])
    rewrite(
        path,
        {
            "xl/sharedStrings.xml": replace(
                (b"<t>x</t>", "<r><t>私拉</t></r><r><t>乱接</t></r><rPh><t>s</t></rPh>".encode())
            )
        },
    )
    assert cells(path) == [("私拉乱接",)]


def test_hidden_rows_sheets_merges_and_chart_sheets(tmp_path: Path) -> None:
    path = tmp_path / "hidden.xlsx"
    with xlsxwriter.Workbook(path) as book:
        first, second, third = (book.add_worksheet(name) for name in ("一月", "二月", "三月"))
        first.merge_range("A1:C1", "隐患台账")
        first.merge_range("B3:B5", "")
        first.write("A2", "x")
        first.set_row(1, None, None, {"hidden": True})
        second.hide()
        third.very_hidden()
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=一月!$A$1:$A$2"})
        book.add_chartsheet("图").set_chart(chart)
    with open_workbook(path) as book:
        assert [(s.name, s.hidden) for s in book.sheets] == [
            ("一月", False),
            ("二月", True),
            ("三月", True),
        ]
        sheet = book.sheets[0]
        assert book.merges(sheet) == (CellRange(1, 1, 1, 3), CellRange(3, 2, 5, 2))
        rows = {row.number: row for row in book.rows(sheet)}
        assert rows[2].hidden
        assert not rows[1].hidden
        assert rows[1].cells == ("隐患台账",)


def test_strict_workbooks(tmp_path: Path) -> None:
    path = strict(table(tmp_path / "strict.xlsx", [["隐患描述", 1.5], ["未戴安全帽", 2]]))
    assert cells(path) == [("隐患描述", "1.5"), ("未戴安全帽", "2")]


TEXTS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\r\ufffe\uffff"), max_size=30
)
NUMBERS = st.one_of(st.integers(-(10**14), 10**14), st.floats(-1e12, 1e12, allow_subnormal=False))
DATES = st.datetimes(datetime.datetime(1900, 3, 1), datetime.datetime(2200, 1, 1))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.one_of(TEXTS, NUMBERS, DATES), max_size=5), min_size=1, max_size=8))
def test_any_table_comes_back(tmp_path: Path, rows: list[list[object]]) -> None:
    path = table(tmp_path / "any.xlsx", rows, default_date_format="yyyy-mm-dd hh:mm:ss")
    with open_workbook(path) as book:
        found = {row.number: row.cells for row in book.rows(book.sheets[0])}
    for number, row in enumerate(rows, start=1):
        read = found.get(number, ())
        for column, cell in enumerate(row):
            text = read[column] if column < len(read) else ""
            if isinstance(cell, str):
                assert text == cell
            elif isinstance(cell, datetime.datetime):
                shown = datetime.datetime.fromisoformat(text)
                assert abs((shown - cell).total_seconds()) <= 0.6
            else:
                assert float(text) == pytest.approx(cell, rel=1e-14, abs=1e-14)
