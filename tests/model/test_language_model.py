"""Which language models can be composed, and what is said of others."""

from __future__ import annotations

import pytest

import tiny
from hazardscribe.errors import InputError
from hazardscribe.model.language_model import load_language_model


def test_a_text_encoder_is_no_language_model(tmp_path):
    import transformers

    tokenizer = tiny.make_tokenizer("<|im_start|>")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(**small, intermediate_size=16, vocab_size=len(tokenizer))
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="type 'bert' is not a causal language model"):
        load_language_model(str(tmp_path / "bert"))
    tower = tiny.save_tower("siglip", tmp_path / "tower")
    with pytest.raises(InputError, match="not a causal language model") as refused:
        load_language_model(str(tower))
    assert len(str(refused.value)) < 400


def test_a_vision_language_model_is_not_composed_again(tmp_path):
    family = tiny.save_family("gemma3", tmp_path / "vlm")
    with pytest.raises(InputError, match="'gemma3' is a vision-language model already"):
        load_language_model(str(family))


def test_a_language_model_of_another_layout_is_refused(tmp_path):
    import transformers

    tokenizer = tiny.make_tokenizer("<|im_start|>")
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, eos_token_id=0
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    with pytest.raises(InputError, match="type 'gpt2' cannot be composed"):
        load_language_model(str(tmp_path / "gpt2"))
