"""Files that are not .xlsx workbooks: what they are, and how to make one of them.

The first bytes decide, never the suffix: a `.xls` may be a web page, a `.xlsx` a password-protected
container. The sentences are for a safety engineer, so they name the menu to click.
"""

from __future__ import annotations

import re
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.pairs.photo_file import photo_suffix

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SAVE_AS = (
    'open it in Excel or WPS, choose "Save As" (另存为), pick the type "Excel Workbook (*.xlsx)" '
    '("Excel 工作簿", in WPS "Microsoft Excel 文件 (*.xlsx)"), save, and import the new file'
)
REPAIR = "open it in Excel or WPS, let it repair the file, and save it as .xlsx under a new name"
_LIBREOFFICE = 'in LibreOffice choose File > Save As, "Excel 2007-365 (.xlsx)"'
_COPY_TABLE = "copy its table into Excel or WPS and save that as .xlsx"
_UNPACK = "unpack it and import the folder"
_SEARCH = 64 << 20  # bytes of an OLE file looked through for its directory

_BYTES = {
    b"%PDF-": "a PDF; ask for the ledger as an Excel file (.xlsx)",
    b"{\\rtf": f"a rich text document (RTF); {_COPY_TABLE}",
    b"ID;P": f"a SYLK table (.slk), which holds no pictures; {_SAVE_AS}",
    b"Rar!\x1a\x07": f"a RAR archive; {_UNPACK}",
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive; {_UNPACK}",
    b"\x1f\x8b": f"a gzip archive; {_UNPACK}",
    b"SQLite format 3\0": "a database (SQLite); export its table as .xlsx or .csv",
}
"""First bytes -> what the file is, and what to do."""

_TEXTS = (
    (
        re.compile(r"<\?xml.*(?:mso-application|urn:schemas-microsoft-com:office:spreadsheet)"),
        f"an XML spreadsheet of Excel 2003, not a workbook; {_SAVE_AS}",
    ),
    (
        re.compile(r"<\?xml.*(?:opendocument\.spreadsheet|opendocument:xmlns:office)"),
        f"an OpenDocument spreadsheet in one XML file (.fods); {_LIBREOFFICE}",
    ),
    (
        re.compile(r".{0,500}\bmime-version:.*(?:multipart/related|text/html)"),
        f"a web archive (.mht), not a workbook; {_SAVE_AS}",
    ),
)
_PAGE = re.compile(r"<(?:html|!doctype html|table|meta|head|style)\b|.*<(?:table|html)\b")

_OLE = (
    ("Workbook\0", f"in the old Excel format .xls (97-2003), whatever its suffix says; {_SAVE_AS}"),
    ("Book\0", f"in the old Excel format .xls (97-2003), whatever its suffix says; {_SAVE_AS}"),
    ("WordDocument\0", f"a Word document (.doc), not a workbook; {_COPY_TABLE}"),
    ("PowerPoint Document\0", f"a PowerPoint presentation, not a workbook; {_COPY_TABLE}"),
)
"""What an OLE file holds -> what it is, and what to do."""


def not_a_zip(path: Path, head: bytes) -> InputError:
    """The error for a file that is no zip archive, and so no .xlsx."""
    if not head:
        return InputError(f"{path}: is empty (0 bytes); copy it again from its origin")
    if head.startswith(OLE):
        return _ole(path)
    said = next((said for start, said in _BYTES.items() if head.startswith(start)), None)
    if said is None:
        text = _text(head)
        said = _binary(head) if text is None else _of_text(path, text)
    return InputError(f"{path}: is {said}")


def not_a_workbook(path: Path, names: list[str], mimetype: bytes) -> InputError:
    """The error for a zip archive without a workbook's main part; `names` are in lower case."""
    if "xl/workbook.bin" in names:
        return InputError(f"{path}: is a binary workbook (.xlsb); {_SAVE_AS}")
    if b"opendocument.spreadsheet" in mimetype:
        return InputError(
            f"{path}: is an OpenDocument spreadsheet (.ods); {_SAVE_AS}. LibreOffice does the "
            'same by File > Save As, "Excel 2007-365 (.xlsx)"'
        )
    for part, kind in (
        ("word/", "a Word document"),
        ("ppt/", "a PowerPoint presentation"),
        ("content.xml", "an OpenDocument text"),
    ):
        if any(name.startswith(part) for name in names):
            return InputError(f"{path}: is {kind}, not a workbook; {_COPY_TABLE}")
    if any(name.startswith("index/") and name.endswith(".iwa") for name in names):
        return InputError(
            f"{path}: is an Apple Numbers file; in Numbers choose File > Export To > Excel"
        )
    return InputError(
        f"{path}: is a zip archive, but no workbook lies in it (the main part xl/workbook.xml is "
        "missing); if it is an archive of a ledger and its photos, give it the suffix .zip, "
        "otherwise take an undamaged copy"
    )


def locked(path: Path) -> InputError:
    """The error for a workbook behind a password."""
    return InputError(
        f"{path}: is protected by a password; open it in Excel or WPS, remove the password (File "
        "> Info > Protect Workbook > Encrypt with Password, in WPS 文件 > 文档加密), "
        "save it as .xlsx and import that"
    )


def _ole(path: Path) -> InputError:
    with path.open("rb") as stream:
        body = stream.read(_SEARCH)
    if "EncryptedPackage".encode("utf-16-le") in body:
        return locked(path)
    if path.suffix.lower() in (".et", ".ett"):
        return InputError(f"{path}: is in the WPS format .et; {_SAVE_AS}")
    said = next((said for name, said in _OLE if name.encode("utf-16-le") in body), "")
    return InputError(
        f"{path}: is {said}"
        if said
        else f"{path}: is an old Office file (OLE) without a workbook that can be read; if Excel "
        f"or WPS can open it, {_SAVE_AS}"
    )


def _of_text(path: Path, text: str) -> str:
    for form, said in _TEXTS:
        if form.match(text):
            return said
    if _PAGE.match(text):
        return _page(path)
    return (
        "plain text (CSV), not a workbook; rename it to end in .csv and import that, or " + _SAVE_AS
    )


def _binary(head: bytes) -> str:
    if photo_suffix(head) != ".bin":
        return (
            "a picture, not a ledger; name the table of descriptions, and the folder of its "
            "photos with --photos"
        )
    return (
        "not an Excel workbook (.xlsx is a zip archive, this is something else); "
        f"if Excel or WPS can open it, {_SAVE_AS}; otherwise copy it again from its origin"
    )


def _page(path: Path) -> str:
    posing = path.suffix.lower() not in (".html", ".htm", ".xhtml")
    name = " that some system exported under the name of an Excel file" if posing else " (HTML)"
    return (
        f"a web page{name}, not a workbook; {_SAVE_AS}. A web page only points to its photos, so "
        "see that they are in the new file; if they are not, ask the system for an export with "
        "pictures, or for the photos as files"
    )


def _text(head: bytes) -> str | None:
    """The first bytes as one line of lower-case text; None where they are no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "replace")
    elif any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return None
    else:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return " ".join(text.split()).lower()
