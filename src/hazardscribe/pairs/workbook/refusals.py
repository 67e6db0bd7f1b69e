"""Files that are not .xlsx workbooks: what they are, and how to make one of them.

The first bytes decide, never the suffix: a `.xls` may be a web page, a `.xlsx` a password-protected
container. The sentences are for a safety engineer, so they name the menu to click.
"""

from __future__ import annotations

from pathlib import Path

from hazardscribe.errors import InputError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SAVE_AS = (
    'open it in Excel or WPS, choose "Save As" (另存为), pick the type "Excel Workbook (*.xlsx)" '
    '("Excel 工作簿", in WPS "Microsoft Excel 文件 (*.xlsx)"), save, and import the new file'
)
_XML_2003 = (b"mso-application", b"urn:schemas-microsoft-com:office:spreadsheet")
_SEARCH = 64 << 20  # bytes of an OLE file looked through for its directory


def not_a_zip(path: Path, head: bytes) -> InputError:
    """The error for a file that is no zip archive, and so no .xlsx."""
    if not head:
        return InputError(f"{path}: is empty (0 bytes); copy it again from its origin")
    if head.startswith(OLE):
        return _ole(path)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<?xml") and any(mark in text for mark in _XML_2003):
        return InputError(
            f"{path}: is an XML spreadsheet of Excel 2003, not a workbook; {_SAVE_AS}"
        )
    if text.startswith((b"<html", b"<!doctype html", b"<table", b"<meta")) or b"<table" in text:
        return InputError(
            f"{path}: is a web page that some system exported under the name of an Excel file, "
            f"not a workbook; {_SAVE_AS}"
        )
    if text.startswith(b"%pdf-"):
        return InputError(f"{path}: is a PDF; ask for the ledger as an Excel file (.xlsx)")
    if _is_text(head):
        return InputError(
            f"{path}: is plain text (CSV), not a workbook; rename it to end in .csv and import "
            f"that, or {_SAVE_AS}"
        )
    return InputError(
        f"{path}: is not an Excel workbook (.xlsx is a zip archive, this is something else); "
        f"if Excel or WPS can open it, {_SAVE_AS}; otherwise copy it again from its origin"
    )


def not_a_workbook(path: Path, names: list[str], mimetype: bytes) -> InputError:
    """The error for a zip archive without a workbook's main part; `names` are in lower case."""
    if "xl/workbook.bin" in names:
        return InputError(f"{path}: is a binary workbook (.xlsb); {_SAVE_AS}")
    if b"opendocument.spreadsheet" in mimetype:
        return InputError(
            f"{path}: is an OpenDocument spreadsheet (.ods); {_SAVE_AS}. LibreOffice does the "
            'same by File > Save As, "Excel 2007-365 (.xlsx)"'
        )
    for part, kind in (("word/", "a Word document"), ("ppt/", "a PowerPoint presentation")):
        if any(name.startswith(part) for name in names):
            return InputError(
                f"{path}: is {kind}, not a workbook; copy its table into Excel or WPS and save "
                "that as .xlsx"
            )
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
    if any(name.encode("utf-16-le") in body for name in ("Workbook\0", "Book\0")):
        return InputError(
            f"{path}: is in the old Excel format .xls (97-2003), whatever its suffix says; "
            f"{_SAVE_AS}"
        )
    return InputError(
        f"{path}: is an old Office file (OLE) without a workbook that can be read; if Excel or "
        f"WPS can open it, {_SAVE_AS}"
    )


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    control = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    return control == 0
