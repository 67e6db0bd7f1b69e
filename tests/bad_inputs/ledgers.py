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


def _both_photos(world: World) -> object:
    for folder in ("a", "b"):
        world.file(f"{folder}/1.png", photo(len(folder) + ord(folder)))
    return read_pairs(world.file("a.csv", "photo,description\n1.png,护栏缺失\n"))


SOUND = HEADER + "1,护栏缺失,1.png\n"
CASES: dict[str, Case] = {
    "missing": (lambda w: import_ledger(w.tmp / "none.xlsx", out=w.tmp / "out"), ""),
    "nowhere to go": (lambda w: import_ledger(w.file("a.csv", SOUND)), ""),
    "empty": (_import("a.csv", b""), ""),
    "header alone": (_import("a.csv", HEADER), ""),
    "no description column": (_import("a.csv", "序号,整改前照片\n1,1.png\n"), ""),
    "no photo column": (_import("a.csv", "序号,隐患描述\n1,护栏缺失\n"), ""),
    "photos missing": (_import("a.csv", HEADER + "1,护栏缺失,9.png\n"), ""),
    "no text at all": (_import("a.csv", HEADER + "1,/,1.png\n2,,1.png\n"), ""),
    "nothing seen": (_import("a.csv", HEADER + "1,未见安全技术交底记录,1.png\n"), ""),
    "open quotation": (_import("a.csv", HEADER + '1,"护栏缺失,1.png\n' * 3), ""),
    "binary": (_import("a.csv", b"\0\1\2\3" * 40), ""),
    "of a program": (_import("a.csv", "AI描述,照片\n护栏缺失,1.png\n"), ""),
    "a column that is not there": (_import("a.csv", SOUND, columns={"description": "描述"}), ""),
    "a role that is none": (_import("a.csv", SOUND, columns={"text": "隐患描述"}), ""),
    "not a spreadsheet": (_import("a.docx", b"PK"), ""),
    "other files in the way": (_into, ""),
    "xls": (_import("a.xls", OLE + b"\0" * 600 + "Workbook\0".encode("utf-16-le")), ""),
    "password": (_import("a.xlsx", OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")), ""),
    "wps et": (_import("a.et", OLE + b"\0" * 600 + "Workbook\0".encode("utf-16-le")), ""),
    "web page": (_import("a.xlsx", b"<html><table><tr><td>1</td></tr></table></html>"), ""),
    "csv by another name": (_import("a.xlsx", "序号,隐患描述\n1,未戴安全帽\n"), ""),
    "pdf": (_import("a.xlsx", b"%PDF-1.7"), ""),
    "xlsx of nothing": (_import("a.xlsx", b""), ""),
    "xlsx of noise": (_import("a.xlsx", b"\x00\x01\x02\x03" * 20), ""),
    "xlsx header": (_import("a.xlsx", b"PK\x03\x04" + b"\0" * 60), ""),
    "xlsx cut off": (_cut, ""),
    "xlsx without workbook": (_book({"xl/workbook.xml": None}), ""),
    "xlsx without sheet": (_book({SHEET: None}), ""),
    "xlsx broken xml": (_book({SHEET: b"<worksheet><sheetData>"}), ""),
    "xlsx entity": (
        _book(
            {
                "xl/workbook.xml": lambda old: old.replace(
                    b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1
                )
            }
        ),
        "",
    ),
    "xlsx deep": (_book({SHEET: replace((b"<sheetData>", b"<sheetData>" + b"<a>" * 100_000))}), ""),
    "xlsx without rows": (_book({}, rows=()), ""),
    "xlsb": (_book({"xl/workbook.xml": None, "xl/workbook.bin": b""}), ""),
    "zip of nothing": (_zip({}), ""),
    "zip of a text": (_zip({"a.txt": "x"}), ""),
    "zip that climbs": (_zip({"../a.csv": SOUND, "1.png": photo(1)}), ""),
    "zip of an absolute name": (_zip({"/etc/a.csv": SOUND, "1.png": photo(1)}), ""),
    "zip of noise": (_import("a.zip", b"PK\x03\x04" + b"\1" * 80), ""),
    "zip within zip": (_zip({"b.zip": b"PK\x05\x06" + b"\0" * 18}), ""),
    "rar": (_import("a.rar", b"Rar!\x1a\7\0" + b"\0" * 60), ""),
    "pairs missing": (lambda w: read_pairs(w.tmp / "none"), ""),
    "pairs of an empty folder": (lambda w: read_pairs(w.file("d/x", b"").parent), ""),
    "pairs of a workbook": (lambda w: read_pairs(table(w.tmp / "a.xlsx", [["x"]])), ""),
    "pairs without columns": (_pairs("a.csv", "x,y\n1,2\n"), ""),
    "pairs without photos": (_pairs("a.csv", "photo,description\n9.png,护栏缺失\n"), ""),
    "pairs that are no json": (_pairs("a.jsonl", '{"photo": "1.png"\n'), ""),
    "pairs of a json list": (_pairs("a.jsonl", "[1, 2]\n"), ""),
    "pairs of broken parquet": (_pairs("a.parquet", b"PAR1" + b"\0" * 30 + b"PAR1"), ""),
    "pairs of odd split": (_pairs("a.csv", "photo,description,split\n1.png,护栏缺失,foo\n"), ""),
    "photo with two meanings": (_both_photos, ""),
    "a review that is none": (_import("a.json", json.dumps([{"id": 1, "data": {}}])), ""),
    "a review cut off": (_import("a.json", '[{"id": 1, "da'), ""),
    "export of a table unknown": (
        lambda w: verbs.export(w.pairs, to="html", out=w.tmp / "a.html"),
        "",
    ),
}
