"""The model's blocks as compiled kernels, for training on a GPU.

Between two matrix products of a block, PyTorch reads and writes the whole batch a dozen times
(norms, rotations, gates, sums); `torch.compile` makes one kernel of what stands there. Blocks of
one kind share their code, so each kind is compiled once or twice, however many there are.
`benchmarks/training_speed.py` has the peer `ours-compiled`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

BACKEND = "inductor"


def compile_blocks(vlm: nn.Module) -> int:
    """Let every block of tower and language model run compiled, in place; how many there are.

    The names of the weights stay as they are. Compiling itself waits for the first forward pass,
    and is done for any batch size and length, so that it is not done again for each.
    """
    blocks = blocks_of(vlm)
    for block in blocks:
        block.compile(backend=BACKEND, dynamic=True)
    return len(blocks)


def blocks_of(vlm: nn.Module) -> list[nn.Module]:
    """The outermost modules of a kind that stand in a row of at least two: a model's blocks."""
    found: list[nn.Module] = []
    rows = [one for one in vlm.modules() if isinstance(one, nn.ModuleList | nn.Sequential)]
    inside: set[int] = set()
    for row in rows:  # outer ones come first
        if id(row) in inside:
            continue
        same = len(row) > 1 and len({type(one) for one in row}) == 1
        if same and any(isinstance(part, nn.Linear) for part in row[0].modules()):
            found += list(row)
            inside.update(id(part) for one in row for part in one.modules())
    return found


def uncompiled() -> Any:
    """A context in which compiled blocks run as they are written: for texts that grow by a word."""
    return torch.compiler.set_stance("force_eager")
