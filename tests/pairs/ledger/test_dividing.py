"""Whole groups go into one split, what a ledger says is honoured, and what is odd is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from hazardscribe.pairs.ledger.dividing import Item, divide_items
from hazardscribe.pairs.ledger.keeping import Kept
from hazardscribe.pairs.near_duplicates import Look


def photo(name: object, look: Look | None = None) -> Kept:
    return Kept(f"{name}.jpg", f"digest of {name}", look)


def items(count: int, given: Sequence[str] = (), groups: Sequence[str] = ()) -> list[Item]:
    """Rows of a photo each."""
    return [
        Item(
            f"{n}",
            (photo(n),),
            (),
            groups[n] if groups else "",
            "",
            given[n] if given else "",
        )
        for n in range(count)
    ]


def test_rows_without_splits_are_divided() -> None:
    splits, warnings = divide_items(items(40), seed=0)
    assert Counter(splits) == {"train": 32, "validation": 4, "dev": 4}
    assert warnings == []
    assert divide_items(items(40), seed=1)[0] != splits


def test_dev_is_cut_from_the_train_that_a_ledger_gives() -> None:
    given = ["train"] * 20 + ["test"] * 5
    splits, warnings = divide_items(items(25, given), seed=0)
    assert Counter(splits[:20]) == {"train": 17, "dev": 3}
    assert splits[20:] == ["validation"] * 5
    assert warnings == []
    settled, warnings = divide_items(items(25, given), seed=0, settled=True)
    assert settled == ["train"] * 20 + ["validation"] * 5
    assert warnings == ["dev is empty: the rows form too few groups"]
    given[0] = "dev"
    assert divide_items(items(25, given), seed=0)[0][:20] == ["dev"] + ["train"] * 19


def test_rows_are_linked_by_what_their_photos_show_and_by_their_group() -> None:
    look, near = Look(7 << 20, bytes(range(192))), Look(5 << 20, bytes(range(192)))
    rows = items(40)
    rows[0] = Item("0", (photo("a", look),), (), "roof", "", "")
    rows[1] = Item("1", (photo("b"),), (photo("c", near),), "", "", "")  # nearly that of row 0
    rows[2] = Item("2", (photo("d"), photo("b")), (), "", "", "")  # that of row 1
    rows[3] = Item("3", (photo("e"),), (), "roof", "", "")
    for seed in range(10):
        splits, _ = divide_items(rows, seed=seed)
        assert len(set(splits[:4])) == 1


@pytest.mark.parametrize(("largest", "told"), [(9, True), (8, False)])
def test_a_group_that_leaves_little_to_divide_is_told_of(largest: int, told: bool) -> None:
    groups = ["roof"] * largest + [f"{n}" for n in range(20 - largest)]
    _, warnings = divide_items(items(20, groups=groups), seed=0)
    assert any(f"one group holds {largest} of 20 rows" in one for one in warnings) is told
    few = divide_items(items(10, groups=["roof"] * 10), seed=0)[1]
    assert not any("one group holds" in one for one in few)  # that dev is empty says enough
    assert few == [
        f"{split} is empty: the rows form too few groups" for split in ("dev", "validation")
    ]


def test_groups_that_a_ledgers_own_splits_part_are_counted() -> None:
    given = ["train", "test", "train", "train", "dev", "dev"]
    groups = ["roof", "roof", "pit", "pit", "gate", "gate"]
    splits, warnings = divide_items(items(6, given, groups), seed=0)
    assert splits == ["train", "validation", "train", "train", "dev", "dev"]
    [warning] = warnings
    assert "part 1 groups of rows" in warning


def test_rows_of_a_repaired_place_alone_go_with_their_group() -> None:
    repaired = [
        Item("r", (), (photo("r"),), "gate", "", ""),
        Item("s", (), (photo("s"),), "", "", ""),
    ]
    given = ["train", "train", "dev", "validation"]
    rows = items(4, given, ["roof", "pit", "gate", "yard"])
    assert divide_items([*rows, *repaired], seed=0)[0] == [*given, "dev", "train"]
