"""Corpus BLEU from per-photo counts, so that its interval costs no second pass over the texts.

Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002, as
sacrebleu computes it (Post, "A call for clarity in reporting BLEU scores", WMT 2018), without
smoothing and divided by 100. The counts of matched and possible n-grams, and the two lengths, are
sacrebleu's own for each photo; corpus BLEU depends on their sums alone:

    BLEU-n = min(1, exp(1 - r / c)) * (prod_{k<=n} correct_k / total_k)^(1/n)

It is 0 where no n-gram of one of the orders matches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COLUMNS = 10  # correct 1..4, total 1..4, candidate length, closest reference length


def bleu_counts(
    candidates: Sequence[str], references: Sequence[Sequence[str]], tokenize: str
) -> np.ndarray:
    """sacrebleu's counts of each photo.

    Args:
        candidates: N texts.
        references: N lists of at least one text.
        tokenize: name of sacrebleu's tokenizer: "none" for texts already split by spaces, "zh".

    Returns:
        (N, 10) float64, columns as in `COLUMNS`.
    """
    from sacrebleu.metrics.bleu import BLEU

    # effective_order only silences a note about sentence scores: the counts do not depend on it.
    bleu = BLEU(tokenize=tokenize, smooth_method="none", effective_order=True)
    rows = np.zeros((len(candidates), COLUMNS))
    for row, (candidate, group) in enumerate(zip(candidates, references, strict=True)):
        score = bleu.sentence_score(candidate, list(group))
        rows[row] = [*score.counts, *score.totals, score.sys_len, score.ref_len]
    return rows


def bleu_from_counts(sums: np.ndarray, order: int) -> np.ndarray:
    """BLEU-`order` from summed counts.

    Args:
        sums: (..., 10) sums of the columns of `bleu_counts`.
        order: largest n-gram order, 1 to 4.

    Returns:
        (...) float64 in 0..1.
    """
    correct, total = sums[..., :order], sums[..., 4 : 4 + order]
    ours, theirs = sums[..., 8], sums[..., 9]
    precision = np.divide(correct, total, out=np.zeros_like(correct), where=total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(np.log(precision).mean(axis=-1))
        penalty = np.where(ours > 0, np.minimum(1.0, np.exp(1 - theirs / ours)), 0.0)
    return np.asarray(penalty * mean)
