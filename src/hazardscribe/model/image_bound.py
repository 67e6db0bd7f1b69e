"""How large photos are decoded for a model."""

from __future__ import annotations

from typing import Any

from hazardscribe.model.checkpoint import Card
from hazardscribe.model.prompting import model_side


def image_bound(card: Card, processor: Any) -> int:
    """Longest side to which photos are decoded: the card's, else twice the model's side.

    Of a wide photo the shorter side then still has the model's pixels. Where the processor scales
    by the longer side alone (SmolVLM's, before it cuts tiles), that side itself is enough.
    """
    if card.image_bound:
        return card.image_bound
    side = model_side(processor)
    if not side:
        return 2048
    size = {name for name, value in dict(processor.image_processor.size).items() if value}
    return side if size == {"longest_edge"} else 2 * side
