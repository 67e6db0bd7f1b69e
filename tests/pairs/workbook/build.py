"""Builders of workbooks: xlsxwriter for what it can write, parts by hand for the rest."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter
from PIL import Image

Edit = Callable[[bytes], bytes] | bytes | None

STRICT = {
    b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": (
        b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    ),
    b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships"
    ),
    b"http://schemas.openxmlformats.org/drawingml/2006/": b"http://purl.oclc.org/ooxml/drawingml/",
}


def photo(seed: int, form: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    """A small picture whose content depends on the seed alone."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(stream, form, dpi=(96, 96))
    return stream.getvalue()


def emf() -> bytes:
    return b"\x01\0\0\0" + b"\0" * 36 + b" EMF" + b"\0" * 60


def rewrite(path: Path, edits: Mapping[str, Edit], *, only: bool = False) -> Path:
    """Change members of a zip: new bytes, a function of the old ones, or None to drop them."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    for name, edit in edits.items():
        if edit is None:
            del members[name]
        else:
            members[name] = edit(members[name]) if callable(edit) else edit
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content)
    return path


def replace(*changes: tuple[bytes, bytes]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        for old, new in changes:
            assert old in content, old
            content = content.replace(old, new)
        return content

    return edit


def table(path: Path, rows: Sequence[Sequence[Any]], **options: Any) -> Path:
    """A workbook of one sheet by xlsxwriter."""
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("台账")
        for number, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                elif cell is not None:
                    sheet.write(number, column, cell)
    return path


def floating(path: Path, placed: Sequence[tuple[int, int, bytes, dict[str, Any]]]) -> Path:
    """Pictures over cells: (row, column, bytes, xlsxwriter options), counted from 0."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("台账")
        for number in range(12):
            sheet.write_string(number, 0, f"第{number + 1}行")
        for row, column, content, options in placed:
            data = {"image_data": io.BytesIO(content), **options}
            sheet.insert_image(row, column, "photo.png", data)
    return path


def in_cell(path: Path, placed: Sequence[tuple[int, int, bytes]]) -> Path:
    """Pictures in cells as Microsoft 365 stores them."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("台账")
        for row, column, content in placed:
            sheet.write_string(row, 0, f"第{row + 1}行")
            sheet.embed_image(row, column, "photo.png", {"image_data": io.BytesIO(content)})
    return path


def wps(
    path: Path,
    cells: Mapping[str, str],
    pictures: Sequence[tuple[str, str]],
    media: Mapping[str, bytes],
    *,
    formula: str = '_xlfn.DISPIMG("{}",1)',
    value: str | None = '=DISPIMG("{}",1)',
    rows: Sequence[Sequence[Any]] | None = None,
) -> Path:
    """Pictures in cells as WPS stores them.

    Args:
        path: the file to write.
        cells: cell (column B on, such as `B2`) -> picture id.
        pictures: (picture id, name in `media`) in the order of `cellimages.xml`.
        media: name -> bytes.
        formula: of the cell, with a gap for the id.
        value: what WPS keeps as its result; None for none.
        rows: of the sheet, the header first; some by default.
    """
    table(path, rows or [["隐患描述", "隐患照片"], *([f"第{i}行"] for i in range(2, 8))])
    quoted = '"', "&quot;"

    def sheet(content: bytes) -> bytes:
        text = content.decode()
        for place, name in cells.items():
            number = place.lstrip("ABCDEFGHIJ")
            result = "" if value is None else f"<v>{value.format(name).replace(*quoted)}</v>"
            cell = (
                f'<c r="{place}" t="str"><f>{formula.format(name).replace(*quoted)}</f>{result}</c>'
            )
            start = text.index(f'<row r="{number}"')
            end = text.index("</row>", start)
            text = text[:end] + cell + text[end:]
        return text.encode()

    names = list(media)
    images = "".join(
        f'<etc:cellImage><xdr:pic><xdr:nvPicPr><xdr:cNvPr id="{i + 2}" name="{name}" descr="x"/>'
        f'<xdr:cNvPicPr/></xdr:nvPicPr><xdr:blipFill><a:blip r:embed="rId{names.index(file) + 1}"/>'
        "</xdr:blipFill><xdr:spPr/></xdr:pic></etc:cellImage>"
        for i, (name, file) in enumerate(pictures)
    )
    relations = "".join(
        f'<Relationship Id="rId{i + 1}" Type="http://schemas.openxmlformats.org/officeDocument/2006'
        f'/relationships/image" Target="media/{name}"/>'
        for i, name in enumerate(names)
    )
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return rewrite(
        path,
        {
            "xl/worksheets/sheet1.xml": sheet,
            "xl/_rels/workbook.xml.rels": replace(
                (
                    b"</Relationships>",
                    b'<Relationship Id="rId99" Type="http://www.wps.cn/officeDocument/2020/cellImage"'
                    b' Target="cellimages.xml"/></Relationships>',
                )
            ),
            "xl/cellimages.xml": (
                f'{head}<etc:cellImages xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData"'
                ' xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"'
                ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
                ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
                f"{images}</etc:cellImages>"
            ).encode(),
            "xl/_rels/cellimages.xml.rels": (
                f'{head}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006'
                f'/relationships">{relations}</Relationships>'
            ).encode(),
            **{f"xl/media/{name}": content for name, content in media.items()},
        },
    )


def strict(path: Path) -> Path:
    """The same workbook in the strict dialect."""

    def edit(content: bytes) -> bytes:
        for old, new in STRICT.items():
            content = content.replace(old, new)
        return content

    with zipfile.ZipFile(path) as book:
        names = [n for n in book.namelist() if n.endswith((".xml", ".rels"))]
    return rewrite(path, dict.fromkeys(names, edit))
