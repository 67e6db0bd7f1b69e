"""One set of photos and texts, kept in four ways, is one set of pairs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.ledger.result import Imported
from hazardscribe.pairs.photo_file import photo_digest
from pairs.ledger.four_ways import Pair, floating, in_cell, in_wps, text_and_zip
from pairs.workbook.build import photo


def made_up() -> list[Pair]:
    """Thirty pairs: every third text recurs, one photo stands in two rows."""
    pairs = []
    for at in range(30):
        seed, kind = (3 if at == 17 else at), ("PNG", "JPEG")[at % 2]
        name = f"照片{seed}.{'png' if kind == 'PNG' else 'jpg'}"
        text = "未戴安全帽" if at % 3 == 0 else f"第{at}处工人未穿反光背心，“临边”无护栏"
        pairs.append((text, name, photo(seed, kind)))
    return pairs


def seen(imported: Imported) -> Counter[tuple[str, str]]:
    return Counter(
        (text, shown.digest)
        for row in imported.rows
        for text in row.draft.texts
        for shown in row.photos
    )


def test_four_ways_give_the_same_pairs(tmp_path: Path) -> None:
    pairs = made_up()
    wanted = Counter((text, photo_digest(content)) for text, _, content in pairs)
    assert len({digest for _, digest in wanted}) == 29
    for number, write in enumerate((floating, in_wps, in_cell)):
        imported = import_ledger(write(tmp_path / f"{number}.xlsx", pairs), dry_run=True)
        assert seen(imported) == wanted, write.__name__
        assert imported.account.rows_imported == 30
    table, archive = text_and_zip(tmp_path / "t.csv", pairs)
    assert seen(import_ledger(table, photos=archive, dry_run=True)) == wanted
