"""What saves memory must not change what is learned."""

from __future__ import annotations

import weakref
from dataclasses import replace

import pytest
import torch
from test_module import RECIPE, module_and_batch

from hazardscribe.describing.look import NoUnseenPhotoError
from hazardscribe.errors import InputError
from hazardscribe.training import session
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Part, Recipe
from hazardscribe.training.savings import recompute_activations
from hazardscribe.training.session import Session
from hazardscribe.training.train import train
from hazardscribe.training.tuning import find_unreached


def gradients(module, batch) -> dict[str, torch.Tensor]:
    sum(module(batch).values()).backward()
    return {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}


def held_by_tower(module, batch) -> int:
    """Bytes that the tower's forward pass keeps for its backward pass."""
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module.vlm.model.vision_tower(pixel_values=batch["pixel_values"])
    return sum(held.values())


def test_a_timm_tower_is_computed_anew_to_the_same_gradient(family_folder):
    recipe = replace(RECIPE, activation_checkpointing=True)
    module, batch = module_and_batch(family_folder("fast_vlm"), recipe)
    wanted, held = gradients(module.train(), batch), held_by_tower(module, batch)
    module.zero_grad()
    recompute_activations(module.vlm, recipe)
    assert held_by_tower(module, batch) < held / 2
    found = gradients(module, batch)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
    with torch.inference_mode():  # as dev is described
        module.eval()(batch)


def test_the_search_for_the_unreached_needs_no_more_memory_than_a_photo_in_training(
    family_folder, start, pairs, tmp_path, monkeypatch
):
    recipe = replace(RECIPE, activation_checkpointing=True)
    module, batch = module_and_batch(family_folder("llava"), recipe)
    wanted = find_unreached(module, batch)
    recompute_activations(module.vlm, recipe)
    runs = []
    block = module.vlm.model.language_model.layers[0]
    block.mlp.register_forward_pre_hook(lambda *_: runs.append(block.mlp.training))
    assert find_unreached(module, batch) == wanted
    assert runs == [False, False]  # forward, and anew in the backward pass
    assert block.training == module.training

    def search(module, *batches):
        raise InputError(str([len(one["labels"]) for one in batches]))

    monkeypatch.setattr("hazardscribe.training.likelihood.find_unreached", search)
    with pytest.raises(InputError, match=r"\[1, 1\]"):
        train(pairs, replace(recipe, start=str(start)), tmp_path / "run")


@pytest.mark.parametrize("changes", [{"tower_norm": "moving"}, {"tower": Part(tune="freeze")}])
def test_a_tower_whose_statistics_move_or_that_stands_still_is_not(changes, family_folder):
    recipe = replace(RECIPE, **changes)
    module, _ = module_and_batch(family_folder("fast_vlm"), recipe)
    recompute_activations(module.vlm, recipe)
    assert not module.vlm.model.vision_tower.timm_model.grad_checkpointing


def test_calibration_finds_neither_the_last_weights_nor_the_optimizer(
    monkeypatch, pairs, start, tmp_path
):
    made, left = [], []
    optimizer = TrainingModule.optimizer

    def make(self, recipe):
        one = optimizer(self, recipe)
        made.append(weakref.ref(one))
        return one

    def calibrate(folder, *_, **__):
        left.extend(one() for one in made if one() is not None)
        raise NoUnseenPhotoError("enough")

    def make_room(self):
        former(self)
        left.extend(one for one in self.vlm.parameters() if one.device.type != "meta")

    former = Session._make_room
    monkeypatch.setattr(TrainingModule, "optimizer", make)
    monkeypatch.setattr(session, "calibrate", calibrate)
    monkeypatch.setattr(Session, "_make_room", make_room)
    train(pairs, Recipe(start=str(start), steps=1, evaluate_photos=2), tmp_path / "run")
    assert made
    assert not left
