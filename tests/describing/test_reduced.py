"""Weights rounded once: what autocast computes by rounding them each time, in less memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.describing import packed, reduced
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.describing.heat_map import heat_maps
from hazardscribe.describing.similar import _Encoder
from hazardscribe.model.attention import growing_text_kernels
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import Prompter
from hazardscribe.objectives.alignment import AlignmentHead
from hazardscribe.pairs.photo import load_photo


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_texts_are_those_of_autocast_alone(name, beams, family_folder, photos):
    loaded = load_checkpoint(family_folder(name))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:2]]
    decoding = Decoding(beams=beams, max_new_tokens=5, alternatives=beams)
    before = generate(loaded.vlm, prompter, pixels, decoding, compute=torch.bfloat16)
    reduced.prepare(loaded.vlm)
    after = generate(loaded.vlm, prompter, pixels, decoding, compute=torch.bfloat16)
    assert after == before


@pytest.mark.parametrize("name", ["llava", "qwen3_vl"])
def test_matrices_take_half_the_memory_and_words_are_looked_up_as_they_were(name, family_folder):
    vlm = load_checkpoint(family_folder(name)).vlm
    words = vlm.get_input_embeddings().weight
    reduced.prepare(vlm)
    for layer in vlm.modules():
        if isinstance(layer, torch.nn.Linear):
            assert {one.dtype for one in layer.parameters(recurse=False)} == {torch.bfloat16}
    assert vlm.get_input_embeddings().weight is words
    assert words.dtype == torch.float32
    assert vlm.get_output_embeddings().weight.dtype == torch.bfloat16


def test_a_describer_holds_them_so_and_all_that_calls_its_model_can(
    family_folder, photos, monkeypatch
):
    # As on a GPU, where nothing is packed.
    monkeypatch.setattr(packed, "can_pack", lambda vlm: False)
    folder = family_folder("llava")
    describer = Describer(folder, precision="bfloat16", max_new_tokens=4, calibrated=False)
    assert describer.vlm.lm_head.weight.dtype == torch.bfloat16
    assert describer(photos[0]).error is None
    plain = Describer(folder, max_new_tokens=4, calibrated=False)
    assert plain.vlm.lm_head.weight.dtype == torch.float32
    width = describer.vlm.get_input_embeddings().weight.shape[1]
    vectors = _Encoder(describer, AlignmentHead(width, 8)).encode([describer.pixels(photos[0])])
    assert np.isfinite(vectors).all()
    text = "工人未戴安全帽，通道被堵"
    phrases = [phrase for phrase, _ in heat_maps(describer, str(photos[0]), text)]
    assert phrases == [phrase for phrase, _ in heat_maps(plain, str(photos[0]), text)]
    assert len(phrases) == 2


def test_texts_that_grow_are_not_planned_for_anew_with_each_word():
    before = torch.backends.cuda.cudnn_sdp_enabled()
    with growing_text_kernels(torch.device("cuda")):
        assert not torch.backends.cuda.cudnn_sdp_enabled()
        assert torch.backends.cuda.flash_sdp_enabled()
        assert torch.backends.cuda.math_sdp_enabled()
    assert torch.backends.cuda.cudnn_sdp_enabled() == before
