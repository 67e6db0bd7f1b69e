"""Blocks that run compiled learn what they learn as they are written."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_module import RECIPE, module_and_batch

from hazardscribe.training import compiled
from hazardscribe.training.compiled import blocks_of, compile_blocks, uncompiled
from hazardscribe.training.recipe import Part

BOTH = {"llava": 2, "fast_vlm": 2}


@pytest.fixture
def graphs(monkeypatch):
    """The graphs that are compiled; without a C compiler, their operations run as they are."""
    from torch._dynamo.backends.debugging import aot_eager

    found = []

    def backend(graph, inputs):
        found.append(graph)
        return aot_eager(graph, inputs)

    torch._dynamo.reset()
    monkeypatch.setattr(compiled, "BACKEND", backend)
    yield found
    torch._dynamo.reset()


def step(module, batch):
    losses = module(batch)
    sum(losses.values()).backward()
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    module.zero_grad(set_to_none=True)
    return losses, gradients


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_losses_and_gradients_are_the_same(family, compute, family_folder, graphs):
    recipe = replace(RECIPE, llm=Part(compute=compute), compile=True)
    module, batch = module_and_batch(family_folder(family), recipe)
    module.train()
    names = list(module.state_dict())
    wanted, exact = step(module, batch)
    assert compile_blocks(module.vlm) == len(blocks_of(module.vlm)) > 0
    losses, gradients = step(module, batch)
    assert graphs
    assert list(module.state_dict()) == names
    torch.testing.assert_close(losses, wanted)
    assert gradients.keys() == exact.keys()
    bound = 1e-4 if compute == "float32" else 2e-2
    for name, gradient in gradients.items():
        assert (gradient - exact[name]).norm() <= bound * exact[name].norm() + 1e-7, name


@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_each_kind_of_block_is_compiled_once_for_all_batches(family, family_folder, graphs):
    recipe = replace(RECIPE, compile=True)
    module, batch = module_and_batch(family_folder(family), recipe)
    module.train()
    kinds = {type(block) for block in blocks_of(module.vlm)}
    assert len(blocks_of(module.vlm)) > len(kinds)
    compile_blocks(module.vlm)
    step(module, batch)
    first = len(graphs)
    assert first <= 2 * len(kinds)  # a model's first block may take its input in another layout
    for n in (3, 2):
        step(module, {name: value[:n] for name, value in batch.items()})
    shorter = dict(batch)
    for name in ("input_ids", "labels", "attention_mask"):
        shorter[name] = batch[name][:, :-2]
    step(module, shorter)
    assert len(graphs) == first


def test_texts_that_grow_are_not_compiled(family_folder, graphs):
    module, batch = module_and_batch(family_folder("llava"), replace(RECIPE, compile=True))
    compile_blocks(module.vlm)
    with uncompiled(), torch.no_grad():
        module(batch)
    assert not graphs
