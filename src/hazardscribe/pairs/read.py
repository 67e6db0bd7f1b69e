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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.collecting import Draft, collect, frame_of
from hazardscribe.pairs.columns import check_roles
from hazardscribe.pairs.finder import PhotoFinder
from hazardscribe.pairs.left_out import nothing_left
from hazardscribe.pairs.near_duplicates import Look, group_looks, look_at
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.records import Pairs, Rejected, short_name
from hazardscribe.pairs.shards import find_shards, read_shards
from hazardscribe.pairs.splits import (
    DEV,
    TRAIN,
    VALIDATION,
    Linked,
    divide,
    settle_names,
)
from hazardscribe.pairs.tables.sources import read_tables
from hazardscribe.pairs.tables.table import Table

__all__ = ["Pairs", "Rejected", "read_pairs"]

log = logging.getLogger(__name__)


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
            rejected += _drop_unreadable(draft, failures)
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


def _drop_unreadable(draft: Draft, failures: Mapping[str, PhotoError]) -> list[Rejected]:
    """Take the photos that failed from a draft."""
    rejected = [
        draft.reject("photo_unreadable", why_unreadable(photo, failures[photo]), name)
        for photo, name in draft.photos
        if photo in failures
    ]
    draft.photos = [both for both in draft.photos if both[0] not in failures]
    return rejected


def _likeness(photo: str) -> Look | str:
    return look_at(photo) or photo_digest(photo)


def _splits(
    drafts: list[Draft],
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


def _group(drafts: list[Draft], tokens: Mapping[str, Look | str]) -> list[int]:
    """Group number of each row: rows are together that share a photo or show nearly the same."""
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


def _sort(rejected: list[Rejected], tables: list[Table]) -> None:
    order = {table.label: position for position, table in enumerate(tables)}
    rejected.sort(key=lambda one: (order[one.file], one.row or 0))
