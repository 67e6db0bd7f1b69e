"""Pictures that Microsoft 365 places in cells: from the cell's `vm` number to the file.

The way goes over five parts: value metadata -> future metadata -> rich value -> its structure,
which names the field that holds the picture -> list of relations -> file. Pictures of the IMAGE
function go by another list, which holds the address and, mostly, a copy of the picture.

Source: [MS-XLSX] 2.3.6 (metadata), 2.6.163 to 2.6.180 (rich values).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from hazardscribe.pairs.workbook.package import Package, Relation
from hazardscribe.pairs.workbook.safe_xml import attribute, child, local

_LOCAL = "_rvRel:LocalImageIdentifier"
_WEB = "WebImageIdentifier"


def read_rich_pictures(package: Package, parts: dict[str, str]) -> dict[int, list[Relation]]:
    """A cell's `vm` number -> the relations that lead to its picture, best first.

    Args:
        package: the archive.
        parts: kind of the relation -> part, for those that the workbook has.
    """
    metadata, values = parts.get("sheetMetadata", ""), parts.get("rdRichValue", "")
    structures = parts.get("rdRichValueStructure", "")
    if not (package.has(metadata) and package.has(values) and package.has(structures)):
        return {}
    keys = [
        [attribute(key, "n") for key in structure if local(key.tag) == "k"]
        for structure in package.children(structures)
        if local(structure.tag) == "s"
    ]
    lists = {
        _LOCAL: _local_pictures(package, parts.get("richValueRel", "")),
        _WEB: _web_pictures(package, parts.get("rdRichValueWebImage", "")),
    }
    pictures: dict[int, list[Relation]] = {}
    index = -1
    for value in package.children(values):
        if local(value.tag) != "rv":
            continue
        index += 1
        with package.reading(values):
            structure = int(attribute(value, "s") or 0)
            names = keys[structure] if 0 <= structure < len(keys) else []
            fields = [below.text or "" for below in value if local(below.tag) == "v"]
            for name, content in zip(names, fields, strict=False):
                if name in lists:
                    entries, number = lists[name], int(content)
                    pictures[index] = entries[number] if 0 <= number < len(entries) else []
    found = enumerate(_values(package, metadata), start=1)
    return {vm: pictures[value] for vm, value in found if value in pictures}


def _values(package: Package, metadata: str) -> list[int | None]:
    """Index of the rich value by `vm` - 1; None where the block is something else."""
    types: list[str] = []
    futures: dict[str, list[int | None]] = {}
    blocks: list[tuple[int, int] | None] = []
    for section in package.children(metadata):
        kind = local(section.tag)
        with package.reading(metadata):
            if kind == "metadataTypes":
                types = [attribute(entry, "name") for entry in section]
            elif kind == "futureMetadata":
                futures[attribute(section, "name")] = [
                    _rich_value(block) for block in section if local(block.tag) == "bk"
                ]
            elif kind == "valueMetadata":
                for block in section:
                    record = child(block, "rc")
                    blocks.append(
                        None
                        if record is None
                        else (int(attribute(record, "t")), int(attribute(record, "v")))
                    )
    found: list[int | None] = []
    for entry in blocks:
        type_number, number = entry or (0, 0)
        name = types[type_number - 1] if 0 < type_number <= len(types) else ""
        future = futures.get(name, [])
        found.append(future[number] if 0 <= number < len(future) else None)
    return found


def _rich_value(block: Element) -> int | None:
    for below in block.iter():
        if local(below.tag) == "rvb":
            return int(attribute(below, "i"))
    return None


def _local_pictures(package: Package, part: str) -> list[list[Relation]]:
    if not package.has(part):
        return []
    relations = package.relations(part)
    return [
        [relations[name]] if (name := attribute(entry, "id")) in relations else []
        for entry in package.children(part)
        if local(entry.tag) == "rel"
    ]


def _web_pictures(package: Package, part: str) -> list[list[Relation]]:
    """Relations of each web picture: the copy in the workbook first, then the address."""
    if not package.has(part):
        return []
    relations = package.relations(part)
    found: list[list[Relation]] = []
    for entry in package.children(part):
        if local(entry.tag) != "webImageSrd":
            continue
        ids = [
            attribute(e, "id")
            for e in (child(entry, "blip"), child(entry, "address"))
            if e is not None
        ]
        found.append([relations[name] for name in ids if name in relations])
    return found
