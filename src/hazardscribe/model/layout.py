"""How the kernels of a convolutional tower lie in memory."""

from __future__ import annotations

import torch
from torch import nn

from hazardscribe.model.parts import modules_of


def lay_out_convolutions(vlm: nn.Module) -> None:
    """Store a convolutional tower's kernels channels-last, in place; the weights stay the same.

    Convolutions, depthwise ones above all, run faster so on a CPU (benchmarks/channels_last.py).
    torch's batch norm adds up its statistics less exactly in this layout: 2e-5 of a standard
    deviation instead of 5e-7. A tower with one convolution, the patch embedding of a vision
    transformer, gains nothing and is left alone.
    """
    for tower in modules_of(vlm, "tower"):
        if sum(isinstance(module, nn.Conv2d) for module in tower.modules()) > 1:
            tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
