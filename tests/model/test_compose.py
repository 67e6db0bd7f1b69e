"""A composed model holds its parts' own weights, sees the whole photo, is plain transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoModelForCausalLM

import tiny
from hazardscribe.checksums import CHECKSUMS
from hazardscribe.errors import InputError
from hazardscribe.model.checkpoint import Card, load_checkpoint, save_checkpoint
from hazardscribe.model.compose import compose
from hazardscribe.model.language_model import load_language_model
from hazardscribe.model.prompting import Prompter, crops
from hazardscribe.model.resize import set_image_size
from hazardscribe.model.sequences import first_sequence
from hazardscribe.model.tower import load_tower

CLASS_TOKEN = {"clip", "clip_dual", "dinov2", "vit"}
LLMS = ("llama", "qwen2", "gemma3")


def composed(
    folder: Path, tower: str = "siglip", llm: str = "llama", *, chat: str = "auto", **of_llm
):
    size = {"timm": 64, "dinov2": 32}.get(tower)
    return compose(
        load_tower(str(tiny.save_tower(tower, folder / "tower")), size),
        load_language_model(str(tiny.save_language_model(llm, folder / "llm", **of_llm))),
        chat=chat,
    )


def saved(folder: Path, vlm, processor) -> Path:
    save_checkpoint(folder / "vlm", vlm, processor, card=Card(prompt="描述"))
    return folder / "vlm"


def same_tensors(part: torch.nn.Module, original: torch.nn.Module) -> None:
    own, wanted = part.state_dict(), original.state_dict()
    assert own.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(own[name], tensor, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("tower", tiny.TOWERS)
def test_the_towers_pretrained_weights_are_in_the_saved_model(tower, tmp_path):
    vlm, processor = composed(tmp_path, tower)
    loaded = load_checkpoint(saved(tmp_path, vlm, processor))
    original = AutoModel.from_pretrained(tmp_path / "tower")
    original = getattr(original, "vision_model", original)
    same_tensors(loaded.vlm.model.vision_tower, original)
    # LLaVA for sequences of patches, FastVLM for maps; a class token is dropped, a patch never.
    if tower == "timm":
        assert loaded.vlm.config.model_type == "fast_vlm"
    else:
        assert loaded.vlm.config.model_type == "llava"
        strategy = loaded.vlm.config.vision_feature_select_strategy
        assert strategy == ("default" if tower in CLASS_TOKEN else "full")


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("llm", LLMS)
def test_the_language_models_pretrained_weights_are_in_the_saved_model(llm, tied, tmp_path):
    # Stored in bfloat16, as most are; trained and saved in float32.
    vlm, processor = composed(tmp_path, llm=llm, tied=tied, spare="<image>", dtype=torch.bfloat16)
    loaded = load_checkpoint(saved(tmp_path, vlm, processor)).vlm
    original = AutoModelForCausalLM.from_pretrained(tmp_path / "llm", dtype=torch.float32)
    same_tensors(loaded.model.language_model, original.model)
    same_tensors(loaded.lm_head, original.lm_head)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    is_tied = loaded.lm_head.weight is loaded.get_input_embeddings().weight
    assert is_tied == tied


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_an_added_placeholder_leaves_the_vocabulary_as_it_was(tied, tmp_path):
    vlm, processor = composed(tmp_path, tied=tied)
    original = AutoModelForCausalLM.from_pretrained(tmp_path / "llm")
    before = original.get_input_embeddings().weight
    loaded = load_checkpoint(saved(tmp_path, vlm, processor))
    after = loaded.vlm.get_input_embeddings().weight
    assert len(after) > len(before) - 1
    assert torch.equal(after[: len(before)], before)
    assert torch.equal(loaded.vlm.lm_head.weight[: len(before)], original.lm_head.weight)
    assert loaded.vlm.config.image_token_id < len(after)


SCALED = [
    ("granite", {"logits_scaling": 4.0, "embedding_multiplier": 3.0, "residual_multiplier": 0.5}),
    ("cohere", {"logit_scale": 0.0625}),
]


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(("llm", "settings"), SCALED)
def test_a_factor_on_the_language_models_logits_is_kept(llm, settings, tied, tmp_path):
    vlm, processor = composed(tmp_path, llm=llm, tied=tied, **settings)
    loaded = load_checkpoint(saved(tmp_path, vlm, processor)).vlm
    original = AutoModelForCausalLM.from_pretrained(tmp_path / "llm")
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        wanted = original(input_ids=ids).logits
        found = loaded(input_ids=ids).logits[..., : wanted.shape[-1]]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    # Others (vLLM) run the language model's own class within, which must not scale once more.
    text_config = loaded.config.text_config
    assert getattr(text_config, "logits_scaling", getattr(text_config, "logit_scale", None)) == 1
    assert not text_config.tie_word_embeddings
    assert not loaded.config.tie_word_embeddings


def test_what_multiplies_word_embeddings_multiplies_photos_alike(tmp_path):
    photo = _photos((32, 32))
    states = []
    for name, multiplier in (("once", 1.0), ("thrice", 3.0)):
        vlm, processor = composed(tmp_path / name, llm="granite", embedding_multiplier=multiplier)
        inputs = Prompter(processor, vlm, "描述").inputs(photo)
        with torch.no_grad():
            words = vlm.model(**inputs, output_hidden_states=True).hidden_states[0]
        states.append(words)
    torch.testing.assert_close(states[1], 3 * states[0])


def test_a_language_model_that_would_not_say_the_same_is_refused(tmp_path):
    with pytest.raises(InputError, match="'gemma2' cannot be composed: it caps or scales"):
        composed(tmp_path, llm="gemma2", final_logit_softcapping=0.01)
    with pytest.raises(InputError, match="'phi' cannot be composed: its output layer has a bias"):
        composed(tmp_path / "phi", llm="phi", tied=False)


@pytest.mark.parametrize("tower", tiny.TOWERS)
def test_every_token_of_the_tower_has_its_placeholder(tower, tmp_path):
    vlm, processor = composed(tmp_path, tower)
    inputs = Prompter(processor, vlm, "描述").inputs(_photos((48, 64), (64, 40)))
    sequence = first_sequence(vlm, inputs)
    patches = 4 if tower == "timm" else 16
    assert sequence.values.shape[:2] == (2, patches)
    assert sequence.mask.all()


def test_siglip_keeps_its_first_patch(tmp_path):
    vlm, processor = composed(tmp_path, "siglip")
    prompter = Prompter(processor, vlm, "描述")
    grey = np.full((32, 32, 3), 128, dtype=np.uint8)
    marked = grey.copy()
    marked[:8, :8] = 255
    with torch.no_grad():
        a, b = (first_sequence(vlm, prompter.inputs([photo])).values[0] for photo in (grey, marked))
    changed = (a - b).abs().sum(-1)
    assert changed.argmax() == 0


def test_the_towers_last_block_is_read(tmp_path):
    vlm, processor = composed(tmp_path, "siglip")
    inputs = Prompter(processor, vlm, "描述").inputs(_photos((32, 32)))
    last = vlm.model.vision_tower.encoder.layers[-1].mlp.fc2
    with torch.no_grad():
        before = first_sequence(vlm, inputs).values
        last.weight.zero_()
        assert not torch.allclose(first_sequence(vlm, inputs).values, before)


@pytest.mark.parametrize("tower", ["siglip", "dinov2", "timm"])
@pytest.mark.parametrize("shape", [(40, 120), (120, 40)], ids=["wide", "tall"])
def test_a_mark_at_the_photos_edge_reaches_the_model(tower, shape, tmp_path):
    _, processor = composed(tmp_path, tower)
    assert not crops(processor)
    height, width = shape
    marked = np.zeros((height, width, 3), dtype=np.uint8)
    edge = (slice(None), slice(-12, None)) if width > height else (slice(-12, None), slice(None))
    marked[edge] = 255
    processed = [
        processor.image_processor(Image.fromarray(photo), return_tensors="pt").pixel_values[0]
        for photo in (np.zeros_like(marked), marked)
    ]
    assert processed[0].shape[-2:] == processed[0].shape[-1:] * 2
    difference = (processed[1] - processed[0]).abs().amax(0)
    assert difference.max() > 0.9 / 0.4
    # Neither squashed: a third of the square is photo.
    assert (difference > 0.1).any(int(width > height)).float().mean() < 0.5


def test_a_cropping_processor_is_recognised(tmp_path):
    from transformers import CLIPImageProcessor

    _, processor = composed(tmp_path)
    processor.image_processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    assert crops(processor)


def test_the_towers_own_normalisation_is_taken(tmp_path):
    _, processor = composed(tmp_path)
    assert list(processor.image_processor.image_mean) == [0.5, 0.4, 0.3]
    assert list(processor.image_processor.image_std) == [0.2, 0.3, 0.4]


def test_an_unused_special_token_serves_as_placeholder(tmp_path):
    vlm, processor = composed(tmp_path, spare="<|image_pad|>")
    assert processor.image_token == "<|image_pad|>"
    assert vlm.config.image_token_id == processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")


def test_the_language_models_chat_template_is_kept(tmp_path):
    vlm, processor = composed(tmp_path, chat="auto")
    text = Prompter(processor, vlm, "描述图片").prompt_text
    assert text == "<|im_start|>user\n<image>描述图片<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(("chat", "template"), [("plain", tiny.CHATML), ("auto", None)])
def test_plain_is_photo_and_prompt_alone(chat, template, tmp_path):
    vlm, processor = composed(tmp_path, chat=chat, template=template)
    assert Prompter(processor, vlm, "描述图片").prompt_text == "<image>描述图片\n"


def test_a_needed_start_token_is_written_once(tmp_path):
    vlm, processor = composed(tmp_path, llm="gemma3", chat="plain")
    ids = Prompter(processor, vlm, "描述").inputs(_photos((32, 32)))["input_ids"][0].tolist()
    assert ids[0] == processor.tokenizer.bos_token_id
    assert ids.count(processor.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("llm", LLMS)
def test_the_generation_config_ends_and_never_writes_image_marks(llm, tmp_path):
    vlm, processor = composed(tmp_path, llm=llm)
    config = load_checkpoint(saved(tmp_path, vlm, processor)).vlm.generation_config
    tokenizer = processor.tokenizer
    assert config.eos_token_id == tokenizer.eos_token_id
    assert config.pad_token_id == tokenizer.pad_token_id
    assert config.do_sample is False
    assert vlm.config.image_token_id in config.suppress_tokens
    if llm == "gemma3":
        mark = tokenizer.convert_tokens_to_ids("<start_of_image>")
        assert mark in config.suppress_tokens


@pytest.mark.parametrize("llm", LLMS)
def test_the_first_sequence_starts_at_the_scale_of_the_word_embeddings(llm, tmp_path):
    vlm, processor = composed(tmp_path, llm=llm)
    inputs = Prompter(processor, vlm, "描述").inputs(_photos((48, 64), (64, 48)))
    with torch.no_grad():
        values = first_sequence(vlm, inputs).values
        words = vlm.get_input_embeddings()(torch.arange(256))
    ratio = values.pow(2).mean().sqrt() / words.pow(2).mean().sqrt()
    assert 0.3 < ratio < 3


_PLAIN_TRANSFORMERS = """
import json, sys
sys.modules["hazardscribe"] = None  # importing it fails, as where it is not installed
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

folder, photo = sys.argv[1:]
torch.set_num_threads(1)
model = AutoModelForImageTextToText.from_pretrained(folder).eval()
processor = AutoProcessor.from_pretrained(folder)
content = [{"type": "image"}, {"type": "text", "text": "描述"}]
text = processor.apply_chat_template(
    [{"role": "user", "content": content}], add_generation_prompt=True
)
inputs = processor(
    images=[Image.open(photo).convert("RGB")], text=[text], return_tensors="pt",
    add_special_tokens=False,
)
with torch.no_grad():
    logits = model(**inputs).logits[0, -1]
new = model.generate(**inputs, max_new_tokens=12)[:, inputs["input_ids"].shape[1]:]
print(json.dumps({
    "logits": logits.tolist(),
    "text": processor.batch_decode(new, skip_special_tokens=True)[0].strip(),
}))
"""


@pytest.mark.parametrize(
    ("tower", "llm"), [("siglip", "llama"), ("dinov2", "gemma3"), ("timm", "qwen2")]
)
def test_plain_transformers_says_the_same_without_this_package(tower, llm, tmp_path, photos):
    from hazardscribe.describing.describer import Describer

    folder = saved(tmp_path, *composed(tmp_path, tower, llm))
    (tmp_path / "plain.py").write_text(_PLAIN_TRANSFORMERS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "plain.py", folder, photos[0]],
        capture_output=True,
        check=True,
        encoding="utf-8",
        cwd=tmp_path,
    )
    plain = json.loads(done.stdout)
    describer = Describer(folder, max_new_tokens=12)
    inputs = describer.prompter.inputs([describer.pixels(photos[0])])
    with torch.no_grad():
        logits = describer.vlm(**inputs).logits[0, -1]
    # Ours sums in another order: model/attention.py, describing/packed.py.
    assert plain["logits"] == pytest.approx(logits.tolist(), rel=1e-4, abs=1e-5)
    assert plain["text"] == describer(photos[0]).text


@pytest.mark.parametrize("load", [load_tower, load_language_model, load_checkpoint])
def test_pickled_weights_and_foreign_code_are_never_loaded(load, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError, match="Pickled weights are not loaded"):
        load(str(folder))
    (folder / "config.json").write_text('{"model_type": "x", "auto_map": {"AutoModel": "m.M"}}')
    with pytest.raises(InputError, match="custom code"):
        load(str(folder))
    with pytest.raises(InputError, match="no such model folder"):
        load(str(tmp_path / "missing"))
    with pytest.raises(InputError, match="no such name in the local Hugging Face cache"):
        load("nobody/no-such-model")


def test_weights_that_begin_as_a_pickle_does_are_no_pickle_for_that(start, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    weights = shutil.copytree(start, tmp_path / "model") / "model.safetensors"
    (weights.parent / CHECKSUMS).unlink()
    tensors = load_file(weights)
    # A file begins with the length of its header, whose last byte comes first.
    for padding in range(256):
        save_file(tensors, weights, metadata={"format": "pt", "padding": "x" * padding})
        if weights.read_bytes()[:1] == b"\x80":
            break
    assert weights.read_bytes()[:1] == b"\x80"
    load_checkpoint(weights.parent)


def test_a_damaged_model_folder_is_an_input_error(start, tmp_path):
    import shutil

    folder = tmp_path / "damaged"
    shutil.copytree(start, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(InputError, match="is no safetensors file"):
        load_checkpoint(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        load_checkpoint(folder)


def test_the_input_size_of_a_flexible_tower_can_be_changed(tmp_path):
    vlm, processor = composed(tmp_path, "timm")
    set_image_size(vlm, processor, 128)
    folder = saved(tmp_path, vlm, processor)
    loaded = load_checkpoint(folder)
    inputs = Prompter(loaded.processor, loaded.vlm, "描述").inputs(_photos((48, 64)))
    assert inputs["pixel_values"].shape[-2:] == (128, 128)
    sequence = first_sequence(loaded.vlm, inputs)
    assert sequence.values.shape[1] == 16
    with pytest.raises(InputError, match="take 96 or 128"):
        set_image_size(vlm, processor, 100)
    with pytest.raises(InputError, match=r"take 32\."):
        set_image_size(vlm, processor, 20)
    with pytest.raises(InputError, match="keeps its own input size"):
        set_image_size(*composed(tmp_path / "other"), 64)


def _photos(*shapes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
