"""One sheet's XML read once, from top to bottom: rows of text, and what places pictures.

The same pass serves both uses. With text it yields rows; without, it is a cheap scan for what
lies after the rows (merged cells, the drawing) and for the sizes and picture cells in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from hazardscribe.pairs.finder import has_photo_suffix
from hazardscribe.pairs.workbook.geometry import POINT, Axis, column_width
from hazardscribe.pairs.workbook.items import MAX_COLUMNS, MAX_ROWS, CellRange, Link, Row
from hazardscribe.pairs.workbook.number_formats import Show, general, iso_text
from hazardscribe.pairs.workbook.package import MAX_XML, Package
from hazardscribe.pairs.workbook.safe_xml import MAX_DEPTH, BadXmlError, Parser
from hazardscribe.pairs.workbook.strings import unescape

_MAIN = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_NAMES = (
    *("c", "v", "f", "row", "is", "t", "rPh", "col", "sheetFormatPr", "mergeCell"),
    *("drawing", "hyperlink", "worksheet", "sheetData"),
)
_KINDS = {f"{space}}}{name}": name for space in _MAIN for name in _NAMES}

WPS_VALUE = re.compile(r'\s*=?\s*(?:_xlfn\.)?DISPIMG\(\s*"?([^",)]+)', re.IGNORECASE)
_WPS_FORMULA = re.compile(r'\bDISPIMG\(\s*"?([^",)]+)', re.IGNORECASE)
_WEB_FORMULA = re.compile(r'=?(?:_xlfn\.|_xlws\.)*IMAGE\(\s*"?([^",)]*)', re.IGNORECASE)
_LINK_FORMULA = re.compile(r'=?\s*HYPERLINK\(\s*"([^"]+)"', re.IGNORECASE)
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([1-9][0-9]{0,6})")
_MAX_PICTURES = 500_000


@dataclass(slots=True)
class Lookups:
    """What cells refer to.

    Attributes:
        strings: the shared strings.
        formats: `s` attribute of a cell -> how numbers are shown.
        rich: `vm` attribute of a cell -> whether it stands for a picture.
    """

    strings: Sequence[str]
    formats: Mapping[str, Show]
    rich: Callable[[int], bool]


@dataclass(slots=True)
class Layout:
    """What of a sheet is no text. Rows and columns of the picture cells count from 1.

    Attributes:
        rows, columns: sizes of the cells.
        merges: merged ranges in the order of the file.
        wps: (row, column, id) of cells with a WPS picture.
        rich: (row, column, vm) of cells with a Microsoft 365 picture.
        web: (row, column, address) of cells with an IMAGE formula that holds no picture.
        drawings: relation ids of the drawings over the cells.
        links: (cells, relation id) of the hyperlinks.
    """

    rows: Axis
    columns: Axis
    merges: list[CellRange] = field(default_factory=list)
    wps: list[tuple[int, int, str]] = field(default_factory=list)
    rich: list[tuple[int, int, int]] = field(default_factory=list)
    web: list[tuple[int, int, str]] = field(default_factory=list)
    drawings: list[str] = field(default_factory=list)
    links: list[tuple[CellRange, str]] = field(default_factory=list)


def read_sheet(
    package: Package, part: str, lookups: Lookups, *, text: bool
) -> Iterator[Row | Layout]:
    """The rows of a sheet if `text` is wanted, and at the very end its layout.

    Raises:
        InputError: the part is missing or damaged.
    """
    with package.reading(part), package.open(part, MAX_XML) as stream:
        reader = _Reader(lookups, text)
        for _ in reader.parser.feed(stream):
            yield from reader.done
            reader.done.clear()
        yield reader.layout()


def cell_range(reference: str) -> CellRange:
    """`A1:B2` as numbers.

    Raises:
        BadXmlError: it is no such thing.
    """
    first, _, last = reference.partition(":")
    corners = [_REFERENCE.fullmatch(corner.strip()) for corner in (first, last or first)]
    if corners[0] is None or corners[1] is None:
        raise BadXmlError(f"{reference[:40]!r} is no range of cells")
    rows = sorted(int(corner[2]) for corner in corners if corner)
    columns = sorted(_column(corner[1]) for corner in corners if corner)
    if rows[1] > MAX_ROWS or columns[1] > MAX_COLUMNS:
        raise BadXmlError(f"{reference[:40]!r} lies outside of the sheet")
    return CellRange(rows[0], columns[0], rows[1], columns[1])


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _true(value: str | None) -> bool:
    return value in ("1", "true")


class _Reader:
    """The state of one pass. The callbacks are closures: they run for every tag of the sheet."""

    def __init__(self, lookups: Lookups, text: bool) -> None:
        self.done: list[Row] = []
        self.heights: dict[int, float] = {}
        self.widths: dict[int, float] = {}
        self._described = 0  # columns that have been given a width
        self._links: list[Link] = []  # of the row's formulas
        self.hidden_rows = False
        self.default_height = 15.0 * POINT
        self.default_width = 64 * 9_525.0
        self.found = Layout(Axis(1, {}, 1), Axis(1, {}, 1))
        self._strings, self._formats, self._rich = lookups.strings, lookups.formats, lookups.rich
        self._text = text
        self.parser = self._build()

    def layout(self) -> Layout:
        self.found.rows = Axis(self.default_height, self.heights, MAX_ROWS)
        self.found.columns = Axis(self.default_width, self.widths, MAX_COLUMNS)
        return self.found

    def _build(self) -> Parser:
        kinds, done = _KINDS, self.done
        columns_of: dict[str, int] = {}
        depth = row = column = phonetic = 0
        cells: list[str] = []
        hidden = False
        attributes: dict[str, str] = {}
        value = formula = None
        runs: list[str] | None = None
        with_text = self._text

        def start(name: str, given: dict[str, str]) -> None:
            nonlocal depth, row, column, attributes, value, formula, runs, phonetic, hidden
            depth += 1
            if depth > MAX_DEPTH:
                raise BadXmlError("its elements are nested too deeply")
            kind = kinds.get(name)
            pieces.clear()
            if kind == "c":
                reference = given.get("r")
                if reference is None:
                    column += 1
                else:
                    letters = reference.rstrip("0123456789")
                    found = columns_of.get(letters)
                    if found is None:
                        found = columns_of[letters] = cell_range(letters + "1").first_column
                    column = found
                if column > MAX_COLUMNS:
                    raise BadXmlError(f"row {row} has more cells than a sheet has columns")
                attributes = given
                value = formula = runs = None
            elif kind == "row":
                number = given.get("r")
                before, row = row, row + 1 if number is None else int(number)
                if not before < row <= MAX_ROWS:
                    raise BadXmlError(f"row {row} comes after row {before}")
                column = 0
                hidden = self._start_row(row, given)
            elif kind == "is":
                runs = []
            elif kind == "rPh":
                phonetic = depth
            elif kind is not None and kind not in ("v", "f", "t"):
                self._start_other(kind, given)

        def end(name: str) -> None:
            nonlocal depth, value, formula, phonetic
            kind = kinds.get(name)
            if kind == "v":
                value = "".join(pieces)
            elif kind == "c":
                if value is not None or formula is not None or runs is not None:
                    written = self._cell(row, column, attributes, value, formula, runs)
                    if with_text and written:
                        if column > len(cells):
                            cells.extend([""] * (column - len(cells)))
                        cells[column - 1] = written
            elif kind == "row":
                if with_text:
                    done.append(Row(row, tuple(cells), hidden, tuple(self._links)))
                    cells.clear()
                    self._links.clear()
            elif kind == "f":
                formula = "".join(pieces)
            elif kind == "t":
                if runs is not None and not phonetic:
                    runs.append("".join(pieces))
            elif kind == "rPh":
                phonetic = 0
            depth -= 1

        parser = Parser(start, end)
        pieces = parser.pieces
        return parser

    def _start_row(self, row: int, given: dict[str, str]) -> bool:
        """Note the row's height; whether it is hidden."""
        hidden = _true(given["hidden"]) if "hidden" in given else self.hidden_rows
        if hidden:
            self.heights[row - 1] = 0.0
        elif "ht" in given:
            self.heights[row - 1] = _length(given["ht"], 409.5) * POINT
        elif self.default_height == 0:
            self.heights[row - 1] = 15.0 * POINT
        return hidden

    def _start_other(self, kind: str, given: dict[str, str]) -> None:
        if kind == "sheetFormatPr":
            self.default_height = _length(given.get("defaultRowHeight", "15"), 409.5) * POINT
            if _true(given.get("zeroHeight")):
                self.hidden_rows, self.default_height = True, 0.0
            if "defaultColWidth" in given:
                self.default_width = column_width(_length(given["defaultColWidth"], 255))
        elif kind == "col":
            width = self.default_width
            if "width" in given:
                width = column_width(_length(given["width"], 255))
            if _true(given.get("hidden")):
                width = 0.0
            first, last = max(int(given["min"]), 1), min(int(given["max"]), MAX_COLUMNS)
            # Each column is described once: more would only take time.
            self._described += max(0, last - first + 1)
            if self._described <= MAX_COLUMNS:
                self.widths.update((index - 1, width) for index in range(first, last + 1))
        elif kind == "mergeCell":
            self.found.merges.append(cell_range(given.get("ref", "")))
        elif kind == "hyperlink":
            relation = next((given[key] for key in given if key.endswith("}id")), "")
            if relation and len(self.found.links) < _MAX_PICTURES:
                self.found.links.append((cell_range(given.get("ref", "")), relation))
        elif kind == "drawing":
            self.found.drawings += (given[key] for key in given if key.endswith("}id"))

    def _cell(
        self,
        row: int,
        column: int,
        attributes: dict[str, str],
        value: str | None,
        formula: str | None,
        runs: list[str] | None,
    ) -> str:
        """The text of a cell; a picture is noted and gives ""."""
        kind = attributes.get("t", "n")
        if "vm" in attributes and self._rich(number := int(attributes["vm"])):
            self._note(self.found.rich, (row, column, number))
            return ""
        if formula:
            if self._note_formula(row, column, formula):
                return ""
            if "HYPERLINK(" in formula.upper() and (link := _LINK_FORMULA.match(formula)):
                address = local_photo(link[1])
                if address:
                    self._links.append((column, column, address))
        if kind == "n":
            if not self._text:
                return ""
            if not value:
                return f"={formula}" if formula else ""
            return self._formats.get(attributes.get("s", "0"), general)(value.strip())
        if kind == "s":
            if not value:
                return ""
            index = int(value)
            if index < 0:
                raise BadXmlError(f"a cell refers to text {index}")
            text = self._strings[index]
        elif kind == "inlineStr":
            text = unescape("".join(runs or ())) if runs else unescape(value or "")
        elif not value:
            return f"={formula}" if formula else ""
        elif kind == "b":
            return "TRUE" if _true(value.strip()) else "FALSE"
        elif kind == "d":
            return iso_text(value)
        else:  # the text of a formula, or an error
            text = unescape(value)
        if "DISPIMG" in text and (picture := WPS_VALUE.match(text)):
            self._note(self.found.wps, (row, column, picture[1].strip()))
            return ""
        return text

    def _note_formula(self, row: int, column: int, formula: str) -> bool:
        if "DISPIMG" in formula and (picture := _WPS_FORMULA.search(formula)):
            self._note(self.found.wps, (row, column, picture[1].strip()))
            return True
        if "IMAGE(" in formula and (picture := _WEB_FORMULA.match(formula)):
            self._note(self.found.web, (row, column, picture[1].strip()))
            return True
        return False

    def _note(self, pictures: list, picture: tuple) -> None:
        if len(pictures) >= _MAX_PICTURES:
            raise BadXmlError(f"it holds more than {_MAX_PICTURES:,} pictures")
        pictures.append(picture)


def local_photo(address: str) -> str:
    """The file that a link leads to where it is a photo of this machine, else ""."""
    address = unquote(address)
    if not has_photo_suffix(address) or address.lower().startswith(("http:", "https:", "ftp:")):
        return ""
    return re.sub(r"^file:/{0,3}", "", address, flags=re.IGNORECASE)


def _length(written: str, most: float) -> float:
    value = float(written)
    return min(max(value, 0.0), most) if value == value else 0.0
