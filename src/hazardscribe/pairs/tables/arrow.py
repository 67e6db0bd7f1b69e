"""Tables in Arrow's form: Parquet files and Hugging Face dataset folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError
from hazardscribe.names import is_text
from hazardscribe.pairs.columns import find_columns
from hazardscribe.pairs.splits import read_split
from hazardscribe.pairs.tables.cells import cell_text, photo_cell
from hazardscribe.pairs.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

PAIRS_KEY = b"hazardscribe.pairs"
"""Schema metadata of the Parquet files that `write_pairs` makes: their splits stand as they are."""


def pairs_schema(names: Iterable[str]) -> pa.Schema:
    """Text for every column of pairs, and `row_number` as an integer."""
    import pyarrow as pa

    kinds = {"row_number": pa.int64()}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


def is_dataset_folder(folder: Path) -> bool:
    """Whether `datasets` wrote the folder with `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_parquet(path: Path, label: str, chosen: Mapping[str, str]) -> Table:
    """A Parquet file as a table; `chosen` is role -> column.

    Raises:
        InputError: the file cannot be read, or columns are not found.
    """
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


def read_dataset(folder: Path, chosen: Mapping[str, str]) -> list[Table]:
    """What `save_to_disk` wrote, one table a split; `chosen` is role -> column.

    Raises:
        InputError: the folder cannot be loaded, or columns are not found.
    """
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
