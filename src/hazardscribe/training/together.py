"""What the processes of one training run settle among themselves, beside the gradients.

Accelerate starts the process group; here are the few things that must not differ between ranks:
when the run folder is first written, whether to stop, what the model wrote of dev, and when to go.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from hazardscribe.errors import InputError
from hazardscribe.processes import is_first, processes

_Made = TypeVar("_Made")

# A rank may wait for another that decodes photos, or for the first that calibrates.
WAIT_S = 4 * 3600


def join() -> None:
    """Start the process group where a launcher started several processes.

    Raises:
        InputError: if sharding is asked for where Accelerate would replicate in silence, on a CPU.
    """
    if processes()[1] == 1:
        return
    on_gpu = torch.cuda.is_available()
    if not on_gpu and os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true"):
        raise InputError(
            "FSDP is asked for (ACCELERATE_USE_FSDP), but there is no GPU: on CPUs Accelerate "
            "gives every process the whole model (DDP) and says nothing. Launch without FSDP: "
            "torchrun, or accelerate launch without --use_fsdp."
        )
    PartialState(cpu=not on_gpu, timeout=timedelta(seconds=WAIT_S))


def from_first(make: Callable[[], _Made]) -> _Made:
    """What the first process makes, in every process."""
    [made] = broadcast_object_list([make() if is_first() else None])
    return made  # type: ignore[no-any-return]


def wait() -> None:
    """Wait until every process has come here."""
    if processes()[1] > 1:
        torch.distributed.barrier()


def leave() -> None:
    """End the process group after the last word of every process.

    A launcher ends all others as soon as one process has ended by a signal's exit code: without
    this, the first might not come to say how the run goes on.
    """
    if processes()[1] > 1 and torch.distributed.is_initialized():
        wait()
        torch.distributed.destroy_process_group()


def any_of(number: int | None) -> int | None:
    """The number that any process has, else None; the same answer everywhere."""
    if processes()[1] == 1:
        return number
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    largest = torch.tensor(number or 0, device=device)
    torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
    return int(largest) or None


def gathered(own: list[Any]) -> list[list[Any]]:
    """Each process's list, in order of rank, in every process."""
    parts: list[list[Any]] = gather_object([own])
    return parts
