"""Language models that a vision-language model can be composed of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from hazardscribe.errors import InputError
from hazardscribe.model.folders import LOADING, UNLOADABLE, WEIGHTS, reason, refuse_unusable


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A causal language model (float32) with its tokenizer."""

    model: Any
    tokenizer: Any


def load_language_model(path: str) -> LanguageModel:
    """Load a causal language model in float32, with its tokenizer.

    Raises:
        InputError: if it cannot be loaded, or is of a kind that cannot be composed.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    refuse_unusable(path)
    try:
        _refuse_other_kinds(path, AutoConfig.from_pretrained(path, **LOADING))
        # Checkpoints are mostly stored in bfloat16, in which AdamW's updates round away.
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **WEIGHTS)
        tokenizer = AutoTokenizer.from_pretrained(path, **LOADING)
    except InputError:  # a ValueError, and says already what is wrong
        raise
    except UNLOADABLE as error:
        raise InputError(
            f"--llm {path}: could not be loaded: {reason(error)}\n"
            "Name a folder in Hugging Face format (config.json, *.safetensors, tokenizer.json), "
            "or `scratch`."
        ) from error
    # The composed classes tie their output to this table, by its name.
    if model.config.tie_word_embeddings and not hasattr(model.base_model, "embed_tokens"):
        raise uncomposable(model, "its layout is an older one")
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise uncomposable(model, "its output layer has a bias, for which there is no place")
    return LanguageModel(model, tokenizer)


def _refuse_other_kinds(path: str, config: Any) -> None:
    """Text encoders (BERT and its kin) also load as language models, with half of it untrained.

    So do vision-language models, whose language model lies within.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.model_type
    encoder = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    if encoder or kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise InputError(
            f"--llm {path}: type {kind!r} is not a causal language model. Name one that writes "
            "text, such as Qwen3, Llama or SmolLM2, or `scratch`."
        )
    if config.get_text_config() is not config:
        raise InputError(
            f"--llm {path}: type {kind!r} is a vision-language model already. Train it as it is "
            "(`start` of the recipe), or name its text-only version."
        )


def uncomposable(model: Any, why: str) -> InputError:
    """The error that names a language model which would lose something by being composed."""
    return InputError(
        f"--llm {model.name_or_path}: a language model of type {model.config.model_type!r} cannot "
        f"be composed: {why}. Name one like Qwen3, Llama or SmolLM2, or `scratch`."
    )
