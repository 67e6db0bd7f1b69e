"""The language model writes the same from a first sequence that is at hand as from the photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import first_sequence
from hazardscribe.pairs.photo import load_photo


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_a_first_sequence_at_hand_stands_for_the_photos(name, beams, family_folder, photos):
    loaded = load_checkpoint(family_folder(name))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:2]]
    inputs = prompter.inputs(pixels)
    with torch.inference_mode():
        sequence = first_sequence(loaded.vlm, inputs)
    before = getattr(sequence.encoder_output, "pooler_output", None)
    decoding = Decoding(beams=beams, max_new_tokens=6, alternatives=beams)
    plain = generate(loaded.vlm, prompter, pixels, decoding)
    given = generate(loaded.vlm, prompter, pixels, decoding, sequence=sequence)
    again = generate(loaded.vlm, prompter, pixels, decoding, sequence=sequence)
    assert [one.texts for one in given] == [one.texts for one in plain]
    assert [one.texts for one in again] == [one.texts for one in plain]
    # The caller's own is left as it was: a photo each, not a beam each.
    pooled = getattr(sequence.encoder_output, "pooler_output", None)
    assert pooled is None or len(pooled) == len(before)
    for one, other in zip(given, plain, strict=True):
        assert one.confidences == pytest.approx(other.confidences, rel=1e-4)
