"""Compose a vision-language model from a visual tower and a causal language model.

The result is a plain Hugging Face checkpoint: `LlavaForConditionalGeneration` for ViT-like towers,
`FastVlmForConditionalGeneration` for convolutional ones. No class of ours is saved, so plain
`transformers` loads it where this package is not installed.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from hazardscribe.model.generation import LONGEST, plain_settings
from hazardscribe.model.language_model import LanguageModel, uncomposable
from hazardscribe.model.placeholder import chat_template_for, choose_image_token
from hazardscribe.model.tower import Tower

_PROBED = 20  # words for which composed and original are compared


def compose(tower: Tower, llm: LanguageModel, *, chat: str = "auto") -> tuple[Any, Any]:
    """Put tower and language model together.

    The projector is new; its last layer is scaled so that the first sequence starts with the root
    mean square of the language model's own token embeddings, on pictures of smooth noise.

    Args:
        tower: see `tower.load_tower`.
        llm: see `language_model.load_language_model`.
        chat: `auto` keeps the language model's chat template where it has one, `plain` writes the
            photo and the prompt and nothing else (fewer tokens a photo).

    Returns:
        The model (float32) and its processor.

    Raises:
        InputError: if the composed model would not write what the language model does.
    """
    from transformers import LlavaImageProcessor, LlavaProcessor

    token, added = choose_image_token(llm.tokenizer)
    if added:
        llm.model.resize_token_embeddings(len(llm.tokenizer), mean_resizing=False)
    vlm = _assemble(tower, llm, llm.tokenizer.convert_tokens_to_ids(token))
    _refuse_other_logits(vlm, llm)
    _scale_projector(vlm, tower)

    side = {"height": tower.image_size, "width": tower.image_size}
    image_processor = LlavaImageProcessor(
        do_pad=True,  # never crop: a hazard at the edge would disappear while its text remains
        do_center_crop=False,
        size=side,
        crop_size=side,
        image_mean=tower.mean,
        image_std=tower.std,
    )
    processor = LlavaProcessor(
        image_processor=image_processor,
        tokenizer=llm.tokenizer,
        patch_size=tower.stride,
        vision_feature_select_strategy="default" if tower.class_token else "full",
        num_additional_image_tokens=1 if tower.class_token else 0,
        image_token=token,
        chat_template=chat_template_for(llm.tokenizer, token, plain=chat == "plain"),
    )
    return vlm, processor


def _assemble(tower: Tower, llm: LanguageModel, image_token_id: int) -> Any:
    from transformers import (
        FastVlmConfig,
        FastVlmForConditionalGeneration,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    text_config, factor = _with_plain_output(llm.model.config)
    text_config.dtype = torch.float32
    tokens = (tower.image_size // tower.stride) ** 2
    shared: dict[str, Any] = {
        "vision_config": tower.config,
        "text_config": text_config,
        "image_token_index": image_token_id,
        "image_seq_length": tokens,
        "vision_feature_layer": -1,
        "tie_word_embeddings": bool(text_config.tie_word_embeddings),
    }
    vlm: Any
    if tower.convolutional:
        vlm = FastVlmForConditionalGeneration(FastVlmConfig(**shared))
    else:
        shared["vision_feature_select_strategy"] = "default" if tower.class_token else "full"
        vlm = LlavaForConditionalGeneration(LlavaConfig(**shared))
    vlm.model.vision_tower.load_state_dict(tower.model.state_dict())
    head = llm.model.get_output_embeddings().weight.detach()
    try:
        vlm.model.language_model.load_state_dict(llm.model.base_model.state_dict())
        vlm.lm_head.load_state_dict({"weight": head if factor == 1 else head * factor})
    except RuntimeError as error:
        raise uncomposable(llm.model, "its weights are laid out otherwise") from error
    vlm.tie_weights()

    marks = {image_token_id, *_image_marks(llm.tokenizer)}
    vlm.generation_config = plain_settings(
        llm.model.generation_config, llm.tokenizer, marks, max_new_tokens=LONGEST
    )
    return vlm.float().eval()


def _with_plain_output(config: Any) -> tuple[Any, float]:
    """A language model's configuration without a factor on its logits, and that factor.

    The composed classes have an output layer and nothing behind it: the factor goes into its
    weights, which then are no longer those of the word embeddings.
    """
    config, factor = copy.deepcopy(config), 1.0
    # Cohere's multiplies, Granite's divides.
    for name, power in (("logit_scale", 1), ("logits_scaling", -1)):
        if getattr(config, name, None):
            factor *= getattr(config, name) ** power
            setattr(config, name, 1.0)
    config.tie_word_embeddings = bool(config.tie_word_embeddings) and factor == 1
    return config, factor


@torch.no_grad()
def _refuse_other_logits(vlm: Any, llm: LanguageModel) -> None:
    """Compare composed and original on words alone: what lies behind an output layer is lost."""
    vocabulary = int(llm.model.config.vocab_size)
    ids = torch.arange(_PROBED)[None] * (vocabulary // _PROBED)
    ours, theirs = (model(input_ids=ids).logits for model in (vlm, llm.model.eval()))
    if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max())):
        raise uncomposable(
            llm.model, "it caps or scales its logits after its output layer, which would be lost"
        )


def _image_marks(tokenizer: Any) -> list[int]:
    """Ids of image marks that some language models like to emit (Gemma's `<start_of_image>`)."""
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[m] for m in ("<start_of_image>", "<end_of_image>") if m in vocabulary]


@torch.no_grad()
def _scale_projector(vlm: Any, tower: Tower) -> None:
    # Smooth noise looks more like a photo to a tower than white noise does.
    coarse = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    side = (tower.image_size, tower.image_size)
    pixels = nn.functional.interpolate(coarse, size=side, mode="bicubic").clamp(0, 1)
    mean, std = (torch.tensor(v)[:, None, None] for v in (tower.mean, tower.std))
    features = vlm.get_image_features((pixels - mean) / std, return_dict=True).pooler_output
    flat = torch.cat([part.reshape(-1, part.shape[-1]) for part in features])
    vocabulary = torch.arange(0, vlm.config.text_config.vocab_size, 7)
    wanted = vlm.get_input_embeddings()(vocabulary).pow(2).mean().sqrt()
    ratio = wanted / flat.pow(2).mean().sqrt()
    projector = vlm.model.multi_modal_projector.linear_2
    projector.weight *= ratio
    projector.bias *= ratio
