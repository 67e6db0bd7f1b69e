"""What a recipe asks of a part is done, or refused where the part cannot."""

from __future__ import annotations

import pytest
from torch import nn

from hazardscribe.errors import InputError
from hazardscribe.training.recipe import Part, Recipe
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
