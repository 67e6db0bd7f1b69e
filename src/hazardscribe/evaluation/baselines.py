"""What a model must beat: answers that need no model, scored in the same way.

* `most_frequent`: the most frequent training description for every photo.
* `always_hazard`: the most frequent training description *of a hazard* for every photo; it scores
  well in hazard F1, which is why that is never shown alone.
* `nearest`: the description of the training photo whose features are nearest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hazardscribe.errors import InputError
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.tokens import normalise

BASELINES = ("most_frequent", "always_hazard", "nearest")


def most_frequent(texts: Sequence[str]) -> str | None:
    """The most frequent text after normalisation, the first of equals; None without texts."""
    counts = Counter(text for text in map(normalise, texts) if text)
    return counts.most_common(1)[0][0] if counts else None


def hazard_texts(
    texts: Sequence[str], hazards: Sequence[bool | None] | None, rules: Rules
) -> list[str]:
    """The training descriptions of photos with a hazard; by rule where `hazards` does not say."""
    known: Sequence[bool | None] = [None] * len(texts) if hazards is None else hazards
    if len(known) != len(texts):
        raise InputError(
            f"{len(texts)} training texts but {len(known)} hazard values: give one for each text"
        )
    return [
        text
        for text, hazard in zip(texts, known, strict=True)
        if (rules.hazard(text) if hazard is None else hazard)
    ]


def nearest_texts(
    train_features: np.ndarray,
    features: np.ndarray,
    train_texts: Sequence[str],
    own: Sequence[Sequence[int]] | None = None,
) -> list[str]:
    """Descriptions of the nearest training photos by cosine; the first of equally near ones.

    Args:
        train_features: (T, d) features of the training photos.
        features: (N, d) features of the photos to describe.
        train_texts: T descriptions.
        own: for each photo, the places of training photos that are this very photo; they are
            passed over, unless there are no others.

    Returns:
        N descriptions.

    Raises:
        InputError: shapes do not fit, or there is no training photo.
    """
    ours = np.asarray(features, dtype=np.float32)
    theirs = np.asarray(train_features, dtype=np.float32)
    if theirs.ndim != 2 or ours.ndim != 2 or ours.shape[1] != theirs.shape[1]:
        raise InputError(
            f"features of shape {ours.shape} cannot be compared with training features of shape "
            f"{theirs.shape}: both must be (photos, same width)"
        )
    if len(theirs) != len(train_texts) or not len(theirs):
        raise InputError(
            f"{len(theirs)} training features but {len(train_texts)} training texts: "
            "give one text for each, and at least one"
        )
    theirs = unit(theirs)
    found: list[str] = []
    for start in range(0, len(ours), 1024):  # a block of similarities, not all of them
        likeness = unit(ours[start : start + 1024]) @ theirs.T
        for row, places in zip(likeness, own[start:] if own is not None else [], strict=False):
            row[list(places)] = -np.inf
        near = likeness.argmax(axis=1)
        found.extend(train_texts[i] for i in near)
    return found


def unit(rows: np.ndarray) -> np.ndarray:
    """`(N, d)` rows scaled to length one; a zero row stays zero."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0)
    return scaled
