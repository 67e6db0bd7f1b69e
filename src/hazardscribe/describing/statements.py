"""What the aligned encoder holds to be the case, read off the training texts that fit a photo.

The encoder gives each training text j a probability p(j | photo); the rules say what each text
states. With h_j whether it states a hazard and E_j the kinds it names, a description that states
(h, E) has

* support, the weakest of its statements: min over e in E of the sum of p(j) with e in E_j; where it
  names no kind, the sum of p(j) with h_j = h;
* agreement, the probability that it would be acceptable (`evaluation.acceptable`) were one of the
  training texts the truth: the sum of p(j) with h_j = h, E within E_j, and E not empty where E_j is
  not.

The two differ where kinds come together that no training text names together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hazardscribe.evaluation.rules import Rules


class Statements:
    """The statements of C training texts.

    Args:
        texts: the training texts, in the order of the probabilities. rules: how they are read.
    """

    def __init__(self, texts: Sequence[str], rules: Rules) -> None:
        self._rules = rules
        self._names = list(rules.elements_by_name)
        read = [self._read(text) for text in texts]
        self.hazard = np.array([hazard for hazard, _ in read], dtype=bool)
        self.elements = np.array([named for _, named in read], dtype=bool).reshape(
            len(texts), len(self._names)
        )

    def weigh(self, posterior: np.ndarray, text: str) -> tuple[float, float]:
        """Support and agreement of a text, given `(C,)` probabilities of the training texts."""
        hazard, named = self._read(text)
        same = self.hazard == hazard
        shown = self.elements[:, named]
        fits = same & shown.all(1) & (named.any() | ~self.elements.any(1))
        support = (posterior @ shown).min() if named.any() else posterior @ same
        return float(support), float(posterior @ fits)

    def no_hazard(self, posterior: np.ndarray) -> float:
        """Probability of the training texts that state no hazard."""
        return float(posterior @ ~self.hazard)

    def _read(self, text: str) -> tuple[bool, np.ndarray]:
        named = self._rules.elements(text)
        held = np.array([name in named for name in self._names], dtype=bool)
        return self._rules.hazard(text), held
