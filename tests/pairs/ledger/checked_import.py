"""Import any ledger, and check that a sentence or a whole folder comes out, nothing else."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq

from hazardscribe import import_ledger
from hazardscribe.errors import InputError


def checked_import(ledger: Path, folder: Path, work: Path, **options: object) -> bool:
    """Import into `work`; True where pairs came out.

    Args:
        ledger: what the user names.
        folder: of all that it consists of, in `work`; must stay as it is.
        work: holds nothing else.
        options: of the import.

    Raises:
        AssertionError: something is left behind, changed, or not whole.
    """
    temporary = work / "temporary"
    temporary.mkdir()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    former, tempfile.tempdir = tempfile.tempdir, str(temporary)
    imported = None
    try:
        with suppress(InputError):
            imported = import_ledger(ledger, out=work / "pairs", **options)  # type: ignore[arg-type]
    finally:
        tempfile.tempdir = former
    assert not list(temporary.iterdir())
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if imported is None:
        assert {path.name for path in work.iterdir()} == {folder.name, "temporary"}
        return False
    whole(work / "pairs", imported.pairs)
    return True


def whole(pairs: Path, count: int) -> None:
    """All that was promised is there, and both sums hold."""
    record = json.loads((pairs / "import.json").read_text(encoding="utf-8"))
    rows, pictures = record["rows"], record["pictures"]
    assert rows["imported"] + rows["rejected"] == rows["read"]
    assert pictures["used"] + pictures["unused"] == pictures["found"]
    table = pq.read_table(pairs / "pairs.parquet")
    assert table.num_rows == count == record["pairs"] > 0
    named = {*table["photo"].to_pylist()}
    if (pairs / "safe.parquet").exists():
        named |= {*pq.read_table(pairs / "safe.parquet")["photo"].to_pylist()}
    assert named == {f"photos/{path.name}" for path in (pairs / "photos").iterdir()}
    assert all(text.strip() for text in table["description"].to_pylist())
    assert (pairs / "report.html").read_text(encoding="utf-8").endswith("</html>")
    assert (pairs / "rejected.csv").read_text(encoding="utf-8-sig")
