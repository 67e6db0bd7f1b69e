"""Is a photo unlike all that the model was trained on?

The distance of a photo is one minus the cosine of its k-th nearest training photo (Sun et al.,
"Out-of-distribution detection with deep nearest neighbors", ICML 2022), k = 10, by the trained
tower's mean-pooled output. Measured (`benchmarks/doubt.py`): the tower's own features tell foreign
photos far better than the projected or the aligned ones, which see in anything the nearest hazard.
"""

from __future__ import annotations

import numpy as np

from hazardscribe.evaluation.baselines import unit

NEIGHBOURS = 10


class Novelty:
    """Distances from training photos.

    Args:
        features: `(N, F)` of training photos; of any length, their direction counts.
    """

    def __init__(self, features: np.ndarray) -> None:
        self.references = unit(np.asarray(features, dtype=np.float32))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """`(B, F)` to `(B,)`: 0 is alike, 2 opposite."""
        nearness: np.ndarray = unit(np.asarray(features, dtype=np.float32)) @ self.references.T
        k = min(NEIGHBOURS, nearness.shape[1])
        found: np.ndarray = 1 - np.partition(nearness, -k, axis=1)[:, -k]
        return found
