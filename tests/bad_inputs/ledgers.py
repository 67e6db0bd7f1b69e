"""Ledgers and pairs that cannot be taken."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from bad_inputs.world import Case, World
from hazardscribe import verbs
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.workbook.refusals import OLE
from pairs.workbook.build import photo, replace, rewrite, table

HEADER = "序号,隐患描述,整改前照片\n"
SHEET = "xl/worksheets/sheet1.xml"


def _import(name: str, content: bytes | str, **options: Any) -> Callable[[World], object]:
    """Import a file; photos lie beside it."""

    def do(world: World) -> object:
        world.file("1.png", photo(1))
        return import_ledger(world.file(name, content), out=world.tmp / "out", **options)

    return do


def _zip(members: Mapping[str, bytes | str], **options: Any) -> Callable[[World], object]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return _import("a.zip", stream.getvalue(), **options)


def _book(edits: Mapping[str, Any], rows: Any = (("隐患描述", "照片"), ("a", "b"))):
    def do(world: World) -> object:
        path = rewrite(table(world.tmp / "a.xlsx", rows), edits)
        return import_ledger(path, out=world.tmp / "out")

    return do


def _cut(world: World) -> object:
    path = table(world.tmp / "a.xlsx", [["x"] * 5] * 50)
    path.write_bytes(path.read_bytes()[:-100])
    return import_ledger(path, out=world.tmp / "out")


def _pairs(name: str, content: bytes | str, **options: Any) -> Callable[[World], object]:
    def do(world: World) -> object:
        world.file("1.png", photo(1))
        return read_pairs(world.file(name, content), **options)

    return do


def _into(world: World, name: str = "thesis.txt") -> object:
    world.file(f"out/{name}", "mine")
    return import_ledger(world.file("a.csv", HEADER + "1,护栏缺失,1.png\n"), out=world.tmp / "out")


DOCTYPE = b'?><!DOCTYPE x [<!ENTITY a "b">]>'
SOUND = HEADER + "1,护栏缺失,1.png\n"
CASES: dict[str, Case] = {
    "missing": (
        lambda w: import_ledger(w.tmp / "none.xlsx", out=w.tmp / "out"),
        (
            "none.xlsx: no such file or folder; give an Excel workbook (.xlsx, .xlsm), a "
            ".csv, .tsv or .txt file, a .zip of ledgers and photos, a folder of ledgers, "
            "or a .json export of Label Studio"
        ),
    ),
    "nowhere to go": (
        lambda w: import_ledger(w.file("a.csv", SOUND)),
        (
            "no folder to write is named; give --out FOLDER, or --dry-run to write "
            "nothing, in Python out= or dry_run=True"
        ),
    ),
    "empty": (_import("a.csv", b""), "a.csv: is empty; a header and rows are needed"),
    "header alone": (_import("a.csv", HEADER), "a.csv: none of 0 rows gives a pair (no rows)."),
    "no description column": (
        _import("a.csv", "序号,整改前照片\n1,1.png\n"),
        (
            "a.csv: no column for the description was found. Columns seen: '序号', "
            "'整改前照片'. Name the right one: --columns.description \"...\" or, in Python, "
            'columns={"description": "..."}'
        ),
    ),
    "no photo column": (
        _import("a.csv", "序号,隐患描述\n1,护栏缺失\n"),
        (
            "a.csv: none of 1 rows gives a pair (no_photo_named 1). First: a.csv row 2: "
            "the sheet has no column of photos, and no picture lies in the row"
        ),
    ),
    "photos missing": (
        _import("a.csv", HEADER + "1,护栏缺失,9.png\n"),
        (
            "a.csv: none of 1 rows gives a pair (photo_missing 1). First: a.csv row 2: "
            "9.png: no such file in …; name the photo folder: --photos FOLDER, in Python "
            "photos=..."
        ),
    ),
    "no text at all": (
        _import("a.csv", HEADER + "1,/,1.png\n2,,1.png\n"),
        (
            "a.csv: none of 2 rows gives a pair (empty_description 2). First: a.csv row 2: "
            "the description is '/'; a.csv row 3: the description is empty"
        ),
    ),
    "nothing seen": (
        _import("a.csv", HEADER + "1,未见安全技术交底记录,1.png\n"),
        (
            "a.csv: none of 1 rows gives a pair (not_visible 1). First: a.csv row 2: no "
            "photo can show '未见安全技术交底记录': 未见安全技术交底记录"
        ),
    ),
    "open quotation": (
        _import("a.csv", HEADER + '1,"护栏缺失,1.png\n' * 3),
        (
            "a.csv: line 4: a quotation mark is opened in this row and never closed, so "
            "all that follows would be lost; correct the row"
        ),
    ),
    "binary": (
        _import("a.csv", b"\0\1\2\3" * 40),
        (
            "a.csv: is not text in UTF-8, UTF-16 with a byte-order mark, or GB18030 (GBK); "
            'save it as "CSV UTF-8"'
        ),
    ),
    "of a program": (
        _import("a.csv", "AI描述,照片\n护栏缺失,1.png\n"),
        (
            "a.csv: no column for the description was found. 'AI描述' is what a program "
            "wrote and nobody has confirmed: let people correct it (describe --out "
            "NAME.jsonl, export NAME.jsonl --to label-studio) and import what they say. "
            "Columns seen: 'AI描述', '照片'. Name the right one: --columns.description "
            '"..." or, in Python, columns={"description": "..."}'
        ),
    ),
    "a column that is not there": (
        _import("a.csv", SOUND, columns={"description": "描述"}),
        (
            "a.csv: there is no single column '描述', named for the description. Columns "
            "seen: '序号', '隐患描述', '整改前照片'. Name the right one: "
            '--columns.description "..." or, in Python, columns={"description": "..."}'
        ),
    ),
    "a role that is none": (
        _import("a.csv", SOUND, columns={"text": "隐患描述"}),
        (
            "columns: 'text' is not a role; the roles are photo, description, split, "
            "after_photo, category, level, place, date, site, project, inspector, measure, "
            "responsible, due, status, as in --columns.photo 现场照片, in Python "
            "columns={'photo': '现场照片'}"
        ),
    ),
    "PDF": (
        _import("a.pdf", b"%PDF-1.7"),
        "a.pdf: is a PDF; ask for the ledger as an Excel file (.xlsx)",
    ),
    "pairs already": (
        _import("a.jsonl", b"{}"),
        (
            "a.jsonl: .jsonl is a table of pairs, which needs no import: name it with --data to "
            "train, or look it over with hazardscribe check"
        ),
    ),
    "other files in the way": (
        _into,
        "--out out: is not empty. Name a new folder, or move it away.",
    ),
    "xls": (
        _import("a.xls", OLE + b"\0" * 600 + "Workbook\0".encode("utf-16-le")),
        (
            "a.xls: is in the old Excel format .xls (97-2003), whatever its suffix says; "
            'open it in Excel or WPS, choose "Save As" (另存为), pick the type "Excel '
            'Workbook (*.xlsx)" ("Excel 工作簿", in WPS "Microsoft Excel 文件 (*.xlsx)"), '
            "save, and import the new file"
        ),
    ),
    "password": (
        _import("a.xlsx", OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")),
        (
            "a.xlsx: is protected by a password; open it in Excel or WPS, remove the "
            "password (File > Info > Protect Workbook > Encrypt with Password, in WPS 文件 "
            "> 文档加密), save it as .xlsx and import that"
        ),
    ),
    "wps et": (
        _import("a.et", OLE + b"\0" * 600 + "Workbook\0".encode("utf-16-le")),
        (
            'a.et: is in the WPS format .et; open it in Excel or WPS, choose "Save As" '
            '(另存为), pick the type "Excel Workbook (*.xlsx)" ("Excel 工作簿", in WPS '
            '"Microsoft Excel 文件 (*.xlsx)"), save, and import the new file'
        ),
    ),
    "web page": (
        _import("a.xlsx", b"<html><table><tr><td>1</td></tr></table></html>"),
        (
            "a.xlsx: is a web page that some system exported under the name of an Excel "
            'file, not a workbook; open it in Excel or WPS, choose "Save As" (另存为), '
            'pick the type "Excel Workbook (*.xlsx)" ("Excel 工作簿", in WPS "Microsoft '
            'Excel 文件 (*.xlsx)"), save, and import the new file. A web page only points to its '
            "photos, so see that they are in the new file; if they are not, ask the system for an "
            "export with pictures, or for the photos as files"
        ),
    ),
    "csv by another name": (
        _import("a.xlsx", "序号,隐患描述\n1,未戴安全帽\n"),
        (
            "a.xlsx: is plain text (CSV), not a workbook; rename it to end in .csv and "
            'import that, or open it in Excel or WPS, choose "Save As" (另存为), pick the '
            'type "Excel Workbook (*.xlsx)" ("Excel 工作簿", in WPS "Microsoft Excel 文件 '
            '(*.xlsx)"), save, and import the new file'
        ),
    ),
    "pdf": (
        _import("a.xlsx", b"%PDF-1.7"),
        "a.xlsx: is a PDF; ask for the ledger as an Excel file (.xlsx)",
    ),
    "xlsx of nothing": (
        _import("a.xlsx", b""),
        "a.xlsx: is empty (0 bytes); copy it again from its origin",
    ),
    "xlsx of noise": (
        _import("a.xlsx", b"\x00\x01\x02\x03" * 20),
        (
            "a.xlsx: is not an Excel workbook (.xlsx is a zip archive, this is something "
            'else); if Excel or WPS can open it, open it in Excel or WPS, choose "Save As" '
            '(另存为), pick the type "Excel Workbook (*.xlsx)" ("Excel 工作簿", in WPS '
            '"Microsoft Excel 文件 (*.xlsx)"), save, and import the new file; otherwise '
            "copy it again from its origin"
        ),
    ),
    "xlsx header": (
        _import("a.xlsx", b"PK\x03\x04" + b"\0" * 60),
        (
            "a.xlsx: the file is damaged or cut off (…); copy it again from its origin, "
            "or open it in Excel or WPS, let it repair the file, and save it as .xlsx"
        ),
    ),
    "xlsx cut off": (
        _cut,
        (
            "a.xlsx: the file is damaged or cut off (…); copy it again from its origin, "
            "or open it in Excel or WPS, let it repair the file, and save it as .xlsx"
        ),
    ),
    "xlsx without workbook": (
        _book({"xl/workbook.xml": None}),
        (
            "a.xlsx: is a zip archive, but no workbook lies in it (the main part "
            "xl/workbook.xml is missing); if it is an archive of a ledger and its photos, "
            "give it the suffix .zip, otherwise take an undamaged copy"
        ),
    ),
    "xlsx without sheet": (
        _book({SHEET: None}),
        (
            "a.xlsx: the sheet '台账' is missing from it; open it in Excel or WPS, let it "
            "repair the file, and save it as .xlsx under a new name"
        ),
    ),
    "xlsx broken xml": (
        _book({SHEET: b"<worksheet><sheetData>"}),
        (
            "a.xlsx: the part xl/worksheets/sheet1.xml in it is damaged (…); open it in "
            "Excel or WPS, let it repair the file, and save it as .xlsx under a new name; "
            "if that fails, take an earlier copy"
        ),
    ),
    "xlsx entity": (
        _book({"xl/workbook.xml": lambda old: old.replace(b"?>", DOCTYPE, 1)}),
        (
            "a.xlsx: the part xl/workbook.xml in it is damaged (it declares a document "
            "type, which Office files never do); open it in Excel or WPS, let it repair "
            "the file, and save it as .xlsx under a new name; if that fails, take an "
            "earlier copy"
        ),
    ),
    "xlsx deep": (
        _book({SHEET: replace((b"<sheetData>", b"<sheetData>" + b"<a>" * 100_000))}),
        (
            "a.xlsx: the part xl/worksheets/sheet1.xml in it is damaged (its elements are "
            "nested too deeply); open it in Excel or WPS, let it repair the file, and save "
            "it as .xlsx under a new name; if that fails, take an earlier copy"
        ),
    ),
    "xlsx without rows": (
        _book({}, rows=()),
        (
            "a.xlsx: no column for the description was found. Columns seen: none. Name the "
            'right one: --columns.description "..." or, in Python, columns={"description": '
            '"..."}'
        ),
    ),
    "xlsb": (
        _book({"xl/workbook.xml": None, "xl/workbook.bin": b""}),
        (
            'a.xlsx: is a binary workbook (.xlsb); open it in Excel or WPS, choose "Save '
            'As" (另存为), pick the type "Excel Workbook (*.xlsx)" ("Excel 工作簿", in WPS '
            '"Microsoft Excel 文件 (*.xlsx)"), save, and import the new file'
        ),
    ),
    "zip of nothing": (
        _zip({}),
        (
            "a.zip: holds no ledger (seen: nothing); give an Excel workbook (.xlsx, "
            ".xlsm), a .csv, .tsv or .txt file, a .zip of ledgers and photos, a folder of "
            "ledgers, or a .json export of Label Studio"
        ),
    ),
    "zip of a text": (
        _zip({"a.txt": "x"}),
        (
            "a.zip: no column for the description was found. Columns seen: 'x'. Name the "
            'right one: --columns.description "..." or, in Python, columns={"description": '
            '"..."}'
        ),
    ),
    "zip that climbs": (
        _zip({"../a.csv": SOUND, "1.png": photo(1)}),
        (
            "a.zip: holds no ledger (seen: 1.png); give an Excel workbook (.xlsx, .xlsm), "
            "a .csv, .tsv or .txt file, a .zip of ledgers and photos, a folder of ledgers, "
            "or a .json export of Label Studio. Refused, because their names lead out of "
            "the archive: ../a.csv; pack them again without `..` and without a leading "
            "slash"
        ),
    ),
    "zip of an absolute name": (
        _zip({"/etc/a.csv": SOUND, "1.png": photo(1)}),
        (
            "a.zip: holds no ledger (seen: 1.png); give an Excel workbook (.xlsx, .xlsm), "
            "a .csv, .tsv or .txt file, a .zip of ledgers and photos, a folder of ledgers, "
            "or a .json export of Label Studio. Refused, because their names lead out of "
            "the archive: /etc/a.csv; pack them again without `..` and without a leading "
            "slash"
        ),
    ),
    "zip of noise": (
        _import("a.zip", b"PK\x03\x04" + b"\1" * 80),
        (
            "a.zip: is not a readable zip archive (…); copy it again, or unpack it and "
            "name the folder"
        ),
    ),
    "zip within zip": (
        _zip({"b.zip": b"PK\x05\x06" + b"\0" * 18}),
        (
            "a.zip: holds no ledger (seen: b.zip); give an Excel workbook (.xlsx, .xlsm), "
            "a .csv, .tsv or .txt file, a .zip of ledgers and photos, a folder of ledgers, "
            "or a .json export of Label Studio"
        ),
    ),
    "rar": (
        _import("a.rar", b"Rar!\x1a\7\0" + b"\0" * 60),
        "a.rar: is a RAR archive; unpack it and import the folder",
    ),
    "pairs missing": (
        lambda w: read_pairs(w.tmp / "none"),
        (
            "none: no such file or folder; give a .csv, .tsv, .jsonl or .parquet file, a "
            ".json export of Label Studio, a Hugging Face dataset folder (save_to_disk), "
            "or a folder of photos with pairs.parquet, pairs.csv, metadata.csv or "
            "metadata.jsonl, also in sub-folders train/, dev/ and validation/"
        ),
    ),
    "pairs of an empty folder": (
        lambda w: read_pairs(w.file("d/x", b"").parent),
        (
            "d: holds no table of pairs (seen: x); give a .csv, .tsv, .jsonl or .parquet "
            "file, a .json export of Label Studio, a Hugging Face dataset folder "
            "(save_to_disk), or a folder of photos with pairs.parquet, pairs.csv, "
            "metadata.csv or metadata.jsonl, also in sub-folders train/, dev/ and "
            "validation/"
        ),
    ),
    "pairs of a workbook": (
        lambda w: read_pairs(table(w.tmp / "a.xlsx", [["x"]])),
        (
            "a.xlsx: is a ledger, not pairs yet; turn it into pairs first: hazardscribe "
            "import a.xlsx --out pairs"
        ),
    ),
    "pairs without columns": (
        _pairs("a.csv", "x,y\n1,2\n"),
        (
            "a.csv: no column for the photo was found. Columns seen: 'x', 'y'. Name the "
            'right one: --columns.photo NAME, in Python columns={"photo": "NAME"}; or '
            "rename the column to 'photo'"
        ),
    ),
    "pairs without photos": (
        _pairs("a.csv", "photo,description\n9.png,护栏缺失\n"),
        (
            "a.csv: none of 1 rows gives a pair (photo_missing 1). First: a.csv row 1: "
            "9.png: no such file in …; name the photo folder: --photos FOLDER, in Python "
            "photos=..."
        ),
    ),
    "pairs that are no json": (
        _pairs("a.jsonl", '{"photo": "1.png"\n'),
        ("a.jsonl: no line of it is a JSON object (first: not JSON: …); one a line is needed"),
    ),
    "pairs of a json list": (
        _pairs("a.jsonl", "[1, 2]\n"),
        (
            "a.jsonl: no line of it is a JSON object (first: not a JSON object); one a "
            "line is needed"
        ),
    ),
    "pairs of broken parquet": (
        _pairs("a.parquet", b"PAR1" + b"\0" * 30 + b"PAR1"),
        "a.parquet: is not a readable Parquet file (…); write it again",
    ),
    "pairs of odd split": (
        _pairs("a.csv", "photo,description,split\n1.png,护栏缺失,foo\n"),
        (
            "a.csv: none of 1 rows gives a pair (bad_split 1). First: a.csv row 1: 'foo' "
            "is not a split; use train, dev or validation"
        ),
    ),
    "a review that is none": (
        _import("a.json", json.dumps([{"id": 1, "data": {}}])),
        (
            "a.json: none of 1 rows gives a pair (not_annotated 1). First: a.json row 2: "
            "nobody has submitted an annotation for this photo"
        ),
    ),
    "a review cut off": (
        _import("a.json", '[{"id": 1, "da'),
        "a.json: is not JSON (…); export it again",
    ),
    "export of a table unknown": (
        lambda w: verbs.export(w.pairs, to="html", out=w.tmp / "a.html"),
        "to='html': must be one of xlsx, label-studio, pairs",
    ),
}
