"""Pairs in many Parquet files, more than fit into memory.

A table of other kinds is read whole. Shards are read a block at a time by the same rules, and what
comes out of them is written, split by split, as Arrow files that are mapped into memory: a row then
costs the process no memory of its own, and a second start (a resumed run, another rank of the same
machine) reads nothing but the shards' sizes and dates, and looks whether photos that were missing
have come. Photos that lie in the shards as bytes go to the cache folder, as from any table; a later
start makes sure that they are there.

What that costs: the splits must be given, since a division that keeps near-duplicates together has
to see all photos at once; and photos are not decoded beforehand: those that cannot be are left out,
and counted, when the pixel cache is built.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError
from hazardscribe.files import cache_folder, locked, new_folder, write_json
from hazardscribe.pairs.collecting import collect, frame_of
from hazardscribe.pairs.columns import find_columns
from hazardscribe.pairs.finder import PhotoFinder
from hazardscribe.pairs.left_out import nothing_left
from hazardscribe.pairs.records import Pairs, Rejected, add_to_digest
from hazardscribe.pairs.splits import DEV, TRAIN, read_split, settle_names
from hazardscribe.pairs.tables.arrow import (
    is_dataset_folder,
    open_parquet,
    pairs_schema,
    table_rows,
)
from hazardscribe.pairs.tables.sources import folder_table
from hazardscribe.pairs.tables.table import Table

if TYPE_CHECKING:
    import datasets
    import pandas as pd

log = logging.getLogger(__name__)

_FORMAT = 2
_BYTES = ("utf-8", "surrogatepass")  # paths as bytes, also those that are not UTF-8
_ACCOUNT = "account.json"
BLOCK = 256
"""Rows that are in memory at a time, with the bytes of their photos where those lie in the shards.

Of the file itself the reader holds a row group.
"""


class ShardedPairs(Pairs):
    """Pairs whose rows stay on the disk.

    As `Pairs`, but `frame` reads all of them into memory when it is asked for; `splits` does not.
    """

    def __init__(self, arrow: Path, account: Mapping[str, Any], folder: Path) -> None:
        """Take over what `read_shards` has written to `arrow`."""
        self._arrow, self._account = arrow, account
        self.folder = folder
        self.rejected = [Rejected(**one) for one in account["rejected"]]
        self.columns = dict(account["columns"])
        self.rows_read, self.rows_imported = account["rows_read"], account["rows_imported"]

    @cached_property
    def splits(self) -> datasets.DatasetDict:
        """The splits, mapped into memory."""
        import datasets

        return datasets.DatasetDict(
            {
                split: datasets.Dataset.from_file(str(self._arrow / f"{split}.arrow"))
                for split in self._present()
            }
        )

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """All pairs in memory, for what needs them all."""
        import pandas as pd

        parts: list[pd.DataFrame] = [part.to_pandas() for part in self.splits.values()]
        return pd.concat(parts, ignore_index=True)

    def __getitem__(self, split: str) -> datasets.Dataset:
        """As `Pairs`; the message says besides that shards are not divided."""
        try:
            return super().__getitem__(split)
        except InputError as error:
            raise InputError(
                f"{error}. Several Parquet files are read without holding all rows in memory, so "
                f"they are not divided here: give some rows the split {split}."
            ) from None

    def digest(self) -> str:
        """As `Pairs.digest`, taken when the shards were read."""
        return str(self._account["digest"])

    def __len__(self) -> int:
        return sum(self._account["pairs"].values())

    def _counts(self) -> dict[str, int]:
        return dict(self._account["pairs"])


def find_shards(source: Path) -> list[Path]:
    """The Parquet files of a folder and of its sub-folders `data`, `train` and so on, if several.

    Empty where the folder is something else, which `read_tables` knows to read: one with a table
    of a fixed name, such as `pairs.parquet`, or with one in each split's sub-folder.
    """
    if not source.is_dir() or is_dataset_folder(source) or folder_table(source) is not None:
        return []
    inside = sorted(source.glob("*.parquet"))
    for sub in sorted(path for path in source.iterdir() if path.is_dir()):
        if read_split(sub.name) is not None or sub.name == "data":
            inside += sorted(sub.glob("*.parquet"))
    shards = [path for path in inside if path.name != "safe.parquet"]
    folders = {shard.parent for shard in shards}
    if source not in folders and all(read_split(f.name) and folder_table(f) for f in folders):
        return []
    return shards if len(shards) > 1 else []


def read_shards(
    source: Path,
    shards: Sequence[Path],
    chosen: Mapping[str, str],
    photos: Path | None,
    progress: bool = False,
) -> ShardedPairs:
    """Read shards, or find them read already.

    Args:
        source: folder that relative photo paths start from, after a shard's own folder and
            `photos`.
        shards: its Parquet files. chosen: role -> column, as named by the user.

    Raises:
        InputError: a shard cannot be read, has other columns than the first, or its rows have no
            split; or no pair is left.
    """
    key = hashlib.sha256(f"{_FORMAT}\0{source}\0{photos}\0{sorted(chosen.items())}".encode(*_BYTES))
    for shard in shards:
        status = shard.stat()
        key.update(f"\0{shard}\0{status.st_size}\0{status.st_mtime_ns}".encode(*_BYTES))
    arrow = cache_folder("shards", key.hexdigest()[:32])
    arrow.parent.mkdir(parents=True, exist_ok=True)
    with locked(arrow.with_name(f".{arrow.name}.lock"), unless_read_only=True):
        if not _is_current(arrow, source, photos):
            with new_folder(arrow) as partial:
                _Reading(source, shards, chosen, photos).write(partial, progress)
    account = json.loads((arrow / _ACCOUNT).read_text(encoding="utf-8"))
    pairs = ShardedPairs(arrow, account, source)
    log.info("%s: %r", source, pairs)
    return pairs


def _is_current(arrow: Path, source: Path, photos: Path | None) -> bool:
    """Whether the shards were read, no missing photo has come since and none in the cache gone."""
    import pyarrow as pa  # type: ignore[import-untyped]

    if not (arrow / _ACCOUNT).is_file():
        return False
    account = json.loads((arrow / _ACCOUNT).read_text(encoding="utf-8"))
    finders: dict[Path, PhotoFinder] = {}
    for one in account["rejected"]:
        if one["reason"] == "photo_missing":
            folder = (source / one["file"]).parent
            finder = finders.setdefault(folder, PhotoFinder(folder, photos, source))
            if isinstance(finder.find(one["photo"]), str):
                return False
    for split in account["pairs"] if account["photos_in_cache"] else ():
        with pa.memory_map(str(arrow / f"{split}.arrow")) as file:
            for batch in pa.ipc.open_stream(file):
                if not all(map(os.path.isfile, batch.column("photo").to_pylist())):
                    return False
    return True


class _Reading:
    """One pass over all shards."""

    def __init__(
        self,
        source: Path,
        shards: Sequence[Path],
        chosen: Mapping[str, str],
        photos: Path | None,
    ) -> None:
        self._source, self._shards = source, shards
        self._first = _names(shards[0])
        self._roles = find_columns(self._first, chosen, where=str(shards[0]))
        folders = {shard.parent for shard in shards}
        self._finders = {folder: PhotoFinder(folder, photos, source) for folder in folders}
        there = self._splits_there()
        if not there:
            raise _no_split(shards[0])
        self._called = settle_names(there)
        called = {self._called[split] for split in there}
        if TRAIN in called and DEV not in called:
            log.warning(
                "%s: no row has the split dev. It is not cut from several Parquet files, and "
                "training and calibrating need it.",
                source,
            )

    def write(self, folder: Path, progress: bool) -> None:
        """Write an Arrow file a split and the account."""
        import pyarrow as pa  # type: ignore[import-untyped]

        writers: dict[str, Any] = {}
        counts: dict[str, int] = {}
        rejected: list[Rejected] = []
        rows_read = rows_imported = 0
        in_cache = os.path.join(os.path.abspath(cache_folder("photos")), "")  # noqa: PTH100, PTH118
        photos_in_cache = False
        state = hashlib.sha256()
        try:
            for table in self._blocks(progress):
                rows_read += len(table.rows)
                drafts = collect([table], rejected, self._finders, splits_given=True)
                rows_imported += len(drafts)
                splits = [self._called[draft.split] for draft in drafts]
                frame = frame_of(drafts, splits, [table])
                add_to_digest(state, frame, self._source)
                photos_in_cache |= any(photo.startswith(in_cache) for photo in frame["photo"])
                for split in dict.fromkeys(splits):
                    part = frame[frame["split"] == split]
                    batch = pa.Table.from_pandas(part, preserve_index=False)
                    # However few rows a block has, and whatever they would be taken for.
                    batch = batch.cast(pairs_schema(batch.schema.names))
                    if split not in writers:
                        path = str(folder / f"{split}.arrow")
                        writers[split] = pa.ipc.new_stream(path, batch.schema)
                    writers[split].write_table(batch)
                    counts[split] = counts.get(split, 0) + len(part)
        finally:
            for writer in writers.values():
                writer.close()
        if not counts:
            raise nothing_left(self._source, rows_read, rejected)
        account = {
            "columns": {role: self._first[at] for role, at in self._roles.items()},
            "pairs": counts,
            "rows_read": rows_read,
            "rows_imported": rows_imported,
            "photos_in_cache": photos_in_cache,
            "digest": state.hexdigest(),
            "rejected": [asdict(one) for one in rejected],
        }
        write_json(folder / _ACCOUNT, account)

    def _blocks(self, progress: bool) -> Iterator[Table]:
        from tqdm import tqdm

        for shard in tqdm(self._shards, desc="reading", unit="shard", disable=not progress):
            self._check(shard)
            label = shard.relative_to(self._source).as_posix()
            whole = Table(label, shard.parent, list(self._first), dict(self._roles))
            whole.split = _split_of(shard, self._source)
            with open_parquet(shard) as file:
                first = 0
                # Of all row groups at once, the reader would keep what it has read of each.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(batch_size=BLOCK, row_groups=[group]):
                        block = replace(whole, rows=table_rows(whole, [batch]), first=first)
                        first += len(block.rows)
                        yield block

    def _check(self, shard: Path) -> None:
        names = _names(shard)
        if names != self._first:
            differing = sorted({*names} ^ {*self._first}) or ["their order"]
            raise InputError(
                f"{shard}: has other columns than {self._shards[0].name} ({', '.join(differing)}). "
                "Write all shards with the same columns."
            )
        if "split" not in self._roles and not _split_of(shard, self._source):
            raise _no_split(shard)

    def _splits_there(self) -> set[str]:
        """All splits that occur: what `test` and `validation` mean depends on it."""
        found = {_split_of(shard, self._source) for shard in self._shards}
        if "split" in self._roles:
            name = self._first[self._roles["split"]]
            for shard in self._shards:
                self._check(shard)
                with open_parquet(shard) as file:
                    for batch in file.iter_batches(batch_size=1 << 16, columns=[name]):
                        written = batch.column(0).unique().to_pylist()
                        found |= {read_split(str(one)) or "" for one in written}
        return {split for split in found if split}


def _names(shard: Path) -> list[str]:
    with open_parquet(shard) as file:
        return list(file.schema_arrow.names)


def _no_split(shard: Path) -> InputError:
    return InputError(
        f"{shard}: its rows have no split. Several Parquet files are read without holding "
        "all rows in memory, so they are not divided here: add a split column (train, dev, "
        "validation), or name the files or their folders so: train-00000.parquet."
    )


def _split_of(shard: Path, source: Path) -> str:
    """The split that a shard's folder or name gives: `train/x.parquet`, `train-00000-of-00008`.

    What the folder of all shards is called says least of one of them.
    """
    inside = [shard.parent.name] if shard.parent != source else []
    own = (shard.stem.split("-")[0], shard.stem.split("_")[0])
    for name in (*inside, *own, source.name):
        split = read_split(name)
        if split is not None:
            return split
    return ""
