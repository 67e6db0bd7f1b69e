"""Weights that several devices hold in parts (FSDP2), and the same weights whole.

A checkpoint is the same file whether one process wrote it, several with the whole model each (DDP),
or several with a part each: tensors are gathered one at a time before they are written and
distributed again after they are read. So a run may go on with another number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

# Called on the model beside `forward`: by training for the first sequence, by evaluation.
_METHODS = ("get_image_features", "generate")


def units(vlm: nn.Module) -> list[str]:
    """Class names of what is gathered and let go as one: the model's blocks, and the model.

    The model is a unit of its own inside the training module, so that its methods can gather what
    no block holds (embeddings, projector, norms) when they are called on their own.
    """
    present = {type(module).__name__ for module in vlm.modules()}
    blocks = sorted(present & set(getattr(vlm, "_no_split_modules", None) or ()))
    return [*blocks, type(vlm).__name__]


def open_methods(vlm: nn.Module) -> None:
    """Let the methods that we call gather the weights as `forward` does; nothing if unsharded."""
    if isinstance(vlm, FSDPModule):
        for name in _METHODS:
            register_fsdp_forward_method(vlm, name)


def is_sharded(module: nn.Module) -> bool:
    """Whether this process holds only a part of the weights."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def whole(value: Any, keep: bool = True) -> Any:
    """Tensors of nested mappings and lists, gathered; every process must call it alike.

    Args:
        keep: whether this process wants the result; others only take part, one tensor at a time.
    """
    if isinstance(value, DTensor):
        full = value.full_tensor()
        return full.cpu() if keep else None
    if isinstance(value, Mapping):
        return {key: whole(one, keep) for key, one in value.items()}
    if isinstance(value, list):
        return [whole(one, keep) for one in value]
    return value


def tie(module: nn.Module, state: dict[str, Any]) -> None:
    """Let names of one parameter (tied embeddings) be one tensor again, to be stored once."""
    names: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        first = names.setdefault(id(parameter), name)
        if first != name and name in state:
            state[name] = state[first]


def put(target: torch.Tensor, value: torch.Tensor) -> None:
    """Copy a whole tensor into one that may be sharded, in place."""
    target.detach().copy_(like(target, value))


def like(target: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A whole tensor, distributed as the target is; as it is where the target is whole."""
    if isinstance(target, DTensor):
        value = value.to(target.device_mesh.device_type)
        return distribute_tensor(value, target.device_mesh, target.placements, src_data_rank=None)
    return value


def distribute_optimizer(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """A whole optimizer state, distributed as the optimizer's parameters are."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    placed = dict(zip(numbers, parameters, strict=True))
    return state | {
        "state": {
            number: {
                name: value if name == "step" else like(placed[number], value)
                for name, value in moments.items()
            }
            for number, moments in state["state"].items()
        }
    }
