"""Near-duplicate photos: found without comparing all pairs, and without giant groups."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from hazardscribe.pairs.near_duplicates import (
    MAX_DISTANCE,
    MIN_LIKENESS,
    Look,
    difference_hash,
    group_looks,
    likeness,
    look_of,
    near_pairs,
)

SAME = bytes(range(192))
OTHER = SAME[::-1]


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 9, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def alike(*hashes: int | None) -> list[Look | None]:
    """Looks of these hashes with one miniature for all."""
    return [None if value is None else Look(value, SAME) for value in hashes]


def hash_of(image: Image.Image) -> int:
    value = difference_hash(image)
    assert value is not None
    return value


def test_alike_pictures_have_close_hashes() -> None:
    first = picture(1, (640, 480))
    for variant in (
        first.resize((320, 240)),
        ImageEnhance.Brightness(first).enhance(0.8),
        first.crop((4, 4, 636, 476)),
    ):
        assert (hash_of(first) ^ hash_of(variant)).bit_count() <= MAX_DISTANCE
    assert (hash_of(first) ^ hash_of(picture(2))).bit_count() > 15


def test_even_pictures_are_alike_to_nothing() -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    for image in (Image.new("RGB", (64, 48), (9, 9, 9)), Image.fromarray(ramp)):
        assert difference_hash(image) is None
    assert group_looks(alike(None, None, 5, None)) == [0, 1, 2, 3]
    assert group_looks([]) == []
    assert group_looks([None]) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_comparing_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**63, 60, dtype=np.uint64).tolist()
    hashes = []
    for centre in centres:
        for flips in rng.integers(0, 12, 4):
            bits = rng.choice(64, flips, replace=False)
            hashes.append(centre ^ sum(1 << int(bit) for bit in bits))
    rng.shuffle(hashes)

    label = list(range(len(hashes)))
    for a, b in combinations(range(len(hashes)), 2):
        if (hashes[a] ^ hashes[b]).bit_count() <= MAX_DISTANCE and label[a] != label[b]:
            old, new = label[b], label[a]
            label = [new if one == old else one for one in label]
    order: dict[int, int] = {}
    expected = [order.setdefault(one, len(order)) for one in label]
    assert group_looks(alike(*hashes)) == expected


def test_every_pair_of_flipped_bits_is_found() -> None:
    """Exhaustive over two bits, random over eight: the pigeonhole holds."""
    base = 0x0F1E2D3C4B5A6978
    rng = np.random.default_rng(0)
    pairs = list(combinations(range(64), 2))[::7]
    eights = [tuple(rng.choice(64, MAX_DISTANCE, replace=False).tolist()) for _ in range(200)]
    for bits in [*pairs, *eights]:
        assert group_looks(alike(base, base ^ sum(1 << bit for bit in bits))) == [0, 0]
    assert group_looks(alike(base, base ^ (1 << MAX_DISTANCE + 1) - 1)) == [0, 1]


def test_near_hashes_of_unlike_miniatures_are_no_twins() -> None:
    looks = [Look(7 << 20, SAME), Look(7 << 20, OTHER), Look(5 << 20, SAME)]
    assert likeness(looks[0], looks[1]) == pytest.approx(-1, abs=1e-4)
    assert group_looks(looks) == [0, 1, 0]
    assert [(a.tolist(), b.tolist()) for a, b, _ in near_pairs(looks)] == [([0], [2])]
    even = Look(7 << 20, bytes([9]) * 192)
    assert group_looks([even, looks[0]]) == [0, 1]


def test_altered_photos_are_twins_and_others_are_not() -> None:
    first = picture(1, (640, 480))
    variants = [
        first.resize((320, 240)),
        ImageEnhance.Brightness(first).enhance(0.8),
        first.crop((13, 10, 627, 470)),  # 2 % off each side
    ]
    looks = [look_of(image) for image in (first, *variants, picture(2), picture(3))]
    assert group_looks(looks) == [0, 0, 0, 0, 1, 2]
    shown = first.convert("RGB").rotate(180)
    other = look_of(shown)
    assert looks[0] is not None
    assert other is not None
    assert likeness(looks[0], other) < MIN_LIKENESS


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_pairs_are_all_those_that_are_near(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hazardscribe.pairs.near_duplicates._BLOCK", block)
    rng = np.random.default_rng(4)
    looks: list[Look | None] = [None]
    for centre in rng.integers(0, 2**63, 20, dtype=np.uint64).tolist():
        for flips in (0, 3, 5, 9):
            bits = rng.choice(64, flips, replace=False)
            value = centre ^ sum(1 << int(bit) for bit in bits)
            looks.append(Look(value, SAME if rng.random() < 0.7 else OTHER))
    wanted = {
        (a, b)
        for (a, one), (b, two) in combinations(enumerate(looks), 2)
        if one is not None
        and two is not None
        and (one.hash ^ two.hash).bit_count() <= MAX_DISTANCE
        and likeness(one, two) >= MIN_LIKENESS
    }
    found = [
        pair for a, b, _ in near_pairs(looks) for pair in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == wanted
    # What is a pair is one group, and nothing is in a group without being in a pair.
    groups = group_looks(looks)
    assert all(groups[a] == groups[b] for a, b in wanted)
    assert {at for at in range(len(looks)) if groups.count(groups[at]) > 1} == {
        at for pair in wanted for at in pair
    }


def test_a_chain_does_not_swallow_the_data() -> None:
    chain, value = [], 0
    rng = np.random.default_rng(1)
    for _ in range(400):  # each a near-duplicate of the one before, the last nothing like the first
        value ^= sum(1 << int(bit) for bit in rng.choice(64, 3, replace=False))
        chain.append(value)
    assert max(Counter(group_looks(alike(*chain))).values()) <= 40
    assert max(Counter(group_looks(alike(*chain), max_group=10)).values()) <= 10
    assert len(set(group_looks(alike(*[7] * 400)))) == 1  # equal ones always stay together


def test_groups_do_not_depend_on_the_order_of_the_rows() -> None:
    """Also where the limit cuts: another order of the ledger must not move photos."""
    rng = np.random.default_rng(2)
    chain, value = [], 0
    for _ in range(200):
        value ^= sum(1 << int(bit) for bit in rng.choice(64, 3, replace=False))
        chain.append(value)
    looks = alike(*chain)
    order = rng.permutation(len(looks)).tolist()

    def sets(groups: list[int], positions: list[int]) -> set[frozenset[int]]:
        return {
            frozenset(at for at, g in zip(positions, groups, strict=True) if g == group)
            for group in groups
        }

    plain = sets(group_looks(looks), list(range(len(looks))))
    assert sets(group_looks([looks[at] for at in order]), order) == plain


def test_many_photos_are_grouped_without_comparing_all() -> None:
    """Comparing all pairs would be 450 million comparisons."""
    rng = np.random.default_rng(0)
    bits = rng.random((30_000, 64)) < 0.25  # far from uniform, as real photos are
    hashes = np.packbits(bits, axis=1).view(">u8")[:, 0].tolist()
    assert len(group_looks(alike(*hashes))) == 30_000
