"""The on-disk form of pairs: one folder that can be moved, read again and compared byte by byte.

`pairs.parquet` names the photos relative to the folder; `photos/` holds each photo once, under
the digest of its bytes; `rejected.csv` lists what was left out. The table is renamed into place
last, so a folder with `pairs.parquet` is whole.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.files import write_whole
from hazardscribe.names import readable
from hazardscribe.pairs.columns import FIRST_COLUMNS
from hazardscribe.pairs.photo_file import photo_digest, photo_suffix
from hazardscribe.pairs.records import Pairs, Rejected
from hazardscribe.pairs.tables.arrow import PAIRS_KEY, pairs_schema

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_pairs(pairs: Pairs, folder: str | Path) -> Path:
    """Write pairs so that `read_pairs(folder)` gives the same records.

    Equal pairs give equal bytes. Photos are copied as they are, never re-encoded. What already
    lies in the folder stays, except the files that are written.

    Returns:
        The folder.

    Raises:
        InputError: the folder cannot be written.
        PhotoError: a photo has gone since the pairs were read.
    """
    target = Path(folder)
    try:
        (target / "photos").mkdir(parents=True, exist_ok=True)
        places: dict[str, str] = {}
        for photo in pairs.frame["photo"]:
            if photo not in places:
                places[photo] = copy_photo(Path(photo), target)
        write_rejected(target, pairs.rejected)
        write_whole(target / "pairs.parquet", lambda path: _write_table(path, pairs, places))
    except OSError as error:
        raise InputError(
            f"{target}: the pairs cannot be written here ({error.strerror or error}); free space "
            "or name another folder"
        ) from error
    return target


def write_rejected(folder: Path, rejected: Sequence[Rejected]) -> Path:
    """Write what was left out, with reasons, as `rejected.csv`; the folder must exist.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / "rejected.csv"
    head = ("file", "row", "photo", "reason", "detail")
    lines = ((one.file, one.row, one.photo, one.reason, one.detail) for one in rejected)
    write_whole(path, lambda draft: write_list(draft, head, lines))
    return path


def photo_name(photo: Path) -> str:
    """What a copy of the photo is called: by the digest of its bytes, so equal photos are one.

    Raises:
        PhotoError: the photo cannot be read.
    """
    digest = photo_digest(photo)
    with photo.open("rb") as stream:
        return digest_name(digest, stream.read(1024))


def copy_photo(photo: Path, target: Path, folder: str = "photos") -> str:
    """Put the photo under its digest, if it is not there; its path relative to the target."""
    name = f"{folder}/{photo_name(photo)}"
    copy_to(photo, target / name)
    return name


def copy_to(photo: Path, copy: Path) -> None:
    """Copy a photo to a name that is its digest's, if it is not there."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if not copy.is_file() or copy.stat().st_size != photo.stat().st_size:
        write_whole(copy, lambda path: shutil.copyfile(photo, path))


def digest_name(digest: str, head: bytes) -> str:
    """A photo's file name by its digest, with the suffix that fits its first bytes."""
    return f"{digest[:24]}{photo_suffix(head)}"


def _write_table(path: Path, pairs: Pairs, places: dict[str, str]) -> None:
    names = [*FIRST_COLUMNS, *(str(name) for name in pairs.frame if name not in FIRST_COLUMNS)]
    columns = [pairs.frame[name].tolist() for name in names]
    columns[0] = [places[photo] for photo in columns[0]]
    write_columns(path, names, columns)


def write_columns(path: Path, names: Sequence[str], columns: Sequence[list]) -> None:
    """Write the Parquet file of pairs: text, and `row_number` as an integer."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    schema = pairs_schema(names).with_metadata({PAIRS_KEY: b"1"})
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    with path.open("wb") as stream:  # pyarrow opens no path that is not UTF-8
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), stream, compression="zstd")


def write_list(
    path: Path, head: Sequence[str], lines: Iterable[Sequence[str | int | None]]
) -> None:
    """Write a CSV that opens rightly in a spreadsheet and in which no text is a formula."""
    # With a byte-order mark, which Excel needs to see that this is UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        for line in lines:
            writer.writerow(
                [_plain(readable(cell)) if isinstance(cell, str) else cell for cell in line]
            )


def _plain(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
