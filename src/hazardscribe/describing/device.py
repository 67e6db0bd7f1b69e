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
        if not torch.cuda.is_available():
            return "cpu"
        device = "cuda"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InputError(
            f"--device {device}: is no device; write `cpu`, `cuda` or `cuda:1`."
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"--device {device}: no usable NVIDIA GPU is here (no GPU, no driver or too old a one, "
            "or PyTorch's CPU build). Leave --device out to use the processor."
        )
    try:
        torch.ones(1, device=device).cpu()  # by a kernel, which memory alone is not
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        if "no kernel image" in str(error):
            raise InputError(
                f"{device}: this build of PyTorch has no kernels for a GPU of this age. Install "
                "the one for older GPUs (docs/start.md, Before you start), or do without the GPU: "
                "--device cpu, or CUDA_VISIBLE_DEVICES= where a verb has no such option."
            ) from error
        if "out of memory" in str(error):
            raise InputError(
                f"{device}: has no memory left; another program holds it (nvidia-smi tells). End "
                "that, or name another GPU."
            ) from error
        raise InputError(
            f"--device {device}: this machine has no such device. Leave --device out, or write "
            "`cpu`."
        ) from error
    return device
