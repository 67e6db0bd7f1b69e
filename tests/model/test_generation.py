"""A checkpoint's sampling habits change neither training, nor describing, nor what is saved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from hazardscribe.describing.describer import Describer
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.train import train

# Settings of published vision-language models. transformers would not write the first ones.
HABITS = [
    {"temperature": 0.1, "top_p": 0.001},
    {"do_sample": True, "temperature": 0.7, "top_k": 20, "repetition_penalty": 5.0},
    {"num_beams": 3, "no_repeat_ngram_size": 1, "min_new_tokens": 7},
]


def with_habits(folder: Path, habits: dict[str, object], to: Path) -> Path:
    copy = Path(shutil.copytree(folder, to))
    path = copy / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | habits))
    return copy


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("habits", HABITS)
@pytest.mark.parametrize("family", ["llava", "smolvlm"])
def test_a_model_of_elsewhere_is_described_with_as_the_options_say(
    family, habits, beams, family_folder, photos, tmp_path
):
    folder = with_habits(family_folder(family), habits, tmp_path / "model")
    plain, habitual = (
        Describer(one, beams=beams, max_new_tokens=8)(photos[:3])
        for one in (family_folder(family), folder)
    )
    assert [one.text for one in habitual] == [one.text for one in plain]
    assert [one.confidence for one in habitual] == pytest.approx([one.confidence for one in plain])


@pytest.mark.parametrize("habits", HABITS)
def test_what_is_trained_from_it_writes_the_same_without_this_package(
    habits, family_folder, pairs, photos, tmp_path
):
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    start = with_habits(family_folder("smolvlm"), habits, tmp_path / "start")
    recipe = Recipe(start=str(start), steps=1, batch_size=4, max_text_tokens=9)
    run = train(pairs, recipe, tmp_path / "run")
    saved = json.loads((run.model / "generation_config.json").read_text())
    assert saved["do_sample"] is False
    assert saved["max_new_tokens"] == 9
    assert not saved.keys() & (habits.keys() - {"do_sample"})

    # As docs/architecture.md prints it.
    model = AutoModelForImageTextToText.from_pretrained(run.model, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(run.model)
    describer = Describer(run.model, calibrated=False)
    inputs = processor(
        images=Image.open(photos[0]).convert("RGB"),
        text=describer.prompter.prompt_text,
        return_tensors="pt",
        add_special_tokens=False,
    )
    new = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
    text = processor.decode(new, skip_special_tokens=True).strip()
    assert text == describer(photos[0]).text


def test_image_marks_that_a_checkpoint_calls_bad_words_are_still_not_written(
    family_folder, tmp_path
):
    habits = {"bad_words_ids": [[7], [8, 9]], "suppress_tokens": [5]}
    folder = with_habits(family_folder("smolvlm"), habits, tmp_path / "model")
    vlm = load_checkpoint(folder).vlm
    assert vlm.generation_config.suppress_tokens == [5, 7, vlm.config.image_token_id]
