"""What is trained: frozen, adapted or full, part by part; and the weights that come out of it."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn

from hazardscribe.errors import InputError
from hazardscribe.model.parts import parameters_by_part, part_of
from hazardscribe.training.recipe import Part, Recipe

logger = logging.getLogger(__name__)

_ADAPTER = "default"


def apply_tuning(vlm: nn.Module, recipe: Recipe) -> None:
    """Freeze, adapt or free each part of the model, in place.

    Trained weights are float32 (bfloat16 would round AdamW's updates away); frozen matrices take
    the type their part computes in.

    Raises:
        InputError: if a part to be adapted has no linear layers, or one that is to be treated
            otherwise than the others cannot be told from them.
    """
    tuning = {"tower": recipe.tower, "projector": recipe.projector, "llm": recipe.llm}
    _refuse_unknown(vlm, tuning)
    vlm.requires_grad_(False)
    _add_adapters(vlm, recipe)
    for name, parameter in vlm.named_parameters():
        part = tuning[part_of(name)]
        is_adapter = "lora_" in name
        parameter.requires_grad_(part.tune == "full" or (part.tune == "lora" and is_adapter))
        # Vectors are small, and a batch norm's must have the type of its statistics.
        if not parameter.requires_grad and parameter.ndim >= 2:
            parameter.data = parameter.data.to(getattr(torch, part.compute))


def _refuse_unknown(vlm: nn.Module, tuning: dict[str, Part]) -> None:
    """A recipe for a part that is not found would silently do nothing."""
    found = parameters_by_part(vlm)
    missing = [part for part in found if not found[part]]
    if not missing:
        return
    told = (
        f"start: no {' and no '.join(missing)} was found in this {type(vlm).__name__}, whose "
        "module names hazardscribe does not know; its weights count as another part's"
    )
    if len({part.tune for part in tuning.values()}) > 1:
        raise InputError(
            f"{told}, so that the recipe's {', '.join(missing)} would do nothing. Give tower, "
            "projector and llm the same tune, or take a model of another family."
        )
    logger.warning("%s", told)


def _add_adapters(vlm: nn.Module, recipe: Recipe) -> None:
    parts = [name for name in ("tower", "llm") if getattr(recipe, name).tune == "lora"]
    if not parts:
        return
    from peft import LoraConfig, inject_adapter_in_model

    # Exact names, not patterns: "q_proj" alone would hit the tower when only the LLM is meant.
    targets = [
        name
        for name, module in vlm.named_modules()
        if isinstance(module, nn.Linear) and part_of(name) in parts and "lm_head" not in name
    ]
    reached = {part_of(name) for name in targets}
    for part in parts:
        if part not in reached:
            raise InputError(
                f"recipe: {part}.tune is 'lora', but this {part} has no linear layers for low-rank "
                "adapters. Set it to full or freeze."
            )
    config = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=targets,
    )
    inject_adapter_in_model(config, vlm, adapter_name=_ADAPTER)


def merged_state(vlm: nn.Module) -> dict[str, torch.Tensor] | None:
    """The model's tensors with its adapters merged in, under the names of the plain model.

    The model itself is left as it is: merging and unmerging in place would round its weights and
    break exact resumption. None where there are no adapters.
    """
    from peft.tuners.lora import LoraLayer

    layers: dict[str, Any] = {
        name: module for name, module in vlm.named_modules() if isinstance(module, LoraLayer)
    }
    if not layers:
        return None
    merged = {}
    for name, tensor in vlm.state_dict().items():
        if "lora_" in name:
            continue
        owner, _, leaf = name.rpartition(".base_layer.")
        value = tensor.detach()
        if owner in layers and leaf == "weight":
            delta = layers[owner].get_delta_weight(_ADAPTER)
            # To the CPU: beside the model, a GPU may have no room for all its weights again.
            value = (value.float() + delta.float()).to(value.dtype).cpu()
        merged[name.replace(".base_layer.", ".")] = value
    return merged


def freeze_unreached(module: nn.Module, unreached: list[str]) -> None:
    """Freeze parameters that no loss reaches (blocks past the feature layer, unused heads).

    They would break distributed training and hold optimizer state for nothing.
    """
    for name in unreached:
        module.get_parameter(name).requires_grad_(False)
    if unreached:
        logger.info(
            "%d parameters receive no gradient and are left as they are: %s%s",
            len(unreached),
            ", ".join(unreached[:4]),
            " ..." if len(unreached) > 4 else "",
        )


def find_unreached(module: nn.Module, *batches: dict[str, Any]) -> list[str]:
    """Names of trained parameters that one backward pass over each batch does not reach.

    Statistics and chance are left untouched: the passes run in evaluation mode with their own
    generator state. Activations are recomputed where training does, or less than it needs of memory
    could be too little here.
    """
    was_training = module.training
    module.eval()
    for part in module.modules():
        if getattr(part, "gradient_checkpointing", False):
            part.training = True  # of this one alone: those inside look at their own
    with torch.random.fork_rng():
        for batch in batches:
            sum(module(batch).values()).backward()
    unreached = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    module.zero_grad(set_to_none=True)
    module.train(was_training)
    return unreached
