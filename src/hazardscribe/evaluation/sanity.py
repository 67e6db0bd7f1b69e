"""Does the model look at the photo at all?

A caption model can score well by writing the same plausible sentence everywhere. Two tests see
through that: scores must fall when predictions are exchanged between photos, and the predictions
must not all be alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hazardscribe.evaluation.cider import CiderD
from hazardscribe.evaluation.tokens import normalise

SHUFFLES = 10


def derangement(count: int, generator: np.random.Generator) -> np.ndarray:
    """A random permutation of 0..count-1 that leaves nothing in its place.

    Sattolo's algorithm (1986): one uniform random cycle through all places.

    Raises:
        ValueError: fewer than two places.
    """
    if count < 2:
        raise ValueError("a derangement needs at least two places")
    order = np.arange(count)
    for i in range(count - 1, 0, -1):
        j = int(generator.integers(i))
        order[i], order[j] = order[j], order[i]
    return order


def shuffle_drops(cider: CiderD, scores: np.ndarray, seed: int) -> np.ndarray:
    """Each photo's CIDEr-D minus its mean CIDEr-D with other photos' predictions.

    Args:
        cider: candidates and references of at least two photos.
        scores: (N,) scores of the candidates in their own places.
        seed: of the `SHUFFLES` derangements.

    Returns:
        (N,) float64; their mean is `shuffle_drop`.
    """
    generator = np.random.default_rng(seed)
    other = np.zeros_like(scores)
    for _ in range(SHUFFLES):
        other += cider.scores(derangement(len(scores), generator))
    drops = scores - other / SHUFFLES
    # Equal predictions drop by exactly nothing; rounding must not make that look like evidence.
    return np.where(np.abs(drops) < 1e-9, 0.0, drops)


def collapse_warning(predictions: Sequence[str], language: str = "en") -> str | None:
    """Plain words when the predictions are empty or hardly differ; None when they look alive.

    Cheap enough to be called at every evaluation during training. Silent below ten predictions.

    Args:
        predictions: descriptions of different photos.
        language: of the warning, "en" or "zh".
    """
    texts = [normalise(text) for text in predictions]
    count, zh = len(texts), language == "zh"
    if count < 10:
        return None
    (top, times), *_ = Counter(texts).most_common(1)
    distinct = len(set(texts))
    if not top and times >= count / 2:
        return (
            f"{count} 条描述中有 {times} 条为空：模型不再输出文字。"
            if zh
            else f"{times} of {count} descriptions are empty: the model has stopped writing."
        )
    if times >= count / 2:
        quoted = top if len(top) <= 60 else top[:59] + "…"
        return (
            f"{count} 张照片中有 {times} 张得到相同的描述（“{quoted}”）：模型几乎没有看照片。"
            if zh
            else f"{times} of {count} photos got the same description ({quoted!r}): "
            "the model hardly looks at the photos."
        )
    if distinct < max(3, count // 50):
        return (
            f"{count} 张照片只有 {distinct} 种描述：模型几乎没有看照片。"
            if zh
            else f"Only {distinct} different descriptions for {count} photos: "
            "the model hardly looks at the photos."
        )
    return None
