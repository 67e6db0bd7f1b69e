"""The language model writes the same from a first sequence that is at hand as from the photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.describing import generate as generating
from hazardscribe.describing import greedy
from hazardscribe.describing.chances import Chances
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


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_likelihoods_are_those_of_all_scores_but_these_are_not_kept(
    name, beams, family_folder, photos, monkeypatch
):
    loaded = load_checkpoint(family_folder(name))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:2]]
    monkeypatch.setattr(greedy, "fits", lambda *_: False)
    former = loaded.vlm.generate
    expected = []

    def twice(**options):
        output = former(**options)
        assert output.scores is None
        del options["logits_processor"]
        whole = former(**options, output_scores=True)
        rows = getattr(whole, "beam_indices", None)
        scores = loaded.vlm.compute_transition_scores(
            whole.sequences, whole.scores, rows, normalize_logits=rows is None
        )
        new = whole.sequences[:, options["input_ids"].shape[1] :]
        expected.extend(generating._candidates(new, scores, prompter))
        return output

    monkeypatch.setattr(loaded.vlm, "generate", twice)
    decoding = Decoding(beams=beams, max_new_tokens=6, alternatives=beams)
    found = generate(loaded.vlm, prompter, pixels, decoding)
    for i, one in enumerate(found):
        own = generating._distinct(expected[i * beams : (i + 1) * beams])
        assert one.texts == own.texts
        for a, b in zip(one.candidates, own.candidates, strict=True):
            assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=1e-4, abs=1e-5)


def test_a_word_as_likely_as_the_last_one_kept_has_its_likelihood():
    chances = Chances(beams=2, stops=1)  # keeps four
    scores = torch.tensor([[0.0, -1.0, -1.0, -1.0, -1.0, -1.0, -9.0]])
    chances(torch.zeros(1, 1, dtype=torch.long), scores)
    for word in range(6):
        found = chances.of(torch.tensor([[word]]), torch.tensor([[0]]))
        assert found.item() == scores[0, word]
