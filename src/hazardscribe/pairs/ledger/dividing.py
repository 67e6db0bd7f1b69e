"""The split of an import: train, dev and validation, decided once and written into the pairs.

Photos that show nearly the same, photos of one row, and rows of one group (a place, a site, a
project, a day) stay in one split.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.keeping import Kept
from hazardscribe.pairs.near_duplicates import group_looks
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.splits import DEV, TRAIN, VALIDATION, Linked, divide, settle_names

SHARES = {VALIDATION: 0.1, DEV: 0.1}
DEV_OF_TRAIN = 0.15


@dataclass(frozen=True, slots=True)
class Item:
    """One source row as the division sees it.

    Attributes:
        key: names the row, wherever its folder lies.
        photos: of the hazard.
        safe: of the repaired place.
        group: its value in the column that groups, "" for none.
        stratum: its category.
        given: its split as the ledger gives it, "" for none.
    """

    key: str
    photos: tuple[Kept, ...]
    safe: tuple[Kept, ...]
    group: str
    stratum: str
    given: str


def parse_split(text: str) -> str:
    """The column to group by of `random` ("") or `group=COLUMN`.

    Raises:
        InputError: it is neither.
    """
    kind, _, column = text.partition("=")
    if kind == "group" and column.strip():
        return column.strip()
    if text != "random":
        raise InputError(
            f"split {text!r}: write random, or group=COLUMN with a column of the ledger or a role "
            "(place, site, project, date), as in group=检查地点"
        )
    return ""


def divide_items(
    items: Sequence[Item], *, seed: int, settled: bool = False
) -> tuple[list[str], list[str]]:
    """The split of each row, and warnings.

    Splits that the ledger gives are honoured, with dev cut from train where there is none
    and they are not `settled`.
    """
    groups = _groups(items)
    names = settle_names({item.given for item in items})
    result = [names.get(item.given, "") for item in items]
    warnings: list[str] = []
    paired = [at for at, item in enumerate(items) if item.photos]
    if not any(result):
        _share(result, items, groups, paired, SHARES, seed)
        largest = max(Counter(groups).values(), default=0)
        if len(items) >= 20 and largest > 0.4 * len(items):
            warnings.append(say("one_group", count=largest, total=len(items)))
    else:
        if DEV not in result and TRAIN in result and not settled:
            part = [at for at in paired if result[at] == TRAIN]
            _share(result, items, groups, part, {DEV: DEV_OF_TRAIN}, seed)
        spread: dict[int, set[str]] = {}
        for group, split in zip(groups, result, strict=True):
            spread.setdefault(group, set()).add(split)
        torn = sum(len(splits) > 1 for splits in spread.values())
        if torn:
            warnings.append(say("torn_groups", count=torn))
    _follow(result, groups, items)
    for split in (DEV, VALIDATION):
        if split not in result and len(paired) > 1:
            warnings.append(say("empty_split", split=split))
    return result, warnings


def split_digest(lines: Sequence[tuple[str, str, int, str, str]]) -> str:
    """SHA-256 in hex over (file, sheet, row, photo digest, split) of all pairs."""
    state = hashlib.sha256()
    for line in lines:
        state.update(("\0".join(map(str, line)) + "\n").encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def _share(
    result: list[str],
    items: Sequence[Item],
    groups: Sequence[int],
    part: Sequence[int],
    shares: Mapping[str, float],
    seed: int,
) -> None:
    divided = divide(
        [groups[at] for at in part],
        [items[at].key for at in part],
        shares,
        seed=seed,
        strata=[items[at].stratum for at in part],
    )
    for at, split in zip(part, divided, strict=True):
        result[at] = split


def _groups(items: Sequence[Item]) -> list[int]:
    photos = {
        photo.digest: photo.likeness for item in items for photo in (*item.photos, *item.safe)
    }
    numbers = dict(zip(photos, group_looks(list(photos.values())), strict=True))
    linked = Linked()
    first: list[tuple[str, object]] = []
    for item in items:
        marks: list[tuple[str, object]] = [
            ("photo", numbers[photo.digest]) for photo in (*item.photos, *item.safe)
        ]
        if item.group:
            marks.append(("group", item.group))
        for mark in marks[1:]:
            linked.link(marks[0], mark)
        first.append(marks[0])
    return linked.numbers(first)


def _follow(result: list[str], groups: Sequence[int], items: Sequence[Item]) -> None:
    """Rows that have only a safe photo go with the pairs of their group, else to train."""
    by_group = {
        group: split
        for group, split, item in zip(groups, result, items, strict=True)
        if item.photos and split
    }
    for at, group in enumerate(groups):
        if not items[at].photos or not result[at]:
            result[at] = by_group.get(group, TRAIN)
