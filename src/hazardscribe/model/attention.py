"""Attention over short texts on a processor, and over growing ones on a GPU.

PyTorch's kernel for processors works block by block, so that long texts take little memory. Over a
prompt of a hundred tokens, two products around a softmax are faster, several times in bfloat16
(`benchmarks/attention.py`), and heads that share keys and values become rows of one product
instead of copies. With queries `Q`, keys `K`, values `V` of `d` numbers each and a mask `M` of 0
and -inf, both compute `softmax(Q K^T / sqrt(d) + M) V` (Vaswani et al. 2017, equation 1).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hazardscribe.model.composed import is_composed

NAME = "hazardscribe_short"
_MORE = ("softcap", "s_aux", "position_bias", "cache")  # what some models add to the formula
LONGEST = 256  # keys; over longer texts the kernel is as fast, and spares memory


def short_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' attention functions; what does not fit goes to its `sdpa`.

    Args:
        query: `(B, H, L, D)`. key, value: `(B, K, S, D)`, each shared by H / K heads.
        attention_mask: `(B or 1, 1, L, S)`, added to the scores.

    Returns:
        `(B, L, H, D)`.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    batch, heads, length, width = query.shape
    keys = key.shape[2]
    if (
        attention_mask is None
        or attention_mask.shape[1] != 1
        or attention_mask.dtype != query.dtype
        or dropout
        or keys > LONGEST
        or query.device.type != "cpu"
        or any(kwargs.get(name) is not None for name in _MORE)
    ):
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            scaling=scaling,
            dropout=dropout,
            **kwargs,
        )
    shared = key.shape[1]
    times = heads // shared
    scale = width**-0.5 if scaling is None else scaling
    rows = (query * scale).reshape(batch, shared, times * length, width)
    scores = (rows @ key.transpose(2, 3)).view(batch, shared, times, length, keys)
    scores = scores + attention_mask[:, :, None]
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(value.dtype)
    mixed = weights.view(batch, shared, times * length, keys) @ value
    return mixed.view(batch, heads, length, width).transpose(1, 2), None


def use_short_attention(vlm: Any) -> None:
    """Let the language model of a composed model attend by `short_attention`, in place.

    Only where it would take PyTorch's kernel by itself. What is saved does not tell.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    if not is_composed(vlm):
        return
    language_model = vlm.model.language_model
    if language_model.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, short_attention)
    AttentionMaskInterface.register(NAME, eager_mask)
    language_model.set_attn_implementation(NAME)


def growing_text_kernels(device: torch.device) -> AbstractContextManager[None]:
    """On a GPU, attention without cuDNN's kernels, while texts are written.

    cuDNN plans anew for each shape it meets (PyTorch's pull request 155958 says so), and a text
    that grows has another with every word, and with every row that ends.
    """
    if device.type != "cuda":
        return nullcontext()
    kernels = [
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.MATH,
    ]
    context: AbstractContextManager[None] = sdpa_kernel(kernels)
    return context
