"""An opened workbook: its sheets, their rows, merged cells and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element

from hazardscribe.errors import InputError
from hazardscribe.pairs.photo import photo_header
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.workbook import refusals
from hazardscribe.pairs.workbook.items import CellRange, Picture, Row, Sheet
from hazardscribe.pairs.workbook.number_formats import Show, built_in, general, number_format
from hazardscribe.pairs.workbook.package import Package, Relation
from hazardscribe.pairs.workbook.pictures import (
    Place,
    floating,
    media,
    media_problem,
    wps_pictures,
)
from hazardscribe.pairs.workbook.rich_values import read_rich_pictures
from hazardscribe.pairs.workbook.safe_xml import attribute, local
from hazardscribe.pairs.workbook.sheet_reader import Layout, Lookups, local_photo, read_sheet
from hazardscribe.pairs.workbook.strings import shared_strings

_USUAL_PARTS = {
    "sharedStrings": "xl/sharedStrings.xml",
    "styles": "xl/styles.xml",
    "cellImage": "xl/cellimages.xml",
    "sheetMetadata": "xl/metadata.xml",
    "rdRichValue": "xl/richData/rdrichvalue.xml",
    "rdRichValueStructure": "xl/richData/rdrichvaluestructure.xml",
    "rdRichValueWebImage": "xl/richData/rdRichValueWebImage.xml",
    "richValueRel": "xl/richData/richValueRel.xml",
}
"""Kind of the workbook's relation -> where the part lies when the relation was lost."""

_WPS_LIST = "WpsReserved_CellImgList"
"""A hidden sheet in which WPS keeps a copy of its cell pictures; no user wrote it."""


def open_workbook(path: Path) -> Workbook:
    """Open an .xlsx or .xlsm file; close it, or use it as a context manager.

    Raises:
        InputError: it is something else (.xls, .xlsb, .ods, .et, web page, CSV), protected by a
            password, damaged, or a bomb; the message says what to do.
    """
    package = Package(Path(path))
    try:
        return Workbook(package)
    except BaseException:
        package.close()
        raise


class Workbook:
    """A workbook that is open for reading. Made by `open_workbook`.

    Attributes:
        sheets: the worksheets in the order of their tabs, hidden ones included.
    """

    def __init__(self, package: Package) -> None:
        self._package = package
        part = self._find_workbook()
        relations = package.relations(part)
        self._parts = dict(_USUAL_PARTS)
        for relation in relations.values():
            if relation.kind in self._parts and package.has(relation.target):
                self._parts[relation.kind] = relation.target
        self._from_1904 = False
        self._sheet_parts: list[str] = []
        sheets: list[Sheet] = []
        for section in package.children(part):
            kind = local(section.tag)
            if kind == "workbookPr":
                self._from_1904 = attribute(section, "date1904") in ("1", "true")
            elif kind == "sheets":
                for entry in section:
                    sheet_part = self._sheet_part(entry, relations)
                    name = attribute(entry, "name")
                    if sheet_part and name != _WPS_LIST:
                        hidden = attribute(entry, "state") in ("hidden", "veryHidden")
                        sheets.append(Sheet(name, hidden, len(sheets)))
                        self._sheet_parts.append(sheet_part)
        if not sheets:
            raise InputError(
                f"{package.path}: holds no worksheet, only charts or macros; name the workbook "
                "that holds the table"
            )
        self.sheets = tuple(sheets)
        self._layouts: dict[int, Layout] = {}
        self._pictures: dict[int, tuple[Picture, ...]] = {}
        self._problems: dict[str, tuple[str, tuple[str, str] | None]] = {}
        self._companions: set[str] = set()

    def _find_workbook(self) -> str:
        package = self._package
        relations = package.relations("").values()
        parts = [r.target for r in relations if r.kind == "officeDocument" and r.target]
        part = next((part for part in (*parts, "xl/workbook.xml") if package.has(part)), "")
        if not part or part.lower().endswith(".bin"):
            mimetype = package.head("mimetype") if package.has("mimetype") else b""
            raise refusals.not_a_workbook(package.path, package.names(), mimetype)
        if not any(local_root in part.lower() for local_root in ("workbook", "xl/")):
            raise refusals.not_a_workbook(package.path, package.names(), b"")
        return part

    def _sheet_part(self, entry: Element, relations: dict[str, Relation]) -> str:
        """The part of a worksheet, "" for sheets of other kinds."""
        relation = relations.get(attribute(entry, "id"))
        if relation is None or not self._package.has(relation.target):
            raise self._package.lacking(f"the sheet {attribute(entry, 'name')!r} is")
        return relation.target if relation.kind == "worksheet" else ""

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._package.close()

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows that the file holds, from top to bottom, one at a time.

        Row numbers rise but may leave gaps: rows that nobody touched are not stored.

        Raises:
            InputError: the sheet is damaged.
        """
        links = self._photo_links(sheet)
        open_links: list[tuple[CellRange, str]] = []
        for item in self._read(sheet, text=True):
            if not isinstance(item, Row):
                continue
            while links and links[-1][0].first_row <= item.number:
                open_links.append(links.pop())
            if open_links:
                open_links = [one for one in open_links if one[0].last_row >= item.number]
                # A link over a whole column makes no records of the empty rows below the last.
                further = tuple(
                    (cells.first_column, cells.last_column, file)
                    for cells, file in open_links
                    if cells.first_row == item.number or any(map(str.strip, item.cells))
                )
                item = replace(item, links=item.links + further)
            yield item

    def merges(self, sheet: Sheet) -> tuple[CellRange, ...]:
        """The merged ranges, in the order of the file."""
        return tuple(self._layout(sheet).merges)

    def pictures(self, sheet: Sheet) -> tuple[Picture, ...]:
        """The pictures of a sheet by row, then column, then as stored (floating ones first)."""
        if sheet.position not in self._pictures:
            found = sorted(self._find_pictures(sheet), key=lambda p: (p.row, p.column))
            self._pictures[sheet.position] = tuple(found)
        return self._pictures[sheet.position]

    @cached_property
    def contents(self) -> str:
        """The document property `hazardscribe`: what this program wrote here, "" if it did not."""
        package = self._package
        parts = [r.target for r in package.relations("").values() if r.kind == "custom-properties"]
        part = next((part for part in (*parts, "docProps/custom.xml") if package.has(part)), "")
        if not part:
            return ""
        found = (one for one in package.children(part) if attribute(one, "name") == "hazardscribe")
        return next(("".join(one.itertext()).strip() for one in found), "")

    @cached_property
    def unplaced(self) -> tuple[Picture, ...]:
        """Media that lie on no sheet: backgrounds, headers, deleted pictures. Reads all sheets."""
        placed = {p.member for sheet in self.sheets for p in self.pictures(sheet)}
        left: list[Picture] = []
        for name in self._package.names():
            folder = name.rpartition("/")[0]
            if folder.rpartition("/")[2] != "media" or name in self._companions:
                continue
            member = self._package.member(name)
            if member not in placed:
                problem = media_problem(self._package, name)
                left.append(Picture("", 0, 0, 0, member, problem))
        return tuple(left)

    def read_picture(self, picture: Picture) -> bytes:
        """The bytes of a picture, as they were put into the workbook.

        Raises:
            InputError: there is no file, it is too large, or damaged.
        """
        where = f"{picture.sheet!r}, row {picture.row}" if picture.row else "on no sheet"
        if not picture.member:
            detail = picture.problem[1] if picture.problem else "it has no file"
            raise InputError(f"{self._package.path}: picture {where}: {detail}")
        limit = DEFAULT_LIMITS.max_bytes
        if self._package.has(picture.member) and self._package.size(picture.member) > limit:
            raise InputError(
                f"{self._package.path}: picture {where}: {picture.member} has more than "
                f"{limit >> 20} MiB; insert a smaller copy"
            )
        with self._package.reading(picture.member), self._package.open(picture.member) as stream:
            return stream.read()

    # --- reading ------------------------------------------------------------------------------

    def _read(self, sheet: Sheet, *, text: bool) -> Iterator[Row | Layout]:
        part = self._sheet_parts[sheet.position]
        for item in read_sheet(self._package, part, self._lookups, text=text):
            if isinstance(item, Layout):
                self._layouts[sheet.position] = item
            yield item

    def _layout(self, sheet: Sheet) -> Layout:
        if sheet.position not in self._layouts:
            for _ in self._read(sheet, text=False):
                pass
        return self._layouts[sheet.position]

    def _photo_links(self, sheet: Sheet) -> list[tuple[CellRange, str]]:
        """The hyperlinks that lead to a photo file: their cells and the file, the last rows first.

        Each cell of a range shows and follows the link, in Excel and in WPS.
        """
        links = self._layout(sheet).links
        relations = self._package.relations(self._sheet_parts[sheet.position]) if links else {}
        leading = [(cells, relations[name].address) for cells, name in links if name in relations]
        found = [(cells, file) for cells, address in leading if (file := local_photo(address))]
        return sorted(found, key=lambda one: -one[0].first_row)

    @cached_property
    def _lookups(self) -> Lookups:
        strings = self._parts["sharedStrings"]
        held = shared_strings(self._package, strings) if self._package.has(strings) else []
        return Lookups(held, self._formats(), lambda vm: vm in self._rich)

    def _formats(self) -> dict[str, Show]:
        """Number of a cell style, as cells write it -> how it shows numbers."""
        part = self._parts["styles"]
        if not self._package.has(part):
            return {}
        codes: dict[int, str] = {}
        styles: list[int] = []
        for section in self._package.children(part):
            kind = local(section.tag)
            with self._package.reading(part):
                if kind == "numFmts":
                    for entry in section:
                        codes[int(attribute(entry, "numFmtId"))] = attribute(entry, "formatCode")
                elif kind == "cellXfs":
                    styles = [int(attribute(entry, "numFmtId") or 0) for entry in section]
        shows: dict[int, Show] = {0: general}
        for number in set(styles) - {0}:
            code = codes.get(number) or built_in(number)
            shows[number] = number_format(code, from_1904=self._from_1904)
        return {str(style): shows[number] for style, number in enumerate(styles)}

    @cached_property
    def _rich(self) -> dict[int, list[Relation]]:
        return read_rich_pictures(self._package, self._parts)

    @cached_property
    def _wps(self) -> dict[str, list[Relation]]:
        part = self._parts["cellImage"]
        return dict(wps_pictures(self._package, part)) if self._package.has(part) else {}

    # --- pictures -----------------------------------------------------------------------------

    def _find_pictures(self, sheet: Sheet) -> Iterator[Picture]:
        layout = self._layout(sheet)
        sheet_relations = self._package.relations(self._sheet_parts[sheet.position])
        for name in layout.drawings:
            drawing = sheet_relations.get(name)
            if drawing is None or not self._package.has(drawing.target):
                raise self._package.lacking(f"the pictures of sheet {sheet.name!r} are")
            relations = self._package.relations(drawing.target)
            for place, ids, altered in floating(self._package, drawing.target, layout):
                leads = [relations[i] for i in ids if i in relations]
                lost = say("drawing_broken", name=ids[0][:60])
                found = self._picture(sheet, place, leads, lost)
                if altered == "cropped" or (altered and self._is_upright(found)):
                    found = replace(found, altered=True)
                yield found
        for row, column, name in layout.wps:
            leads = self._wps.get(name.upper(), [])
            lost = say("wps_lost", name=name[:60])
            yield self._picture(sheet, (row, column, column), leads, lost)
        for row, column, vm in layout.rich:
            leads = self._rich.get(vm, [])
            lost = say("cell_picture_lost")
            yield self._picture(sheet, (row, column, column), leads, lost)
        for row, column, address in layout.web:
            shown = address[:300] or say("an_address")
            problem = "picture_linked", say("picture_web", address=shown)
            yield Picture(sheet.name, row, column, column, "", problem)

    def _is_upright(self, picture: Picture) -> bool:
        """Whether the file itself says nothing of a turn; Excel follows what it says, as we do."""
        if picture.problem is not None:
            return False
        try:
            return photo_header(self.read_picture(picture)).orientation == 1
        except InputError:  # damaged; the import says so
            return False

    def _picture(self, sheet: Sheet, place: Place, leads: list[Relation], lost: str) -> Picture:
        """A picture at its place; of several files for it, the first is the picture itself."""
        lead = leads[0] if leads else None
        self._companions.update(other.target.lower() for other in leads[1:] if other.target)
        key = lead.target if lead is not None else ""
        if key and key in self._problems:
            member, problem = self._problems[key]
        else:
            member, problem = media(self._package, lead, lost)
            if key:
                self._problems[key] = (member, problem)
        return Picture(sheet.name, *place, member, problem)
