"""Generate descriptions for a batch of decoded photos."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hazardscribe.describing import greedy, packed
from hazardscribe.model.attention import growing_text_kernels
from hazardscribe.model.generation import LONGEST
from hazardscribe.model.parts import image_token_id
from hazardscribe.model.prompting import Prompter
from hazardscribe.model.sequences import FirstSequence, first_sequence


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is searched for.

    Attributes:
        beams: 1 is greedy search. max_new_tokens: longest description, in tokens.
        alternatives: how many descriptions to return a photo; needs as many beams.
    """

    beams: int = 1
    max_new_tokens: int = LONGEST
    alternatives: int = 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text that the language model wrote of a photo.

    Attributes:
        text: the description.
        log_likelihood: of all its tokens, the end token included, in nats.
        tokens: how many those are.
        ended: whether it came to its end token before the longest length.
    """

    text: str
    log_likelihood: float
    tokens: int
    ended: bool = True

    @property
    def mean(self) -> float:
        """Mean log probability of a token."""
        return self.log_likelihood / max(1, self.tokens)


@dataclass(frozen=True, slots=True)
class Generated:
    """Descriptions of one photo, best first by the language model, without repetitions."""

    candidates: list[Candidate]

    @property
    def texts(self) -> list[str]:
        """The descriptions."""
        return [candidate.text for candidate in self.candidates]

    @property
    def confidences(self) -> list[float]:
        """For each, the geometric mean probability of its tokens, 0..1."""
        return [min(1.0, math.exp(candidate.mean)) for candidate in self.candidates]


@torch.inference_mode()
def generate(
    vlm: Any,
    prompter: Prompter,
    photos: Sequence[np.ndarray],
    decoding: Decoding,
    *,
    compute: torch.dtype = torch.float32,
    inputs: dict[str, torch.Tensor] | None = None,
    sequence: FirstSequence | None = None,
    listener: Callable[[int, str], None] | None = None,
    unwanted: Callable[[], bool] | None = None,
) -> list[Generated]:
    """Describe a batch of photos, `(H, W, 3)` uint8 each.

    Args:
        compute: `torch.bfloat16` runs the products in bfloat16.
        inputs: what `prompter.inputs` made of the photos on the model's device, where that is at
            hand.
        sequence: the photos' first sequence, where that is: the encoder does not run again.
        listener: called with a photo's place and its text so far, as it grows; greedy search only.
        unwanted: asked before each token whether the batch is still wanted; where it is not, texts
            end there.
    """
    from hazardscribe.describing.chances import Chances
    from hazardscribe.describing.streaming import StopWhen, TextStream

    device = next(vlm.parameters()).device
    # Frozen parts of a model in training may lie in bfloat16 beside float32 ones; the language
    # model alone is of the type that its caller names.
    mixed = sequence is None and len({parameter.dtype for parameter in vlm.parameters()}) > 1
    reduced = (mixed or compute == torch.bfloat16) and not packed.is_packed(vlm)
    inputs = prompter.inputs(photos, device) if inputs is None else inputs
    placeholder = image_token_id(vlm.config)
    # A checkpoint from elsewhere may not suppress its own placeholder.
    suppressed = sorted({placeholder, *(vlm.generation_config.suppress_tokens or [])})
    streamer = None if listener is None else TextStream(prompter, listener)
    n = decoding.alternatives
    with torch.autocast(device.type, torch.bfloat16, enabled=reduced), growing_text_kernels(device):
        if max(decoding.beams, n) == 1 and greedy.fits(vlm, inputs, placeholder):
            new, scores = greedy.write(
                vlm,
                inputs,
                first_sequence(vlm, inputs) if sequence is None else sequence,
                placeholder,
                max_new_tokens=decoding.max_new_tokens,
                suppressed=suppressed,
                stops=prompter.stops,
                pad=prompter.pad_id,
                streamer=streamer,
                unwanted=unwanted,
            )
            return [_distinct([one]) for one in _candidates(new, scores, prompter)]
        encoded: dict[str, Any] = {}
        if sequence is not None:
            inputs = {name: one for name, one in inputs.items() if not name.startswith("pixel_")}
            # Beam search expands its fields in place.
            encoded = {"mm_encoder_outputs": {"image": copy.copy(sequence.encoder_output)}}
        beams = max(decoding.beams, n)
        chances = Chances(beams, len(prompter.stops))
        more: dict[str, Any] = {} if streamer is None else {"streamer": streamer}
        if unwanted is not None:
            more["stopping_criteria"] = [StopWhen(unwanted)]
        output = vlm.generate(
            **inputs,
            **encoded,
            do_sample=False,
            num_beams=beams,
            logits_processor=[chances],
            num_return_sequences=n,
            max_new_tokens=decoding.max_new_tokens,
            suppress_tokens=suppressed,
            eos_token_id=prompter.stops,
            pad_token_id=prompter.pad_id,
            return_dict_in_generate=True,
            **more,
        )
    new = output.sequences[:, inputs["input_ids"].shape[1] :]
    rows = getattr(output, "beam_indices", None)
    made = _candidates(new, chances.of(new, rows), prompter)
    return [_distinct(made[i : i + n]) for i in range(0, len(made), n)]


def _candidates(new: torch.Tensor, scores: torch.Tensor, prompter: Prompter) -> list[Candidate]:
    """Texts with the log probabilities of their tokens, the end token included."""
    stops = torch.tensor(prompter.stops, device=new.device)
    # Padding may be the end token itself: a position counts up to and with the first end token.
    ended_before = torch.isin(new, stops).cumsum(-1).roll(1, -1)
    ended_before[:, 0] = 0
    counted = (ended_before == 0)[:, : scores.shape[1]]
    values = zip(
        prompter.decode(new),
        scores.masked_fill(~counted, 0).sum(-1).tolist(),
        counted.sum(-1).tolist(),
        torch.isin(new, stops).any(-1).tolist(),
        strict=True,
    )
    return [Candidate(*one) for one in values]


def _distinct(candidates: Sequence[Candidate]) -> Generated:
    best: dict[str, Candidate] = {}
    for candidate in candidates:
        best.setdefault(candidate.text, candidate)
    return Generated(list(best.values()))
