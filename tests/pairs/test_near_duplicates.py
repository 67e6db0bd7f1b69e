"""Near-duplicate photos: found without comparing all pairs, and without giant groups."""

import time
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from hazardscribe.pairs.near_duplicates import MAX_DISTANCE, difference_hash, group_hashes


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 9, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


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
    assert group_hashes([None, None, 5, None]) == [0, 1, 2, 3]
    assert group_hashes([]) == []
    assert group_hashes([None]) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_comparing_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**63, 60, dtype=np.uint64).tolist()
    hashes = []
    for centre in centres:
        for flips in rng.integers(0, 7, 4):
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
    assert group_hashes(hashes) == expected


def test_every_pair_of_flipped_bits_is_found() -> None:
    """Exhaustive over two bits, random over four: the pigeonhole holds."""
    base = 0x0F1E2D3C4B5A6978
    rng = np.random.default_rng(0)
    pairs = list(combinations(range(64), 2))[::7]
    fours = [tuple(rng.choice(64, 4, replace=False).tolist()) for _ in range(200)]
    for bits in [*pairs, *fours]:
        assert group_hashes([base, base ^ sum(1 << bit for bit in bits)]) == [0, 0]
    assert group_hashes([base, base ^ 0b11111]) == [0, 1]


def test_a_chain_does_not_swallow_the_data() -> None:
    chain, value = [], 0
    rng = np.random.default_rng(1)
    for _ in range(400):  # each a near-duplicate of the one before, the last nothing like the first
        value ^= sum(1 << int(bit) for bit in rng.choice(64, 3, replace=False))
        chain.append(value)
    assert max(Counter(group_hashes(chain)).values()) <= 40
    assert max(Counter(group_hashes(chain, max_group=10)).values()) <= 10
    assert len(set(group_hashes([7] * 400))) == 1  # equal ones always stay together


def test_a_hundred_thousand() -> None:
    rng = np.random.default_rng(0)
    bits = rng.random((100_000, 64)) < 0.25  # far from uniform, as real photos are
    hashes = np.packbits(bits, axis=1).view(">u8")[:, 0].tolist()
    start = time.perf_counter()
    groups = group_hashes(hashes)
    assert time.perf_counter() - start < 20
    assert len(groups) == 100_000
