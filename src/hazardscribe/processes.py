"""Which of several processes this one is, as `torchrun` and `accelerate launch` state it."""

from __future__ import annotations

import os


def processes() -> tuple[int, int]:
    """Rank of this process and number of all; a process alone is the first."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")), world) if world > 1 else (0, 1)


def is_first() -> bool:
    """Whether this process speaks and writes for all."""
    return processes()[0] == 0
