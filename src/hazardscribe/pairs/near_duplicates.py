"""Photos that show nearly the same, so that no split holds a twin of another split's photo.

Inspectors photograph a place twice and systems store a photo in two sizes. What is compared of a
photo is its look: a 64-bit difference hash (dHash: is a cell of a 9 x 8 grey miniature brighter
than its left neighbour?) and a miniature of 8 x 8 pixels in colour. Two photos are near-duplicates
if their hashes differ in at most `MAX_DISTANCE` bits *and* their miniatures correlate by at least
`MIN_LIKENESS`. Reading, importing and checking all ask this module, so that what one of them links
no other calls unlike.

Why both: a hash alone must be strict, or it takes empty walls for one another, and then misses most
real twins. On altered copies of 250 photos of site-ppe, 4 bits alone find 62 % of those
cropped by 2 %, 58 % of those turned by 1 degree, 83 % of those brightened by 30 %; 8 bits find 98,
97 and 98 %. Of all 617,716 pairs of the photos themselves 4 bits link none and 8 bits two, both
shots of one scene seconds apart. Among 2,900 drawn scenes 8 bits alone link 416 pairs, all
different scenes; the miniatures leave two of them (`benchmarks/near_duplicates.py`).

Groups are found without comparing all pairs: of eleven bands of bits, two hashes that differ in at
most eight bits agree in at least three (pigeonhole), so only those are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from hazardscribe.pairs.photo import load_photo

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

MAX_DISTANCE = 8
"""Bits of 64 in which the hashes of two pictures of the same may differ."""

MIN_LIKENESS = 0.9
"""Correlation of their miniatures. 95 % of the copies that were turned by 2 degrees, or cropped or
shifted by 4 %, have 0.92 or more; unlike photos within 12 bits reach 0.896, at 9 bits."""

LOOK_BOUND = 64
"""Longest side in pixels that is enough for a look, so that a JPEG is decoded at a fraction."""

_MINIATURE = 8
_BANDS = 11
_AGREEING = 3  # = _BANDS - MAX_DISTANCE
_LONGEST_RUN = 2000  # comparisons per hash and band triple; bounds the worst case
_FLAT = 4  # fewer bits set (or unset) than this: an even surface, alike to all others
_BLOCK = 1 << 20  # pairs whose miniatures are held at once, by rows of a group


@dataclass(frozen=True, slots=True)
class Look:
    """What two photos are compared by.

    Attributes:
        hash: 64-bit difference hash.
        miniature: 8 x 8 RGB pixels, 192 bytes.
    """

    hash: int
    miniature: bytes


def look_at(photo: str | Path | bytes) -> Look | None:
    """The look of a photo (a path or its bytes); None where it is too even to tell.

    Raises:
        PhotoError: it cannot be used.
    """
    # Always at this bound: a photo decoded at another scale has a slightly different look.
    return look_of(load_photo(photo, bound=LOOK_BOUND))


def look_of(image: Image.Image) -> Look | None:
    """The look of an RGB picture; None where it is too even to tell."""
    from PIL import Image

    found = difference_hash(image)
    if found is None:
        return None
    small = image.resize((_MINIATURE, _MINIATURE), Image.Resampling.BOX)
    return Look(found, small.tobytes())


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


def likeness(first: Look, second: Look) -> float:
    """Correlation of two miniatures, from -1 to 1: colour and light, cell by cell."""
    both = _normal([first, second])
    return float(both[0] @ both[1])


def group_looks(looks: Sequence[Look | None], *, max_group: int | None = None) -> list[int]:
    """Group number of each look; near-duplicates share one, as do their chains.

    Args:
        looks: None is alike to nothing.
        max_group: groups are not joined beyond this size (equal looks always are), so that a
            long chain of small steps cannot swallow the data. Default: a tenth, at least 20.

    Returns:
        Numbers from 0 in the order of first appearance.
    """

    limit = max_group or max(20, len(looks) // 10)
    members = Counter(look for look in looks if look is not None)
    # In an order of their own: at the limit, groups must not depend on the order of the rows.
    distinct = sorted(members, key=lambda look: (look.hash, look.miniature))
    index = {look: position for position, look in enumerate(distinct)}
    groups = _Groups([members[look] for look in distinct], limit)
    miniatures = _normal(distinct)
    for first, second in _close_pairs(_hashes(distinct), groups):
        alike = _correlate(miniatures, first, second) >= MIN_LIKENESS
        for a, b in zip(first[alike].tolist(), second[alike].tolist(), strict=True):
            groups.join(a, b)

    numbers: dict[int, int] = {}
    keys = (
        -1 - position if look is None else groups.find(index[look])
        for position, look in enumerate(looks)
    )
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def near_pairs(
    looks: Sequence[Look | None],
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All pairs of near-duplicates, in batches.

    Yields:
        The positions of the first and of the second look of each pair, and their likeness; three
        arrays of one length.
    """
    import numpy as np

    groups: dict[int, list[int]] = {}
    for position, group in enumerate(group_looks(looks, max_group=max(1, len(looks)))):
        groups.setdefault(group, []).append(position)
    for members in groups.values():
        known = [look for position in members if (look := looks[position]) is not None]
        if len(known) < 2:
            continue
        at, hashes, miniatures = np.array(members), _hashes(known), _normal(known)
        rows = max(1, _BLOCK // len(members))
        for start in range(0, len(members), rows):
            part = slice(start, start + rows)
            alike = miniatures[part] @ miniatures.T
            apart = np.bitwise_count(hashes[part, None] ^ hashes[None])
            near = np.triu((alike >= MIN_LIKENESS) & (apart <= MAX_DISTANCE), k=start + 1)
            first, second = np.nonzero(near)
            yield at[first + start], at[second], alike[first, second]


def _hashes(looks: Sequence[Look]) -> np.ndarray:
    import numpy as np

    return np.array([look.hash for look in looks], dtype=np.uint64)


def _normal(looks: Sequence[Look]) -> np.ndarray:
    """The miniatures as rows `(N, 192)` whose products are correlations."""
    import numpy as np

    size = 3 * _MINIATURE**2
    pixels = np.frombuffer(b"".join(look.miniature for look in looks), dtype=np.uint8)
    rows = pixels.reshape(len(looks), size).astype(np.float32)
    rows = rows - rows.mean(axis=1, keepdims=True)
    # One grey value squared: an even miniature is like nothing.
    normal: np.ndarray = rows / np.sqrt(np.square(rows).sum(axis=1, keepdims=True) + 1.0)
    return normal


def _correlate(miniatures: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    import numpy as np

    size = max(1, _BLOCK // miniatures.shape[1])
    parts = [
        np.einsum(
            "ij,ij->i",
            miniatures[first[start : start + size]],
            miniatures[second[start : start + size]],
        )
        for start in range(0, len(first), size)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


class _Groups:
    """Union-find with a limit on the members of a group."""

    def __init__(self, members: list[int], limit: int) -> None:
        import numpy as np

        self.parent = np.arange(len(members))
        self.members = members
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


def _close_pairs(hashes: np.ndarray, groups: _Groups) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield arrays of index pairs within the distance that are not in one group yet."""
    import numpy as np

    for bands in combinations(range(_BANDS), _AGREEING):
        # Bit i belongs to band i mod 11: neighbouring bits of a dHash are alike, so contiguous
        # bands would make a few crowded buckets.
        mask = np.uint64(sum(1 << bit for bit in range(64) if bit % _BANDS in bands))
        keys = hashes & mask
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], hashes[order]
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
