"""Alignment likelihood: how probable the written description is among others, given the photo.

The first text sequence (what the encoder made of the photo) is pooled and projected into the
space of the frozen text encoder; its similarity with second text sequences is turned into a
likelihood. The gradient reaches tower, projector and the small `AlignmentHead`, nothing else.

Four forms, all of them sums over the photos of a batch, in nats:

* `corpus_nll`: softmax over *every* distinct training description, exact because the text encoder
  is frozen. The prior of a text (its count) enters as its log, as in a sampled softmax with the
  whole population (Bengio & Senecal 2008); equal and near-equal texts share the target's mass.
* `in_batch_nll`: the symmetric contrastive loss of CLIP (Radford et al. 2021, eq. in fig. 3).
* `sigmoid_nll`: one binary decision a pair, SigLIP (Zhai et al. 2023, eq. 1).
* `token_nll`: in-batch softmax over late interaction of the two sequences, the mean over text
  tokens of the best matching photo token (FILIP, Yao et al. 2022; ColBERT, Khattab & Zaharia 2020).

On several devices `corpus_nll` is what one device would compute, without a gather: each has the
whole corpus. The other three see the batch of their own device and forward pass alone: more
devices, or more accumulation, give them no more negatives, and what they compute depends on how the
photos of a step are shared out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

# CLIP starts at a temperature of 0.07 and never lets the scale grow above 100.
INITIAL_SCALE = 1 / 0.07
MAX_SCALE = 100.0

FORMS = ("corpus", "in_batch", "sigmoid", "token")


class AlignmentHead(nn.Module):
    """Pools a first text sequence by learned queries and projects it to the text encoder's width.

    Only the weights that the chosen form uses are made: a parameter without gradient would break
    distributed training and waste optimizer state.

    Args:
        sequence_dim: width of the first text sequence, `D_llm`.
        text_dim: width of the text encoder's vectors, `D_text`.
        form: `corpus`, `in_batch`, `sigmoid` (pooled) or `token` (every token projected).
        queries: number of learned queries; their readings are concatenated before projection.

    Raises:
        ValueError: if the form is not one of the four.
    """

    def __init__(
        self, sequence_dim: int, text_dim: int, form: str = "corpus", queries: int = 4
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"alignment form {form!r} is unknown; choose from {', '.join(FORMS)}")
        self.form = form
        self.norm = nn.LayerNorm(sequence_dim)
        if form == "token":
            self.project = nn.Linear(sequence_dim, text_dim)
        else:
            self.queries = nn.Parameter(torch.randn(queries, sequence_dim) * sequence_dim**-0.5)
            self.project = nn.Linear(queries * sequence_dim, text_dim)
        # One number each, but not without a dimension: FSDP2 shards no scalar.
        self.log_scale = nn.Parameter(torch.tensor([math.log(INITIAL_SCALE)]))
        if form == "sigmoid":
            # SigLIP's starting bias: almost every pair is a negative one.
            self.bias = nn.Parameter(torch.tensor([-10.0]))

    def scale(self) -> torch.Tensor:
        """The inverse temperature, `()`, bounded by `MAX_SCALE`.

        The parameter itself is bounded, as in CLIP, and the gradient passes the bound: a plain
        `clamp` has none above it, and a scale that once came there would stay for good.
        """
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(MAX_SCALE))
        scale = self.log_scale.exp()
        beyond = scale.detach() - MAX_SCALE  # by rounding alone
        return (scale - beyond.clamp(min=0)).squeeze()

    def forward(self, sequence: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Pool `(B, N, D_llm)` under a boolean mask `(B, N)` to unit vectors `(B, D_text)`."""
        states = self.norm(sequence.float())
        # No scaling by the root of the width: the queries start at unit norm on normalised states.
        scores = torch.einsum("bnd,qd->bqn", states, self.queries)
        scores = scores.masked_fill(~mask[:, None], float("-inf"))
        pooled = torch.einsum("bqn,bnd->bqd", scores.softmax(-1), states)
        return F.normalize(self.project(pooled.flatten(1)), dim=-1)

    def tokens(self, sequence: torch.Tensor) -> torch.Tensor:
        """Project every token of `(B, N, D_llm)` to unit vectors `(B, N, D_text)`."""
        return F.normalize(self.project(self.norm(sequence.float())), dim=-1)


def text_log_posterior(
    photos: torch.Tensor,
    texts: torch.Tensor,
    log_counts: torch.Tensor,
    scale: torch.Tensor | float,
) -> torch.Tensor:
    """`log p(j | photo i) = log_softmax_j(scale * <photo_i, text_j> + log n_j)`, `(B, C)` nats.

    Args:
        photos: `(B, D)` unit vectors.
        texts: `(C, D)` unit vectors of the distinct training texts.
        log_counts: `(C,)` log of how often each text occurs in training.
        scale: inverse temperature.
    """
    return F.log_softmax(scale * photos @ texts.T + log_counts, dim=-1)


def corpus_nll(
    photos: torch.Tensor,
    texts: torch.Tensor,
    log_counts: torch.Tensor,
    targets: torch.Tensor,
    scale: torch.Tensor | float,
    share_above: float | None = None,
) -> torch.Tensor:
    """Summed negative log-likelihood of each photo's text among all distinct training texts.

    See `text_log_posterior` for the likelihood and the other arguments.

    Args:
        targets: `(B,)` index of each photo's own text.
        scale: inverse temperature.
        share_above: texts whose cosine with the photo's own text is at least this share the
            target's mass in proportion to their counts; `None`: only the text itself.
    """
    log_p = text_log_posterior(photos, texts, log_counts, scale)
    if share_above is None:
        return -log_p.gather(1, targets[:, None]).sum()
    near = texts[targets] @ texts.T >= share_above
    near.scatter_(1, targets[:, None], True)
    mass = torch.softmax(log_counts.expand_as(near).masked_fill(~near, float("-inf")), dim=-1)
    return -(mass * log_p).sum()


def in_batch_nll(
    photos: torch.Tensor, texts: torch.Tensor, targets: torch.Tensor, scale: torch.Tensor | float
) -> torch.Tensor:
    """Symmetric in-batch softmax, summed over photos; equal texts share the target's mass.

    Args:
        photos: `(B, D)` unit vectors. texts: `(B, D)` unit vectors, row i belongs to photo i.
        targets: `(B,)` identity of each text: equal numbers are equal texts.
        scale: inverse temperature.
    """
    return _symmetric(scale * photos @ texts.T, targets)


def sigmoid_nll(
    photos: torch.Tensor,
    texts: torch.Tensor,
    targets: torch.Tensor,
    scale: torch.Tensor | float,
    bias: torch.Tensor | float,
) -> torch.Tensor:
    """Pairwise sigmoid loss, summed over photos (every photo against every text of the batch)."""
    logits = scale * photos @ texts.T + bias
    sign = torch.where(targets[:, None] == targets[None], 1.0, -1.0)
    return -F.logsigmoid(sign * logits).sum()


def token_nll(
    photo_tokens: torch.Tensor,
    photo_mask: torch.Tensor,
    text_tokens: torch.Tensor,
    text_mask: torch.Tensor,
    targets: torch.Tensor,
    scale: torch.Tensor | float,
) -> torch.Tensor:
    """In-batch softmax over the late interaction of the first and the second text sequence.

    Args:
        photo_tokens: `(B, N, D)` unit vectors with boolean mask `(B, N)`.
        text_tokens: `(B, M, D)` unit vectors with boolean mask `(B, M)`.
        targets: `(B,)` identity of each text. scale: inverse temperature.
    """
    similarity = torch.einsum("ind,jmd->ijnm", photo_tokens, text_tokens)
    similarity = similarity.masked_fill(~photo_mask[:, None, :, None], float("-inf"))
    best = similarity.amax(2).masked_fill(~text_mask[None], 0.0)
    return _symmetric(scale * best.sum(-1) / text_mask.sum(-1), targets)


def _symmetric(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    same = (targets[:, None] == targets[None]).to(logits.dtype)
    mass = same / same.sum(-1, keepdim=True)
    photo_to_text = -(mass * F.log_softmax(logits, dim=-1)).sum()
    text_to_photo = -(mass * F.log_softmax(logits.T, dim=-1)).sum()
    return (photo_to_text + text_to_photo) / 2
