"""A GPU that cannot be used is told of before anything is loaded."""

from __future__ import annotations

import pytest
import torch

from hazardscribe import Recipe, train
from hazardscribe.describing.device import usable_device
from hazardscribe.errors import InputError

OLD = "CUDA error: no kernel image is available for execution on the device\nCompile with ..."
FULL = "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"


def break_gpu(error: str, monkeypatch) -> None:
    def ones(*_, **__):
        raise RuntimeError(error)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)


@pytest.mark.parametrize("device", [None, "cuda", "cuda:1"])
@pytest.mark.parametrize(
    ("error", "said"),
    [(OLD, "no kernels for a GPU of this age"), (FULL, "has no memory left; another program")],
)
def test_a_gpu_that_cannot_be_used_is_told(device, error, said, monkeypatch):
    break_gpu(error, monkeypatch)
    with pytest.raises(InputError, match=f"^{device or 'cuda'}: .*{said}"):
        usable_device(device)


def test_training_tells_it_before_photos_are_read(start, pairs, tmp_path, monkeypatch):
    break_gpu(OLD, monkeypatch)
    with pytest.raises(InputError, match="no kernels for a GPU of this age"):
        train(pairs, Recipe(start=str(start)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
