"""Memory that a step can do without, while what is learned stays the same."""

from __future__ import annotations

from typing import Any

from hazardscribe.training.recipe import Recipe


def recompute_activations(vlm: Any, recipe: Recipe) -> None:
    """Keep the activations between blocks alone; the backward pass computes the others anew.

    transformers does not reach into timm's towers, which hold most of what a small model's step
    does; they are told here. One whose batch norms move is left alone: each step would move their
    statistics twice.
    """
    vlm.activation_checkpointing_enable({"use_reentrant": False})
    if recipe.tower.tune == "freeze" or recipe.tower_norm == "moving":
        return
    for tower in vlm.modules():
        if hasattr(tower, "timm_model") and tower.supports_gradient_checkpointing:
            tower.timm_model.set_grad_checkpointing()
