"""Who is in train, dev and validation, decided once and the same way on every machine.

A split column is honoured. Where there is none, the pairs are divided 80/10/10; where there is
no dev, it is cut from train. Both go by a hash of what the rows are called, not by a random
number generator, so that adding rows moves few of the others, and both move whole groups (pairs
that share a photo or show nearly the same): a twin in validation would flatter every score.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

TRAIN, DEV, VALIDATION = "train", "dev", "validation"

_SYNONYMS = {
    TRAIN: ("train", "training", "训练", "训练集"),
    DEV: ("dev", "develop", "development", "开发", "开发集"),
    VALIDATION: ("val", "valid", "validate", "validation", "eval", "验证", "验证集"),
    "test": ("test", "testing", "测试", "测试集"),
}
_LOOKUP = {name: split for split, names in _SYNONYMS.items() for name in names}


def read_split(text: str) -> str | None:
    """`train`, `dev`, `validation` or `test` for one of their usual names, else None."""
    return _LOOKUP.get(unicodedata.normalize("NFKC", text).strip().casefold())


def settle_names(present: Collection[str]) -> dict[str, str]:
    """How the splits that occur are called here.

    `test` is what is reported in the end, which this program calls validation; a validation set
    beside it is what choices are made on, which it calls dev.
    """
    names = {name: name for name in (TRAIN, DEV, VALIDATION)}
    if "test" in present and VALIDATION in present:
        names[VALIDATION] = DEV
    names["test"] = VALIDATION
    return names


def divide(
    groups: Sequence[int],
    keys: Sequence[str],
    shares: Mapping[str, float],
    *,
    seed: int,
    strata: Sequence[str] | None = None,
) -> list[str]:
    """Cut shares off the pairs, by whole groups; what is left is train.

    The groups are put in an order that depends on nothing but the seed and the smallest key in
    each, then each share is filled in turn. Where there are enough groups, neither a share nor
    train is left empty; where there are too few, train and the last shares are served first.

    Args:
        groups: group number of each pair.
        keys: a name of each pair that does not depend on where its folder lies.
        shares: split name -> share of the pairs, in [0, 1).
        seed: another seed, another order.
        strata: category of each pair. Each share then has the categories in the proportions of
            the whole, as nearly as whole groups allow.

    Returns:
        The split of each pair.
    """
    if strata is not None and len(set(strata)) > 1:
        balanced = _divide_strata(groups, keys, shares, strata, seed=seed)
        if set(balanced) == {TRAIN, *(split for split, share in shares.items() if share > 0)}:
            return balanced
    waiting = sorted(_members(groups), key=lambda indices: _rank(indices, keys, seed))
    result = [TRAIN] * len(groups)
    for done, (split, share) in enumerate(shares.items(), start=1):
        target = round(share * len(groups)) or (1 if share > 0 else 0)
        largest = max(1.25 * target, target + 1)  # a group above would swell the split
        spare = len(waiting) - (len(shares) - done + 1)  # one group for each share to come
        taken: list[int] = []
        left: list[list[int]] = []
        for indices in waiting:
            if spare > 0 and len(taken) < target and len(taken) + len(indices) <= largest:
                taken.extend(indices)
                spare -= 1
            else:
                left.append(indices)
        if target and not taken and spare > 0:
            smallest = min(left, key=len)
            left.remove(smallest)
            taken = smallest
        for index in taken:
            result[index] = split
        waiting = left
    return result


def _members(groups: Sequence[int]) -> list[list[int]]:
    """The pairs of each group."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    return list(members.values())


def _rank(indices: Sequence[int], keys: Sequence[str], seed: int) -> bytes:
    """Where a group stands in the order, which depends on the seed and its smallest key alone."""
    name = min(keys[index] for index in indices)
    return hashlib.sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).digest()


def _divide_strata(
    groups: Sequence[int],
    keys: Sequence[str],
    shares: Mapping[str, float],
    strata: Sequence[str],
    *,
    seed: int,
) -> list[str]:
    """The division with each category shared out by itself, the rarest first.

    A group belongs to its commonest category. What whole groups leave too much or too little of in
    one category is made up for in the next, so that the shares as a whole stay near their size.
    """
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for indices in _members(groups):
        found = Counter(strata[index] for index in indices)
        by_stratum[min(found, key=lambda one: (-found[one], one))].append(indices)
    sizes = {stratum: sum(map(len, sets)) for stratum, sets in by_stratum.items()}

    result = [TRAIN] * len(groups)
    owed = dict.fromkeys(shares, 0.0)
    for stratum in sorted(by_stratum, key=lambda one: (sizes[one], one)):
        waiting = sorted(by_stratum[stratum], key=lambda indices: _rank(indices, keys, seed))
        for split, share in shares.items():
            target = share * sizes[stratum] + owed[split]
            taken = 0
            left: list[list[int]] = []
            for indices in waiting:
                if abs(taken + len(indices) - target) < abs(taken - target):
                    taken += len(indices)
                    for index in indices:
                        result[index] = split
                else:
                    left.append(indices)
            owed[split] = target - taken
            waiting = left
    return result


class Linked:
    """Items that belong together, directly or through others."""

    def __init__(self) -> None:
        self._above: dict[Hashable, Hashable] = {}

    def find(self, item: Hashable) -> Hashable:
        """The item that stands for all those linked with this one."""
        above = self._above
        while above.setdefault(item, item) != item:
            above[item] = above[above[item]]
            item = above[item]
        return item

    def link(self, one: Hashable, other: Hashable) -> None:
        """Let two items, and all that is linked with either, belong together."""
        first, second = self.find(one), self.find(other)
        if first != second:
            self._above[second] = first

    def numbers(self, items: Iterable[Hashable]) -> list[int]:
        """Group number of each item, from 0 in the order of first appearance."""
        order: dict[Hashable, int] = {}
        return [order.setdefault(self.find(item), len(order)) for item in items]
