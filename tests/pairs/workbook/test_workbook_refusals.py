"""What is no workbook, or harmful, is refused with a sentence; nothing else ever escapes."""

from __future__ import annotations

import os
import random
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hazardscribe.errors import InputError
from hazardscribe.pairs.workbook import open_workbook, package
from hazardscribe.pairs.workbook.refusals import OLE
from pairs.workbook.build import floating, in_cell, photo, replace, rewrite, table, wps

SHEET = "xl/worksheets/sheet1.xml"


def use(path: Path) -> None:
    """Everything that an importer does."""
    with open_workbook(path) as book:
        for sheet in book.sheets:
            book.merges(sheet)
            for picture in book.pictures(sheet):
                if picture.member:
                    try:
                        book.read_picture(picture)
                    except InputError:
                        continue
            for _ in book.rows(sheet):
                pass
        assert all(picture.row == 0 for picture in book.unplaced)


# As Excel writes it, and SheetJS 0.18.5 without the second line.
EXCEL_2003 = (
    b'<?xml version="1.0"?>\r\n%s'
    b'<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
    b'xmlns:html="http://www.w3.org/TR/REC-html40"><Worksheet ss:Name="x"><Table ss:'
)


# As ASP.NET and PHP systems send their "Excel".
PAGE = (
    '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta charset="utf-8"></head>'
    "<body><table><tr><th>隐患描述</th></tr></table></body></html>"
)
FODS = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<office:document xmlns:office='
    b'"urn:oasis:names:tc:opendocument:xmlns:office:1.0" office:mimetype='
    b'"application/vnd.oasis.opendocument.spreadsheet">'
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xls", OLE + b"\0" * 600 + "Workbook\0".encode("utf-16-le"), "另存为"),
        ("a.xlsx", OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "password"),
        ("a.et", OLE + b"\0" * 600 + "Workbook\0".encode("utf-16-le"), "WPS format"),
        ("a.xlsx", b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        (
            "a.xls",
            PAGE.encode(),
            "under the name of an Excel file.*另存为.*only points to its photos",
        ),
        ("a.xls", PAGE.encode("utf-16"), "web page that some system exported"),
        ("a.html", PAGE.encode("gb18030"), r"a web page \(HTML\), not a workbook.*另存为"),
        (
            "a.mht",
            b"From: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;",
            "web archive",
        ),
        ("a.fods", FODS, r"\.fods\); in LibreOffice"),
        ("a.slk", b"ID;PWXL;N;E\r\nP;PGeneral\r\n", "SYLK"),
        ("a.rtf", b"{\\rtf1\\ansi", "RTF.*copy its table"),
        ("a.doc", OLE + b"\0" * 600 + "WordDocument\0".encode("utf-16-le"), "Word document"),
        ("a.rar", b"Rar!\x1a\x07\x01\x00", "RAR archive; unpack it"),
        ("a.jpg", photo(1, "JPEG"), "a picture, not a ledger.*--photos"),
        ("a.xls", EXCEL_2003 % b"", "XML spreadsheet of Excel 2003"),
        ("a.xls", EXCEL_2003 % b'<?mso-application progid="Excel.Sheet"?>', "of Excel 2003"),
        ("a.xlsx", "序号,隐患描述\n1,未戴安全帽\n".encode(), "CSV"),
        ("a.xlsx", "序号\t隐患描述".encode("gb18030"), "CSV"),
        ("a.xlsx", b"%PDF-1.7", "PDF"),
        ("a.xlsx", b"", "empty"),
        ("a.xlsx", b"\x00\x01\x02\x03" * 20, "not an Excel workbook"),
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 60, "damaged"),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        open_workbook(path)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"xl/workbook.bin": b""}, "xlsb"),
        ({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}, "ods.*LibreOffice"),
        ({"word/document.xml": b""}, "Word"),
        ({"photos/1.jpg": b""}, r"\.zip"),
    ],
)
def test_other_archives(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=said):
        open_workbook(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        open_workbook(tmp_path / "none.xlsx")
    with pytest.raises(InputError, match="cannot be read"):
        open_workbook(tmp_path)


def test_a_workbook_cut_off(tmp_path: Path) -> None:
    path = table(tmp_path / "a.xlsx", [["x"] * 5] * 50)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cut off"):
        open_workbook(path)


@pytest.mark.parametrize("part", ["xl/workbook.xml", SHEET])
def test_missing_parts(tmp_path: Path, part: str) -> None:
    path = rewrite(table(tmp_path / "a.xlsx", [["x"]]), {part: None})
    with pytest.raises(InputError, match="missing"):
        use(path)


DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize("part", [SHEET, "xl/sharedStrings.xml", "xl/workbook.xml", "_rels/.rels"])
def test_document_types_are_refused(tmp_path: Path, part: str) -> None:
    path = table(tmp_path / "a.xlsx", [["x"]])
    rewrite(path, {part: lambda old: old.replace(b"?>", b"?>" + DOCTYPE, 1)})
    with pytest.raises(InputError, match="document type"):
        use(path)


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entity = f'<!DOCTYPE x [<!ENTITY a SYSTEM "{(tmp_path / "secret").as_uri()}">]>'.encode()
    path = table(tmp_path / "a.xlsx", [["x"]])
    edit = replace((b"<t>x</t>", b"<t>&a;</t>"), (b"<sst", entity + b"<sst"))
    with pytest.raises(InputError, match="document type"):
        use(rewrite(path, {"xl/sharedStrings.xml": edit}))


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "_RATIO_FROM", 1 << 20)
    path = rewrite(table(tmp_path / "a.xlsx", [["x"]]), {"xl/media/a.png": b"\0" * (4 << 20)})
    with pytest.raises(InputError, match="unpack"):
        open_workbook(path)
    monkeypatch.setattr(package, "MAX_MEMBERS", 5)
    with pytest.raises(InputError, match="files"):
        open_workbook(table(tmp_path / "b.xlsx", [["x"]]))


def test_deep_and_endless_xml(tmp_path: Path) -> None:
    deep = b"<a>" * 100_000
    for text, said in ((deep, "deeply"), (b'<a b="' + b"x" * (2 << 20) + b'"/>', "longer")):
        path = table(tmp_path / "a.xlsx", [["x"]])
        edit = replace((b"<sheetData>", b"<sheetData>" + text))
        with pytest.raises(InputError, match=said):
            use(rewrite(path, {SHEET: edit}))


# --- damage ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("samples")
    one, two = photo(1), photo(2)
    paths = [
        table(folder / "t.xlsx", [["隐患描述", 1.5, True], ["未戴安全帽", 2, None]]),
        floating(folder / "f.xlsx", [(1, 1, one, {}), (3, 1, two, {})]),
        in_cell(folder / "m.xlsx", [(1, 1, one), (2, 1, two)]),
        wps(folder / "w.xlsx", {"B2": "ID_A"}, [("ID_A", "1.png")], {"1.png": one}),
    ]
    return [path.read_bytes() for path in paths]


def damage(sample: bytes, seed: int, path: Path) -> None:
    """Flip bytes of the archive, or cut, double, swap and overwrite pieces of its parts."""
    rng = random.Random(seed)
    if rng.random() < 0.3:
        raw = bytearray(sample)
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(raw)
        return
    path.write_bytes(sample)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(name for name in members if members[name])
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(names)
        content = members[name]
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice([1, 2, 8, 200]))
        odd = rng.choice(
            [b"", b"-1", b"99999999999999999999", b"<", b"\0", b'"', b"nan", b"\xff", b"1e999"]
        )
        attributes = [i for i, byte in enumerate(content) if byte == 34]
        kind = rng.randrange(5)
        if kind == 0:
            content = content[:start] + content[end:]
        elif kind == 1:
            content = content[:end] + content[start:]
        elif kind == 2:
            content = content[:start] + odd + content[end:]
        elif kind == 3 and len(attributes) > 1:
            at = rng.randrange(len(attributes) - 1)
            content = content[: attributes[at] + 1] + odd + content[attributes[at + 1] :]
        else:
            content = members[rng.choice(names)]
        members[name] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def survive(sample: bytes, seed: int, path: Path) -> None:
    damage(sample, seed, path)
    with suppress(InputError):
        use(path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), which=st.integers(0, 3))
def test_damage_raises_input_errors_only(
    samples: list[bytes], tmp_path: Path, seed: int, which: int
) -> None:
    survive(samples[which], seed, tmp_path / "damaged.xlsx")


@pytest.mark.extended
def test_damage_for_minutes(samples: list[bytes], tmp_path: Path) -> None:
    """Set HAZARDSCRIBE_FUZZ_MINUTES for longer; a failure names the seed that repeats it."""
    end = time.monotonic() + 60 * float(os.environ.get("HAZARDSCRIBE_FUZZ_MINUTES", "1"))
    seed = 0
    while time.monotonic() < end:
        seed += 1
        try:
            survive(samples[seed % 4], seed, tmp_path / "damaged.xlsx")
        except Exception as error:
            raise AssertionError(f"sample {seed % 4}, seed {seed}") from error
