"""The two text sequences of the method.

The *first* sequence is what the visual encoder makes of a photo: tokens in the language model's
embedding space. The *second* sequence is what a frozen text encoder makes of the written
description. Both come as padded batches with a mask, whatever model family produced them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from hazardscribe.errors import InputError
from hazardscribe.model.parts import image_token_id

# Inputs of a processor that belong to the language model; everything else describes the image.
TEXT_INPUTS = frozenset(
    {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "position_ids"}
)


@dataclass(frozen=True, slots=True)
class FirstSequence:
    """The encoder's output for a batch of photos.

    Attributes:
        values: `(B, N, D_llm)` float; zero where `mask` is false.
        mask: `(B, N)` bool; photos may have different numbers of tokens.
        encoder_output: what `get_image_features` returned; hand it to the model's forward pass as
            `mm_encoder_outputs={"image": ...}` so that the tower runs once a step.
    """

    values: torch.Tensor
    mask: torch.Tensor
    encoder_output: Any

    def tower_vectors(self) -> torch.Tensor:
        """`(B, F)`: the tower's last output, averaged over a photo's patches.

        Towers give a row a photo, a tile or a patch, or the patches of all photos as one sequence
        (Pixtral); in each of these what belongs to a photo is in proportion to its tokens.
        """
        states: torch.Tensor = self.encoder_output.last_hidden_state
        # (R, C, H, W) from a convolutional tower, (R, N, F) or (R, F) from others.
        rows = states.mean((2, 3)) if states.ndim == 4 else states
        if rows.ndim == 3:
            rows = rows.mean(1) if len(rows) >= len(self.values) else rows.flatten(0, 1)
        if len(rows) == len(self.values):
            return rows
        share = self.mask.sum(1).cumsum(0).double() / self.mask.sum()
        ends = [int(end) for end in (share * len(rows)).round().tolist()]
        starts = [min(start, len(rows) - 1) for start in (0, *ends[:-1])]
        return torch.stack(
            [rows[i : max(i + 1, j)].mean(0) for i, j in zip(starts, ends, strict=True)]
        )


class TextEncoder(Protocol):
    """A frozen, trained text encoder."""

    dim: int

    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Texts to token states `(B, M, D_text)` and a boolean mask `(B, M)`."""
        ...


def first_sequence(
    vlm: Any, inputs: dict[str, Any], counts: list[int] | None = None
) -> FirstSequence:
    """Run the visual encoder once: photos to tokens in the language model's embedding space.

    Model families return their tokens as a tensor, as a list per image or per tile; they are
    regrouped by photo by counting the placeholders in each row of `input_ids`.

    Args:
        vlm: any image-text-to-text model of transformers.
        inputs: what its processor gave for a batch, `input_ids` `(B, L)` among it.
        counts: placeholders of each row, where they are known: looked up on a GPU, they hold up
            the step until it has done all it was given.

    Raises:
        InputError: if the model's tokens and the placeholders differ in number.
    """
    image_inputs = {name: value for name, value in inputs.items() if name not in TEXT_INPUTS}
    output = vlm.get_image_features(**image_inputs, return_dict=True)
    features = output.pooler_output
    if isinstance(features, torch.Tensor):
        flat = features.reshape(-1, features.shape[-1])
    else:
        flat = torch.cat([part.reshape(-1, part.shape[-1]) for part in features])
    if counts is None:
        placeholders = inputs["input_ids"] == image_token_id(vlm.config)
        counts = [int(n) for n in placeholders.sum(-1).tolist()]
    if sum(counts) != len(flat):
        raise InputError(
            f"the prompt holds {sum(counts)} image placeholders but the encoder made {len(flat)} "
            "tokens: processor and model do not belong together. Take both from the same origin, "
            "with the chat template that comes with them, or name another model."
        )
    if len(set(counts)) == 1:
        values = flat.view(len(counts), counts[0], -1)
        return FirstSequence(values, torch.ones_like(values[..., 0], dtype=torch.bool), output)
    values = torch.nn.utils.rnn.pad_sequence(list(flat.split(counts)), batch_first=True)
    lengths = torch.tensor(counts, device=values.device)
    mask = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
    return FirstSequence(values, mask, output)


@torch.no_grad()
def second_sequence(encoder: TextEncoder, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Descriptions to the text encoder's token states `(B, M, D_text)` and mask `(B, M)`.

    The encoder is frozen: no gradient is kept.
    """
    return encoder.encode(texts)


def pool_sequence(values: torch.Tensor, mask: torch.Tensor, pooling: str = "mean") -> torch.Tensor:
    """Pool `(B, M, D)` under a boolean mask `(B, M)` to unit vectors `(B, D)`.

    Args:
        pooling: `mean` over the mask, or `cls`: the first token.

    Raises:
        ValueError: if the pooling is neither.
    """
    if pooling == "cls":
        return F.normalize(values[:, 0], dim=-1)
    if pooling != "mean":
        raise ValueError(f"pooling {pooling!r} is unknown; choose mean or cls")
    weights = mask[..., None].to(values.dtype)
    return F.normalize((values * weights).sum(1) / weights.sum(1).clamp(min=1), dim=-1)
