"""From a place that shows a picture to the file that holds it, and what may be wrong with that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.etree.ElementTree import Element

from hazardscribe.errors import InputError
from hazardscribe.pairs.photo_file import SUPPORTED, foreign_kind, photo_suffix
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.workbook.geometry import Box
from hazardscribe.pairs.workbook.package import Package, Relation
from hazardscribe.pairs.workbook.safe_xml import attribute, child, local, text
from hazardscribe.pairs.workbook.sheet_reader import Layout

Problem = tuple[str, str]
Place = tuple[int, int, int]
"""Row, column, last column; 1-based."""


def media(package: Package, relation: Relation | None, missing: str) -> tuple[str, Problem | None]:
    """Name of the file that a relation leads to, and its problem if it has one."""
    if relation is None:
        return "", ("picture_missing", missing)
    if not relation.target:
        return "", ("picture_linked", say("picture_linked", address=relation.address[:300]))
    if not package.has(relation.target):
        return "", ("picture_missing", say("picture_gone", part=relation.target[:300]))
    return package.member(relation.target), media_problem(package, relation.target)


def media_problem(package: Package, part: str) -> Problem | None:
    """What makes a file unfit as a photo, as far as its size and first bytes tell."""
    size = package.size(part)
    if size == 0:
        return "picture_damaged", say("picture_empty", part=part)
    if size > DEFAULT_LIMITS.max_bytes:
        limit = DEFAULT_LIMITS.max_bytes >> 20
        said = say("picture_too_large", part=part, size=size >> 20, limit=limit)
        return "picture_too_large", said
    try:
        head = package.head(part)
    except InputError as error:
        return "picture_damaged", say("picture_damaged", cause=str(error))
    if photo_suffix(head) != ".bin":
        return None
    kind = say(f"kind_{foreign_kind(head)}")
    return "picture_format", say("picture_format", part=part, kind=kind, supported=SUPPORTED)


# --- floating over the cells -----------------------------------------------------------------


def floating(package: Package, part: str, layout: Layout) -> Iterator[tuple[Place, list[str], str]]:
    """Place, relation ids, and how it is shown (`cropped`, `turned`, ""), of each picture.

    The first id is the picture's own; others are further renderings of it (SVG, originals of
    edited pictures). Pictures whose anchor says nothing of use are left out.
    """
    for anchor in package.children(part):
        with package.reading(part):
            for inner in _flat([anchor]):
                found = _anchor(inner, layout)
                if found is None:
                    continue
                box, corner = found
                for ids, own, altered in _pictures(inner, box):
                    yield _place(own, corner, layout), ids, altered


def _anchor(anchor: Element, layout: Layout) -> tuple[Box, tuple[int, int]] | None:
    """The rectangle of an anchor, and the cell (from 0) that it starts in."""
    kind = local(anchor.tag)
    if kind == "absoluteAnchor":
        start = child(anchor, "pos")
        if start is None:
            return None
        left, top = _number(start, "x"), _number(start, "y")
        corner = (layout.rows.at(top), layout.columns.at(left))
    elif kind in ("oneCellAnchor", "twoCellAnchor"):
        start = child(anchor, "from")
        if start is None or child(start, "row") is None:
            return None
        left, top, corner = _point(start, layout)
    else:
        return None
    if kind == "twoCellAnchor":
        stop = child(anchor, "to")
        if stop is None:
            return Box(left, top, left, top), corner
        right, bottom, _ = _point(stop, layout)
    else:
        extent = child(anchor, "ext")
        width = _number(extent, "cx") if extent is not None else 0.0
        height = _number(extent, "cy") if extent is not None else 0.0
        right, bottom = left + width, top + height
    return Box(left, top, right, bottom), corner


def _point(element: Element, layout: Layout) -> tuple[float, float, tuple[int, int]]:
    values = {
        name: float(text(child(element, name)).strip() or 0)
        for name in ("row", "rowOff", "col", "colOff")
    }
    row = int(min(max(values["row"], 0), 1_048_575))
    column = int(min(max(values["col"], 0), 16_383))
    left = layout.columns.place(column, values["colOff"])
    return left, layout.rows.place(row, values["rowOff"]), (row, column)


def _place(box: Box, corner: tuple[int, int], layout: Layout) -> Place:
    """Hidden cells have no size: a picture that begins in one stays there.

    It was put there before the row was hidden or filtered out; that it now seems to lie over the
    next row must not pair it with that row's text. A picture larger than its row covers the next
    one wholly, but whoever put it there began in the right one; columns are wide enough for photos.
    """
    row = corner[0]
    if box.bottom > box.top and layout.rows.size(row):
        row, _ = layout.rows.covered(box.top, box.bottom, begun=True)
    column, last_column = corner[1], corner[1]
    if box.right > box.left and layout.columns.size(column):
        column, last_column = layout.columns.covered(box.left, box.right)
    return row + 1, column + 1, last_column + 1


def _pictures(
    elements: Iterable[Element], box: Box, frame: Element | None = None
) -> Iterator[tuple[list[str], Box, str]]:
    """Relation ids, rectangle and alteration of each picture, or shape filled with one, in a `box`.

    Within a group, places are told by its own coordinates, those of its `frame`.
    """
    for element in _flat(elements):
        kind = local(element.tag)
        own = child(element, "grpSpPr" if kind == "grpSp" else "spPr", "xfrm")
        place = _within(own, frame, box)
        if kind == "grpSp":
            yield from _pictures(element, place, own)
        elif kind in ("pic", "sp"):
            path = ("blipFill",) if kind == "pic" else ("spPr", "blipFill")
            fill = child(element, *path)
            if fill is not None and (ids := blip_ids(fill)):
                yield ids, place, _altered(own, fill)


def _altered(place: Element | None, fill: Element) -> str:
    """`cropped` by more than a hundredth, `turned` (or mirrored), or ""."""
    crop = child(fill, "srcRect")
    if crop is not None and sum(abs(_number(crop, side)) for side in "ltrb") > 1000:
        return "cropped"
    turns = () if place is None else (attribute(place, name) for name in ("rot", "flipH", "flipV"))
    return "turned" if any(turn not in ("", "0", "false") for turn in turns) else ""


def blip_ids(fill: Element) -> list[str]:
    """Relation ids of a picture fill; the embedded file comes before a link to its origin."""
    blip = child(fill, "blip")
    if blip is None:
        return []
    own = [attribute(blip, "embed"), attribute(blip, "link")]
    further = [
        attribute(below, name)
        for below in blip.iter()
        if below is not blip
        for name in ("embed", "link")
    ]
    return [relation for relation in (*own, *further) if relation]


def _within(own: Element | None, frame: Element | None, box: Box) -> Box:
    """The rectangle of a group's member, whose coordinates are the group's own."""
    if own is None or frame is None:
        return box
    parts = [child(frame, "chOff"), child(frame, "chExt"), child(own, "off"), child(own, "ext")]
    shift, extent, offset, size = parts
    if shift is None or extent is None or offset is None or size is None:
        return box
    width, height = _number(extent, "cx"), _number(extent, "cy")
    if width <= 0 or height <= 0:
        return box
    left = (_number(offset, "x") - _number(shift, "x")) / width
    top = (_number(offset, "y") - _number(shift, "y")) / height
    return box.part(
        left, top, left + _number(size, "cx") / width, top + _number(size, "cy") / height
    )


def _flat(elements: Iterable[Element]) -> Iterator[Element]:
    """The elements, with alternatives replaced by the first branch that holds a picture."""
    for element in elements:
        if local(element.tag) != "AlternateContent":
            yield element
            continue
        branches = [b for b in element if local(b.tag) in ("Choice", "Fallback")]
        for branch in branches:
            if any(local(below.tag) == "blip" for below in branch.iter()):
                yield from _flat(branch)
                break


def _number(element: Element, name: str) -> float:
    value = float(attribute(element, name) or 0)
    return value if abs(value) < 1e15 else 0.0


# --- in the cells of WPS ---------------------------------------------------------------------


def wps_pictures(package: Package, part: str) -> Mapping[str, list[Relation]]:
    """Picture id -> what it leads to, from `cellimages.xml`; by name, never by order."""
    relations = package.relations(part)
    found: dict[str, list[Relation]] = {}
    for element in package.children(part):
        for picture in element.iter():
            if local(picture.tag) != "pic":
                continue
            name = child(picture, "nvPicPr", "cNvPr")
            fill = child(picture, "blipFill")
            if name is None or fill is None:
                continue
            ids = [relations[i] for i in blip_ids(fill) if i in relations]
            found.setdefault(attribute(name, "name").strip().upper(), ids)
    return found
