"""The folder that an import writes: tables, lists, counts and a page to look at.

pairs.parquet   photo, description, split, row_file, row_sheet, row_number, then the roles that
                the ledger has (category, place, date ...), then its other columns
safe.parquet    photo, split, provenance and place of photos after repair: no hazard text
photos/         each photo once, its bytes as they were, under their digest
rejected.csv    what was left out: codes that stay, and a sentence in the ledger's language
import.json     mapping, counts, versions, the split's hash
report.html     the same for people
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe import __version__
from hazardscribe.errors import InputError
from hazardscribe.files import write_json
from hazardscribe.pairs.columns import FIRST_COLUMNS, LEDGER_ROLES
from hazardscribe.pairs.ledger.dividing import split_digest
from hazardscribe.pairs.ledger.report import write_report
from hazardscribe.pairs.ledger.result import Imported
from hazardscribe.pairs.photo import LOADER_VERSION
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.sentences import in_language
from hazardscribe.pairs.splits import DEV, TRAIN, VALIDATION
from hazardscribe.pairs.write import photo_name, write_columns, write_list

if TYPE_CHECKING:
    import pandas as pd

PAIRS, SAFE, REJECTED = "pairs.parquet", "safe.parquet", "rejected.csv"
RECORD, REPORT = "import.json", "report.html"
_OURS = frozenset((PAIRS, SAFE, REJECTED, RECORD, REPORT, "photos"))
_SAFE_FIRST = ("photo", "split", "row_file", "row_sheet", "row_number")
_SAFE_ROLES = ("place", "site", "project", "date")


def read_safe(folder: str | Path) -> pd.DataFrame:
    """The photos of repaired places in a folder of pairs; they show no hazard.

    Returns:
        A frame with `photo` (absolute path), `split`, `row_file`, `row_sheet`, `row_number`, and
        `place`, `site`, `project`, `date` where the ledger has them. Empty where there are none.

    Raises:
        InputError: the folder is not there, or its table cannot be read.
    """
    import pandas as pd

    root = Path(folder).expanduser().absolute()
    path = root / SAFE
    if not root.is_dir():
        raise InputError(f"{root}: is not a folder of pairs; name what `import` wrote")
    if not path.is_file():
        return pd.DataFrame({name: [] for name in _SAFE_FIRST})
    try:
        frame = pd.read_parquet(path)
        frame["photo"] = [str(root / photo) for photo in frame["photo"]]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({error}); import the ledger again") from error
    return frame


def check_target(target: Path, source: str) -> None:
    """Refuse a folder that holds anything but an untouched earlier import of the same ledger.

    Raises:
        InputError: with what lies there.
    """
    if not target.exists():
        return
    remedy = "Name a new folder, or move it away."
    if not target.is_dir():
        raise InputError(f"--out {target}: is a file. {remedy}")
    inside = {path.name for path in target.iterdir()}
    if not inside:
        return
    try:
        record: Any = json.loads((target / RECORD).read_text(encoding="utf-8"))
        former, digests = record["source"], dict(record["outputs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--out {target}: is not empty. {remedy}") from error
    if former != source:
        raise InputError(f"--out {target}: holds an import of {former!r}. {remedy}")
    if foreign := sorted(inside - _OURS):
        raise InputError(
            f"--out {target}: holds what no import wrote ({', '.join(foreign[:5])}). {remedy}"
        )
    changed = [
        name
        for name, digest in digests.items()
        if not (target / name).is_file() or photo_digest(target / name) != digest
    ]
    # A photo's name is the digest of what is in it.
    changed += [
        f"photos/{path.name}"
        for path in sorted((target / "photos").glob("*"))
        if not path.is_file() or photo_name(path) != path.name
    ]
    if changed:
        names = ", ".join(changed[:5])
        raise InputError(f"--out {target}: was changed since it was imported ({names}). {remedy}")


class Tables:
    """The two tables as columns, and the counts that follow from them."""

    def __init__(self, imported: Imported) -> None:
        """Lay out the pairs, and set the counts and the hash of `imported`."""
        rows = imported.rows
        layouts = dict.fromkeys(row.draft.names for row in rows if row.photos)
        present = dict.fromkeys(name for names in layouts for name in names)
        extra = [role for role in LEDGER_ROLES if role in present]
        extra += [name for name in present if name not in LEDGER_ROLES]
        self.names = [*FIRST_COLUMNS, *extra]
        self.columns: list[list] = [[] for _ in self.names]
        present_safe = dict.fromkeys(n for row in rows if row.safe for n in row.draft.names)
        safe_roles = [role for role in _SAFE_ROLES if role in present_safe]
        self.safe_names = [*_SAFE_FIRST, *safe_roles]
        self.safe: list[list] = [[] for _ in self.safe_names]
        places = {names: {name: at for at, name in enumerate(names)} for names in layouts}
        lines: list[tuple[str, str, int, str, str]] = []
        splits: Counter[str] = Counter()
        for row in rows:
            draft = row.draft
            at = places.get(draft.names, {})
            for text in draft.texts if row.photos else ():
                for photo in row.photos:
                    first = (photo.name, text, row.split, *draft.source)
                    rest = (draft.values[at[name]] if name in at else "" for name in extra)
                    for column, value in zip(self.columns, (*first, *rest), strict=True):
                        column.append(value)
                    lines.append((*draft.source, photo.digest, row.split))
                    splits[row.split] += 1
            for photo in row.safe:
                line = (photo.name, row.split, *draft.source, *map(draft.value, safe_roles))
                for column, value in zip(self.safe, line, strict=True):
                    column.append(value)
        imported.pairs, imported.safe = len(lines), len(self.safe[0])
        imported.split_hash = split_digest(lines)
        imported.splits = {s: splits[s] for s in (TRAIN, DEV, VALIDATION) if splits[s]}


def write_folder(folder: Path, imported: Imported, tables: Tables) -> None:
    """Write everything but the photos, which lie there already."""
    (folder / "photos").mkdir(exist_ok=True)
    used = {*tables.columns[0], *tables.safe[0]}
    for path in (folder / "photos").iterdir():
        if f"photos/{path.name}" not in used:
            path.unlink()
    write_columns(folder / PAIRS, tables.names, tables.columns)
    if tables.safe[0]:
        write_columns(folder / SAFE, tables.safe_names, tables.safe)
    language = imported.language
    write_list(
        folder / REJECTED,
        ("kind", "file", "sheet", "row", "sheet_row", "photo", "reason", "detail"),
        (
            (
                *(one.kind, one.file, one.sheet, one.row, one.line, one.photo, one.reason),
                in_language(one.detail, language),
            )
            for one in imported.account.left
        ),
    )
    write_report(folder / REPORT, folder, imported)
    names = [name for name in (PAIRS, SAFE, REJECTED, REPORT) if (folder / name).is_file()]
    outputs = {name: photo_digest(folder / name) for name in names}
    write_json(folder / RECORD, record(imported) | {"outputs": outputs})


def record(imported: Imported) -> dict[str, Any]:
    """All counts, the mapping, the versions and the hash, without times and places."""
    from importlib.metadata import version

    account = imported.account
    return {
        "source": imported.source,
        "ledgers": imported.digests,
        "options": imported.options,
        "rows": {
            "read": account.rows_read,
            "imported": account.rows_imported,
            "rejected": account.rows_rejected,
            "reasons": account.reasons("row"),
        },
        "pictures": {
            "found": account.pictures_found,
            "used": account.pictures_used,
            "unused": account.pictures_unused,
            "reasons": account.reasons("picture"),
        },
        "texts_left_out": account.reasons("text"),
        "pairs": imported.pairs,
        "safe": imported.safe,
        "splits": imported.splits,
        "split_hash": imported.split_hash,
        "sheets": [asdict(sheet) for sheet in imported.sheets],
        "warnings": imported.warnings,
        "versions": {
            "hazardscribe": __version__,
            "photo_loader": LOADER_VERSION,
            **{name: version(name) for name in ("pillow", "pyarrow")},
        },
    }
