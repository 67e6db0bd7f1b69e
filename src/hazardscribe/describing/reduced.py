"""Weights of products in bfloat16, where products are: on a GPU, and for models not `packed`.

Under autocast, float32 weights are rounded anew for each batch and the rounded ones held beside
them: six bytes a parameter in place of two. A model of 8.8 B, whose weights take 35 GB as
they are, takes 19 GB rounded.
"""

from __future__ import annotations

import torch
from torch import nn


def prepare(vlm: nn.Module) -> None:
    """Round the weights of all linear layers to bfloat16, in place, as autocast would each time.

    It is still to be called under autocast, which runs norms, sums and what stands between the
    products in float32. A layer that shares its weight with the embedding gets one of its own:
    words are looked up as they were.

    Args:
        vlm: loaded in float32, not to be trained or saved any more.
    """
    for layer in vlm.modules():
        if isinstance(layer, nn.Linear):
            for name, tensor in list(layer.named_parameters(recurse=False)):
                rounded = nn.Parameter(tensor.detach().to(torch.bfloat16), requires_grad=False)
                setattr(layer, name, rounded)
