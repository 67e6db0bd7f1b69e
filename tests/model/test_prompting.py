"""Descriptions are plain text, and a processor's size is read as what it means."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import transformers

import tiny
from hazardscribe.errors import InputError
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.model.prompting import IGNORED, Prompter, model_side, refuse_unprompted
from hazardscribe.model.sequences import first_sequence


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_special_tokens_in_a_description_are_plain_text(family, tmp_path):
    loaded = load_checkpoint(tiny.save_family(family, tmp_path / "vlm"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    placeholder, end = prompter.tokenizer.convert_ids_to_tokens(
        [prompter.image_token_id, prompter.end_id]
    )
    texts = [f"消防通道{placeholder}被堵塞", f"a{end}b"]
    photos = [np.zeros((48, 64, 3), dtype=np.uint8)] * 2
    alone = prompter.inputs(photos)["input_ids"][0]
    batch = prompter.training_batch(photos, texts, 128)
    for ids, labels, text in zip(batch["input_ids"], batch["labels"], texts, strict=True):
        target = labels[labels != IGNORED].tolist()
        assert target.count(prompter.end_id) == 1
        assert prompter.tokenizer.decode(target[:-1]) == text
        assert prompter.text_length(text) == len(target)
        image = prompter.image_token_id
        assert (ids == image).sum() == (alone == image).sum() > 0


def test_a_placeholder_that_the_tokenizer_cannot_take_apart_is_refused_with_the_text(tmp_path):
    loaded = load_checkpoint(tiny.save_family(tiny.FAMILIES[0], tmp_path / "vlm"))
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    # Gemma's spare tokens are added ones, but not special.
    prompter.tokenizer.add_tokens(["<unused0>"])
    prompter.image_token_id = prompter.tokenizer.convert_tokens_to_ids("<unused0>")
    with pytest.raises(InputError, match=r"通道<unused0>堵塞.*holds '<unused0>'"):
        prompter.text_length("通道<unused0>堵塞")


@pytest.mark.parametrize(
    ("image_processor", "side"),
    [
        # Qwen2-VL's own settings: pixel counts under the names of edges.
        (
            transformers.Qwen2VLImageProcessor(
                size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280}
            ),
            None,
        ),
        (
            transformers.Qwen2VLImageProcessor(
                size={"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096}
            ),
            None,
        ),
        (transformers.SmolVLMImageProcessor(size={"longest_edge": 2048}), 2048),
        (transformers.CLIPImageProcessor(size={"shortest_edge": 224}), 224),
        (transformers.LlavaImageProcessor(size={"height": 336, "width": 336}), 336),
    ],
    ids=["qwen2_vl", "qwen3_vl", "smolvlm", "clip", "composed"],
)
def test_the_models_side_is_in_pixels(image_processor, side):
    assert model_side(SimpleNamespace(image_processor=image_processor)) == side


def without_template(folder: Path) -> Path:
    for path in folder.glob("chat_template*"):
        path.unlink()
    for path in folder.glob("*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("chat_template", None):
            path.write_text(json.dumps(values), encoding="utf-8")
    return folder


@pytest.mark.parametrize("family", ["llava", "smolvlm", "gemma3"])
def test_a_model_without_a_chat_template_sees_photo_and_prompt(family, tmp_path):
    loaded = load_checkpoint(without_template(tiny.save_family(family, tmp_path / "vlm")))
    assert loaded.processor.chat_template is None
    prompter = Prompter(loaded.processor, loaded.vlm, "描述")
    assert prompter.prompt_text.endswith("描述\n")
    inputs = prompter.inputs([np.zeros((48, 64, 3), dtype=np.uint8)])
    sequence = first_sequence(loaded.vlm, inputs)
    assert sequence.values.shape[1] > 0
    # What is trained so is prompted so by others, too.
    loaded.processor.save_pretrained(tmp_path / "saved")
    again = transformers.AutoProcessor.from_pretrained(tmp_path / "saved")
    assert Prompter(again, loaded.vlm, "描述").prompt_text == prompter.prompt_text


@pytest.mark.parametrize(
    ("model_type", "error"),
    [
        ("paligemma", "reads its prompt in both directions"),
        ("blip", "no placeholder for photos"),
    ],
)
def test_a_model_that_cannot_be_prompted_is_refused(model_type, error):
    config = SimpleNamespace(model_type=model_type)
    processor = SimpleNamespace(image_processor=None, tokenizer=None)
    with pytest.raises(InputError, match=error):
        refuse_unprompted("model", config, processor)
    with pytest.raises(InputError, match="no processor for photos and text"):
        refuse_unprompted("model", config, SimpleNamespace(tokenizer=None))


def test_check_refuses_it_too(start, tmp_path, monkeypatch):
    from hazardscribe.model import prompting
    from hazardscribe.model.fitness import model_findings

    monkeypatch.setattr(prompting, "_TWO_WAY", frozenset({"llava"}))
    with pytest.raises(InputError, match="reads its prompt in both directions"):
        model_findings(start, ["a"], 8)
    bare = without_template(tiny.save_family("smolvlm", tmp_path / "bare"))
    assert model_findings(bare, ["a"], 8) == []
