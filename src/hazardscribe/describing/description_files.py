"""Where descriptions go: a record a photo, written as JSONL, CSV or workbook, and read again."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError
from hazardscribe.files import check_writable
from hazardscribe.pairs.columns import AI_COLUMNS, AI_KEY

if TYPE_CHECKING:
    from hazardscribe.describing.describer import Description

logger = logging.getLogger(__name__)

_COLUMNS = ("photo", AI_KEY, "confidence", "doubt", "draft", "alternatives", "error")
_BEGINNING = b'{"photo": '  # of a JSONL line
# Read still, written no more.
_FORMER = ("photo", "description", "confidence", "alternatives", "error")
# A name that is not UTF-8 (GBK, from a zip made on Windows) holds lone surrogates on Linux.
# JSONL keeps them, so that the photo is found again; CSV shows them escaped.
_ODD_NAMES = {".jsonl": "surrogatepass", ".csv": "backslashreplace"}
# A spreadsheet would run a cell that starts with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def record(photo: str, description: Description) -> dict[str, Any]:
    """One photo's result as plain values."""
    error = description.error
    return {
        "photo": photo,
        AI_KEY: description.text,
        "confidence": round(description.confidence, 4) if error is None else None,
        # Only where it is not the description itself.
        "doubt": description.doubt,
        "draft": description.draft if description.doubt else None,
        "alternatives": description.alternatives,
        # The photo stands beside it: once is enough.
        "error": None
        if error is None
        else f"{error.reason}: {str(error).removeprefix(f'{photo}: ')}",
    }


def check_out(out: Path) -> None:
    """Refuse, before any work, a file that descriptions must not or cannot be written to.

    What an earlier `describe` wrote may be written over; any other file may not, nor a workbook,
    in which people go on working.

    Raises:
        InputError: if the ending is none of .jsonl, .csv and .xlsx, the file is somebody else's, or
            its folder cannot be written.
    """
    if out.suffix.lower() not in (".jsonl", ".csv", ".xlsx"):
        raise InputError(f"--out {out}: the ending must be .jsonl, .csv or .xlsx")
    if out.is_dir():
        raise InputError(f"--out {out}: is a folder; name a file in it")
    if out.exists() and not _is_ours(out):
        why = (
            "people may have gone on in this workbook"
            if out.suffix.lower() == ".xlsx"
            else "it was not written by `describe`"
        )
        raise InputError(
            f"--out {out}: already exists and is left as it is, as {why}. Name another file."
        )
    check_writable(out.parent)


def _is_ours(out: Path) -> bool:
    """Whether a file begins as `write_records` begins one; an empty one has nothing to lose."""
    try:
        with out.open("rb") as file:
            raw = file.readline(1 << 20)
        cut_off = out.suffix.lower() == ".jsonl" and not raw.endswith(b"\n")
        if cut_off and raw[: len(_BEGINNING)] == _BEGINNING[: len(raw)]:
            return True  # the process was killed in the middle of its first line
        first = raw.decode("utf-8-sig", _ODD_NAMES[".jsonl"]).strip()
    except (OSError, UnicodeDecodeError):
        return False
    if not raw:
        return True
    if out.suffix.lower() == ".csv":
        return first in {",".join(names) for names in (*map(_header, AI_COLUMNS), _FORMER)}
    try:
        record = json.loads(first)
    except ValueError:
        return False
    return isinstance(record, dict) and tuple(record) in (_COLUMNS, _FORMER)


def write_records(
    records: Iterable[dict[str, Any]], out: Path, *, language: str = "zh", alternatives: bool = True
) -> Iterator[dict[str, Any]]:
    """Write records to `.jsonl`, `.csv` or `.xlsx`, and hand them on as they come.

    The text stands under `ai_description` in JSONL and under `AI描述` or `AI description` in the
    others, which reading pairs and importing never take for the description unless it is named.
    CSV is UTF-8 with a byte-order mark, so that Excel shows Chinese; a workbook holds the photos
    too and appears when the records end, also when they end early: with Ctrl-C, what was described
    until then is in it. Where the disk is full, a former file comes back.

    Args:
        records: as `record` makes them.
        out: the file.
        language: `zh` or `en`, of the header in CSV and workbook.
        alternatives: whether a workbook has a column for further descriptions.

    Raises:
        InputError: see `check_out`; or if the file cannot be written.
    """
    check_out(out)
    if out.suffix.lower() == ".xlsx":
        from hazardscribe.pairs.exporting.xlsx import DescribedLedger

        writer: Any = DescribedLedger(out, language=language, alternatives=alternatives)
    else:
        writer = _TextFile(out, language)
    try:
        for row in records:
            writer.add(row)
            yield row
        if isinstance(writer, _TextFile):
            writer.end()
    finally:
        writer.close()


class _TextFile:
    """`.jsonl` or `.csv`, line by line, so that a killed process leaves what it had described.

    A former file is set aside until the new one is whole. It comes back where that cannot be
    written or has no row, and stays aside where it ended early.
    """

    def __init__(self, out: Path, language: str) -> None:
        self._out, self._former = out, out.with_name(f".{out.name}.former")
        self._rows = 0
        kind = out.suffix.lower()
        self._is_table = kind == ".csv"
        encoding = "utf-8-sig" if self._is_table else "utf-8"
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            # Where one is aside already, what lies here ended early.
            if out.exists() and not self._former.exists():
                out.replace(self._former)
            self._file = out.open("w", encoding=encoding, errors=_ODD_NAMES[kind], newline="")
        except OSError as error:
            raise self._failed(error) from error
        if self._is_table:
            self._write(_header(language))

    def add(self, row: dict[str, Any]) -> None:
        self._write(_cells(row) if self._is_table else row)
        self._rows += 1

    def _write(self, row: Any) -> None:
        try:
            if self._is_table:
                csv.writer(self._file).writerow(row)
            else:
                self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            with suppress(OSError):  # what it could not write it tries again
                self._file.close()
            raise self._failed(error) from error

    def end(self) -> None:
        """It is whole."""
        self._file.close()
        self._former.unlink(missing_ok=True)

    def close(self) -> None:
        """It may have ended early."""
        if self._file.closed:
            return
        self._file.close()
        if not self._rows:
            self._back()
        elif self._former.exists():
            logger.warning(
                "%s: ended early; the former file is kept as %s", self._out, self._former.name
            )

    def _back(self) -> None:
        with suppress(OSError):
            self._former.replace(self._out)

    def _failed(self, error: OSError) -> InputError:
        self._back()
        return InputError(f"--out {self._out}: could not be written: {error.strerror or error}")


def is_described(path: Path) -> bool:
    """Whether a file is a `.jsonl` that `write_records` made: what the model said, not pairs."""
    if path.suffix.lower() != ".jsonl":
        return False
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and any(
        set(names) <= set(first) for names in (_COLUMNS, _FORMER)
    )


def read_records(path: Path, photos: Path | None = None) -> list[dict[str, Any]]:
    """Records from a `.jsonl` of `write_records`, with photos that exist now.

    Photos are looked for as they were named, then from the file's folder and in `photos`. One that
    is not there gets the error `missing`.

    Raises:
        InputError: if a line is no such record, or the file cannot be read.
    """
    from hazardscribe.pairs.finder import PhotoFinder

    finder = PhotoFinder(path.parent, photos)
    records = []
    try:
        lines = path.read_text(encoding="utf-8", errors=_ODD_NAMES[".jsonl"]).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the file") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}: line {number} is not JSON ({error}); describe the photos again"
            ) from error
        if isinstance(row, dict) and AI_KEY not in row and set(_FORMER) <= set(row):
            row[AI_KEY] = row.pop("description")
        problem = _problem(row)
        if problem:
            raise InputError(f"{path}: line {number}: {problem}; describe the photos again")
        if row["error"] is None and not Path(row["photo"]).is_file():
            found = finder.find(row["photo"])
            if isinstance(found, str):
                row["photo"] = found
            else:
                row["error"] = f"missing: {row['photo']} {found[1]}"
        records.append(row)
    return records


def _problem(row: Any) -> str | None:
    if not isinstance(row, dict) or not set(_COLUMNS) <= set(row):
        return f"is not a record of {', '.join(_COLUMNS)}"
    kinds = {
        "photo": str,
        AI_KEY: str | None,
        "confidence": int | float | None,
        "doubt": str | None,
        "draft": str | None,
        "alternatives": list | None,
        "error": str | None,
    }
    wrong = [name for name, kind in kinds.items() if not isinstance(row[name], kind)]
    return f"{wrong[0]} has the wrong type" if wrong else None


def _header(language: str) -> list[str]:
    return [AI_COLUMNS[language] if name == AI_KEY else name for name in _COLUMNS]


def _cells(row: dict[str, Any]) -> list[Any]:
    cells = row | {"alternatives": " | ".join(row["alternatives"])}
    return [
        f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
        for value in (cells[name] for name in _COLUMNS)
    ]
