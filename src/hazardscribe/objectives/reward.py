"""Rewards of generated descriptions, on texts that are already tokens or sets.

The caption likelihood asks how probable the written words are; a reward asks how good the model's
own words are, as a whole sentence. With G descriptions y_1..y_G drawn for photo x from the model
p, and p_0 the model that the likelihood left, each is worth

    R(y) = sum_k w_k r_k(y) - v_l length_excess(y) - v_r repetition_excess(y)

    rloo:  A_i = R'(y_i) - mean_{j != i} R'(y_j),   R'(y) = R(y) - beta log(p(y|x) / p_0(y|x))
    grpo:  A_i = (R(y_i) - mean_j R(y_j)) / std_j R(y_j),   beta KL(p || p_0) beside the loss

    gradient = E[ A_i d log p(y_i | x) ]

(leave-one-out: Ahmadian et al. 2024, arXiv 2402.14740, after Kool et al. 2019; group-relative: Shao
et al. 2024, arXiv 2402.03300; a sentence score as the reward of a captioner: Rennie et al. 2017,
"Self-critical sequence training"). log p(y|x) counts the end token, so stopping is learned too.
Advantages and KL are TRL's, CIDEr-D is `hazardscribe.evaluation.cider.CiderD` divided by ten,
text similarity the text bank's centred cosine. This file holds element F1 and the two guards, all
of them within 0..1.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence


def element_f1(said: Collection[str], true: Collection[str]) -> float:
    """F1 of the elements one description names: 2 |S n T| / (|S| + |T|).

    Where neither names any it is 1: saying of a safe photo that it is safe is right.
    """
    if not said and not true:
        return 1.0
    return 2 * len(set(said) & set(true)) / (len(set(said)) + len(set(true)))


def length_excess(length: int, shortest: int, longest: int) -> float:
    """By how much a text of `length` tokens lies outside what people write, at most 1.

    e = min(1, max(0, l - longest) / longest + max(0, shortest - l) / shortest)
    """
    over = max(0, length - longest) / max(1, longest)
    under = max(0, shortest - length) / max(1, shortest)
    return min(1.0, over + under)


def repeated_share(tokens: Sequence[Hashable], order: int = 3) -> float:
    """Share of a text's n-grams that repeat an earlier one: 1 - distinct / all; 0 without any."""
    ngrams = [tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1)]
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def repetition_excess(
    tokens: Sequence[Hashable], references: Sequence[Sequence[Hashable]]
) -> float:
    """Repeated share beyond that of the most repetitive written description of the photo, 0..1.

        e = max(0, share(y) - max_j share(s_j))

    A written text that lists two like hazards repeats itself too, and must not cost anything.
    """
    allowed = max((repeated_share(reference) for reference in references), default=0.0)
    return max(0.0, repeated_share(tokens) - allowed)
