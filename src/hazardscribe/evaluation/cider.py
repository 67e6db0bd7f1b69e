"""CIDEr-D of any candidates against photos whose references are fixed.

Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based image description evaluation", CVPR 2015,
with the -D changes of its reference implementation (`pycocoevalcap`): clipped counts, a Gaussian
penalty on the difference in length, and the factor 10. For a candidate c, references s_1..s_m and
n = 1..4,

    CIDEr-D(c, S) = 10 / (4 m) * sum_n sum_j exp(-(l_c - l_j)^2 / (2 sigma^2))
                    * sum_w min(g_w(c), g_w(s_j)) g_w(s_j) / (|g(c)| |g(s_j)|)

where g_w is the count of n-gram w times log(N / max(1, df_w)); df_w is the number of the N photos
of the evaluated set of which at least one reference holds w. The reference implementation takes
the number of bigrams as the length l; so do we.

The score is zero by construction where nothing tells photos apart (one photo, or equal references
everywhere): `CiderD.informative` is False then, and callers report null instead.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from hazardscribe.evaluation.tokens import Tokens

ORDERS = 4
SIGMA = 6.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights g of T texts.

    Attributes:
        values: `(T, W)` sparse, of the n-grams that some reference holds.
        norms: `(T, ORDERS)` |g|, of all n-grams. lengths: `(T,)` l.
    """

    values: sp.csr_array
    norms: np.ndarray
    lengths: np.ndarray


class CiderD:
    """Document frequencies and weights of the references; the candidates come later.

    Args:
        references: N lists of at least one token list, one a photo.

    Attributes:
        informative: False where nothing tells the photos apart, so that every score is 0.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        frequencies: Counter[tuple[str, ...]] = Counter()
        for group in references:
            frequencies.update({ngram for text in group for ngram in _ngrams(tuple(text))})
        self._log_photos = math.log(max(1, len(references)))
        self._columns = {ngram: column for column, ngram in enumerate(frequencies)}
        self._rarity = [self._log_photos - math.log(count) for count in frequencies.values()]
        self.informative = any(count < len(references) for count in frequencies.values())
        orders = [len(ngram) - 1 for ngram in frequencies]
        self._is_order = np.eye(ORDERS)[orders]  # (W, ORDERS)
        self._references = self.weigh([text for group in references for text in group])
        ends = np.cumsum([len(group) for group in references])
        self._rows = np.split(np.arange(ends[-1]), ends[:-1])  # of each photo's references

    def weigh(self, texts: Sequence[Tokens]) -> Weights:
        """The weights of any texts."""
        rows: dict[tuple[str, ...], int] = {}
        own = [rows.setdefault(tuple(text), len(rows)) for text in texts]  # many texts are equal
        places: tuple[list[int], list[int]] = ([], [])
        values: list[float] = []
        squares = np.zeros((len(rows), ORDERS))
        for text, row in rows.items():
            for ngram, count in Counter(_ngrams(text)).items():
                column = self._columns.get(ngram)
                weight = count * (self._log_photos if column is None else self._rarity[column])
                squares[row, len(ngram) - 1] += weight * weight
                if column is not None:
                    places[0].append(row)
                    places[1].append(column)
                    values.append(weight)
        table = sp.csr_array((values, places), shape=(len(rows), len(self._columns)))
        lengths = np.array([max(0, len(text) - 1) for text in rows], dtype=np.float64)
        return Weights(table[own], np.sqrt(squares)[own], lengths[own])

    def scores(self, candidates: Weights, photos: np.ndarray) -> np.ndarray:
        """CIDEr-D of each candidate, on the scale 0 to 10.

        Args:
            candidates: of C texts. photos: (C,) number of the photo that each describes.

        Returns:
            (C,) float64.
        """
        rows = [self._rows[photo] for photo in photos]
        times = np.array([len(of_photo) for of_photo in rows])
        ours, theirs = np.repeat(np.arange(len(rows)), times), np.concatenate(rows)  # the pairs
        clipped = candidates.values[ours].minimum(self._references.values[theirs])
        shared = clipped.multiply(self._references.values[theirs]) @ self._is_order
        norms = candidates.norms[ours] * self._references.norms[theirs]
        cosines = np.divide(shared, norms, out=np.zeros_like(norms), where=norms > 0).sum(axis=1)
        gaps = candidates.lengths[ours] - self._references.lengths[theirs]
        alike = cosines * np.exp(-(gaps**2) / (2 * SIGMA**2))
        summed = np.bincount(ours, alike, minlength=len(rows))
        return np.asarray(10.0 / ORDERS * summed / times)


def cider_d(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> np.ndarray:
    """CIDEr-D of each photo (N,); document frequencies come from `references`."""
    cider = CiderD(references)
    return cider.scores(cider.weigh(candidates), np.arange(len(candidates)))


def _ngrams(text: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All n-grams of the orders 1 to ORDERS."""
    return [
        text[i : i + order] for order in range(1, ORDERS + 1) for i in range(len(text) - order + 1)
    ]
