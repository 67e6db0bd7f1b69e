"""Shares of photo tokens in a phrase's likelihood, and the maps made of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hazardscribe.describing.describer import Describer
from hazardscribe.describing.evidence import Evidence, _tokens_of, evidence, phrases_of
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import TEXT_INPUTS, first_sequence
from hazardscribe.pairs.photo import load_photo

TEXT = "一名工人未佩戴安全帽，气瓶未固定。"


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        (TEXT, ["一名工人未佩戴安全帽", "气瓶未固定"]),
        ("one worker, on the left;  no hard hat.", ["one worker", "on the left", "no hard hat"]),
        ("无", []),
        ("", []),
    ],
)
def test_phrases_stand_between_marks(text, phrases):
    assert [text[start:end] for start, end in phrases_of(text)] == phrases


def test_a_phrase_has_its_own_tokens_beside_what_looks_special(family_folder):
    loaded = load_checkpoint(family_folder("llava"))
    prompter = Prompter(loaded.processor, loaded.vlm, loaded.card.prompt)
    text = "标识<pad>褪色，气瓶未固定"
    tokens = _tokens_of(prompter, text, *phrases_of(text)[1])
    assert tokens[-1] == prompter.text_length(text) - 2  # the end token follows


@pytest.mark.parametrize("family", ["llava", "fast_vlm", "gemma3", "internvl"])
def test_a_share_is_the_slope_of_the_likelihood_towards_the_token(family, family_folder, photos):
    # Not a describer's own model: that one may be packed, and a slope is measured in float64.
    loaded = load_checkpoint(family_folder(family))
    vlm, prompter = loaded.vlm.double(), Prompter(loaded.processor, loaded.vlm, loaded.card.prompt)
    photo = np.asarray(load_photo(photos[0]))
    found = evidence(vlm, prompter, photo, TEXT, phrases_of(TEXT))
    assert [one.phrase for one in found] == ["一名工人未佩戴安全帽", "气瓶未固定"]

    batch = prompter.training_batch([photo], [TEXT], 1000)
    labels = batch.pop("labels")[0]
    texts = {name: value for name, value in batch.items() if name in TEXT_INPUTS}
    tokens = prompter.tokenizer.encode(TEXT, add_special_tokens=False)
    # Byte tokens: a Chinese character is three of them.
    cut = len(prompter.tokenizer.encode("一名工人未佩戴安全帽", add_special_tokens=False))

    @torch.no_grad()
    def likelihood(token: int, step: float) -> float:
        """Of the first phrase, with every photo token moved towards one of them."""
        output = first_sequence(vlm, batch).encoder_output
        features = output.pooler_output
        is_tensor = isinstance(features, torch.Tensor)
        whole = features if is_tensor else features[0]
        whole = whole + step * whole.reshape(-1, whole.shape[-1])[token]
        output.pooler_output = whole if is_tensor else type(features)([whole])
        logits = vlm(**texts, mm_encoder_outputs={"image": output}).logits[0]
        first = int((labels != -100).nonzero()[0])
        chosen = logits[first : first + len(tokens)].log_softmax(-1)
        return float(chosen.gather(1, torch.tensor(tokens)[:, None])[:cut].sum())

    shares = found[0].shares.reshape(-1)
    step = 2e-2  # the models' own norms compute in float32: a smaller one drowns in rounding
    for token in (0, len(shares) - 1):
        slope = (likelihood(token, step) - likelihood(token, -step)) / (2 * step)
        assert len(shares) * shares[token] == pytest.approx(slope, rel=0.02, abs=1e-4)
    assert all(parameter.grad is None for parameter in vlm.parameters())


@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_the_map_of_a_describer_is_that_of_the_plain_model(family, family_folder, photos):
    describer = Describer(family_folder(family))
    loaded = load_checkpoint(family_folder(family))
    plain = Prompter(loaded.processor, loaded.vlm, loaded.card.prompt)
    photo = describer.pixels(photos[0])
    ours = evidence(describer.vlm, describer.prompter, photo, TEXT, phrases_of(TEXT))
    theirs = evidence(loaded.vlm, plain, photo, TEXT, phrases_of(TEXT))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.shares, other.shares, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("family", ["smolvlm", "qwen3_vl"])
def test_models_that_see_tiles_or_loose_patches_give_no_map(family, family_folder, photos):
    describer = Describer(family_folder(family))
    photo = describer.pixels(photos[0])
    assert evidence(describer.vlm, describer.prompter, photo, TEXT, phrases_of(TEXT)) == []


def test_a_map_lies_over_the_photo_without_its_padding():
    shares = np.zeros((4, 4))
    shares[1, 3] = 2.0  # right; in a wide photo the upper half of what is left
    shares[3, 0] = -5.0  # speaks against the phrase
    one = Evidence("x", 0, 1, shares)
    wide = one.map_onto(50, 100)
    assert wide.shape == (50, 100)
    assert wide.max() == 1
    assert wide[:, :60].max() == 0
    row, column = one.peak(50, 100)
    assert row < 0.5 < 0.75 < column
    stretched = Evidence("x", 0, 1, shares, padded=False)
    assert stretched.peak(50, 100)[0] == pytest.approx(3 / 8, abs=0.05)
    assert Evidence("x", 0, 1, np.zeros((2, 2))).map_onto(4, 4).max() == 0
