"""One code path for all families of vision-language models: train, save, load, describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import tiny
from hazardscribe.describing.describer import Describer
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.parts import image_token_id, modules_of, parameters_by_part
from hazardscribe.model.prompting import IGNORED, Prompter
from hazardscribe.model.sequences import first_sequence
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.train import train


def batch_of(prompter: Prompter) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    shapes = [(48, 64), (64, 40)]
    photos = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    return prompter.training_batch(photos, ["一名工人", "消防通道被杂物堵塞"], 64)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_round_of_training_ends_in_a_model_that_describes(
    family, family_folder, pairs, photos, tmp_path
):
    recipe = Recipe(start=str(family_folder(family)), steps=2, batch_size=4, max_text_tokens=12)
    run = train(pairs, recipe, tmp_path / "run")
    assert run.status == "finished"
    assert {"cider_d", "rouge_l", "step"} <= run.metrics.keys()

    before, after = load_checkpoint(family_folder(family)), load_checkpoint(run.model)
    assert type(after.vlm) is type(before.vlm)
    old, new = (parameters_by_part(checkpoint.vlm) for checkpoint in (before, after))
    for part in old:
        assert any(not torch.equal(old[part][name], new[part][name]) for name in old[part]), part
    assert (run.model / "alignment_head.safetensors").is_file()

    describer = Describer(run.model, max_new_tokens=8)
    described = describer(photos[:3])
    assert all(0 <= description.confidence <= 1 for description in described)
    # The batch's padding must not leak into a photo's description.
    assert described[1].text == describer(photos[1]).text


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_our_single_pass_gives_the_ordinary_logits(family, family_folder):
    loaded = load_checkpoint(family_folder(family))
    vlm = loaded.vlm
    batch = batch_of(Prompter(loaded.processor, vlm, "描述隐患"))
    labels = batch.pop("labels")
    supervised = labels != IGNORED
    with torch.no_grad():
        ordinary = vlm(**batch).logits[supervised]
        sequence = first_sequence(vlm, batch)
        text = {name: value for name, value in batch.items() if not name.startswith("pixel_")}
        ours = vlm(
            **text,
            mm_encoder_outputs={"image": sequence.encoder_output},
            logits_to_keep=supervised,
        ).logits
    torch.testing.assert_close(ours, ordinary, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_tower_runs_once_a_step(family, family_folder):
    loaded = load_checkpoint(family_folder(family))
    from hazardscribe.model.lsa import LsaEncoder
    from hazardscribe.model.text_bank import TextBank
    from hazardscribe.objectives.alignment import AlignmentHead

    bank = TextBank(tiny.TEXTS["zh"], LsaEncoder(tiny.TEXTS["zh"]))
    width = loaded.vlm.get_input_embeddings().weight.shape[1]
    head = AlignmentHead(width, bank.vectors.shape[1])
    module = TrainingModule(loaded.vlm, head, bank, Recipe(start="x")).train()
    calls = []
    tower = modules_of(loaded.vlm, "tower")[0]
    tower.register_forward_hook(lambda *_: calls.append(1))
    batch = batch_of(Prompter(loaded.processor, loaded.vlm, "描述隐患"))
    losses = module(batch | {"bank_indices": torch.tensor([0, 2])})
    sum(losses.values()).backward()
    assert losses.keys() == {"caption", "alignment"}
    assert len(calls) == 1


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_parts_of_a_family_are_told_apart(family, family_folder):
    parts = parameters_by_part(load_checkpoint(family_folder(family)).vlm)
    assert all("vision" in name or "visual" in name for name in parts["tower"])
    assert all("language_model" in n or "text_model" in n or "lm_head" in n for n in parts["llm"])
    assert len(parts["projector"]) >= 1


def test_a_photo_of_another_model_is_noticed(family_folder):
    loaded = load_checkpoint(family_folder("llava"))
    batch = batch_of(Prompter(loaded.processor, loaded.vlm, "描述"))
    image = image_token_id(loaded.vlm.config)
    batch["input_ids"][0, batch["input_ids"][0].tolist().index(image)] = 0
    with pytest.raises(ValueError, match="do not belong together"):
        first_sequence(loaded.vlm, batch)


def test_a_checkpoint_without_end_token_in_its_generation_config_still_ends(
    family_folder, photos, tmp_path
):
    import shutil

    folder = Path(shutil.copytree(family_folder("internvl"), tmp_path / "model"))
    loaded = load_checkpoint(folder)
    loaded.vlm.generation_config.eos_token_id = None
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    assert prompter.stops == [loaded.processor.tokenizer.eos_token_id]
    from hazardscribe.describing.generate import Decoding, generate

    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    [made] = generate(loaded.vlm, prompter, [photo], Decoding(max_new_tokens=4))
    assert 0 <= made.confidences[0] <= 1


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_nearest_photo_is_found_by_the_tower_before_training(family, family_folder, photos):
    from hazardscribe.describing.nearest_photo import TowerFeatures

    describer = Describer(family_folder(family))
    readable, features = TowerFeatures(str(family_folder(family)), describer)(photos[:3])
    assert readable == [0, 1, 2]
    assert features.shape[0] == 3
    assert np.isfinite(features).all()
    # A photo is nearest to itself, whatever stands beside it in the batch.
    _, alone = TowerFeatures(str(family_folder(family)), describer)(photos[1:2])
    assert np.abs(features - alone).sum(1).argmin() == 1
    np.testing.assert_allclose(features[1], alone[0], rtol=1e-3, atol=1e-4)
