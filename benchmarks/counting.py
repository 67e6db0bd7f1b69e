"""How many floating-point operations a step takes, as torch counts them, and what it forgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def operations() -> Any:
    """torch's counter, to be entered; `get_total_flops` tells."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counted = {
        torch.ops.aten.convolution_backward: grouped_backward,
        torch.ops.mkldnn._linear_pointwise: linear_product,
    }
    return FlopCounterMode(display=False, custom_mapping=counted)


def grouped_backward(
    grad: Sequence[int], photo: Sequence[int], weight: Sequence[int], *rest: Any, **_: Any
) -> int:
    """Operations of a convolution's two gradients, each as many as those of its forward pass.

    torch's own count forgets the groups: 65 times too many for a depthwise convolution of 64
    channels. Shapes: `grad` `(B, C_out, H, W)`, `weight` `(C_out, C_in / groups, kH, kW)`; the last
    argument says which gradients are asked for.
    """
    of_photo, of_weight, _of_bias = rest[-1]
    return 2 * math.prod(grad) * math.prod(weight[1:]) * (of_photo + of_weight)


def linear_product(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of `x` `(..., K)` times `weight` `(N, K)`, uncounted by torch."""
    return 2 * math.prod(x) * weight[0]
