"""What a recipe asks of a part is done, or refused where the part cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hazardscribe.errors import InputError
from hazardscribe.model.parts import part_of
from hazardscribe.training.recipe import Lora, Part, Recipe
from hazardscribe.training.tuning import apply_tuning


def convolutional() -> nn.Module:
    vlm = nn.Module()
    vlm.vision_tower = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4))
    vlm.multi_modal_projector = nn.Linear(4, 4)
    vlm.language_model = nn.Linear(4, 4)
    return vlm


@pytest.mark.parametrize("llm", ["lora", "full"])
def test_a_tower_without_linear_layers_takes_no_adapters(llm):
    recipe = Recipe(start="x", tower=Part(tune="lora"), llm=Part(tune=llm))
    with pytest.raises(InputError, match=r"tower\.tune is 'lora'.*no linear layers"):
        apply_tuning(convolutional(), recipe)


def test_the_language_model_beside_it_does():
    vlm = convolutional()
    apply_tuning(vlm, Recipe(start="x", tower=Part(tune="freeze"), llm=Part(tune="lora")))
    trained = {name for name, weights in vlm.named_parameters() if weights.requires_grad}
    assert any("lora_" in name for name in trained)
    assert not any(name.startswith("vision_tower") for name in trained)


def test_trained_weights_are_float32_and_frozen_matrices_take_the_type_of_their_part():
    vlm = convolutional()
    low = {"compute": "bfloat16"}
    parts = {"tower": Part(tune="freeze", **low), "llm": Part(tune="lora", **low)}
    apply_tuning(vlm, Recipe(start="x", **parts, projector=Part(**low)))
    types = {name: weights.dtype for name, weights in vlm.named_parameters()}
    reduced = {name for name, dtype in types.items() if dtype == torch.bfloat16}
    # A batch norm's vectors have the type of its statistics; adapters and projector are trained.
    assert reduced == {"vision_tower.0.weight", "language_model.base_layer.weight"}
    assert set(types.values()) == {torch.bfloat16, torch.float32}


def test_adapters_are_those_of_the_recipe():
    vlm = convolutional()
    lora = Lora(rank=2, alpha=10, dropout=0.25)
    apply_tuning(vlm, Recipe(start="x", tower=Part("freeze"), llm=Part("lora"), lora=lora))
    layer = vlm.language_model
    assert (layer.r["default"], layer.scaling["default"]) == (2, 5.0)
    assert layer.lora_dropout["default"].p == 0.25


def test_a_part_that_is_not_found_is_not_passed_over_in_silence(caplog):
    vlm = convolutional()
    vlm.bridge = vlm.multi_modal_projector
    del vlm.multi_modal_projector
    with pytest.raises(InputError, match=r"no projector was found.*would do nothing"):
        apply_tuning(vlm, Recipe(start="x", tower=Part(tune="freeze")))
    apply_tuning(vlm, Recipe(start="x"))
    assert "no projector was found" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_vision.embedding_projection.weight",  # Gemma 3n
        "language_projection.weight",  # BLIP-2
        "qformer.encoder.layer.0.attention.attention.query.weight",
        "query_tokens",
        "image_to_text_projection.dense.weight",  # Kosmos-2.5
        "model.visual_embeddings_table.weight",  # Ovis 2
        "model.multi_modal_projector.linear_1.weight",
        "model.visual.merger.mlp.0.weight",
    ],
)
def test_a_projector_is_known_by_the_names_of_its_families(name):
    assert part_of(name) == "projector"
