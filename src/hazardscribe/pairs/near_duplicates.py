"""Photos that show nearly the same, so that no split holds a twin of another split's photo.

Inspectors photograph a place twice and systems store a photo in two sizes. Each photo gets a
64-bit difference hash (dHash: is a cell of a 9 x 8 grey miniature brighter than its left
neighbour?); hashes within a few bits of each other are one group. Groups are found without
comparing all pairs: of seven bands of bits, two hashes that differ in at most four bits agree in
at least three (pigeonhole), so only hashes that agree in some three bands are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

MAX_DISTANCE = 4
"""Bits of 64 in which the hashes of two pictures of the same may differ."""

HASH_BOUND = 64
"""Longest side in pixels that is enough for hashing: the hash looks at a 9 x 8 miniature."""

_BANDS = 7
_AGREEING = 3  # = _BANDS - MAX_DISTANCE
_LONGEST_RUN = 2000  # comparisons per hash and band triple; bounds the worst case
_FLAT = 4  # fewer bits set (or unset) than this: an even surface, alike to all others


def difference_hash(image: Image.Image) -> int | None:
    """The 64-bit dHash of an RGB or grey image; None where the picture is too even to tell.

    Blank walls, night shots and test patterns have nearly all bits equal. Their hashes would
    chain unrelated photos into one giant group.
    """
    import numpy as np
    from PIL import Image

    small = image.convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    grey = np.asarray(small, dtype=np.int16)
    bits = np.packbits(grey[:, 1:] > grey[:, :-1])
    value = int.from_bytes(bits.tobytes(), "big")
    return value if _FLAT <= value.bit_count() <= 64 - _FLAT else None


def group_hashes(hashes: Sequence[int | None], *, max_group: int | None = None) -> list[int]:
    """Group number of each hash; hashes within `MAX_DISTANCE` bits share one, as do their chains.

    Args:
        hashes: 64-bit hashes; None is alike to nothing.
        max_group: groups are not joined beyond this size (equal hashes always are), so that a
            long chain of small steps cannot swallow the data. Default: a tenth, at least 20.

    Returns:
        Numbers from 0 in the order of first appearance.
    """
    import numpy as np

    limit = max_group or max(20, len(hashes) // 10)
    known = np.array([h for h in hashes if h is not None], dtype=np.uint64)
    distinct, counts = np.unique(known, return_counts=True)
    groups = _Groups(counts, limit)
    for first, second in _close_pairs(distinct, groups):
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            groups.join(a, b)

    numbers: dict[int, int] = {}
    result: list[int] = []
    for position, value in enumerate(hashes):
        if value is None:
            key = -1 - position
        else:
            key = groups.find(int(np.searchsorted(distinct, np.uint64(value))))
        result.append(numbers.setdefault(key, len(numbers)))
    return result


class _Groups:
    """Union-find with a limit on the members of a group."""

    def __init__(self, members: np.ndarray, limit: int) -> None:
        import numpy as np

        self.parent = np.arange(len(members))
        self.members = members.tolist()
        self.limit = limit

    def find(self, item: int) -> int:
        parent = self.parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = int(parent[item])
        return item

    def join(self, a: int, b: int) -> None:
        a, b = sorted((self.find(a), self.find(b)))
        if a != b and self.members[a] + self.members[b] <= self.limit:
            self.parent[b] = a
            self.members[a] += self.members[b]

    def roots(self) -> np.ndarray:
        """The representative of every item, at once."""
        while True:
            above = self.parent[self.parent]
            if (above == self.parent).all():
                return above
            self.parent = above


def _close_pairs(distinct: np.ndarray, groups: _Groups) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield arrays of index pairs within the distance that are not in one group yet."""
    import numpy as np

    for bands in combinations(range(_BANDS), _AGREEING):
        # Bit i belongs to band i mod 7: neighbouring bits of a dHash are alike, so contiguous
        # bands would make a few crowded buckets.
        mask = np.uint64(sum(1 << bit for bit in range(64) if bit % _BANDS in bands))
        keys = distinct & mask
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], distinct[order]
        at = np.arange(len(keys))
        for step in range(1, _LONGEST_RUN + 1):
            at = at[: np.searchsorted(at, len(keys) - step)]
            at = at[keys[at] == keys[at + step]]
            if not len(at):
                break
            near = np.bitwise_count(values[at] ^ values[at + step]) <= MAX_DISTANCE
            first, second = order[at[near]], order[at[near] + step]
            if len(first) > 500:  # leave out what is joined already, at once
                roots = groups.roots()
                apart = roots[first] != roots[second]
                first, second = first[apart], second[apart]
            yield first, second
