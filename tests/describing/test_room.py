"""Keys and values with room give what transformers' own cache gives, without copying for a word."""

from __future__ import annotations

import torch
from transformers import DynamicCache

from hazardscribe.describing.room import ROOM, roomy_cache


def words(n, rows=1, seed=0):
    torch.manual_seed(seed)
    return torch.randn(rows, 2, n, 4), torch.randn(rows, 2, n, 3)


@torch.no_grad()
def test_as_transformers_own_through_repeats_selections_and_growth():
    ours, theirs = roomy_cache(2), DynamicCache()

    def both(n, rows, seed):
        for layer in range(2):
            new = words(n, rows, seed + layer)
            found, wanted = (cache.update(*new, layer) for cache in (ours, theirs))
            for one, other in zip(found, wanted, strict=True):
                assert torch.equal(one, other)
        assert ours.get_seq_length() == theirs.get_seq_length()

    both(5, 1, 0)
    for cache in (ours, theirs):
        cache.batch_repeat_interleave(3)
    both(7, 3, 10)
    for step in range(ROOM + 3):
        both(1, 3, 20 + step)
    for cache in (ours, theirs):
        cache.batch_select_indices(torch.tensor([2, 0]))
    for step in range(3):
        both(1, 2, 200 + step)


@torch.no_grad()
def test_a_new_word_leaves_the_others_where_they_are():
    cache = roomy_cache(1)
    keys, values = cache.update(*words(5), 0)
    places = {(keys.data_ptr(), values.data_ptr())}
    for step in range(ROOM):
        keys, values = cache.update(*words(1, seed=step), 0)
        places.add((keys.data_ptr(), values.data_ptr()))
    assert len(places) == 1
    keys, _ = cache.update(*words(1), 0)
    assert keys.data_ptr() not in {place for place, _ in places}


def test_with_gradients_nothing_is_written_over():
    cache = roomy_cache(1)
    first = [one.requires_grad_() for one in words(2)]
    keys, values = cache.update(*first, 0)
    product = keys.square().sum() * values.sum()
    cache.update(*words(1), 0)
    product.backward()
    assert all(one.grad.abs().sum() > 0 for one in first)
