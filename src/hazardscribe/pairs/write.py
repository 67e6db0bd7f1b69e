"""The on-disk form of pairs: one folder that can be moved, read again and compared byte by byte.

`pairs.parquet` names the photos relative to the folder; `photos/` holds each photo once, under
the digest of its bytes; `rejected.csv` lists what was left out. The table is renamed into place
last, so a folder with `pairs.parquet` is whole.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.files import write_whole
from hazardscribe.pairs.photo import photo_digest, photo_suffix
from hazardscribe.pairs.records import FIRST_COLUMNS, Pairs, Rejected
from hazardscribe.pairs.tables import PAIRS_KEY

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
        write_whole(target / "rejected.csv", lambda path: _write_rejected(path, pairs.rejected))
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
    write_whole(path, lambda draft: _write_rejected(draft, rejected))
    return path


def photo_name(photo: Path) -> str:
    """What a copy of the photo is called: by the digest of its bytes, so equal photos are one.

    Raises:
        PhotoError: the photo cannot be read.
    """
    digest = photo_digest(photo)
    with photo.open("rb") as stream:
        return f"{digest[:24]}{photo_suffix(stream.read(1024))}"


def copy_photo(photo: Path, target: Path, folder: str = "photos") -> str:
    """Put the photo under its digest, if it is not there; its path relative to the target."""
    name = f"{folder}/{photo_name(photo)}"
    copy = target / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    if not copy.is_file() or copy.stat().st_size != photo.stat().st_size:
        write_whole(copy, lambda path: shutil.copyfile(photo, path))
    return name


def _write_table(path: Path, pairs: Pairs, places: dict[str, str]) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    names = [*FIRST_COLUMNS, *(str(name) for name in pairs.frame if name not in FIRST_COLUMNS)]
    kinds = {"row_number": pa.int64()}
    schema = pa.schema(
        [(name, kinds.get(name, pa.string())) for name in names], metadata={PAIRS_KEY: b"1"}
    )
    columns = [pairs.frame[name].tolist() for name in names]
    columns[0] = [places[photo] for photo in columns[0]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd")


def _write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    # With a byte-order mark, which Excel needs to see that this is UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "row", "photo", "reason", "detail"])
        for one in rejected:
            row = "" if one.row is None else one.row
            writer.writerow(
                [_plain(one.file), row, _plain(one.photo), one.reason, _plain(one.detail)]
            )


def _plain(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
