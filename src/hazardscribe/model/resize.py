"""Change the input size of a model whose tower takes any."""

from __future__ import annotations

from typing import Any

from hazardscribe.errors import InputError


def set_image_size(vlm: Any, processor: Any, size: int) -> None:
    """Set the side in pixels of the square input, in place.

    Raises:
        InputError: if the tower has a fixed size, or the size is no multiple of its stride.
    """
    convolutional = vlm.config.model_type == "fast_vlm"
    any_size = convolutional or (
        vlm.config.model_type == "llava" and vlm.config.vision_config.model_type == "dinov2"
    )
    if not any_size:
        raise InputError(
            f"image_size {size}: a {vlm.config.model_type} checkpoint keeps its own input size. "
            "Leave image_size out."
        )
    stride = int(processor.patch_size)
    if size % stride:
        near = [str(times * stride) for times in (size // stride, size // stride + 1) if times]
        raise InputError(
            f"image_size {size} is no multiple of the tower's stride {stride}: "
            f"take {' or '.join(near)}."
        )
    side = {"height": size, "width": size}
    processor.image_processor.size = side
    processor.image_processor.crop_size = side
    vlm.config.image_seq_length = (size // stride) ** 2
