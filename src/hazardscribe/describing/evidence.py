"""Which parts of a photo speak for each phrase of its description.

The language model reads the photo as tokens s_1..s_N of the first sequence, and each of them stands
for a place in the photo. How much the place of token n speaks for a phrase is the Grad-CAM share
(Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017, eq. 1 and 2, with the phrase's log-likelihood as the score):

    a   = 1/N sum_m d log p(phrase | s, words before) / d s_m
    c_n = < a , s_n >

that is 1/N of the slope of the log-likelihood as all tokens are moved towards s_n; the positive
part is drawn. A large share says where the model looked, not that what it says is true.
benchmarks/pointing.py measures how well it points, beside gradient times input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from hazardscribe.model.prompting import IGNORED, Prompter, crops
from hazardscribe.model.sequences import TEXT_INPUTS, first_sequence

_MARK = re.compile(r"[，,；;。.：:、!！?？\n]+")
_SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in a photo one phrase has its support.

    Attributes:
        phrase: a clause of the description, with its place in it: `start`, `end`.
        shares: `(rows, columns)` signed shares over the square that the model saw, in nats.
        padded: the photo was padded to that square, centred; else it was stretched to it.
    """

    phrase: str
    start: int
    end: int
    shares: np.ndarray
    padded: bool = True

    def map_onto(self, height: int, width: int) -> np.ndarray:
        """The positive shares as a map of the photo, `(height, width)` in 0..1."""
        size = (max(height, width),) * 2 if self.padded else (height, width)
        positive = torch.from_numpy(np.maximum(self.shares, 0.0)).float()[None, None]
        whole = F.interpolate(positive, size=size, mode="bilinear", align_corners=False)
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        cut = whole[0, 0, top : top + height, left : left + width].numpy()
        highest = float(cut.max())
        return np.asarray(cut / highest if highest > 0 else cut)

    def peak(self, height: int, width: int) -> tuple[float, float]:
        """Where the map is highest, as shares of height and width in 0..1."""
        found = self.map_onto(height, width)
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        return (float(row) + 0.5) / height, (float(column) + 0.5) / width


def phrases_of(text: str) -> list[tuple[int, int]]:
    """The clauses of a description as (start, end), between its punctuation marks."""
    spans, start = [], 0
    for mark in [*_MARK.finditer(text), None]:
        end = len(text) if mark is None else mark.start()
        inner = text[start:end]
        lead = len(inner) - len(inner.lstrip())
        if len(inner.strip()) >= _SHORTEST:
            spans.append((start + lead, start + lead + len(inner.strip())))
        start = len(text) if mark is None else mark.end()
    return spans


def evidence(
    vlm: Any, prompter: Prompter, photo: np.ndarray, text: str, spans: Sequence[tuple[int, int]]
) -> list[Evidence]:
    """The support of each phrase of a description in the photo.

    Args:
        vlm: the model; its weights and mode are left as they are.
        photo: `(H, W, 3)` uint8, as the describer loads it.
        text: the description. spans: (start, end) of its phrases, as from `phrases_of`.

    Returns:
        One for each phrase; none where the model's photo tokens form no square grid over the whole
        photo (models that crop, cut a photo into tiles or keep its aspect).
    """
    tokens, gradients = phrase_gradients(vlm, prompter, photo, text, spans)
    side = math.isqrt(len(tokens))
    padded = bool(getattr(prompter.processor.image_processor, "do_pad", False))
    found = []
    for (start, end), gradient in zip(spans, gradients, strict=False):
        shares = (tokens @ gradient.mean(0)).double().reshape(side, side).cpu().numpy()
        found.append(Evidence(text[start:end], start, end, shares, padded))
    return found


def phrase_gradients(
    vlm: Any, prompter: Prompter, photo: np.ndarray, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The first sequence `(N, D)` and, for each phrase, its log-likelihood's gradient to it.

    Arguments as in `evidence`; the list is empty where the tokens form no grid.
    """
    batch = prompter.training_batch([photo], [text], max_text_tokens=1_000_000)
    device = next(vlm.parameters()).device
    batch = {name: value.to(device) for name, value in batch.items()}
    labels = batch.pop("labels")[0]
    with torch.no_grad():
        output = first_sequence(vlm, batch).encoder_output
    leaves = _as_leaves(output)
    side = math.isqrt(len(leaves))
    is_grid = side * side == len(leaves) and _is_one_square(batch["pixel_values"])
    if not is_grid or crops(prompter.processor):
        return leaves.detach(), []
    supervised = labels != IGNORED
    with torch.enable_grad():
        logits = vlm(
            **{name: value for name, value in batch.items() if name in TEXT_INPUTS},
            mm_encoder_outputs={"image": output},
            logits_to_keep=supervised[None],
            use_cache=False,
        ).logits.reshape(int(supervised.sum()), -1)
        likelihoods = logits.float().log_softmax(-1).gather(1, labels[supervised][:, None])[:, 0]
        gradients = [
            torch.autograd.grad(
                likelihoods[_tokens_of(prompter, text, start, end)].sum(),
                leaves,
                retain_graph=True,
            )[0]
            for start, end in spans
        ]
    return leaves.detach(), gradients


def _is_one_square(pixels: torch.Tensor) -> bool:
    """Whether the encoder saw the photo as one square picture, not as tiles or loose patches."""
    return (
        pixels.ndim >= 4 and pixels.shape[-1] == pixels.shape[-2] and pixels[..., 0, 0].numel() == 3
    )


def _as_leaves(output: Any) -> torch.Tensor:
    """Put one leaf tensor `(N, D)` in place of the encoder's tokens of a single photo."""
    features = output.pooler_output
    if isinstance(features, torch.Tensor):
        leaves = features.detach().reshape(-1, features.shape[-1]).requires_grad_(True)
        output.pooler_output = leaves.reshape(features.shape)
        return leaves
    parts = [part.detach().reshape(-1, part.shape[-1]) for part in features]
    leaves = torch.cat(parts).requires_grad_(True)
    pieces = leaves.split([len(part) for part in parts])
    output.pooler_output = type(features)(
        piece.reshape(part.shape) for piece, part in zip(pieces, features, strict=True)
    )
    return leaves


def _tokens_of(prompter: Prompter, text: str, start: int, end: int) -> list[int]:
    """Positions of the tokens that hold some of the characters from `start` to `end`."""
    # As the description is counted: what looks like a special token in it is plain text.
    plain = {"add_special_tokens": False, "split_special_tokens": True}
    encoded = prompter.tokenizer(text, **plain, return_offsets_mapping=True)
    return [
        at
        for at, (first, last) in enumerate(encoded["offset_mapping"])
        if first < end > start < last
    ]
