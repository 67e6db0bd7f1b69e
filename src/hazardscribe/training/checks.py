"""What can be told of a training run before a photo is read: mistakes should cost no waiting."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hazardscribe.describing.device import usable_device
from hazardscribe.errors import InputError
from hazardscribe.evaluation.rules import Rules
from hazardscribe.files import check_writable, recover_folder
from hazardscribe.model.folders import refuse_unusable
from hazardscribe.processes import is_first, processes
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.run import check_folder

# Loggers that people use, with the modules of which one is needed and what to install.
_LOGGERS = {
    "tensorboard": (
        ("tensorboard", "tensorboardX"),
        'pip install ".[log]" in a clone of hazardscribe, or pip install tensorboard',
    ),
    "wandb": (("wandb",), "pip install wandb"),
    "mlflow": (("mlflow",), "pip install mlflow"),
    "swanlab": (("swanlab",), "pip install swanlab"),
    "trackio": (("trackio",), "pip install trackio"),
}


def check_run(recipe: Recipe, out: Path, resume: bool = False) -> None:
    """Check recipe and run folder without pairs and without loading a model.

    Raises:
        InputError: if `start`, `rules`, the text encoder, a logger, the folder or the GPU cannot be
            used.
    """
    if not recipe.start:
        raise InputError(
            "recipe: start is empty. Name a model folder to start from: one that `hazardscribe "
            "init` composed, or any image-text-to-text checkpoint."
        )
    if recipe.rules is not None:
        Rules.load(recipe.rules)
    recover_folder(Path(recipe.start))
    refuse_unusable(recipe.start)
    if recipe.alignment.weight > 0 and recipe.alignment.text_encoder != "lsa":
        refuse_unusable(recipe.alignment.text_encoder)
    if recipe.find_batch_size and processes()[1] > 1:
        raise InputError(
            "recipe: find_batch_size works in one process; with several, lower batch_size and "
            "raise accumulation by hand."
        )
    if processes()[1] == 1:  # several have not shared out the GPUs yet
        usable_device(None)
    if recipe.stage == "reward":
        _check_reward(recipe)
    elif recipe.alignment.later_weight is not None:
        from hazardscribe.training.likelihood import with_first_share

        with_first_share(recipe)
    for name in recipe.report_to:
        _check_logger(name)
    check_folder(out, resume)
    if is_first():
        check_writable(out)


def _check_reward(recipe: Recipe) -> None:
    if not importlib.util.find_spec("trl"):
        raise InputError(
            "recipe: stage: reward needs TRL, which is not installed. Install it: "
            'pip install ".[reward]" in a clone of hazardscribe, or pip install "trl>=1.16".'
        )
    if processes()[1] > 1:
        raise InputError(
            "recipe: stage: reward runs in one process; start it without torchrun or accelerate."
        )
    if recipe.find_batch_size:
        raise InputError(
            "recipe: find_batch_size: the reward stage draws several descriptions a photo and "
            "cannot divide a batch; leave it out and lower batch_size where memory runs out."
        )
    if recipe.image_size:
        raise InputError(
            "recipe: image_size: the reward stage keeps the size that its start was trained with; "
            "leave image_size out."
        )


def _check_logger(name: str) -> None:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    if name in ("none", "all"):
        return
    if name not in INTEGRATION_TO_CALLBACK:
        raise InputError(
            f"recipe: report_to names {name!r}, which transformers does not know; it knows "
            f"{', '.join(sorted(INTEGRATION_TO_CALLBACK))}."
        )
    modules, remedy = _LOGGERS.get(name, ((), ""))
    if modules and not any(importlib.util.find_spec(module) for module in modules):
        raise InputError(f"recipe: report_to: {name} is not installed. Install it: {remedy}.")
