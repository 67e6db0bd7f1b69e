"""What people said in Label Studio, as a table of pairs.

Reads Label Studio's export in the form "JSON" of a project that has a text field for each photo;
`pairs/exporting/label_studio.py` writes such projects. Only annotations count. A prediction that
nobody submitted is the model's word, or the old ledger's, and never becomes truth here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import usual_columns
from hazardscribe.pairs.records import PROVENANCE
from hazardscribe.pairs.tables.cells import cell_text
from hazardscribe.pairs.tables.table import Table
from hazardscribe.pairs.tables.text_files import read_text
from hazardscribe.pairs.yes_no import read_yes_no

BEFORE = "description_before"
"""The text that was to be corrected: a task's data, and the column that keeps it afterwards."""

TEXT, HAZARD = "description", "hazard"
"""Names of the controls in the labelling interface of our own projects."""

_VIEW = "_view.jpg"
_OWN = ("image", "photo", "split", "row", BEFORE)
_UPLOADED = re.compile(r"/data/upload/.+")


def read_results(path: Path, label: str) -> Table:
    """The tasks of an export as a table, one row each.

    Of several annotations of a task the newest counts that was not skipped. Tasks without one
    are rejected as `not_annotated` or `skipped`. A choice named `hazard` becomes the column
    `hazard` (1 or 0), the text that was corrected the column `description_before`.

    Raises:
        InputError: the file is no Label Studio export.
    """
    tasks = _tasks(path)
    lines: list[dict[str, str]] = []
    bad: dict[int, tuple[str, str]] = {}
    for number, task in enumerate(tasks, start=1):
        line, reason = _line(task)
        if reason is not None:
            bad[number] = reason
        lines.append(line)
    first = ["photo", "description"]
    if any(line.get("split") for line in lines):
        first.append("split")
    others = list(dict.fromkeys(name for line in lines for name in line if name.startswith("\0")))
    table = Table(label, path.parent, [*first, *(name[1:] for name in others)], {}, bad=bad)
    table.roles = {name: position for position, name in enumerate(first)}
    table.rows = [[line.get(name, "") for name in (*first, *others)] for line in lines]
    # Splits of our own pairs were settled before the review.
    table.settled = "split" in first and set(PROVENANCE) <= set(table.names)
    return table


def _tasks(path: Path) -> list[Any]:
    try:
        tasks = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is not JSON ({error}); export it again") from error
    if isinstance(tasks, list) and tasks:
        if any(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks):
            return tasks
        if any(isinstance(task, dict) and "annotation_id" in task for task in tasks):
            raise InputError(
                f'{path}: was exported from Label Studio as JSON-MIN; export it again as "JSON"'
            )
    raise InputError(
        f"{path}: is not a Label Studio export (a JSON list of tasks, each with `data` and "
        '`annotations`); in Label Studio choose Export > "JSON". A table of one object a line '
        "must end in .jsonl"
    )


def _line(task: Any) -> tuple[dict[str, str], tuple[str, str] | None]:
    """A task's cells, other columns marked by a leading NUL; and why it gives no pair, if so.

    Of a task without a pair the photo alone is told.
    """
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        return {}, ("bad_row", "is not a Label Studio task: it has no `data`")
    photo = {"photo": json.dumps([_photo(data)], ensure_ascii=False)}
    made = task.get("annotations")
    made = [one for one in made if isinstance(one, dict)] if isinstance(made, list) else []
    kept = [one for one in made if not one.get("was_cancelled")]
    if not made:
        return photo, ("not_annotated", "nobody has submitted an annotation for this photo")
    if not kept:
        return photo, ("skipped", "the photo was skipped in Label Studio")
    newest = max(enumerate(kept), key=lambda both: (_when(both[1]), both[0]))[1]
    result = newest.get("result")
    result = [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []
    text, why = _text(result)
    if why is not None:
        return photo, ("bad_row", why)
    line = photo | {"description": text}
    line["split"] = cell_text(data.get("split"))
    row = data.get("row")
    for name, value in row.items() if isinstance(row, dict) else ():
        line[f"\0{name}"] = cell_text(value)
    for name, value in data.items():
        if name not in _OWN:
            line[f"\0{name}"] = cell_text(value)
    if (hazard := _hazard(result)) is not None:
        line[f"\0{HAZARD}"] = hazard
    if BEFORE in data:
        line[f"\0{BEFORE}"] = cell_text(data[BEFORE])
    return line, None


def _when(annotation: Mapping[str, Any]) -> datetime:
    for name in ("updated_at", "created_at"):
        try:
            time = datetime.fromisoformat(str(annotation.get(name)))
        except ValueError:
            continue
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)


def _text(result: list[dict[str, Any]]) -> tuple[str, str | None]:
    """The text of our field, or of the only one; and why there is no telling which, if so."""
    fields: dict[str, list[str]] = {}
    for one in result:
        value = one.get("value")
        if one.get("type") == "textarea" and isinstance(value, dict):
            texts = value.get("text")
            texts = texts if isinstance(texts, list) else [texts]
            fields.setdefault(str(one.get("from_name")), []).extend(map(cell_text, texts))
    if TEXT in fields or not fields:
        return "\n".join(fields.get(TEXT, [])), None
    if len(fields) > 1:
        return "", f"several text fields ({', '.join(fields)}), none of them called {TEXT!r}"
    return "\n".join(next(iter(fields.values()))), None


def _hazard(result: list[dict[str, Any]]) -> str | None:
    for one in result:
        value = one.get("value")
        if one.get("type") == "choices" and one.get("from_name") == HAZARD:
            choices = value.get("choices") if isinstance(value, dict) else None
            for choice in choices if isinstance(choices, list) else []:
                if (said := read_yes_no(choice)) is not None:
                    return "1" if said else "0"
    return None


def _photo(data: Mapping[str, Any]) -> str:
    """The name of the photo's file: our own note of it, else what its address says."""
    if isinstance(data.get("photo"), str) and isinstance(data.get("image"), str):
        return str(data["photo"])
    names = list(data)
    usual = usual_columns(names, "photo")
    address = data.get("image") or (data[names[usual[0]]] if usual else "")
    if not isinstance(address, str):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    if parts.path.rstrip("/").endswith("/data/local-files"):
        return parse_qs(parts.query).get("d", [""])[0]
    if (uploaded := _UPLOADED.search(parts.path)) is not None:
        return unquote(uploaded[0])  # what it was called before, the finder knows
    return address


def view_name(name: str) -> str:
    """The file to look at in a browser: the photo, or a JPEG beside it."""
    return f"{name[:-4]}{_VIEW}" if name.endswith(".tif") else name


def is_view(name: str, names: Container[str]) -> bool:
    """Whether a file among others is such a JPEG, and so no photo of its own."""
    return name.endswith(_VIEW) and f"{name.removesuffix(_VIEW)}.tif" in names
