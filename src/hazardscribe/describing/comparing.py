"""A model beside the one that it may replace, on photos that are new to both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hazardscribe.describing.describer import Describer
from hazardscribe.errors import InputError
from hazardscribe.model.seen_photos import load_seen
from hazardscribe.pairs.fingerprints import fingerprints


def check_comparable(describer: Describer, against: Describer) -> None:
    """Refuse two models that do not answer the same question.

    Raises:
        InputError: they write different languages, or learned other columns of the pairs.
    """
    for what, ours, theirs in (
        ("language", describer.card.language, against.card.language),
        ("target", describer.card.target, against.card.target),
    ):
        if ours != theirs:
            raise InputError(
                f"--against {against.folder}: its {what} is {theirs!r}, that of the model "
                f"{describer.folder} is {ours!r}, so that their texts cannot be compared. Evaluate "
                "each by itself."
            )


def new_to_both(photos: Sequence[str], describer: Describer, against: Describer) -> set[str]:
    """The photos that neither model knows, as far as the models say what they were trained on.

    Raises:
        InputError: there are none.
    """
    taken = fingerprints(photos, describer.pixels)
    familiar = np.zeros(len(photos), dtype=bool)
    for model in (describer, against):
        if (known := load_seen(model.folder)) is not None:
            familiar |= np.any(known.kinds(taken), axis=0)
    if familiar.all():
        raise InputError(
            f"--against {against.folder}: each of the {len(photos)} photos was in the training of "
            "one of the two models, so that a comparison would tell what they remember. Name pairs "
            "or a --split that neither was trained on."
        )
    return {photo for photo, seen in zip(photos, familiar, strict=True) if not seen}


def model_name(folder: Path) -> str:
    """What a model is called in a report: its folder, or its run's where that is called `model`."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name
