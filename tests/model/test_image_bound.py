"""How large photos are decoded for a model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import transformers

from hazardscribe.model.checkpoint import Card
from hazardscribe.model.image_bound import image_bound


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        # Scaled by the longer side, then cut into tiles: more pixels would only be thrown away.
        (transformers.SmolVLMImageProcessor(size={"longest_edge": 2048}), 2048),
        (transformers.CLIPImageProcessor(size={"height": 224, "width": 224}), 448),
        (transformers.CLIPImageProcessor(size={"shortest_edge": 224}), 448),
        (
            transformers.Idefics2ImageProcessor(size={"shortest_edge": 378, "longest_edge": 980}),
            1960,
        ),
    ],
)
def test_photos_are_decoded_to_what_the_model_can_use(processor, expected):
    assert image_bound(Card(), SimpleNamespace(image_processor=processor)) == expected
    assert image_bound(Card(image_bound=300), SimpleNamespace()) == 300
