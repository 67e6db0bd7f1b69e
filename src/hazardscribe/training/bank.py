"""The text bank that a recipe asks for, and its making good in older model folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hazardscribe.describing.aligner import load_head
from hazardscribe.errors import InputError
from hazardscribe.files import cache_folder
from hazardscribe.model.bank_file import BANK_FILE, save_bank
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.text_encoder import HubEncoder, default_pooling, load_text_encoder
from hazardscribe.pairs.targets import target_texts
from hazardscribe.training.augment import mirrored_text
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.run import run_of

logger = logging.getLogger(__name__)


def text_bank(recipe: Recipe, texts: Sequence[str], device: str | torch.device) -> TextBank:
    """The bank of the training texts, and with mirroring of those that it makes of them.

    Args:
        texts: one a training photo.

    Raises:
        InputError: if the recipe's text encoder cannot be loaded.
    """
    options = recipe.alignment
    encoder = load_text_encoder(options.text_encoder, texts, options.prefix, device)
    bank = TextBank(
        shown_counts(texts, recipe.augmentation.mirror),
        encoder,
        pooling=options.pooling or default_pooling(options.text_encoder),
        with_tokens=options.form == "token",
        cache=cache_folder("text-vectors.sqlite"),
    )
    if isinstance(encoder, HubEncoder):
        encoder.move("cpu")  # training asks it nothing more, and may need the memory of its GPU
    return bank


def shown_counts(texts: Sequence[str], mirror: float) -> dict[str, float]:
    """How often training shows each text in a pass over the photos, in the mean.

    Args:
        texts: one a training photo. mirror: share of photos shown mirrored.
    """
    counts: dict[str, float] = dict.fromkeys(texts, 0.0)
    for text in texts:
        swapped = mirrored_text(text) if mirror else None
        counts[text] += 1 if swapped is None else 1 - mirror
        if swapped is not None:
            counts[swapped] = counts.get(swapped, 0) + mirror
    return {text: count for text, count in counts.items() if count}


def restore_bank(model: Path, train_rows: Any) -> None:
    """Give a model folder the text bank it lacks, from the recipe in the `run.json` beside it.

    Folders written before banks were kept have an alignment head only. Nothing is done where there
    is a bank, no head, or no recipe.

    Args:
        train_rows: the pairs it was trained on.

    Raises:
        InputError: if the recipe's text encoder cannot be loaded, or gives other vectors than the
            head was made for.
    """
    head = load_head(model)
    if head is None or (model / BANK_FILE).is_file():
        return
    stored = run_of(model).get("recipe")
    if stored is None:
        logger.warning("%s: no run.json beside it says how its text bank was made", model)
        return
    recipe = Recipe.from_dict(stored)
    bank = text_bank(recipe, target_texts(list(train_rows), recipe.target), "cpu")
    if len(bank.mean) != head.project.out_features:
        raise InputError(
            f"{model}: its alignment head was made for texts of {head.project.out_features} "
            f"dimensions, these have {len(bank.mean)}. Name the pairs it was trained on."
        )
    save_bank(model, bank)
