"""The text bank that a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hazardscribe.files import cache_folder
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.text_encoder import default_pooling, load_text_encoder
from hazardscribe.training.recipe import Recipe


def text_bank(recipe: Recipe, texts: Sequence[str], device: str | torch.device) -> TextBank:
    """The bank of the training texts, and with mirroring of those that it makes of them.

    Args:
        texts: one a training photo.

    Raises:
        InputError: if the recipe's text encoder cannot be loaded.
    """
    options = recipe.alignment
    encoder = load_text_encoder(options.text_encoder, texts, options.prefix, device)
    texts = list(texts)
    if recipe.augmentation.mirror:
        from hazardscribe.training.augment import mirrored_text

        texts += [swapped for text in texts if (swapped := mirrored_text(text)) is not None]
    return TextBank(
        texts,
        encoder,
        pooling=options.pooling or default_pooling(options.text_encoder),
        with_tokens=options.form == "token",
        cache=cache_folder("text-vectors.sqlite"),
    )
