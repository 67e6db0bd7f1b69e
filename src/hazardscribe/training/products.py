"""Linear layers that are trained on a processor, their products by oneDNN.

PyTorch hands float32 products on x86 to MKL, which on processors of other makers than Intel runs at
half of what they can do; on Intel's own it is the faster one (benchmarks/products.py). oneDNN is
part of PyTorch, and the operator that `torch.compile` puts in place of a linear layer reaches it;
it has no gradient, so that is written out here. The products are the same up to the order of their
sums.
"""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class _Product(torch.autograd.Function):
    """`y = x W^T + b`, `dx = dy W`, `dW = dy^T x`, `db = sum dy`."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return _times(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor | None, ...]:
        (of_y,) = gradients
        x, weight = ctx.saved_tensors
        rows = of_y.reshape(-1, of_y.shape[-1])
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            _times(of_y, weight.t()) if needs_x else None,
            _times(rows.t(), x.reshape(-1, x.shape[-1]).t()) if needs_weight else None,
            rows.sum(0) if needs_bias else None,
        )


class OneDnnLinear(nn.Linear):
    """`nn.Linear` with the same parameters; what oneDNN's operator cannot do is done as before."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(..., in_features)` to `(..., out_features)`."""
        plain = (
            torch.is_autocast_enabled(x.device.type)
            or x.device.type != "cpu"
            or not x.dtype == self.weight.dtype == torch.float32
            or x.numel() == 0
        )
        if plain:
            return F.linear(x, self.weight, self.bias)
        y: torch.Tensor = _Product.apply(x, self.weight, self.bias)
        return y


def available() -> bool:
    """Whether this PyTorch holds oneDNN and its linear operator."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def pays(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether oneDNN's float32 products are the faster ones on this processor: not on Intel's.

    Told by the maker, not by a measurement: a resumed run must compute as it did before.
    """
    with suppress(OSError, UnicodeDecodeError):
        return "GenuineIntel" not in cpu_info.read_text(encoding="utf-8")
    return "GenuineIntel" not in platform.processor()  # as Windows names it


def use_faster_products(module: nn.Module) -> None:
    """`use_onednn` where that pays: on some processors, and not beside a GPU."""
    if not torch.cuda.is_available() and pays():
        use_onednn(module)


def use_onednn(module: nn.Module) -> None:
    """Let every `nn.Linear` inside a module take its products from oneDNN, in place.

    Names and parameters stay as they are. Subclasses of `nn.Linear` are left alone: they may do
    more than a product.
    """
    if not available():
        return
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = OneDnnLinear


def _times(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return y
