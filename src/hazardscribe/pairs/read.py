"""Pairs of a photo and its description, read from whatever the user has.

This is the one way in: training, evaluation and checking all call `read_pairs`. It never drops
a row in silence. The unit of account is the source row below the header: rows that gave at least
one pair plus rows that gave none make `rows_read`, and each row or photo that was left out stands
in `Pairs.rejected` with a reason.

    pairs = read_pairs("ledger/")          # a folder, .csv, .jsonl, .parquet or dataset folder
    pairs.frame                            # all pairs as a pandas DataFrame
    pairs["validation"]                    # one split as a datasets.Dataset
    write_pairs(pairs, "pairs/")           # pairs.parquet, photos/, rejected.csv
"""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.names import is_text, readable
from hazardscribe.pairs.columns import check_roles, unique_names
from hazardscribe.pairs.finder import PhotoFinder
from hazardscribe.pairs.left_out import counts_by_reason, in_words
from hazardscribe.pairs.own_words import CANNOT_JUDGE
from hazardscribe.pairs.records import FIRST_COLUMNS, Pairs, Rejected, short_name
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.shards import find_shards, read_shards
from hazardscribe.pairs.splits import (
    DEV,
    TRAIN,
    VALIDATION,
    Linked,
    divide,
    read_split,
    settle_names,
)
from hazardscribe.pairs.tables.sources import read_tables
from hazardscribe.pairs.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from hazardscribe.pairs.near_duplicates import Look

__all__ = ["Pairs", "Rejected", "clean_text", "is_empty", "read_pairs"]

log = logging.getLogger(__name__)

_PLACEHOLDERS = frozenset(
    ("", "/", "//", "\\", "无", "暂无", "同上", "同前", "-", "--", "---", "—", "——", ".", "。")
)
_PLACEHOLDERS |= {"n/a", "na", "nan", "none", "null", "#n/a", "#value!", "#ref!", "#name?"}
# What the program itself says in place of a description that it doubts.
_PLACEHOLDERS |= {unicodedata.normalize("NFKC", text).casefold() for text in CANNOT_JUDGE.values()}


def read_pairs(
    source: str | Path,
    *,
    columns: dict[str, str] | None = None,
    photos: str | Path | None = None,
    dev_share: float = 0.15,
    seed: int = 0,
    check_photos: bool = True,
    examine: Callable[[str], Look | str] | None = None,
    progress: bool = False,
) -> Pairs:
    """Read pairs from a table, a dataset folder or a folder of photos with a table.

    Several Parquet files in a folder give `ShardedPairs`: nothing is cut from their splits and no
    photo is decoded, so that `dev_share`, `seed`, `check_photos` and `examine` mean nothing there.

    Args:
        source: .csv, .tsv, .jsonl or .parquet file; a .json export of Label Studio; a Hugging
            Face dataset folder; or a folder with `pairs.parquet`, `pairs.csv`, `metadata.csv` or
            `metadata.jsonl`, also one each in `train/`, `dev/`, `validation/`.
        columns: names of the `photo`, `description` and `split` columns, where they have no
            usual name.
        photos: folder of the photos, where it is not the table's.
        dev_share: share of train that becomes `dev` where the data bring none, in [0, 1).
            Where the data bring no splits at all, the division is 80/10/10; 0 leaves out dev.
        seed: of the division into splits.
        check_photos: decode every photo once, to reject unreadable ones and to keep
            near-duplicates in one split. Without it only equal paths are kept together.
        examine: called with the path of each photo, from several threads, where a caller wants
            to see more of the photos while they are decoded. Gives the photo's look, or a text that
            only equal photos share; raises `PhotoError` for one that cannot be used.
        progress: show a progress bar while photos are checked.

    Raises:
        InputError: the source cannot be read, columns are not found, or no pair is left.
    """
    if not 0 <= dev_share < 1:
        raise InputError(f"dev_share must lie in [0, 1), not {dev_share}")
    chosen = dict(columns or {})
    check_roles(chosen)
    root = None if photos is None else Path(photos).expanduser()
    if root is not None and not root.is_dir():
        raise InputError(f"photos: {root} is not a folder; name the folder that holds the photos")
    if shards := find_shards(Path(source).expanduser()):
        base = Path(os.path.abspath(Path(source).expanduser()))  # noqa: PTH100
        shards = [base / shard.relative_to(Path(source).expanduser()) for shard in shards]
        return read_shards(base, shards, chosen, root, progress)
    folder, tables = read_tables(Path(source).expanduser(), chosen)
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (links stay as the user named them)

    rejected: list[Rejected] = []
    finders = {table.base: PhotoFinder(table.base, root) for table in tables}
    drafts = collect(tables, rejected, finders)
    tokens: dict[str, Look | str] = {}
    if check_photos:
        distinct = list(dict.fromkeys(photo for draft in drafts for photo, _ in draft.photos))
        tokens, failures = look_over(distinct, examine or _likeness, progress)
        for draft in drafts:
            for photo, name in draft.photos:
                if photo in failures:
                    detail = why_unreadable(photo, failures[photo])
                    rejected.append(draft.reject("photo_unreadable", detail, name))
            draft.photos = [both for both in draft.photos if both[0] not in failures]
    imported = [draft for draft in drafts if draft.photos]
    rows_read = sum(len(table.rows) for table in tables)
    _sort(rejected, tables)
    if not imported:
        raise nothing_left(Path(source), rows_read, rejected)

    splits = _splits(imported, tables, folder, tokens, dev_share, seed)
    pairs = Pairs(
        frame_of(imported, splits, tables),
        folder=folder,
        rejected=rejected,
        columns={role: tables[0].names[at] for role, at in tables[0].roles.items()},
        rows_read=rows_read,
        rows_imported=len(imported),
    )
    log.info("%s: %r", source, pairs)
    return pairs


@dataclass(slots=True)
class _Draft:
    """A source row on its way to pairs."""

    table: Table
    number: int
    description: str
    split: str
    photos: list[tuple[str, str]]  # (absolute path, name as written)

    def reject(self, reason: str, detail: str, photo: str = "") -> Rejected:
        return Rejected(self.table.label, self.number, photo, reason, detail)


def collect(
    tables: list[Table],
    rejected: list[Rejected],
    finders: Mapping[Path, PhotoFinder],
    splits_given: bool | None = None,
) -> list[_Draft]:
    """The rows that have a description, a split and at least one photo file.

    Args:
        tables: whole, or a block of one. rejected: the others are added here.
        finders: of photos, by the tables' folders.
        splits_given: whether each row must have a split; None: where one of these has.
    """
    if splits_given is None:
        splits_given = any(
            table.split
            or (
                "split" in table.roles
                and any(row[table.roles["split"]].strip() for row in table.rows)
            )
            for table in tables
        )
    drafts: list[_Draft] = []
    for table in tables:
        photo_at, text_at = table.roles["photo"], table.roles["description"]
        split_at = table.roles.get("split")
        for number, row in enumerate(table.rows, start=table.first + 1):
            draft = _Draft(table, number, clean_text(row[text_at]), "", [])
            if number in table.bad:
                rejected.append(draft.reject(*table.bad[number]))
                continue
            if not any(cell.strip() for cell in row):
                rejected.append(draft.reject("blank", say("blank")))
                continue
            if splits_given:
                written = (row[split_at].strip() if split_at is not None else "") or table.split
                draft.split = read_split(written) or ""
                if not draft.split:
                    detail = say("bad_split", text=written) if written else say("no_split")
                    rejected.append(draft.reject("bad_split", detail))
                    continue
            if is_empty(draft.description):
                rejected.append(
                    draft.reject("empty_description", say("empty_description", text=row[text_at]))
                )
                continue
            names = finders[table.base].split_cell(row[photo_at])
            if not names:
                rejected.append(
                    draft.reject("no_photo_named", say("no_photo_named", text=row[photo_at]))
                )
                continue
            for name in names:
                found = finders[table.base].find(name)
                if not isinstance(found, str):
                    rejected.append(draft.reject(*found, name))
                elif not is_text(found):
                    rejected.append(draft.reject("photo_unreadable", _odd_path(found), name))
                else:
                    draft.photos.append((found, name))
            draft.photos = list({both[0]: both for both in draft.photos}.values())
            if draft.photos:
                drafts.append(draft)
    return drafts


def clean_text(text: str) -> str:
    """The text as written, without blanks at the ends; inner runs of blanks become one space."""
    return " ".join(text.replace("\u200b", "").replace("\ufeff", "").split())


def is_empty(text: str) -> bool:
    """Whether a cleaned description says nothing: blank, `/`, 无, 同上, N/A and the like."""
    return unicodedata.normalize("NFKC", text).casefold().strip() in _PLACEHOLDERS


def look_over(
    photos: list[str], examine: Callable[[str], Look | str], progress: bool
) -> tuple[dict[str, Look | str], dict[str, PhotoError]]:
    """What `examine` says of each photo, from several threads: its look or digest, or its error."""
    from tqdm import tqdm

    tokens: dict[str, Look | str] = {}
    failures: dict[str, PhotoError] = {}

    def look(photo: str) -> Look | str | PhotoError:
        try:
            return examine(photo)
        except PhotoError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = tqdm(
            pool.map(look, photos),
            total=len(photos),
            desc="checking photos",
            unit="photo",
            disable=not progress,
        )
        for photo, result in zip(photos, results, strict=True):
            if isinstance(result, PhotoError):
                failures[photo] = result
            else:
                tokens[photo] = result
    return tokens, failures


def why_unreadable(photo: str, error: PhotoError) -> str:
    """The detail of a `photo_unreadable`."""
    return f"{error.reason}: {str(error).removeprefix(f'{photo}: ')}"


def _odd_path(photo: str) -> str:
    """The detail of a photo whose path no table takes, so that no pair can name it."""
    return (
        f"{readable(photo)}: a name in this path is not UTF-8 (GBK, from Windows?). Rename the "
        "file or folder, for example with `convmv -f gbk -t utf-8`; `hazardscribe import` takes "
        "it as it is"
    )


def _likeness(photo: str) -> Look | str:
    from hazardscribe.pairs.near_duplicates import look_at
    from hazardscribe.pairs.photo import photo_digest

    return look_at(photo) or photo_digest(photo)


def _splits(
    drafts: list[_Draft],
    tables: list[Table],
    folder: Path,
    tokens: Mapping[str, Look | str],
    dev_share: float,
    seed: int,
) -> list[str]:
    """The final split of each row: honoured, with dev cut from train, or divided."""
    given = {draft.split for draft in drafts}
    names = settle_names(given)
    settled = [names.get(draft.split, "") for draft in drafts]
    if given == {""}:
        part = list(range(len(drafts)))
        shares = {VALIDATION: 0.1} | ({DEV: 0.1} if dev_share else {})
    elif DEV in settled or TRAIN not in settled or not dev_share or any(t.settled for t in tables):
        return settled
    else:
        part = [index for index, split in enumerate(settled) if split == TRAIN]
        shares = {DEV: dev_share}
    chosen = [drafts[index] for index in part]
    keys = ["\n".join(short_name(photo, folder) for photo, _ in draft.photos) for draft in chosen]
    result = divide(_group(chosen, tokens), keys, shares, seed=seed)
    for index, split in zip(part, result, strict=True):
        settled[index] = split
    return settled


def _group(drafts: list[_Draft], tokens: Mapping[str, Look | str]) -> list[int]:
    """Group number of each row: rows are together that share a photo or show nearly the same."""
    from hazardscribe.pairs.near_duplicates import group_looks

    photos = list(dict.fromkeys(photo for draft in drafts for photo, _ in draft.photos))
    likeness = [tokens.get(photo, photo) for photo in photos]
    numbers = group_looks([None if isinstance(token, str) else token for token in likeness])
    alike: dict[str, int | str] = {
        photo: token if isinstance(token, str) else number
        for photo, token, number in zip(photos, likeness, numbers, strict=True)
    }
    linked = Linked()
    for draft in drafts:
        for photo, _ in draft.photos:
            linked.link(alike[draft.photos[0][0]], alike[photo])
    return linked.numbers(alike[draft.photos[0][0]] for draft in drafts)


def frame_of(drafts: list[_Draft], splits: list[str], tables: list[Table]) -> pd.DataFrame:
    """One line per pair. Source columns whose name is taken get the prefix `source_`."""
    import pandas as pd

    places = {id(table): _other_columns(table) for table in tables}
    others = list(dict.fromkeys(name for names in places.values() for name in names))
    lines: list[tuple[str | int, ...]] = []
    for draft, split in zip(drafts, splits, strict=True):
        row = draft.table.rows[draft.number - 1 - draft.table.first]
        at = places[id(draft.table)]
        rest = [row[at[name]] if name in at else "" for name in others]
        source = _provenance(draft, row)
        for photo, _ in draft.photos:
            lines.append((photo, draft.description, split, *source, *rest))
    frame = pd.DataFrame(lines, columns=[*FIRST_COLUMNS, *others])
    return frame.astype({"row_number": "int64"})


def _other_columns(table: Table) -> dict[str, int]:
    """Name in the frame -> position in the table, for the columns that play no role."""
    taken = set(table.roles.values())
    provenance = _has_provenance(table)
    positions = [
        position
        for position, name in enumerate(table.names)
        if position not in taken and not (provenance and name in FIRST_COLUMNS[3:])
    ]
    named = [table.names[position] or f"column_{position + 1}" for position in positions]
    return dict(zip(unique_names(named), positions, strict=True))


def _has_provenance(table: Table) -> bool:
    return set(FIRST_COLUMNS[3:]) <= set(table.names)


def _provenance(draft: _Draft, row: list[str]) -> tuple[str, str, int]:
    """Where the row stood first: pairs that were written before say so themselves."""
    if _has_provenance(draft.table):
        file, sheet, number = (row[draft.table.names.index(name)] for name in FIRST_COLUMNS[3:])
        if number.isascii() and number.isdigit() and len(number) < 16:
            return file, sheet, int(number)
    return draft.table.label, "", draft.number


def _sort(rejected: list[Rejected], tables: list[Table]) -> None:
    order = {table.label: position for position, table in enumerate(tables)}
    rejected.sort(key=lambda one: (order[one.file], one.row or 0))


def nothing_left(source: Path, rows_read: int, rejected: list[Rejected]) -> InputError:
    if not rows_read:
        return InputError(f"{source}: has a header but no rows; nothing to learn from")
    first = "; ".join(in_words(one) for one in rejected[:3])
    return InputError(
        f"{source}: none of {rows_read} rows gives a pair ({counts_by_reason(rejected)}). "
        f"First: {first}"
    )
