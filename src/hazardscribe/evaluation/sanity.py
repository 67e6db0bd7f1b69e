"""Does the model look at the photo at all?

A caption model can score well by writing the same plausible sentence everywhere. Two tests see
through that: scores must fall when predictions are exchanged between photos, and the predictions
must not all be alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hazardscribe.evaluation.cider import CiderD, Weights
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


def shuffle_drops(cider: CiderD, candidates: Weights, scores: np.ndarray, seed: int) -> np.ndarray:
    """Each photo's CIDEr-D minus its mean CIDEr-D with other photos' predictions.

    Args:
        cider: the references of at least two photos. candidates: one for each.
        scores: (N,) scores of the candidates in their own places.
        seed: of the `SHUFFLES` derangements.

    Returns:
        (N,) float64; their mean is `shuffle_drop`.
    """
    generator = np.random.default_rng(seed)
    other = np.zeros_like(scores)
    for _ in range(SHUFFLES):
        places = np.argsort(derangement(len(scores), generator))  # where each is put
        other[places] += cider.scores(candidates, places)
    drops = scores - other / SHUFFLES
    # Equal predictions drop by exactly nothing; rounding must not make that look like evidence.
    return np.where(np.abs(drops) < 1e-9, 0.0, drops)


def collapse_warning(
    predictions: Sequence[str],
    language: str = "en",
    references: Sequence[Sequence[str]] = (),
    *,
    shuffle_failed: bool = False,
) -> str | None:
    """Plain words when the predictions are empty or hardly differ; None when they look alive.

    Where half the photos are safe under one and the same written text, so may the predictions be:
    they are blamed only as far as they are more alike than what was written, or where the shuffle
    test speaks against them too. A little more alike is told without a conclusion.

    Cheap enough to be called at every evaluation during training. Silent below ten predictions.

    Args:
        predictions: descriptions of different photos.
        language: of the warning, "en" or "zh".
        references: the written texts of each photo; without them any likeness is blamed.
        shuffle_failed: whether predictions fit other photos as well as their own.
    """
    texts = [normalise(text) for text in predictions]
    count, zh = len(texts), language == "zh"
    if count < 10:
        return None
    (top, times), *_ = Counter(texts).most_common(1)
    if not top and times >= count / 2:
        return (
            f"{count} 条描述中有 {times} 条为空：模型不再输出文字。"
            if zh
            else f"{times} of {count} descriptions are empty: the model has stopped writing."
        )
    shared, written = _alike(references)
    blamed = "：模型几乎没有看照片。" if zh else ": the model hardly looks at the photos."
    plain = "。" if zh else "."
    if times >= count / 2 and (shuffle_failed or times > shared):
        # Of the photos that were not all written alike, half got the same text.
        end = blamed if shuffle_failed or times - shared >= (count - shared) / 2 else plain
        quoted = top if len(top) <= 60 else top[:59] + "…"
        return (
            f"{count} 张照片中有 {times} 张得到相同的描述（“{quoted}”）{end}"
            if zh
            else f"{times} of {count} photos got the same description ({quoted!r}){end}"
        )
    distinct = len(set(texts))
    if distinct < max(3, count // 50) and (shuffle_failed or not written or distinct < written):
        end = blamed if shuffle_failed or not written or distinct < written / 2 else plain
        return (
            f"{count} 张照片只有 {distinct} 种描述{end}"
            if zh
            else f"Only {distinct} different descriptions for {count} photos{end}"
        )
    return None


def _alike(references: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many photos share the commonest written text (0 if none do), and how many texts suffice.

    Each photo counts with the one of its texts that most photos share.
    """
    texts = [{normalise(text) for text in group} for group in references]
    times = Counter(text for group in texts for text in group)
    commonest = max(times.values(), default=0)
    chosen = {max(group, key=lambda text: (times[text], text)) for group in texts if group}
    return (commonest if commonest > 1 else 0), len(chosen)
