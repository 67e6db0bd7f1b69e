"""Who is in train, dev and validation, decided once and the same way on every machine.

A split column is honoured. Where there is none, the pairs are divided 80/10/10; where there is
no dev, it is cut from train. Both go by a hash of what the rows are called, not by a random
number generator, so that adding rows moves few of the others, and both move whole groups (pairs
that share a photo or show nearly the same): a twin in validation would flatter every score.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

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
    groups: Sequence[int], keys: Sequence[str], shares: Mapping[str, float], *, seed: int
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

    Returns:
        The split of each pair.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)

    def rank(indices: list[int]) -> bytes:
        name = min(keys[index] for index in indices)
        return hashlib.sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).digest()

    waiting = sorted(members.values(), key=rank)
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
