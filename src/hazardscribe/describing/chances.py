"""How probable the words are that transformers' `generate` chooses, without the other words.

Its `output_scores` keeps the scores of all words of the vocabulary, for each row and step. Of a
vocabulary of 151,936, sixteen photos with four beams each and 96 words that is 3.7 GB, and as much
again when they are read. A search can only choose among a row's best words, so those are enough.
"""

from __future__ import annotations

import torch
from transformers import LogitsProcessor


class Chances(LogitsProcessor):
    """Keeps the best words of each row and step, with their log probabilities.

    Args:
        beams: of the search; 1 is greedy. stops: how many tokens end a text.
    """

    def __init__(self, beams: int, stops: int) -> None:
        # As many continuations as beam search looks at, all of which may be one row's.
        self._kept = 1 if beams == 1 else max(2, 1 + stops) * beams
        self._greedy = beams == 1
        self._words: list[torch.Tensor] = []
        self._chances: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Take the scores `(R, V)` of a step, as they are chosen by."""
        best, words = scores.topk(min(self._kept, scores.shape[-1]))
        # Beam search hands on log probabilities, greedy search logits.
        self._chances.append(best - scores.logsumexp(-1, keepdim=True) if self._greedy else best)
        self._words.append(words)
        return scores

    def of(self, chosen: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        """`(B, T)` log probabilities of the tokens `(B, T)` that were chosen; 0 for padding.

        Args:
            rows: `(B, T)` the row that each token continues, -1 after the end; None: its own.
        """
        steps = chosen.shape[1]
        words, chances = torch.stack(self._words[:steps], 1), torch.stack(self._chances[:steps], 1)
        if rows is not None:
            rows = rows[:, :steps].long()
            at = torch.arange(steps, device=rows.device)
            words, chances = (kept[rows.clamp(min=0), at] for kept in (words, chances))
        # Of words that are as likely as the last one kept, the search may have taken another.
        found = chances.masked_fill(words != chosen[..., None], float("-inf")).amax(-1)
        found = torch.maximum(found, chances[..., -1])
        return found if rows is None else found.masked_fill(rows < 0, 0.0)
