"""How many floating-point operations a step takes, as torch counts them, and what it forgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def operations() -> Any:
    """torch's counter, to be entered; `get_total_flops` tells."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    aten = torch.ops.aten
    counted = {
        aten.convolution_backward: grouped_backward,
        torch.ops.mkldnn._linear_pointwise: linear_product,
        aten.addmm: added_product,
        aten.mm: product,
    }
    for kernel in ("flash_attention", "efficient_attention", "cudnn_attention"):
        name = f"_scaled_dot_product_{kernel}"
        counted[getattr(aten, name)] = attention
        counted[getattr(aten, f"{name}_backward")] = attention_backward
    on_processor = "_scaled_dot_product_flash_attention_for_cpu"  # torch counts it nowhere
    counted[getattr(aten, on_processor)] = attention
    counted[getattr(aten, f"{on_processor}_backward")] = attention_backward
    return FlopCounterMode(display=False, custom_mapping=counted)


def grouped_backward(
    grad: Sequence[int], photo: Sequence[int], weight: Sequence[int], *rest: Any, **_: Any
) -> int:
    """Operations of a convolution's two gradients, each as many as those of its forward pass.

    torch's own count forgets the groups: 65 forward passes instead of 2 for a depthwise convolution
    of 64 channels. Shapes: `grad` `(B, C_out, H, W)`, `weight` `(C_out, C_in / groups, kH, kW)`;
    the last argument says which gradients are asked for.
    """
    of_photo, of_weight, _of_bias = rest[-1]
    return 2 * math.prod(grad) * math.prod(weight[1:]) * (of_photo + of_weight)


def linear_product(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of `x` `(..., K)` times `weight` `(N, K)`, uncounted by torch."""
    return 2 * math.prod(x) * weight[0]


def added_product(
    _sum: Sequence[int], a: Sequence[int], b: Sequence[int], *_: Any, **__: Any
) -> int:
    """Operations of a product added to something; torch stumbles over a type of its result."""
    return product(a, b)


def product(a: Sequence[int], b: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of `a` `(M, K)` times `b` `(K, N)`."""
    return 2 * math.prod(a) * b[1]


def attention(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any
) -> int:
    """Operations of attention's two products; torch refuses heads that share keys and values.

    Shapes: `query` `(B, H, L, D)`, `key` and `value` `(B, K, S, D)`. What a causal mask spares is
    counted, as torch does.
    """
    return 2 * math.prod(query[:3]) * key[2] * (query[3] + value[3])


def attention_backward(
    _grad: Sequence[int],
    query: Sequence[int],
    key: Sequence[int],
    value: Sequence[int],
    *_: Any,
    **__: Any,
) -> int:
    """Operations of the four products of its gradients; what is computed once more is not."""
    return 2 * attention(query, key, value)
