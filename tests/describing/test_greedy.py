"""Greedy search without the needless work finds what transformers' `generate` finds."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.describing import greedy
from hazardscribe.describing.generate import Decoding, generate
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.composed import COMPOSED
from hazardscribe.model.prompting import Prompter
from hazardscribe.pairs.photo import load_photo

TOKENS = 12


@pytest.fixture(params=[*sorted(COMPOSED), "pixtral"])
def written_both_ways(request, family_folder, photos, monkeypatch):
    """Texts by ours and by `generate`, where some end early: the model's commonest token ends."""
    loaded = load_checkpoint(family_folder(request.param))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    rng = np.random.default_rng(0)
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:4]]
    pixels += [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(4)]
    decoding = Decoding(max_new_tokens=TOKENS)
    # A random model says the same of every photo and never ends. Louder weights make texts that
    # differ, and what some of them say in between is made to end a text.
    torch.manual_seed(5)
    weight = loaded.vlm.lm_head.weight
    loaded.vlm.lm_head.weight = torch.nn.Parameter(torch.randn_like(weight) / 4)
    letters = [prompter.tokenizer.convert_tokens_to_ids(letter) for letter in "abcdefghijklmnopq"]
    others = sorted(set(range(len(weight))) - set(letters))
    loaded.vlm.generation_config.suppress_tokens = others
    with torch.inference_mode():
        for parameter in loaded.vlm.model.language_model.layers.parameters():
            if parameter.ndim == 2:
                parameter *= 8
        inputs = prompter.inputs(pixels)
        ids = loaded.vlm.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
    new = ids[:, inputs["input_ids"].shape[1] :].tolist()
    prompter.stops = [next(t for row in new for t in row[3:] if any(t not in one for one in new))]
    heard: dict[str, list[tuple[int, str]]] = {"ours": [], "generate": []}
    ours = generate(
        loaded.vlm, prompter, pixels, decoding, listener=lambda *one: heard["ours"].append(one)
    )
    monkeypatch.setattr(greedy, "fits", lambda *_: False)
    theirs = generate(
        loaded.vlm, prompter, pixels, decoding, listener=lambda *one: heard["generate"].append(one)
    )
    return ours, theirs, heard


def test_same_texts_and_likelihoods_also_where_rows_end_early(written_both_ways):
    ours, theirs, _ = written_both_ways
    mine = [one.candidates[0] for one in ours]
    other = [one.candidates[0] for one in theirs]
    assert {one.ended for one in mine} == {True, False}
    assert [(c.text, c.tokens, c.ended) for c in mine] == [
        (c.text, c.tokens, c.ended) for c in other
    ]
    for a, b in zip(mine, other, strict=True):
        assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=1e-3, abs=1e-4)


def test_a_listener_hears_the_same(written_both_ways):
    _, _, heard = written_both_ways
    assert heard["ours"] == heard["generate"]
    assert heard["ours"]


def test_a_gpu_would_be_waited_for_once_a_word(family_folder, photos, monkeypatch):
    loaded = load_checkpoint(family_folder("llava"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    looks = []

    def counted(way):
        former = getattr(torch.Tensor, way)

        def look(tensor, *given):
            if sys._getframe(1).f_code.co_filename == greedy.__file__:
                looks.append(way)
            return former(tensor, *given)

        monkeypatch.setattr(torch.Tensor, way, look)

    for way in ("__bool__", "__int__", "__float__", "item", "tolist"):
        counted(way)
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:2]]
    [one, _] = generate(loaded.vlm, prompter, pixels, Decoding(max_new_tokens=5))
    words = one.candidates[0].tokens
    assert words > 1
    fitting = 2  # whether all prompts are alike
    assert len(looks) <= fitting + words


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_only_composed_models_with_equal_prompts_fit(name, family_folder, photos):
    loaded = load_checkpoint(family_folder(name))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    inputs = prompter.inputs([np.asarray(load_photo(photo)) for photo in photos[:2]])
    image = prompter.image_token_id
    assert greedy.fits(loaded.vlm, inputs, image) == (name in COMPOSED)
    mask = inputs["attention_mask"].clone()
    mask[0, 0] = 0
    assert not greedy.fits(loaded.vlm, inputs | {"attention_mask": mask}, image)


def test_a_checkpoint_that_searches_otherwise_does_not_fit(family_folder, photos):
    loaded = load_checkpoint(family_folder("llava"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    inputs = prompter.inputs([np.asarray(load_photo(photos[0]))])
    loaded.vlm.generation_config.repetition_penalty = 1.2
    assert not greedy.fits(loaded.vlm, inputs, prompter.image_token_id)


def test_placeholders_with_marks_among_them_do_not_fit(family_folder, monkeypatch):
    loaded = load_checkpoint(family_folder("pixtral"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    image = prompter.image_token_id
    alike = [np.full((32, 32, 3), grey, dtype=np.uint8) for grey in (20, 90)]
    flat = [photo[:8] for photo in alike]  # one row of patches: nothing stands among them
    assert not greedy.fits(loaded.vlm, prompter.inputs(alike), image)
    assert greedy.fits(loaded.vlm, prompter.inputs(flat), image)
    decoding = Decoding(max_new_tokens=TOKENS)

    def written():
        return [
            one
            for pixels in (alike, flat)
            for one in generate(loaded.vlm, prompter, pixels, decoding)
        ]

    ours = written()
    monkeypatch.setattr(greedy, "fits", lambda *_: False)
    for mine, other in zip(ours, written(), strict=True):
        assert mine.texts == other.texts
        assert mine.confidences == pytest.approx(other.confidences, rel=1e-5)


def test_finished_rows_leave_the_batch(family_folder, photos, monkeypatch):
    loaded = load_checkpoint(family_folder("llava"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    pixels = [np.asarray(load_photo(photo)) for photo in photos[:3]]
    decoding = Decoding(max_new_tokens=4)
    prompter.stops = list(range(len(prompter.tokenizer)))  # every token ends a text
    sizes: list[int] = []
    loaded.vlm.lm_head.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    made = generate(loaded.vlm, prompter, pixels, decoding)
    assert sizes == [3]
    assert [one.candidates[0].tokens for one in made] == [1, 1, 1]
