"""Photos of repaired places as examples without a hazard: only when asked for, only a share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hazardscribe.errors import InputError
from hazardscribe.evaluation.rows import hazard_of
from hazardscribe.evaluation.rules import Rules
from hazardscribe.pairs.ledger.folder import read_safe
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.own_words import NO_HAZARD
from hazardscribe.pairs.read import Pairs, read_pairs
from hazardscribe.pairs.safe import has_safe, with_safe

ROWS = 20


@pytest.fixture
def imported(tmp_path: Path, make_photo) -> Pairs:
    lines = ["隐患描述,隐患照片,整改后照片,检查地点"]
    for i in range(ROWS):
        make_photo(f"ledger/{i}.png", i)
        make_photo(f"ledger/{i}-after.png", 100 + i)
        lines.append(f"护栏缺失{i},{i}.png,{i}-after.png,{i}号楼")
    ledger = tmp_path / "ledger" / "台账.csv"
    ledger.write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_ledger(ledger, out=tmp_path / "pairs")
    return read_pairs(tmp_path / "pairs")


def test_none_by_default(imported):
    assert with_safe(imported, 0, "x") is imported
    assert len(imported) == ROWS


def test_whether_there_are_any(imported, pairs):
    assert has_safe(imported)
    assert not has_safe(pairs)


def test_a_share_of_each_split_joins_as_photos_without_a_hazard(imported):
    joined = with_safe(imported, 1, "未发现明显隐患")
    for split in ("train", "dev", "validation"):
        rows = list(joined[split])
        assert len(rows) == 2 * len(imported[split])
        safe = [row for row in rows if hazard_of(row) is False]
        assert len(safe) == len(imported[split])
        assert {row["description"] for row in safe} == {"未发现明显隐患"}
        assert all(row["place"].endswith("号楼") and Path(row["photo"]).is_file() for row in safe)
        # What was known of the others stays as it was: the rules read their texts.
        assert all(hazard_of(row) is None for row in rows if row not in safe)
    assert joined.digest() != imported.digest()


def test_the_same_share_is_the_same_photos_and_a_larger_one_holds_it(imported):
    def photos(share: float) -> set[str]:
        return set(with_safe(imported, share, "x").frame["photo"]) - set(imported.frame["photo"])

    half = photos(0.5)
    assert len(half) == pytest.approx(ROWS / 2, abs=1.5)
    assert half == photos(0.5)
    assert half < photos(0.8)
    # By chance, not from the top: ledgers are kept in an order that means something.
    safe = read_safe(imported.folder)
    top = [part["photo"][: round(len(part) / 2)] for _, part in safe.groupby("split")]
    assert half != {photo for photos in top for photo in photos}


def test_a_target_of_another_column_gets_the_text_there(imported):
    imported.frame["description_en"] = "a guard rail is missing"
    joined = with_safe(imported, 1, "No obvious hazard found", target="{description_en}")
    assert set(joined.frame["description_en"]) == {
        "a guard rail is missing",
        "No obvious hazard found",
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_rules_read_the_text_as_no_hazard(language):
    assert not Rules.load(language).hazard(NO_HAZARD[language])


def test_what_cannot_be_had_is_said(imported, pairs):
    with pytest.raises(InputError, match="holds no safe photos"):
        with_safe(pairs, 0.5, "x")
    with pytest.raises(InputError, match="0 to 1"):
        with_safe(imported, 1.5, "x")
