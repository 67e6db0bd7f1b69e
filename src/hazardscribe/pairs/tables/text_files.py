"""Tables in text files: CSV, TSV and the like in any usual encoding, and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import count_roles, find_columns
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.tables.cells import cell_text
from hazardscribe.pairs.tables.table import Table

_REVIEWED = frozenset(("annotation_id", "annotator", "lead_time"))
"""Columns of what Label Studio exports as CSV and TSV: one row an annotation, without its project's
skipped tasks, and with all columns of the old ledger in one cell."""
_HEADER_WITHIN = 10  # records: a title and a date may stand above the header
_END = "\ue000end of the file\ue000"
"""Follows the last line: an open quotation mark swallows it."""


def read_text(path: Path) -> str:
    """Text of a file: by its byte-order mark, else UTF-8, else GB18030 (Chinese Excel).

    Raises:
        InputError: it cannot be read, or is no text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); check the file"
        ) from error
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(
        f"{path}: is not text in UTF-8, UTF-16 with a byte-order mark, or GB18030 (GBK); "
        'save it as "CSV UTF-8"'
    )


def read_csv(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    """A table whose separator is found from its header; `chosen` is role -> column.

    Raises:
        InputError: it is no table of text, or columns are not found.
    """
    text = read_text(path)
    separator, top = sniff_separator(text, path, chosen)
    records = csv_records(text, path, separator)
    for _ in range(top):
        next(records)
    names = [name.strip() for name in next(records)]
    while names and not names[-1]:
        names.pop()
    table = Table(label, path.parent, names, find_columns(names, chosen, where=str(path)))
    for number, record in enumerate(records, start=1):
        cells = record[: len(names)]
        cells += [""] * (len(names) - len(cells))
        if any(cell.strip() for cell in record[len(names) :]):
            said = say("bad_row", cells=len(record), columns=len(names))
            table.bad[number] = ("bad_row", said)
            cells = [""] * len(names)
        table.rows.append(cells)
    return table


def csv_records(text: str, path: Path, separator: str) -> Iterator[list[str]]:
    """The records of a table, as a stream; wholly empty lines are left out.

    Raises:
        InputError: a quotation mark is never closed, or a field is longer than any text.
    """
    lines = chain(io.StringIO(text, newline=""), (_END,))
    reader = csv.reader(lines, delimiter=separator)
    begins = 0
    try:
        for record in reader:
            if record == [_END]:
                break
            if record and record[-1].endswith(_END):
                raise InputError(
                    f"{path}: line {begins + 1}: a quotation mark is opened in this row and never "
                    "closed, so all that follows would be lost; correct the row"
                )
            begins = reader.line_num
            if record:
                yield record
    except csv.Error as error:
        raise InputError(
            f"{path}: line {reader.line_num}: {error}; a quotation mark that is never closed is "
            "the usual cause"
        ) from error


def sniff_separator(text: str, path: Path, chosen: Mapping[str, str]) -> tuple[str, int]:
    """The separator whose header names most roles, then most columns; and the header's record.

    Every reader of text tables comes by here, so this is where what is no such table is refused.

    Args:
        text: the whole table.
        path: of the table; its suffix decides between equals.
        chosen: role -> column, as named by the user.

    Raises:
        InputError: the text is empty, no table, or a review that cannot come home in this form.
    """
    best: tuple[int, int, int, str, int] | None = None
    for separator in "\t,;|" if path.suffix.lower() == ".tsv" else ",;\t|":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        top = []
        try:
            for record in reader:
                if record:
                    top.append(record)
                if len(top) == _HEADER_WITHIN:
                    break
        except csv.Error:
            continue
        if not top:
            raise InputError(f"{path}: is empty; a header and rows are needed")
        roles = [count_roles(record, chosen) for record in top]
        header = roles.index(max(roles)) if max(roles) == 2 else 0
        if set(top[header]) >= _REVIEWED:
            raise InputError(
                f"{path}: was exported from Label Studio as CSV or TSV, which gives every "
                'annotation of a photo as a row of its own; export it again as "JSON", or take '
                "the column annotation_id out of it if you want them all"
            )
        score = (roles[header], len(top[header]), max(map(len, top)))
        if best is None or score > best[:3]:
            best = (*score, separator, header)
    if best is None:
        raise InputError(
            f"{path}: is not a table of text; a quotation mark that is never closed is the usual "
            "cause"
        )
    return best[3], best[4]


def read_jsonl(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    """A table of one JSON object a line; `chosen` is role -> column.

    Raises:
        InputError: no line is an object, or columns are not found.
    """
    records: list[dict[str, Any] | str] = []
    for line in read_text(path).split("\n"):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            records.append(f"not JSON: {error}")
            continue
        records.append(record if isinstance(record, dict) else "not a JSON object")
    if not records:
        raise InputError(f"{path}: is empty; one JSON object a line is needed")
    if all(isinstance(record, str) for record in records):
        raise InputError(
            f"{path}: no line of it is a JSON object (first: {records[0]}); one a line is needed"
        )
    names = list(dict.fromkeys(key for r in records if isinstance(r, dict) for key in r))
    table = Table(label, path.parent, names, find_columns(names, chosen, where=str(path)))
    for number, record in enumerate(records, start=1):
        if isinstance(record, str):
            table.bad[number] = ("bad_row", record)
            table.rows.append([""] * len(names))
        else:
            table.rows.append([cell_text(record.get(name)) for name in names])
    return table
