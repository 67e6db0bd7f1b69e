"""Texts of a batch while they are being written; transformers' own streamers take one text only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from hazardscribe.model.prompting import Prompter


class TextStream(BaseStreamer):
    """Hands on the text so far of each photo of a greedily described batch.

    Args:
        prompter: for its tokenizer.
        listener: called with the photo's place in the batch and its whole text so far, whenever
            that has changed. What it raises ends the generation.
    """

    def __init__(self, prompter: Prompter, listener: Callable[[int, str], None]) -> None:
        self._prompter, self._listener = prompter, listener
        self._ids: torch.Tensor | None = None
        self._texts: list[str] = []

    def put(self, value: torch.Tensor) -> None:
        """Take the prompt `(B, L)` once, then the next token of each text `(B,)`."""
        if self._ids is None:
            self._ids = value.new_empty((len(value), 0))
            self._texts = [""] * len(value)
            return
        self._ids = torch.cat([self._ids, value.reshape(-1, 1)], dim=1)
        for place, text in enumerate(self._prompter.decode(self._ids)):
            text = text.rstrip("\ufffd")  # a character of which bytes are still to come
            if text != self._texts[place]:
                self._texts[place] = text
                self._listener(place, text)

    def end(self) -> None:
        """Nothing is held back."""


class StopWhen(StoppingCriteria):
    """Ends the generation of a whole batch once nobody waits for it any more."""

    def __init__(self, unwanted: Callable[[], bool]) -> None:
        self._unwanted = unwanted

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """`(B,)`: whether each text ends here."""
        return torch.full((len(input_ids),), self._unwanted(), device=input_ids.device)
