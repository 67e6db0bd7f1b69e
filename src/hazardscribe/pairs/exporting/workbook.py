"""A ledger with pictures, written row by row as an Excel workbook.

Pictures float over their cell, anchored to it with both corners: every office program shows
those, hides them with their row under a filter and takes them along when rows are sorted. Texts
are only ever texts: nothing becomes a formula, a number or a link. Rows go to disk as they come,
so memory does not grow with their text, and the file is renamed into place when it is whole.
Equal rows give equal bytes.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError, missing_package
from hazardscribe.files import draft_of, publish
from hazardscribe.pairs.exporting.layout import LINE_HEIGHT, line_count, row_height
from hazardscribe.pairs.exporting.pictures import Picture, fit, picture_of
from hazardscribe.pairs.workbook.items import MAX_COLUMNS, MAX_ROWS
from hazardscribe.pairs.write import copy_to, photo_name

PICTURES = 5_000
"""Pictures a sheet: with more, office programs take minutes to open it."""

CELL_UNITS = 32_767
"""Excel's limit for a cell, in UTF-16 units."""

PICTURE_BYTES = 4 * 2**30 - 256 * 2**20
"""All pictures of a workbook: an .xlsx is a zip file of less than 4 GiB, with some room left."""

PHOTO_WIDTH = 24.0
"""Characters; the cell of a photo then is 173 pixels wide."""

_PHOTO_HEIGHT = 124  # pixels
_GAP = 4  # pixels between a picture and its cell's border
_CREATED = datetime(2000, 1, 1)
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FEW_LINES = 6

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a ledger.

    Attributes:
        header: its name.
        kind: `photo` holds the picture (at most one column), `original` the name of the photo's
            file beside the workbook where the picture is a copy, `main` the text that decides on
            a row's height, `text` other texts, `number` and `share` (shown in percent) numbers.
        width: in characters.
    """

    header: str
    kind: Literal["photo", "original", "main", "text", "number", "share"] = "text"
    width: float = 12.0


class LedgerWriter:
    """Writes one workbook; use as a context manager, or end with `close` or `discard`.

    Leaving the context with an error leaves no file.

    Raises:
        InputError: xlsxwriter is not installed, the file name does not end in .xlsx, there are
            more columns than Excel has, or the file cannot be written.
    """

    def __init__(
        self, path: Path, columns: Sequence[Column], *, title: str, contents: str = "ledger"
    ) -> None:
        """Begin a workbook.

        Args:
            path: the .xlsx file; replaced when the workbook is whole.
            columns: in order.
            title: name of the first sheet; further ones get a number.
            contents: kept as the document property `hazardscribe`, for whoever reads it again.
        """
        self.path, self._columns, self._title = Path(path), list(columns), title[:24]
        self._photos = f"{self.path.stem}_photos"
        self._widths = [column.width for column in columns]
        self._most = [None if column.kind == "main" else _FEW_LINES for column in columns]
        kinds = [column.kind for column in columns]
        self._photo_at = kinds.index("photo") if "photo" in kinds else None
        self._original_at = kinds.index("original") if "original" in kinds else None
        self._main_at = kinds.index("main") if "main" in kinds else 0
        self._photo_pixels = 0 if self._photo_at is None else _pixels(self._widths[self._photo_at])
        if self.path.suffix.lower() != ".xlsx":
            raise InputError(f"{path}: the name of a workbook must end in .xlsx")
        if len(columns) > MAX_COLUMNS:
            raise InputError(
                f"{path}: {len(columns)} columns are more than the {MAX_COLUMNS:,} of an Excel "
                "sheet; leave some out, or export with --to pairs"
            )
        xlsxwriter = _xlsxwriter()
        self._draft = draft_of(self.path)
        self._originals: dict[str, Path] = {}
        self._pictures: dict[Path, Picture] = {}
        self._bytes = self._in_sheet = self.rows = 0
        self._sheet: Any = None
        self._row = 0  # of the sheet, the header's is 0
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._spool = tempfile.TemporaryDirectory(
                dir=self.path.parent, prefix=f".{self.path.stem[:40]}-", ignore_cleanup_errors=True
            )
            self._book = xlsxwriter.Workbook(
                str(self._draft), {"constant_memory": True, "tmpdir": self._spool.name}
            )
            self._book.set_properties({"created": _CREATED, "comments": "hazardscribe"})
            self._book.set_custom_property("hazardscribe", contents, "text")
            edge = {"border": 1, "border_color": "#D0D7DE", "valign": "vcenter", "text_wrap": True}
            add = self._book.add_format
            self._header = add(edge | {"bold": True, "bg_color": "#E8EEF4", "align": "center"})
            self._formats = {
                "text": add(edge | {"num_format": "@"}),
                # What is cut off must at least begin where reading begins.
                "long": add(edge | {"num_format": "@", "valign": "top"}),
                "number": add(edge | {"align": "center"}),
                "share": add(edge | {"num_format": "0%", "align": "center"}),
            }
            self._new_sheet()

    def add(self, cells: Sequence[Cell], photo: Path | None = None) -> None:
        """Add a row.

        Args:
            cells: one for each column; those of the photo and of its original are not looked at.
            photo: the photo of the row, if it has one.

        Raises:
            InputError: a text is longer than a cell can be, or the pictures are too many bytes.
            PhotoError: the photo cannot be used; nothing of the row was written.
        """
        texts = [clean_cell(cell) if isinstance(cell, str) else "" for cell in cells]
        for text, column in zip(texts, self._columns, strict=True):
            if len(text) > CELL_UNITS // 2 and len(text.encode("utf-16-le")) // 2 > CELL_UNITS:
                raise InputError(
                    f"{self.path}: row {self.rows + 1}, column {column.header!r}: a text of "
                    f"{len(text):,} characters is more than the {CELL_UNITS:,} of an Excel cell; "
                    "shorten it, leave the column out, or export with --to pairs"
                )
        with self._told():
            picture = None if photo is None else self._picture(photo)
            if self._row + 1 >= MAX_ROWS or (picture is not None and self._in_sheet >= PICTURES):
                self._new_sheet()
            if self._photo_at is not None:
                texts[self._photo_at] = ""
            if self._original_at is not None:
                texts[self._original_at] = ""
                if picture is not None and photo is not None and not picture.original:
                    name = f"{self._photos}/{photo_name(photo)}"
                    self._originals[name] = photo
                    texts[self._original_at] = name
            self._write_row(cells, texts, picture)

    def _write_row(self, cells: Sequence[Cell], texts: list[str], picture: Picture | None) -> None:
        self._row += 1
        self.rows += 1
        needed = 0
        if picture is not None:
            needed = int(self._shown(picture)[1][1] + 0.5) + 2 * _GAP
        height = row_height(texts, self._widths, self._most, needed)
        self._sheet.set_row_pixels(self._row, height)
        for at, (cell, text, column) in enumerate(zip(cells, texts, self._columns, strict=True)):
            if text or cell is None or isinstance(cell, str):
                cut = line_count(text, column.width) * LINE_HEIGHT > height
                self._write_text(self._row, at, text, self._formats["long" if cut else "text"])
            else:
                style = self._formats["share" if column.kind == "share" else "number"]
                self._sheet.write_number(self._row, at, cell, style)
        if picture is not None and self._photo_at is not None:
            self._place(picture, height, " ".join(texts[self._main_at].split())[:200])

    def _shown(self, picture: Picture) -> tuple[float, tuple[float, float]]:
        """The scale that fits a picture into its cell, and its size there in pixels."""
        width, height = picture.natural
        scale = fit(picture.natural, (self._photo_pixels - 2 * _GAP, _PHOTO_HEIGHT))
        return scale, (width * scale, height * scale)

    def _place(self, picture: Picture, height: int, caption: str) -> None:
        self._in_sheet += 1
        scale, shown = self._shown(picture)
        options = {
            "x_scale": scale,
            "y_scale": scale,
            "x_offset": max(_GAP, int(self._photo_pixels - shown[0]) // 2),
            "y_offset": max(_GAP, int(height - shown[1]) // 2),
            "object_position": 1,  # moves and is hidden with its cell
            "description": caption,
        }
        # xlsxwriter keeps the place in the image itself.
        self._sheet.insert_image(self._row, self._photo_at, copy.copy(picture.image), options)

    def _write_text(self, row: int, at: int, text: str, style: Any) -> None:
        if not text:
            self._sheet.write_blank(row, at, None, style)
        elif text.startswith("<r>") and text.endswith("</r>"):
            # xlsxwriter would take this for its own markup; in parts it cannot.
            self._sheet.write_rich_string(row, at, "<", "r", text[2:], style)
        else:
            self._sheet.write_string(row, at, text, style)

    def _picture(self, photo: Path) -> Picture:
        if photo not in self._pictures:
            picture = picture_of(photo, Path(self._spool.name, f"{len(self._pictures)}.jpg"))
            self._bytes += picture.bytes
            if self._bytes > PICTURE_BYTES:
                raise InputError(
                    f"{self.path}: the pictures are more than {PICTURE_BYTES / 2**30:.2f} GiB, "
                    "which an Excel file cannot hold; export one split at a time "
                    "(--split validation), or with --to pairs"
                )
            self._pictures[photo] = picture
        return self._pictures[photo]

    def _new_sheet(self) -> None:
        self._end_sheet()
        number = len(self._book.worksheets()) + 1
        self._sheet = self._book.add_worksheet(
            self._title if number == 1 else f"{self._title} {number}"
        )
        self._row = self._in_sheet = 0
        for at, column in enumerate(self._columns):
            self._sheet.set_column_pixels(at, at, _pixels(column.width))
        self._sheet.set_row_pixels(0, 28)
        for at, column in enumerate(self._columns):
            self._sheet.write_string(0, at, clean_cell(column.header), self._header)
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_landscape()
        self._sheet.set_paper(9)  # A4
        self._sheet.fit_to_pages(1, 0)
        self._sheet.repeat_rows(0)

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            last = (self._row, len(self._columns) - 1)
            self._sheet.autofilter(0, 0, *last)
            # Texts that look like numbers are meant: no green corners.
            from xlsxwriter.utility import xl_range  # type: ignore[import-untyped]

            self._sheet.ignore_errors({"number_stored_as_text": xl_range(0, 0, *last)})

    def close(self) -> Path:
        """Finish the workbook and put it, and the originals it names, in place."""
        try:
            with self._told():
                self._end_sheet()
                self._book.close()
                for name, photo in self._originals.items():
                    copy_to(photo, self.path.parent / name)
                publish(self._draft, self.path)
        finally:
            self.discard()
        return self.path

    def discard(self) -> None:
        """Leave nothing of a workbook that was not closed."""
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()  # or Windows would not let the spool go
        self._spool.cleanup()
        self._draft.unlink(missing_ok=True)

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the disk and xlsxwriter may raise into our own error."""
        from xlsxwriter.exceptions import (  # type: ignore[import-untyped]
            FileSizeError,
            XlsxWriterException,
        )

        try:
            yield
        except FileSizeError as error:
            raise InputError(
                f"{self.path}: would be larger than the 4 GiB of an Excel file; export one split "
                "at a time (--split validation), or with --to pairs"
            ) from error
        except (OSError, XlsxWriterException) as error:
            cause = getattr(error, "strerror", None) or error
            raise InputError(
                f"{self.path}: the workbook cannot be written ({cause}); free space, close the "
                "file in other programs, or name another file"
            ) from error


def clean_cell(text: str) -> str:
    """A text without what XML cannot hold; line ends are line feeds, as inside Excel's cells."""
    return _ILLEGAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _pixels(width: float) -> int:
    """A column's width in pixels at Excel's default font."""
    return int(width * 7 + 0.5) + 5


def _xlsxwriter() -> Any:
    try:
        import xlsxwriter  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(f"an Excel file: {missing_package('xlsxwriter', 'excel')}") from error
    return xlsxwriter
