"""Which tables a path stands for: a file, a dataset folder, or a folder with a table in it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.pairs.splits import read_split
from hazardscribe.pairs.tables.arrow import is_dataset_folder, read_dataset, read_parquet
from hazardscribe.pairs.tables.label_studio_results import read_results
from hazardscribe.pairs.tables.table import Table
from hazardscribe.pairs.tables.text_files import read_csv, read_jsonl

SUPPORTED = (
    "a .csv, .tsv, .jsonl or .parquet file, a .json export of Label Studio, a Hugging Face "
    "dataset folder (save_to_disk), or a folder of photos with pairs.parquet, pairs.csv, "
    "metadata.csv or metadata.jsonl, also in sub-folders train/, dev/ and validation/"
)

_EXCEL = (".xlsx", ".xlsm", ".xls", ".et", ".zip")
_FOLDER_TABLES = (
    *("pairs.parquet", "pairs.csv", "pairs.jsonl"),
    *("metadata.csv", "metadata.jsonl", "metadata.parquet"),
)
_LOOSE = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")  # a .txt in a folder may be a note
_NOT_PAIRS = ("rejected.csv", "safe.parquet", "safe.csv")


def read_tables(source: Path, chosen: Mapping[str, str]) -> tuple[Path, list[Table]]:
    """Every table that a path stands for.

    Args:
        source: a file or folder.
        chosen: role -> column, as named by the user.

    Returns:
        The folder that the tables belong to, and the tables.

    Raises:
        InputError: nothing is there, or nothing that can be read.
    """
    if source.is_dir():
        return source, _read_folder(source, chosen)
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; give {SUPPORTED}")
    return source.parent, [_read_file(source, source.name, chosen)]


def _read_file(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    suffix = path.suffix.lower()
    if suffix in _EXCEL:
        raise _excel(path)
    try:
        if suffix != ".parquet" and _is_workbook(path):
            raise _excel(path)
        if suffix == ".parquet":
            return read_parquet(path, label, chosen)
        if suffix in (".jsonl", ".ndjson"):
            return read_jsonl(path, label, chosen)
        if suffix == ".json":
            return read_results(path, label)
        if suffix in (".csv", ".tsv", ".txt"):
            return read_csv(path, label, chosen)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or str(error).strip()}); check the file"
        ) from error
    raise InputError(f"{path}: {suffix or 'a file without suffix'} is not read; give {SUPPORTED}")


def _is_workbook(path: Path) -> bool:
    """Whether the content is a workbook or zip file, whatever its name says."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def _excel(path: Path) -> InputError:
    return InputError(
        f"{path}: is a ledger, not pairs yet; turn it into pairs first: "
        f"hazardscribe import {shlex.quote(path.name)} --out pairs"
    )


def _read_folder(folder: Path, chosen: Mapping[str, str]) -> list[Table]:
    if is_dataset_folder(folder):
        return read_dataset(folder, chosen)
    found = folder_table(folder)
    if found is not None:
        return [_read_file(found, found.name, chosen)]
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return _split_tables(inside, chosen) or [_lone_table(folder, inside, chosen)]


def _split_tables(inside: Sequence[Path], chosen: Mapping[str, str]) -> list[Table]:
    """The tables in sub-folders that are called like a split."""
    tables: list[Table] = []
    for sub in inside:
        split = read_split(sub.name) if sub.is_dir() else None
        if split is None or (found := folder_table(sub)) is None:
            continue
        table = _read_file(found, f"{sub.name}/{found.name}", chosen)
        table.split = split
        tables.append(table)
    if len(tables) == 1 and tables[0].split == "train":
        tables[0].split = ""  # a lone `train` is how "everything" is called
    return tables


def _lone_table(folder: Path, inside: Sequence[Path], chosen: Mapping[str, str]) -> Table:
    """The one table of any name that lies in a folder."""
    loose = [p for p in inside if p.suffix.lower() in _LOOSE and p.name not in _NOT_PAIRS]
    if len(loose) == 1:
        return _read_file(loose[0], loose[0].name, chosen)
    if loose:
        several = ", ".join(path.name for path in loose[:8])
        raise InputError(f"{folder}: several tables lie here ({several}); name the one to read")
    for path in inside:
        if path.suffix.lower() in _EXCEL:
            raise _excel(path)
    seen = ", ".join(path.name for path in inside[:8]) or "nothing"
    raise InputError(f"{folder}: holds no table of pairs (seen: {seen}); give {SUPPORTED}")


def folder_table(folder: Path) -> Path | None:
    """The table of a fixed name, such as `pairs.parquet`, that is a folder's table; if any."""
    return next((folder / name for name in _FOLDER_TABLES if (folder / name).is_file()), None)
