"""Caption likelihood: how probable the written description is, given the first text sequence.

The gradient of this loss reaches the tower, the projector and the language model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def caption_nll(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed negative log-likelihood of the supervised description tokens, in nats.

    The sum, not the mean, is returned: the caller divides by the number of supervised tokens over
    all devices and accumulation steps, so that every token weighs the same however the batch was
    cut. The softmax is taken in float32 whatever the type of the logits.

    Args:
        logits: `(T, V)`, only the positions that predict a supervised token.
        targets: `(T,)`, the token ids they should predict.

    Raises:
        ValueError: if the two do not have the same number of rows.
    """
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ValueError(
            f"caption_nll: logits {tuple(logits.shape)} and targets {tuple(targets.shape)} "
            "must be (T, V) and (T,)"
        )
    return F.cross_entropy(logits.float(), targets, reduction="sum")
