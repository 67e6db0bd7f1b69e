"""ROUGE-L over many pairs at once.

Lin, "ROUGE: A package for automatic evaluation of summaries", 2004, as `pycocoevalcap` computes
it: with P and R the largest precision and recall of the longest common subsequence (LCS) over the
references, and beta = 1.2,

    ROUGE-L = (1 + beta^2) P R / (R + beta^2 P)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hazardscribe.evaluation.tokens import Tokens

BETA = 1.2
_CHUNK = 4096  # pairs a step: keeps the table within some megabytes


def _padded(texts: Sequence[Sequence[int]], fill: int) -> np.ndarray:
    table = np.full((len(texts), max((len(text) for text in texts), default=0)), fill)
    for row, text in enumerate(texts):
        table[row, : len(text)] = text
    return table


def lcs_lengths(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> np.ndarray:
    """Length of the longest common subsequence of each pair of id lists.

    The recurrence L[i, j] = max(L[i-1, j], L[i, j-1], L[i-1, j-1] + [a_i = b_j]) is a running
    maximum along j, so one row of all pairs is computed at a time.

    Returns:
        (pairs,) int64.
    """
    found = np.zeros(len(first), dtype=np.int64)
    for start in range(0, len(first), _CHUNK):
        part = slice(start, start + _CHUNK)
        a, b = _padded(first[part], -1), _padded(second[part], -2)
        row = np.zeros((len(a), b.shape[1] + 1), dtype=np.int64)
        for i in range(a.shape[1]):
            step = row[:, :-1] + (a[:, i : i + 1] == b)
            row[:, 1:] = np.maximum.accumulate(np.maximum(row[:, 1:], step), axis=1)
        found[part] = row[:, -1]
    return found


def rouge_l(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> np.ndarray:
    """ROUGE-L of each photo.

    Args:
        candidates: N token lists.
        references: N lists of at least one token list.

    Returns:
        (N,) float64 in 0..1; 0 for an empty candidate.
    """
    flat = [reference for group in references for reference in group]
    known: dict[str, int] = {}
    ids = [[known.setdefault(token, len(known)) for token in text] for text in (*candidates, *flat)]
    ours, theirs = ids[: len(candidates)], ids[len(candidates) :]
    group = np.repeat(np.arange(len(ours)), [len(refs) for refs in references])
    common = lcs_lengths([ours[i] for i in group], theirs)
    precision, recall = np.zeros(len(ours)), np.zeros(len(ours))
    np.maximum.at(precision, group, common / np.array([max(1, len(ours[i])) for i in group]))
    np.maximum.at(recall, group, common / np.array([max(1, len(text)) for text in theirs]))
    bottom = recall + BETA**2 * precision
    top = (1 + BETA**2) * precision * recall
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
