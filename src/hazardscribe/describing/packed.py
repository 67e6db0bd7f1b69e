"""Linear layers on a processor, by oneDNN with weights laid out for it once.

PyTorch hands float32 products on x86 to MKL, which on processors of other makers than Intel runs
well below what they can do, and lays bfloat16 weights out anew at every call. oneDNN is part of
PyTorch and is told here, by the operator that `torch.compile` puts in place of a linear layer, to
take weights that it has laid out once. The products are the same up to the order of their sums.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from hazardscribe.model.attention import use_short_attention
from hazardscribe.model.composed import COMPOSED
from hazardscribe.model.layout import lay_out_convolutions


class PackedLinear(nn.Module):
    """`y = x W^T + b` for inference on a processor.

    Args:
        linear: the layer that this one stands for; its weight may be let go afterwards.
        dtype: of the product, `float32` or `bfloat16`.
    """

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        weight = linear.weight.detach().to(dtype).contiguous()
        # Not a buffer: its layout is oneDNN's own, and can be neither saved nor moved.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight)
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(..., in_features)` to `(..., out_features)`, in the type of `x`."""
        given = x.dtype
        x = x.to(self.dtype)
        if x.requires_grad and torch.is_grad_enabled():
            # What a text rests on is found by its gradient, which oneDNN's operator does not have.
            return F.linear(x, self._weight.to_dense(), self._bias).to(given)
        y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, "none", [], ""
        )
        return y.to(given)


def can_pack(vlm: Any) -> bool:
    """Whether `prepare` knows the model, and this PyTorch holds oneDNN and its operators."""
    return (
        vlm.config.model_type in COMPOSED
        and type(vlm.lm_head) is nn.Linear
        and torch.backends.mkldnn.is_available()
        and all(
            hasattr(torch.ops.mkldnn, name)
            for name in ("_reorder_linear_weight", "_linear_pointwise")
        )
    )


def is_packed(vlm: Any) -> bool:
    """Whether `prepare` was here: each part has its own type, and autocast would only disturb."""
    return isinstance(getattr(vlm, "lm_head", None), PackedLinear)


def pack(module: nn.Module, dtype: torch.dtype) -> None:
    """Put a `PackedLinear` in place of every `nn.Linear` inside a module.

    Subclasses of `nn.Linear` are left alone: they may do more than a product.
    """
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, PackedLinear(child, dtype))
        else:
            pack(child, dtype)


def prepare(vlm: Any, dtype: torch.dtype) -> None:
    """Make the language model of a composed model ready for fast products on a processor.

    The products alone are of the given type: norms, sums, keys and values stay in float32, and so
    does the visual encoder, a small share of the work; a batch-normalised one needs it.

    Args:
        vlm: loaded in float32, not to be trained or saved any more.
        dtype: `float32` or `bfloat16`.
    """
    vlm.lm_head = PackedLinear(vlm.lm_head, dtype)
    pack(vlm.model.language_model, dtype)
    use_short_attention(vlm)
    lay_out_convolutions(vlm)
