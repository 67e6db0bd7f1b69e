"""The corpus likelihood of very many texts, from a sample of them.

With `s_j` the scaled similarity of a photo and text `j`, `n_j` the text's count and `N` the sum of
counts, the exact likelihood (`alignment.corpus_nll`) needs `Z = sum_j n_j exp(s_j)`. It is
estimated by importance sampling, a sampled softmax with logQ correction (Bengio & Senecal 2008,
"Adaptive importance sampling to accelerate training of a neural probabilistic language model", eq.
11): `K` texts are drawn with replacement from `q_j = n_j / N`, the photo's own text `y` is always
there, and every drawn one enters with its logit minus `log(K q_j)`:

    Z^ = n_y exp(s_y) + sum_{k: j_k != y} n_{j_k} exp(s_{j_k}) / (K q_{j_k})
       = n_y exp(s_y) + N / K * sum_{k: j_k != y} exp(s_{j_k})

`Z^` is unbiased. The loss is biased downwards, by `Var(Z^) / (2 Z^2)` in first order (Jensen),
which falls as `1 / K`. Near-equal texts share the target's mass among those at hand: `y` with
weight `n_y` and the drawn ones with `N / K` each, a ratio estimate of the exact shares.
"""

from __future__ import annotations

import torch


def draw_texts(cumulative_counts: torch.Tensor, samples: int) -> torch.Tensor:
    """`(K,)` texts drawn with replacement, each as often as it occurs, in `O(K log C)`.

    Args:
        cumulative_counts: `(C,)` real numbers. samples: `K`.
    """
    cumulative = cumulative_counts.double()
    places = torch.rand(samples, dtype=torch.float64, device=cumulative.device) * cumulative[-1]
    return torch.searchsorted(cumulative, places, right=True)


def sampled_corpus_nll(
    photos: torch.Tensor,
    texts: torch.Tensor,
    log_counts: torch.Tensor,
    targets: torch.Tensor,
    scale: torch.Tensor | float,
    drawn: torch.Tensor,
    total: float,
    share_above: float | None = None,
) -> torch.Tensor:
    """Estimate of `alignment.corpus_nll`, which explains the other arguments.

    Args:
        drawn: `(K,)` of `draw_texts`; all photos share them.
        total: `N`, the sum of all counts.
    """
    own = texts[targets]
    candidates = texts[drawn]
    own_logit = scale * (photos * own).sum(-1, keepdim=True)
    logits = torch.cat([own_logit, scale * photos @ candidates.T], 1)
    # A drawn copy of the photo's own text would count it twice.
    again = drawn[None] == targets[:, None]
    own_weight = log_counts[targets][:, None]
    drawn_weight = torch.full_like(logits[:, 1:], total / len(drawn)).log()
    weights = torch.cat([own_weight, drawn_weight.masked_fill(again, float("-inf"))], 1)
    log_z = torch.logsumexp(logits + weights, -1)
    if share_above is None:
        return (log_z - own_logit[:, 0] - own_weight[:, 0]).sum()
    near = torch.cat([torch.ones_like(again[:, :1]), own @ candidates.T >= share_above], 1)
    mass = torch.softmax(weights.masked_fill(~near, float("-inf")), -1)
    counts = torch.cat([own_weight, log_counts[drawn].expand_as(again)], 1)
    return (log_z - (mass * (logits + counts)).sum(-1)).sum()
