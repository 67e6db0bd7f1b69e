"""A photo's first sequence and its tower features are its own, whatever else is in the batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.errors import InputError
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import FirstSequence, first_sequence


def photo(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PHOTOS = [photo(0, 48, 64), photo(1, 64, 48), photo(2, 32, 96)]


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_batch_gives_each_photo_what_it_has_alone(family, family_folder):
    loaded = load_checkpoint(family_folder(family))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")

    def read(photos: list[np.ndarray]) -> FirstSequence:
        with torch.inference_mode():
            return first_sequence(loaded.vlm, prompter.inputs(photos))

    batch = read(PHOTOS)
    towers = batch.tower_vectors()
    assert len(towers) == len(PHOTOS)
    for i, one in enumerate(PHOTOS):
        alone = read([one])
        own = batch.values[i][batch.mask[i]]
        torch.testing.assert_close(own, alone.values[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(towers[i], alone.tower_vectors()[0], rtol=1e-4, atol=1e-5)
        assert not batch.values[i][~batch.mask[i]].any()
    assert not torch.allclose(towers[0], towers[1], rtol=1e-3)


def tower(states: torch.Tensor, tokens: list[int]) -> torch.Tensor:
    """The tower vectors of photos with so many tokens each."""
    mask = torch.arange(max(tokens)) < torch.tensor(tokens)[:, None]
    output = SimpleNamespace(last_hidden_state=states)
    return FirstSequence(mask[..., None].float(), mask, output).tower_vectors()


def test_the_towers_output_is_averaged_over_what_belongs_to_a_photo():
    patches = torch.arange(24.0).reshape(6, 2, 2)  # of 6 photos or tiles, 2 patches each
    means = patches.mean(1)
    torch.testing.assert_close(tower(patches, [4] * 5 + [8]), means)
    # Three tiles, one, and two.
    by_photo = torch.stack([means[:3].mean(0), means[3], means[4:].mean(0)])
    torch.testing.assert_close(tower(patches, [12, 4, 8]), by_photo)
    # The patches of both photos as one sequence.
    sequence = torch.arange(12.0).reshape(1, 6, 2)
    both = torch.stack([sequence[0, :2].mean(0), sequence[0, 2:].mean(0)])
    torch.testing.assert_close(tower(sequence, [1, 2]), both)
    convolved = torch.arange(24.0).reshape(2, 3, 2, 2)
    torch.testing.assert_close(tower(convolved, [4, 4]), convolved.mean((2, 3)))


def test_placeholders_and_tokens_that_differ_in_number_are_refused(family_folder):
    loaded = load_checkpoint(family_folder("llava"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    inputs = prompter.inputs(PHOTOS[:1])
    inputs["input_ids"] = torch.cat([inputs["input_ids"]] * 2, 1)
    with pytest.raises(InputError, match="processor and model do not belong together"):
        first_sequence(loaded.vlm, inputs)
