"""Visual towers that a vision-language model can be composed of, and what is known of each."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hazardscribe.errors import InputError, missing_package
from hazardscribe.model.folders import LOADING, UNLOADABLE, WEIGHTS, reason, refuse_unusable

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
    return _vit(path, model, config, image_size, mean, std)


def _vit(
    path: str,
    model: nn.Module,
    config: Any,
    image_size: int | None,
    mean: list[float],
    std: list[float],
) -> Tower:
    """A tower whose input is cut into square patches, a token each."""
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
            f"Take {size // config.patch_size * config.patch_size or config.patch_size}."
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
