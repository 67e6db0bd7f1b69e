"""What the user names as a ledger, as open books: a workbook, a text file, a zip or a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.names import readable
from hazardscribe.pairs.ledger.grid import Book, TextBook
from hazardscribe.pairs.ledger.results_book import ResultsBook
from hazardscribe.pairs.ledger.sources import LedgerPhotos
from hazardscribe.pairs.ledger.zipped import Archive
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.workbook import open_workbook

TEXT = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm")
FOREIGN = (".xls", ".xlsb", ".et", ".ett", ".ods", ".fods", ".xlt", ".numbers", ".slk")
DOCUMENTS = (".html", ".htm", ".mht", ".mhtml", ".pdf", ".doc", ".docx", ".wps", ".rtf")
"""A ledger may lie in one of them where there is nothing else."""

_PAIRS = (".jsonl", ".ndjson", ".parquet")
SUPPORTED = (
    "an Excel workbook (.xlsx, .xlsm), a .csv, .tsv or .txt file, a .zip of ledgers and photos, a "
    "folder of ledgers, or a .json export of Label Studio"
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """One ledger file.

    Attributes:
        label: its name relative to what the user named.
        path: where it can be read (a temporary file where it comes from an archive).
        photos: finds the photos that it names.
    """

    label: str
    path: Path
    photos: LedgerPhotos


@contextmanager
def open_source(
    source: Path, photos: Path | None, skip: Sequence[Path] = ()
) -> Iterator[tuple[list[Ledger], list[str]]]:
    """The ledgers in a file, zip or folder, by name, and warnings of what was left aside.

    Args:
        source: what the user named.
        photos: folder or zip of photos, if any.
        skip: folders (real paths) whose photos are none of the user's: where the import writes.

    Raises:
        InputError: something is not there, or cannot be read.
    """
    with ExitStack() as stack:
        warnings: list[str] = []
        root: Path | None = None
        outer: list[tuple[Archive, str]] = []
        if photos is not None:
            if photos.is_dir():
                root = photos
            elif photos.is_file():
                outer.append((_open(stack, photos, warnings), ""))
            else:
                raise InputError(
                    f"photos: {photos} is neither a folder nor a zip; name what holds the photos"
                )
        if source.is_dir():
            names = [
                path.relative_to(source).as_posix()
                for path in sorted(source.rglob("*"))
                if path.is_file()
            ]
            ledgers = []
            for name in _choose(source, names, warnings):
                path = source / name
                finder = LedgerPhotos(path.parent, root or source, outer, skip)
                ledgers.append(Ledger(readable(name), path, finder))
        elif not source.exists():
            raise InputError(f"{source}: no such file or folder; give {SUPPORTED}")
        elif source.suffix.lower() == ".zip":
            ledgers = _unpack(stack, source, root, outer, warnings, skip)
        else:
            finder = LedgerPhotos(source.parent, root, outer, skip)
            ledgers = [Ledger(readable(source.name), source, finder)]
        yield ledgers, warnings


@contextmanager
def open_book(path: Path, chosen: Mapping[str, str]) -> Iterator[Book]:
    """A ledger file, open for reading.

    Raises:
        InputError: it is of another kind, damaged or locked; the message says what it is.
    """
    suffix = path.suffix.lower()
    if suffix in TEXT:
        yield TextBook(path, chosen)
    elif suffix == ".json":
        yield ResultsBook(path)
    elif suffix in _PAIRS:
        raise InputError(
            f"{path}: {suffix} is a table of pairs, which needs no import: name it with --data to "
            "train, or look it over with hazardscribe check"
        )
    else:  # which by its content is a workbook, or says what else it is
        with open_workbook(path) as book:
            yield book


def _open(stack: ExitStack, path: Path, warnings: list[str]) -> Archive:
    archive = Archive(path)
    stack.callback(archive.close)
    if archive.refused:
        shown = ", ".join(archive.refused[:3])
        count = len(archive.refused)
        warnings.append(say("outside", file=path.name, count=count, names=shown))
    return archive


def _unpack(
    stack: ExitStack,
    source: Path,
    root: Path | None,
    outer: list[tuple[Archive, str]],
    warnings: list[str],
    skip: Sequence[Path],
) -> list[Ledger]:
    archive = _open(stack, source, warnings)
    try:
        tables = _choose(source, archive.names, warnings)
    except InputError as error:
        if not archive.refused:
            raise
        shown = ", ".join(archive.refused[:3])
        raise InputError(
            f"{error}. Refused, because their names lead out of the archive: {shown}; pack them "
            "again without `..` and without a leading slash"
        ) from error
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hazardscribe-")))
    ledgers = []
    for position, name in enumerate(tables):
        inside, _, last = name.rpartition("/")
        target = folder / str(position)
        target.mkdir()
        path = archive.unpack(name, target / f"ledger{Path(last).suffix.lower()}")
        finder = LedgerPhotos(root, root, [*outer, (archive, inside)], skip)
        ledgers.append(Ledger(name, path, finder))
    return ledgers


def _choose(source: Path, names: Sequence[str], warnings: list[str]) -> list[str]:
    """The ledgers among the files of a folder or archive; others of their kind are warned about.

    Raises:
        InputError: there is none.
    """
    ledgers = [name for name in names if _is_ledger(name.rpartition("/")[2])]
    known = [name for name in ledgers if Path(name).suffix.lower() in WORKBOOKS + TEXT[:2]]
    foreign = [name for name in ledgers if Path(name).suffix.lower() in FOREIGN]
    notes = [name for name in ledgers if Path(name).suffix.lower() == TEXT[2]]
    documents = [name for name in ledgers if Path(name).suffix.lower() in DOCUMENTS]
    # Opening a foreign file says what to do about it; a .txt beside ledgers is a note.
    found = known or foreign or notes or documents
    if not found:
        seen = ", ".join(names[:8]) or "nothing"
        raise InputError(f"{source}: holds no ledger (seen: {seen}); give {SUPPORTED}")
    if known and foreign:
        shown = ", ".join(map(readable, foreign[:3]))
        warnings.append(say("foreign", file=source.name, count=len(foreign), names=shown))
    return found


def _is_ledger(name: str) -> bool:
    """Not hidden, not the lock file that Excel leaves beside an open workbook, not our own list."""
    return not name.startswith((".", "~$")) and name != "rejected.csv"
