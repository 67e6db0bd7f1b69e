"""Tables of any supported kind as rows of text.

What differs between a CSV from a Chinese Excel, a Parquet file and a Hugging Face dataset folder
ends here: the rest of the program sees a `Table`, whose cells are strings. A cell with several
photos is a JSON list of names; photos that lie inside a table as bytes are written, under their
digest, to the cache folder and become paths.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError
from hazardscribe.names import is_text, readable
from hazardscribe.pairs.columns import count_roles, find_columns
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.splits import read_split

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

SUPPORTED = (
    "a .csv, .tsv, .jsonl or .parquet file, a .json export of Label Studio, a Hugging Face "
    "dataset folder (save_to_disk), or a folder of photos with pairs.parquet, pairs.csv, "
    "metadata.csv or metadata.jsonl, also in sub-folders train/, dev/ and validation/"
)
PAIRS_KEY = b"hazardscribe.pairs"
"""Schema metadata of the Parquet files that `write_pairs` makes: their splits stand as they are."""

_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
_EXCEL = (".xlsx", ".xlsm", ".xls", ".et", ".zip")
_FOLDER_TABLES = (
    *("pairs.parquet", "pairs.csv", "pairs.jsonl"),
    *("metadata.csv", "metadata.jsonl", "metadata.parquet"),
)
_NOT_PAIRS = ("rejected.csv", "safe.parquet", "safe.csv")
_HEADER_WITHIN = 10  # records: a title and a date may stand above the header


@dataclass(slots=True)
class Table:
    """Rows of text below a header.

    Attributes:
        label: file name relative to what the user named, for messages.
        base: folder that relative photo paths start from.
        names: the columns in order, as written.
        roles: role -> position in `names`.
        rows: the cells of each source row below the header.
        bad: source row (1-based) -> (reason, detail) of rows that cannot be read at all; their
            cells are empty.
        split: the split that the container (sub-folder, dataset dictionary) gives all rows.
        settled: the rows' splits are final, nothing is cut from train.
        first: rows of the file before these, where it is read in blocks.
    """

    label: str
    base: Path
    names: list[str]
    roles: dict[str, int]
    rows: list[list[str]] = field(default_factory=list)
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    split: str = ""
    settled: bool = False
    first: int = 0

    def __post_init__(self) -> None:
        """The label stands in every row, and must be text."""
        self.label = readable(self.label)


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
            return _read_parquet(path, label, chosen)
        if suffix in (".jsonl", ".ndjson"):
            return _read_jsonl(path, label, chosen)
        if suffix == ".json":
            from hazardscribe.pairs.exporting.label_studio_results import read_results

            return read_results(path, label)
        if suffix in (".csv", ".tsv", ".txt"):
            return _read_csv(path, label, chosen)
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
        return _read_dataset(folder, chosen)
    found = folder_table(folder)
    if found is not None:
        return [_read_file(found, found.name, chosen)]
    tables: list[Table] = []
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror or error})") from error
    for sub in inside:
        split = read_split(sub.name) if sub.is_dir() else None
        if split is None or (found := folder_table(sub)) is None:
            continue
        table = _read_file(found, f"{sub.name}/{found.name}", chosen)
        table.split = split
        tables.append(table)
    if len(tables) == 1 and tables[0].split == "train":
        tables[0].split = ""  # a lone `train` is how "everything" is called
    if tables:
        return tables

    loose = [p for p in inside if p.suffix.lower() in _SUFFIXES and p.name not in _NOT_PAIRS]
    loose = [p for p in loose if p.suffix.lower() != ".txt"]
    if len(loose) == 1:
        return [_read_file(loose[0], loose[0].name, chosen)]
    if loose:
        several = ", ".join(path.name for path in loose[:8])
        raise InputError(f"{folder}: several tables lie here ({several}); name the one to read")
    for path in inside:
        if path.suffix.lower() in _EXCEL:
            raise _excel(path)
    seen = ", ".join(path.name for path in inside[:8]) or "nothing"
    raise InputError(f"{folder}: holds no table of pairs (seen: {seen}); give {SUPPORTED}")


def is_dataset_folder(folder: Path) -> bool:
    """Whether `datasets` wrote the folder with `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def folder_table(folder: Path) -> Path | None:
    """The table of a fixed name, such as `pairs.parquet`, that is a folder's table; if any."""
    return next((folder / name for name in _FOLDER_TABLES if (folder / name).is_file()), None)


# --- text files -------------------------------------------------------------------------------


def decode_text(raw: bytes, where: Path) -> str:
    """Text of a file: by its byte-order mark, else UTF-8, else GB18030 (Chinese Excel)."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(
        f"{where}: is not text in UTF-8, UTF-16 with a byte-order mark, or GB18030 (GBK); "
        'save it as "CSV UTF-8"'
    )


def _read_csv(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    text = decode_text(path.read_bytes(), path)
    separator, top = sniff_separator(text, path, chosen)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    records: Iterator[list[str]] = (record for record in reader if record)
    try:
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
                table.bad[number] = (
                    "bad_row",
                    say("bad_row", cells=len(record), columns=len(names)),
                )
                cells = [""] * len(names)
            table.rows.append(cells)
    except csv.Error as error:
        raise InputError(
            f"{path}: line {reader.line_num}: {error}; a quotation mark that is never closed is "
            "the usual cause"
        ) from error
    return table


def sniff_separator(text: str, path: Path, chosen: Mapping[str, str]) -> tuple[str, int]:
    """The separator whose header names most roles, then most columns; and the header's record.

    Args:
        text: the whole table.
        path: of the table; its suffix decides between equals.
        chosen: role -> column, as named by the user.

    Raises:
        InputError: the text is empty, or no table.
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
        score = (roles[header], len(top[header]), max(map(len, top)))
        if best is None or score > best[:3]:
            best = (*score, separator, header)
    if best is None:
        raise InputError(
            f"{path}: is not a table of text; a quotation mark that is never closed is the usual "
            "cause"
        )
    return best[3], best[4]


def _read_jsonl(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    records: list[dict[str, Any] | str] = []
    for line in decode_text(path.read_bytes(), path).split("\n"):
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


# --- Arrow: Parquet and Hugging Face datasets -------------------------------------------------


def _read_parquet(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    with open_parquet(path) as file:
        names = list(file.schema_arrow.names)
        table = Table(label, path.parent, names, find_columns(names, chosen, where=str(path)))
        table.settled = PAIRS_KEY in (file.schema_arrow.metadata or {})
        table.rows = table_rows(table, file.iter_batches(batch_size=256))
    return table


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`, for reading alone: all that fails within is its fault.

    Raises:
        InputError: the file cannot be read, or something in it, such as a page, is damaged.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        with ExitStack() as opened:
            # pyarrow opens no path that is not UTF-8, but reads what is open.
            content = path if is_text(str(path)) else opened.enter_context(path.open("rb"))
            yield opened.enter_context(pq.ParquetFile(content))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:  # of the system, not of the content
            cause = error.strerror or str(error)
            raise InputError(f"{path}: cannot be read ({cause}); check the file") from error
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path}: is not a readable Parquet file ({cause}); write it again"
        ) from error


def _read_dataset(folder: Path, chosen: Mapping[str, str]) -> list[Table]:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:  # the library raises anything on damaged folders
        raise InputError(
            f"{folder}: looks like a Hugging Face dataset but cannot be loaded ({error}); write "
            "it again with save_to_disk"
        ) from error
    parts = dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
    tables = []
    for part, rows in parts.items():
        label = f"{folder.name}/{part}" if part else folder.name
        names = list(rows.column_names)
        table = Table(label, folder, names, find_columns(names, chosen, where=str(folder)))
        # A lone `train` is how the library calls "everything"; other names must be splits.
        table.split = "" if len(parts) == 1 and read_split(part) in (None, "train") else part
        # The arrow format hands out images as stored (bytes or path), undecoded.
        batches = rows.with_format("arrow").iter(batch_size=256)
        table.rows = table_rows(table, batches)
        tables.append(table)
    return tables


def table_rows(table: Table, batches: Iterable[pa.RecordBatch | pa.Table]) -> list[list[str]]:
    """The cells of batches with the table's columns; photos in bytes are put into the cache."""
    photo = table.roles["photo"]
    rows: list[list[str]] = []
    for batch in batches:
        columns = [
            [photo_cell(value) if position == photo else cell_text(value) for value in values]
            for position, values in enumerate(column.to_pylist() for column in batch.columns)
        ]
        rows.extend([list(cells) for cells in zip(*columns, strict=True)])
    return rows


# --- cells ------------------------------------------------------------------------------------


def cell_text(value: Any) -> str:
    """A value as a cell: empty for nothing, 1 and 0 for truth, JSON for lists and records."""
    if value is None:
        return ""
    if isinstance(value, str):
        # A lone surrogate (from a JSON escape) cannot be written to any file.
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=cell_text)
    return str(value)


def photo_cell(value: Any) -> str:
    """A value of the photo column as a cell: names, with photos in bytes put into the cache."""
    if isinstance(value, list):
        return json.dumps([photo_cell(item) for item in value], ensure_ascii=False)
    if isinstance(value, dict) and "bytes" in value:
        value = value["bytes"] if value["bytes"] else value.get("path")
    if isinstance(value, bytes):
        return str(_keep_photo(value)) if value else ""
    return cell_text(value)


def _keep_photo(content: bytes) -> Path:
    """Write a photo's bytes under their digest, whole or not at all, and give the path."""
    from hazardscribe.files import cache_folder
    from hazardscribe.pairs.photo import photo_digest, photo_suffix

    digest = photo_digest(content)
    path = cache_folder("photos", digest[:2]) / f"{digest}{photo_suffix(content[:1024])}"
    try:
        if path.is_file() and path.stat().st_size == len(content):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".photo-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(
            f"{path.parent}: a photo from inside the table cannot be kept here "
            f"({error.strerror or error}); free space or name another folder in HAZARDSCRIBE_CACHE"
        ) from error
    return path
