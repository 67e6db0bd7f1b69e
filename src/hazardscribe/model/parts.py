"""The three parts of any vision-language model: tower, projector and language model."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from hazardscribe.errors import InputError

PARTS = ("tower", "projector", "llm")

_LLM = re.compile(r"(^|\.)(language_model|text_model|lm_head)(\.|$)")
_PROJECTOR = re.compile(
    r"(^|\.)(multi_modal_projector|connector|projector|merger|deepstack_merger_list|mm_projector"
    r"|modality_projection|multimodal_projector|aligner|embed_vision|language_projection"
    r"|image_to_text_projection|qformer|query_tokens|visual_embeddings_table)(\.|$)"
)


def part_of(name: str) -> str:
    """Which part a parameter or module belongs to, by its qualified name.

    A SigLIP tower calls its own transformer `vision_model`, and some language models `text_model`;
    the projector's names are looked for before the tower's because mergers live inside the tower.
    """
    if _LLM.search(name):
        return "llm"
    return "projector" if _PROJECTOR.search(name) else "tower"


def parameters_by_part(vlm: nn.Module) -> dict[str, dict[str, nn.Parameter]]:
    """Named parameters of each part; one whose modules bear names that are not known has none."""
    found: dict[str, dict[str, nn.Parameter]] = {part: {} for part in PARTS}
    for name, parameter in vlm.named_parameters():
        found[part_of(name)][name] = parameter
    return found


def modules_of(vlm: nn.Module, part: str) -> list[nn.Module]:
    """All modules, nested ones included, whose parameters lie wholly in one part."""
    return [
        module
        for name, module in vlm.named_modules()
        if name
        and part_of(name) == part
        and all(part_of(f"{name}.{inner}") == part for inner, _ in module.named_parameters())
    ]


def image_token_id(config: Any) -> int:
    """Id of the image placeholder, under whichever of its names the family uses.

    Raises:
        InputError: if the model has none.
    """
    for key in ("image_token_id", "image_token_index"):
        value = getattr(config, key, None)
        if isinstance(value, int):
            return value
    raise InputError(
        f"a model of type {config.model_type!r} has no placeholder for photos among its words (no "
        "image_token_id in config.json). Name one that has, such as Qwen-VL, SmolVLM or LLaVA."
    )
