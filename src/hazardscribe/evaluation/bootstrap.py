"""Intervals: how far a score might lie elsewhere had other photos of the same kind been drawn.

The percentile bootstrap over photos (Efron, "Bootstrap methods: another look at the jackknife",
1979; Efron and Tibshirani, 1993, chapter 13). Every score here is a function of *sums over photos*
of per-photo numbers, so a resample is a vector of how often each photo was drawn, and all resamples
are one matrix product. The same draws serve every score, model and baseline.

A plain share, so many of so many photos, has Wilson's interval instead (JASA 22, 1927): where all
photos agree so do all resamples, and "no false alarm on 8 photos" would look like certainty.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_BLOCK = 8_000_000  # draws held at a time: 64 MB


def resampled_sums(statistics: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums of per-photo statistics under resampling of photos with replacement.

    Args:
        statistics: (N, K) numbers of each photo.
        resamples: how many resamples, R.
        seed: of the draws; equal seeds and N give equal draws.

    Returns:
        (R, K) float64.
    """
    photos = len(statistics)
    generator = np.random.default_rng(seed)
    sums = np.empty((resamples, statistics.shape[1]))
    block = max(1, _BLOCK // max(1, photos))
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        draws = generator.integers(photos, size=(count, photos))
        draws += np.arange(count)[:, None] * photos
        weights = np.bincount(draws.ravel(), minlength=count * photos).reshape(count, photos)
        sums[start : start + count] = weights.astype(np.float64) @ statistics
    return sums


def resampled_columns(
    columns: Mapping[str, np.ndarray], resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """`resampled_sums` of several tables `(N, k)` of the same photos, under the same draws."""
    table = np.concatenate(list(columns.values()), axis=1)
    edges = np.cumsum([values.shape[1] for values in columns.values()])[:-1]
    parts = np.split(resampled_sums(table, resamples, seed), edges, axis=1)
    return dict(zip(columns, parts, strict=True))


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """The central 95 % of resampled values; None where no resample defines the score.

    Resamples in which the score is undefined (NaN: no photo of one kind was drawn) are left out.
    """
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def wilson(hits: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share, hits of n photos; of no photos nothing is known."""
    if not n:
        return 0.0, 1.0
    # Slow to import, and not needed while training.
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    bounds = binomtest(int(hits), n).proportion_ci(method="wilson")
    return float(bounds.low), float(bounds.high)
