"""On which device a model describes."""

from __future__ import annotations

import torch

from hazardscribe.errors import InputError


def usable_device(device: str | None) -> str:
    """The device as named, or by default a GPU where there is one.

    Raises:
        InputError: if there is no such device on this machine.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InputError(
            f"--device {device}: is no device; write `cpu`, `cuda` or `cuda:1`."
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"--device {device}: no usable NVIDIA GPU is here (no GPU, no driver, or PyTorch's CPU "
            "build). Leave --device out to use the processor."
        )
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise InputError(
            f"--device {device}: this machine has no such device. Leave --device out, or write "
            "`cpu`."
        ) from error
    return device
