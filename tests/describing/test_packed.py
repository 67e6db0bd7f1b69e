"""Packed layers give the same products, the same texts and the same gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hazardscribe.describing import packed
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import Prompter
from hazardscribe.pairs.photo import load_photo

COMPOSED = sorted(packed.COMPOSED)


@pytest.fixture(params=COMPOSED)
def loaded(request, family_folder):
    found = load_checkpoint(family_folder(request.param))
    if not packed.can_pack(found.vlm):
        pytest.skip("this PyTorch holds no oneDNN")
    return found


@pytest.mark.parametrize("bias", [True, False])
def test_product_and_gradient_are_those_of_the_layer(bias):
    torch.manual_seed(0)
    linear = nn.Linear(48, 80, bias=bias)
    x = torch.randn(3, 5, 48)
    stands_for = packed.PackedLinear(linear, torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(stands_for(x), linear(x))
    gradients = []
    for layer in (linear, stands_for):
        leaf = x.clone().requires_grad_()
        layer(leaf).square().sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("beams", [1, 3])
def test_texts_stay_as_they_are(loaded, beams, photos):
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:4]]
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    decoding = Decoding(beams=beams, max_new_tokens=8, alternatives=beams)
    before = generate(loaded.vlm, prompter, pixels, decoding)
    packed.prepare(loaded.vlm, torch.float32)
    assert packed.is_packed(loaded.vlm)
    after = generate(loaded.vlm, prompter, pixels, decoding)
    assert [one.texts for one in after] == [one.texts for one in before]
    for one, other in zip(after, before, strict=True):
        assert one.confidences == pytest.approx(other.confidences, rel=1e-4)


def test_in_bfloat16_only_products_are(loaded, photos):
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:2]]
    inputs = Prompter(loaded.processor, loaded.vlm, "描述").inputs(pixels)
    with torch.inference_mode():
        before = loaded.vlm(**inputs)
        packed.prepare(loaded.vlm, torch.bfloat16)
        after = loaded.vlm(**inputs)
    assert {value.dtype for value in loaded.vlm.parameters()} == {torch.float32}
    torch.testing.assert_close(after.image_hidden_states, before.image_hidden_states)
    assert after.logits.dtype == torch.float32
    apart = (after.logits - before.logits).abs().max() / before.logits.abs().max()
    assert 0 < apart < 0.03


def test_a_subclass_of_linear_is_left_alone():
    class Adapter(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1

    module = nn.Sequential(Adapter(8, 8), nn.Sequential(nn.Linear(8, 8)))
    packed.pack(module, torch.float32)
    assert type(module[0]) is Adapter
    assert type(module[1][0]) is packed.PackedLinear
