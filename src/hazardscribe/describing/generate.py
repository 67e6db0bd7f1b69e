"""Generate descriptions for a batch of decoded photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hazardscribe.model.parts import image_token_id
from hazardscribe.model.prompting import Prompter


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is searched for.

    Attributes:
        beams: 1 is greedy search. max_new_tokens: longest description, in tokens.
        alternatives: how many descriptions to return a photo; needs as many beams.
    """

    beams: int = 1
    max_new_tokens: int = 96
    alternatives: int = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """Descriptions of one photo, best first, with the model's confidence in each.

    Attributes:
        texts: descriptions, best first, without repetitions.
        confidences: for each, the geometric mean probability of its tokens, 0..1.
    """

    texts: list[str]
    confidences: list[float]


@torch.inference_mode()
def generate(
    vlm: Any,
    prompter: Prompter,
    photos: Sequence[np.ndarray],
    decoding: Decoding,
    *,
    compute: torch.dtype = torch.float32,
) -> list[Generated]:
    """Describe a batch of photos, `(H, W, 3)` uint8 each.

    Args:
        compute: `torch.bfloat16` runs the products in bfloat16.
    """
    device = next(vlm.parameters()).device
    # Frozen parts of a model in training may lie in bfloat16 beside float32 ones.
    mixed = len({parameter.dtype for parameter in vlm.parameters()}) > 1
    inputs = {name: value.to(device) for name, value in prompter.inputs(photos).items()}
    placeholder = image_token_id(vlm.config)
    # A checkpoint from elsewhere may not suppress its own placeholder.
    suppressed = {placeholder, *(vlm.generation_config.suppress_tokens or [])}
    n = decoding.alternatives
    with torch.autocast(device.type, torch.bfloat16, enabled=mixed or compute == torch.bfloat16):
        output = vlm.generate(
            **inputs,
            do_sample=False,
            num_beams=max(decoding.beams, n),
            num_return_sequences=n,
            max_new_tokens=decoding.max_new_tokens,
            suppress_tokens=sorted(suppressed),
            eos_token_id=prompter.stops,
            pad_token_id=prompter.pad_id,
            return_dict_in_generate=True,
            output_scores=True,
        )
    new = output.sequences[:, inputs["input_ids"].shape[1] :]
    texts = prompter.decode(new)
    confidences = _confidences(vlm, output, new, prompter.stops)
    return [_distinct(texts[i : i + n], confidences[i : i + n]) for i in range(0, len(texts), n)]


def _confidences(vlm: Any, output: Any, new: torch.Tensor, ends: list[int]) -> list[float]:
    """Geometric mean probability of each sequence's tokens, its end token included."""
    scores = vlm.compute_transition_scores(
        output.sequences,
        output.scores,
        getattr(output, "beam_indices", None),
        normalize_logits=getattr(output, "beam_indices", None) is None,
    ).float()
    stops = torch.tensor(ends, device=new.device)
    # Padding may be the end token itself: a position counts up to and with the first end token.
    ended_before = torch.isin(new, stops).cumsum(-1).roll(1, -1)
    ended_before[:, 0] = 0
    counted = (ended_before == 0)[:, : scores.shape[1]]
    means = scores.masked_fill(~counted, 0).sum(-1) / counted.sum(-1)
    return [float(value) for value in means.exp().clamp(0, 1)]


def _distinct(texts: list[str], confidences: list[float]) -> Generated:
    best: dict[str, float] = {}
    for text, confidence in zip(texts, confidences, strict=True):
        best.setdefault(text, confidence)
    return Generated(list(best), list(best.values()))
