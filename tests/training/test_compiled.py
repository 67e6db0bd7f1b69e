"""Blocks that run compiled learn what they learn as they are written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from test_module import RECIPE, module_and_batch

import tiny
from hazardscribe.errors import InputError
from hazardscribe.training import compiled
from hazardscribe.training.compiled import blocks_of, compile_blocks, uncompiled
from hazardscribe.training.recipe import Lora, Part, Recipe
from hazardscribe.training.train import train


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


def compare(gradients, exact, bound):
    """Some gradients are zero but for rounding: a softmax does not feel the keys' bias."""
    assert gradients.keys() == exact.keys()
    for name, gradient in gradients.items():
        assert (gradient - exact[name]).norm() <= bound * exact[name].norm() + 1e-6, name


@pytest.mark.parametrize(
    ("family", "compute"),
    [
        ("llava", "float32"),
        ("llava", "bfloat16"),
        ("fast_vlm", "float32"),
        *(
            pytest.param(family, "bfloat16", marks=pytest.mark.extended)
            for family in tiny.FAMILIES
            if family != "llava"
        ),
    ],
)
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
    compare(gradients, exact, 1e-4 if compute == "float32" else 2e-2)


@pytest.mark.extended
@pytest.mark.parametrize(
    "changes",
    [
        {"llm": Part(tune="lora"), "lora": Lora(dropout=0)},
        {"tower": Part(tune="freeze")},
        {"activation_checkpointing": True},
    ],
    ids=["adapters", "frozen tower", "recomputed"],
)
def test_also_with_adapters_frozen_parts_and_recomputed_activations(changes, family_folder, graphs):
    module, batch = module_and_batch(
        family_folder("llava"), replace(RECIPE, compile=True, **changes)
    )
    module.train()
    if "activation_checkpointing" in changes:
        module.vlm.activation_checkpointing_enable({"use_reentrant": False})
    wanted, exact = step(module, batch)
    compile_blocks(module.vlm)
    losses, gradients = step(module, batch)
    assert graphs
    torch.testing.assert_close(losses, wanted)
    compare(gradients, exact, 1e-4)


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


def kept_history(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["history"]


def test_a_run_learns_and_evaluates_alike(pairs, start, tmp_path, graphs):
    recipe = Recipe(
        start=str(start),
        steps=4,
        evaluate_every=2,
        batch_size=4,
        max_text_tokens=12,
        calibrate=False,
    )
    train(pairs, recipe, tmp_path / "plain")
    assert not graphs
    train(pairs, replace(recipe, compile=True), tmp_path / "compiled")
    assert graphs
    plain, found = kept_history(tmp_path / "plain"), kept_history(tmp_path / "compiled")
    assert [entry.keys() for entry in found] == [entry.keys() for entry in plain]
    for entry, wanted in zip(found, plain, strict=True):
        for name, value in wanted.items():
            if "loss" in name or name == "eval_cider_d":
                assert entry[name] == pytest.approx(value, rel=1e-4), name


def test_without_a_compiler_the_run_says_what_to_do(monkeypatch, pairs, start, tmp_path):
    def backend(graph, inputs):
        raise RuntimeError("no C++ compiler here")

    torch._dynamo.reset()
    monkeypatch.setattr(compiled, "BACKEND", backend)
    recipe = Recipe(start=str(start), steps=2, batch_size=4, compile=True, calibrate=False)
    with pytest.raises(InputError, match=r"no C\+\+ compiler here.*set compile: false.*--resume"):
        train(pairs, recipe, tmp_path / "run")
    torch._dynamo.reset()
    done = train(pairs, replace(recipe, compile=False), tmp_path / "run", resume=True)
    assert done.model.is_dir()


@pytest.mark.extended
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler here")
def test_with_the_compiler_too(family_folder):
    torch._dynamo.reset()
    module, batch = module_and_batch(family_folder("llava"), replace(RECIPE, compile=True))
    module.train()
    wanted, exact = step(module, batch)
    compile_blocks(module.vlm)
    losses, gradients = step(module, batch)
    torch.testing.assert_close(losses, wanted)
    compare(gradients, exact, 1e-4)
