"""Keys and values of a text that is being written, with room for the words to come.

transformers' `DynamicCache` copies all it holds for every new word, which on a processor took more
time than attention itself (`benchmarks/describing_speed.py --peers ours ours-copying`).
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer

ROOM = 64  # further words for which there is room after each copy


class RoomyLayer(DynamicLayer):
    """A layer's keys and values, `(B, K, S, D)` each, as views of larger buffers."""

    _buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the keys and values of new words; those of all words."""
        if torch.is_grad_enabled():  # a gradient needs every version of what it went through
            self._buffers = None
            grown: tuple[torch.Tensor, torch.Tensor]
            grown = super().update(key_states, value_states, *args, **kwargs)
            return grown
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[2]
        if self._buffers is None or after > self._buffers[0].shape[2]:
            self._buffers = (
                _larger(self.keys, key_states, before, after + ROOM),
                _larger(self.values, value_states, before, after + ROOM),
            )
        keys, values = self._buffers
        keys[:, :, before:after], values[:, :, before:after] = key_states, value_states
        self.keys, self.values = keys[:, :, :after], values[:, :, :after]
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """As DynamicLayer's."""
        super().batch_repeat_interleave(repeats)
        self._buffers = None

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """As DynamicLayer's."""
        super().batch_select_indices(indices)
        self._buffers = None


def roomy_cache(layers: int) -> Cache:
    """An empty cache of so many layers, all of full attention."""
    return Cache(layers=[RoomyLayer() for _ in range(layers)])


def _larger(old: Any, new: torch.Tensor, before: int, size: int) -> torch.Tensor:
    """A buffer of `size` words like `new`, holding the `before` words of `old`."""
    buffer = new.new_empty(*new.shape[:2], size, new.shape[3])
    if before:
        buffer[:, :, :before] = old
    return buffer
