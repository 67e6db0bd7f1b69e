"""Any table, written in any of the supported forms, comes back row for row."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_files import photo_bytes

from hazardscribe.pairs.descriptions import clean_text
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.photo_file import photo_digest
from pairs.ledger.four_ways import Pair, floating, in_cell, in_wps

DIGESTS = {photo_digest(photo_bytes(seed)): seed for seed in range(6)}

# What an importer would not take for a hazard: that it then says why is tested elsewhere.
CLAUSES = st.text(
    st.characters(categories=("L", "M", "N", "P", "S", "Zs"), exclude_characters="\ufffe\uffff"),
    max_size=15,
)
TABLES = st.lists(st.tuples(CLAUSES, st.integers(0, 5)), min_size=1, max_size=8)


def told(table: list[tuple[str, int]]) -> list[Pair]:
    """Pairs whose texts begin as a hazard does, whatever follows."""
    return [
        (f"第{at}处护栏破损{text}", f"{seed}.png", photo_bytes(seed))
        for at, (text, seed) in enumerate(table)
    ]


def delimited(folder: Path, pairs: list[Pair], encoding: str, separator: str) -> Path:
    stream = io.StringIO()
    lines = ((text, name) for text, name, _ in pairs)
    csv.writer(stream, delimiter=separator).writerows([("隐患描述", "照片"), *lines])
    path = folder / f"a.{'tsv' if separator == chr(9) else 'csv'}"
    path.write_bytes(stream.getvalue().encode(encoding))
    for _, name, content in pairs:
        (folder / name).write_bytes(content)
    return path


def zipped(folder: Path, pairs: list[Pair], encoding: str, separator: str) -> Path:
    inside = folder / "inside"
    inside.mkdir()
    delimited(inside, pairs, encoding, separator)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for path in inside.iterdir():
            archive.write(path, f"台账/{path.name}")
    return folder / "a.zip"


@pytest.mark.parametrize("form", ["floating", "in_cell", "wps", "delimited", "zip"])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=TABLES,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    separator=st.sampled_from([",", ";", "\t"]),
)
def test_any_table_comes_back(
    tmp_path: Path, form: str, table: list[tuple[str, int]], encoding: str, separator: str
) -> None:
    folder = tmp_path / "t"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pairs = told(table)
    if form == "delimited":
        ledger = delimited(folder, pairs, encoding, separator)
    elif form == "zip":
        ledger = zipped(folder, pairs, encoding, separator)
    else:
        write = {"floating": floating, "in_cell": in_cell, "wps": in_wps}[form]
        ledger = write(folder / "a.xlsx", pairs)
    imported = import_ledger(ledger, dry_run=True)
    found = [
        (row.draft.spot.row, row.draft.texts, [DIGESTS[photo.digest] for photo in row.photos])
        for row in imported.rows
    ]
    assert found == [
        (at, [clean_text(text)], [seed])
        for at, ((text, _, _), (_, seed)) in enumerate(zip(pairs, table, strict=True), start=1)
    ]
    assert imported.account.left == []
