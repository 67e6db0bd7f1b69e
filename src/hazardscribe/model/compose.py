"""Compose a vision-language model from a visual tower and a causal language model.

The result is a plain Hugging Face checkpoint: `LlavaForConditionalGeneration` for ViT-like towers,
`FastVlmForConditionalGeneration` for convolutional ones. No class of ours is saved, so plain
`transformers` loads it where this package is not installed.
"""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hazardscribe.errors import InputError, missing_package
from hazardscribe.model.folders import (
    LOADING,
    UNLOADABLE,
    WEIGHTS,
    reason,
    refuse_unusable,
)
from hazardscribe.model.generation import plain_settings
from hazardscribe.model.length import LONGEST
from hazardscribe.model.placeholder import chat_template_for, choose_image_token

logger = logging.getLogger(__name__)

# Towers that LlavaConfig accepts, and whether their first token is a class token to be dropped.
_VIT_CLASS_TOKEN = {
    "siglip_vision_model": False,
    "clip_vision_model": True,
    "vit": True,
    "dinov2": True,
}
# Of those, the ones that interpolate their position embeddings to any image size by themselves.
_ANY_SIZE = {"dinov2"}
_PROBED = 20  # words for which composed and original are compared
_IMAGENET_MEAN, _IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass(frozen=True, slots=True)
class Tower:
    """A visual tower ready to be put into a vision-language model.

    Attributes:
        model: the network, weights loaded, float32.
        config: its configuration, as the composed model's `vision_config`.
        stride: pixels a token covers along one side.
        image_size: side of the square input, pixels.
        mean: channel means of the normalisation, 0..1. std: channel deviations.
        class_token: whether token 0 is a class token, which is dropped.
        convolutional: whether its output is `(B, C, H, W)`.
    """

    model: nn.Module
    config: Any
    stride: int
    image_size: int
    mean: list[float]
    std: list[float]
    class_token: bool
    convolutional: bool


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A causal language model (float32) with its tokenizer."""

    model: Any
    tokenizer: Any


def load_tower(path: str, image_size: int | None = None) -> Tower:
    """Load a ViT-like tower (SigLIP, SigLIP 2, CLIP, DINOv2, ViT) or a convolutional timm backbone.

    Args:
        path: model folder or cached name; `timm:NAME` takes a backbone from timm itself.
        image_size: side of the square input in pixels; default: the tower's own.

    Raises:
        InputError: if it cannot be loaded, is no tower that can be composed, or the size does not
            fit it.
    """
    from transformers import AutoConfig, AutoModel

    if path.startswith("timm:"):
        return _timm_tower(path.removeprefix("timm:"), image_size)
    refuse_unusable(path)
    try:
        config = AutoConfig.from_pretrained(path, **LOADING)
        model = AutoModel.from_pretrained(path, dtype=torch.float32, **WEIGHTS)
    except (*UNLOADABLE, TypeError) as error:  # of timm: arguments that it has twice or not at all
        raise InputError(
            f"--vision {path}: could not be loaded: {reason(error)}\n"
            "Name a folder in Hugging Face format (config.json and *.safetensors), `timm:NAME`, "
            "or `scratch`."
        ) from error
    # A dual encoder (SigLIP, CLIP) holds the tower beside a text model.
    if hasattr(model, "vision_model"):
        model, config = model.vision_model, getattr(config, "vision_config", config)
    # A folder in timm's own format states size and normalisation in its config, and nowhere else.
    stated = getattr(config, "pretrained_cfg", None) or {}
    if "mean" in stated and "std" in stated:
        mean, std = list(stated["mean"]), list(stated["std"])
    else:
        mean, std = _normalisation(path)
    if config.model_type == "timm_wrapper":
        return _convolutional(model, config, image_size, mean, std)
    if config.model_type == "siglip2_vision_model":
        raise InputError(
            f"--vision {path}: this SigLIP 2 is of the variable-resolution (NaFlex) kind, which "
            "cannot be composed. Take a fixed-resolution SigLIP 2 checkpoint."
        )
    if config.model_type not in _VIT_CLASS_TOKEN:
        raise InputError(
            f"--vision {path}: a tower of type {config.model_type!r} cannot be composed. "
            f"Supported: {', '.join(_VIT_CLASS_TOKEN)}, and convolutional timm backbones "
            "(timm_wrapper)."
        )
    own_size = int(config.image_size)
    size = image_size or (own_size if config.model_type not in _ANY_SIZE else _near_224(config))
    if size != own_size and config.model_type not in _ANY_SIZE:
        raise InputError(
            f"--image_size {size}: the tower at {path} works at {own_size} pixels only. "
            f"Leave the option out, or take a tower trained at {size}."
        )
    if size % config.patch_size:
        raise InputError(
            f"--image_size {size} is no multiple of the tower's patch size {config.patch_size}. "
            f"Take {size // config.patch_size * config.patch_size}."
        )
    return Tower(
        model,
        config,
        stride=int(config.patch_size),
        image_size=size,
        mean=mean,
        std=std,
        class_token=_VIT_CLASS_TOKEN[config.model_type],
        convolutional=False,
    )


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
        raise _uncomposable(model, "its layout is an older one")
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise _uncomposable(model, "its output layer has a bias, for which there is no place")
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


def compose(tower: Tower, llm: LanguageModel, *, chat: str = "auto") -> tuple[Any, Any]:
    """Put tower and language model together.

    The projector is new; its last layer is scaled so that the first sequence starts with the root
    mean square of the language model's own token embeddings, on pictures of smooth noise.

    Args:
        tower: see `load_tower`.
        llm: see `load_language_model`.
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
        raise _uncomposable(llm.model, "its weights are laid out otherwise") from error
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
        raise _uncomposable(
            llm.model, "it caps or scales its logits after its output layer, which would be lost"
        )


def _uncomposable(model: Any, why: str) -> InputError:
    return InputError(
        f"--llm {model.name_or_path}: a language model of type {model.config.model_type!r} cannot "
        f"be composed: {why}. Name one like Qwen3, Llama or SmolLM2, or `scratch`."
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


def _convolutional(
    model: nn.Module, config: Any, image_size: int | None, mean: list[float], std: list[float]
) -> Tower:
    """A timm backbone; its stride and width are measured by running it."""
    stated = getattr(config, "pretrained_cfg", None) or {}
    own_size = getattr(config, "image_size", None) or stated.get("input_size", [224])[-1]
    size = image_size or int(own_size)
    with torch.no_grad():
        output = model.eval()(torch.zeros(1, 3, size, size)).last_hidden_state
    if output.ndim != 4 or output.shape[2] != output.shape[3]:
        raise InputError(
            f"--vision {config.architecture}: its output has shape {tuple(output.shape)}, not "
            "(1, channels, height, width). Take a convolutional timm backbone, or a ViT in "
            "Hugging Face format (SigLIP, CLIP, DINOv2, ViT)."
        )
    stride = size // output.shape[2]
    if size % output.shape[2]:
        stride = 2 ** round(math.log2(size / output.shape[2]))  # as of nearly all such networks
        raise InputError(
            f"--image_size {size} is no multiple of the backbone's stride {stride}: "
            f"take {size // stride * stride}."
        )
    config.hidden_size = int(output.shape[1])
    # With a pretrained_cfg AutoImageProcessor would ignore the saved preprocessor_config.json.
    if hasattr(config, "pretrained_cfg"):
        del config.pretrained_cfg
    return Tower(model, config, stride, size, mean, std, class_token=False, convolutional=True)


def _timm_tower(name: str, image_size: int | None) -> Tower:
    try:
        import timm
        from timm.data.config import resolve_model_data_config
    except ImportError as error:
        raise InputError(f"--vision timm:{name}: {missing_package('timm', 'timm')}") from error
    from transformers import TimmWrapperConfig, TimmWrapperModel

    try:
        backbone = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # timm and the hub client raise many kinds here
        raise InputError(
            f"--vision timm:{name}: could not be made: {reason(error)}\n"
            "Check the name with timm.list_models(pretrained=True); where no hub can be reached, "
            "name a local folder."
        ) from error
    data = resolve_model_data_config(backbone)
    config = TimmWrapperConfig(architecture=name, do_pooling=False)
    config.image_size = data["input_size"][-1]
    wrapper = TimmWrapperModel(config)
    wrapper.timm_model.load_state_dict(backbone.state_dict())
    return _convolutional(wrapper, config, image_size, list(data["mean"]), list(data["std"]))


def _normalisation(path: str) -> tuple[list[float], list[float]]:
    """The mean and deviation that the tower was trained with, from its processor file."""
    from transformers import AutoImageProcessor

    try:
        processor = AutoImageProcessor.from_pretrained(path, **LOADING)
        return list(processor.image_mean), list(processor.image_std)
    except (OSError, ValueError, AttributeError, TypeError):
        logger.warning("%s has no image processor: ImageNet's mean and deviation are taken", path)
        return _IMAGENET_MEAN, _IMAGENET_STD


def _near_224(config: Any) -> int:
    """DINOv2 is stored at 518 pixels (1369 tokens): too many for a start; take about 224."""
    return 224 // int(config.patch_size) * int(config.patch_size)
