"""CIDEr-D on whole sets at once: the shuffle test and the baselines score thousands of pairs.

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

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from hazardscribe.evaluation.tokens import Tokens, encode

ORDERS = 4
SIGMA = 6.0

_Weights = tuple[dict[tuple[str, ...], float], float]  # of n-grams, and their norm


def ngram_counts(texts: Sequence[Sequence[int]], order: int) -> sp.csr_array:
    """Counts of the n-grams of one order.

    Args:
        texts: token ids of each text.
        order: n, at least 1.

    Returns:
        (texts, distinct n-grams) sparse counts, float64.
    """
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    tokens = np.fromiter(
        (token for text in texts for token in text), dtype=np.int64, count=int(lengths.sum())
    )
    rows = np.repeat(np.arange(len(texts)), lengths)
    left = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    remaining = np.repeat(lengths, lengths) - left
    size = int(tokens.max(initial=0)) + 1
    # An n-gram's id is made of its first n - 1 tokens' id and its last token, so that no tuple is
    # ever built; starts whose n-gram would run past the end of the text are dropped.
    ids, starts = tokens, np.arange(len(tokens))
    for shift in range(1, order):
        keep = remaining[starts] > shift
        starts, ids = starts[keep], ids[keep]
        ids = np.unique(ids, return_inverse=True)[1] * size + tokens[starts + shift]
    distinct, columns = np.unique(ids, return_inverse=True)
    matrix = sp.coo_array(
        (np.ones(len(ids)), (rows[starts], columns)), shape=(len(texts), max(1, len(distinct)))
    )
    return sp.csr_array(matrix)  # sums duplicates


class CiderD:
    """Weights of all candidates and references; scores any assignment of candidates to photos.

    Args:
        candidates: N token lists, one a photo.
        references: N lists of at least one token list.
    """

    def __init__(
        self, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
    ) -> None:
        if len(candidates) != len(references):
            raise ValueError("candidates and references differ in length")
        vocabulary: dict[str, int] = {}
        flat = [reference for group in references for reference in group]
        texts = encode([*candidates, *flat], vocabulary)
        count = len(candidates)
        self._group = np.repeat(np.arange(count), [len(group) for group in references])
        self._per_photo = np.bincount(self._group, minlength=count)
        bigrams = np.array([max(0, len(text) - 1) for text in texts], dtype=np.float64)
        self._candidate_length, self._reference_length = bigrams[:count], bigrams[count:]
        self._weights: list[tuple[sp.csr_array, sp.csr_array]] = []
        self.informative = False
        for order in range(1, ORDERS + 1):
            counts = ngram_counts(texts, order)
            references_only = sp.coo_array(counts[count:])
            seen = sp.csr_array(
                (
                    np.ones(references_only.nnz),
                    (self._group[references_only.row], references_only.col),
                ),
                shape=(count, counts.shape[1]),
            )
            frequency = np.bincount(seen.indices, minlength=counts.shape[1])
            weight = np.log(float(max(1, count))) - np.log(np.maximum(1.0, frequency))
            self.informative |= bool((weight[frequency > 0] > 0).any())
            weighted = sp.csr_array(counts.multiply(weight[None, :]))
            norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
            unit = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
            self._weights.append((weighted, unit))

    def scores(self, order: np.ndarray | None = None) -> np.ndarray:
        """CIDEr-D of each photo, on the scale 0 to 10.

        Args:
            order: (N,) candidate given to each photo; each its own by default.

        Returns:
            (N,) float64.
        """
        count = len(self._per_photo)
        order = np.arange(count) if order is None else order
        candidate = order[self._group]  # one pair per reference
        total = np.zeros(len(self._group))
        for weighted, unit in self._weights:
            ours, theirs = weighted[candidate], weighted[count:]
            shared = np.asarray(ours.minimum(theirs).multiply(theirs).sum(axis=1)).ravel()
            total += shared * unit[candidate] * unit[count:]
        gap = self._candidate_length[candidate] - self._reference_length
        total *= np.exp(-(gap**2) / (2 * SIGMA**2))
        summed = np.bincount(self._group, weights=total, minlength=count)
        return 10.0 / ORDERS * summed / self._per_photo


def cider_d(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> np.ndarray:
    """CIDEr-D of each photo (N,); document frequencies come from `references`."""
    return CiderD(candidates, references).scores()


class FixedCiderD:
    """Scores single candidates against photos whose references, and frequencies, are fixed.

    `CiderD` scores whole sets in which each photo has one candidate. Where candidates come in small
    batches, many a photo, as in training by reward, the document frequencies must not depend on the
    batch: here they are those of `references`, once and for all.

    Args:
        references: N lists of at least one token list.

    Attributes:
        informative: False where nothing tells the photos apart, so that every score is 0.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        frequencies: Counter[tuple[str, ...]] = Counter()
        for group in references:
            frequencies.update({ngram for text in group for ngram in _ngrams(text)})
        self._log_photos = math.log(max(1, len(references)))
        self._log_frequency = {ngram: math.log(count) for ngram, count in frequencies.items()}
        self.informative = any(count < len(references) for count in frequencies.values())
        self._references = [[self._vectors(text) for text in group] for group in references]
        self._lengths = [[max(0, len(text) - 1) for text in group] for group in references]

    def score(self, candidate: Tokens, photo: int) -> float:
        """CIDEr-D of one candidate against the references of one photo, on the scale 0 to 10."""
        ours, length = self._vectors(candidate), max(0, len(candidate) - 1)
        total = 0.0
        for theirs, their_length in zip(self._references[photo], self._lengths[photo], strict=True):
            alike = sum(_clipped_cosine(a, b) for a, b in zip(ours, theirs, strict=True))
            total += alike * math.exp(-((length - their_length) ** 2) / (2 * SIGMA**2))
        return 10.0 / ORDERS * total / len(self._references[photo])

    def _vectors(self, text: Tokens) -> list[_Weights]:
        """For each order, the weights of the text's n-grams and their norm."""
        weights: list[dict[tuple[str, ...], float]] = [{} for _ in range(ORDERS)]
        for ngram, count in Counter(_ngrams(text)).items():
            rarity = self._log_photos - self._log_frequency.get(ngram, 0.0)
            weights[len(ngram) - 1][ngram] = count * rarity
        return [(held, math.sqrt(sum(w * w for w in held.values()))) for held in weights]


def _clipped_cosine(ours: _Weights, theirs: _Weights) -> float:
    (a, norm_a), (b, norm_b) = ours, theirs
    if not norm_a or not norm_b:
        return 0.0
    shared = sum(min(weight, b.get(ngram, 0.0)) * b.get(ngram, 0.0) for ngram, weight in a.items())
    return shared / (norm_a * norm_b)


def _ngrams(text: Tokens) -> list[tuple[str, ...]]:
    """All n-grams of the orders 1 to ORDERS."""
    return [
        tuple(text[i : i + order])
        for order in range(1, ORDERS + 1)
        for i in range(len(text) - order + 1)
    ]
