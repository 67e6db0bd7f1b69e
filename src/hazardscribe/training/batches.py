"""From pairs to batches: the dataset, the sampler and the collator."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from hazardscribe.model.prompting import Prompter
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.training.augment import augment
from hazardscribe.training.recipe import Augmentation


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo with its description, as the collator takes it.

    Attributes:
        photo: `(H, W, 3)` uint8. text: what to learn.
    """

    photo: np.ndarray
    text: str


class PairDataset(Dataset[Sample]):
    """Training pairs over a pixel cache.

    It is indexed by (row, epoch): chance is drawn from both and the run's seed, so a resumed run
    sees the same augmented photos in whatever process they are made.
    """

    def __init__(
        self,
        photos: Sequence[str],
        texts: Sequence[str],
        cache: PixelCache,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self.photos, self.texts = photos, texts
        self._cache, self._augmentation, self._seed = cache, augmentation, seed

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        row, epoch = key
        draw = random.Random(f"{self._seed}/{epoch}/{row}")
        photo, text = augment(
            self._cache.pixels(self.photos[row]), self.texts[row], self._augmentation, draw
        )
        return Sample(photo, text)


class BucketSampler(Sampler[tuple[int, int]]):
    """Every pair once an epoch, in chance order; where asked, pairs of like text length together.

    The order depends on seed and epoch alone, so a resumed run can skip what it has seen.

    Args:
        lengths: text length of each pair. batch: photos an optimizer step.
        pool: batches among which lengths are sorted; 1 leaves the order to chance. Like lengths
            are like texts ("no hazard: one worker ..."): a larger pool pads less, but its batches
            hold few kinds of text and pull the model to and fro.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, pool: int = 1) -> None:
        self._lengths, self._batch, self._seed, self._pool = lengths, batch, seed, pool
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the training loop at the start of each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        draw = random.Random(f"{self._seed}/{self._epoch}")
        order = list(range(len(self._lengths)))
        draw.shuffle(order)
        reach = self._batch * self._pool
        batches = []
        for start in range(0, len(order), reach):
            pool = order[start : start + reach]
            if self._pool > 1:
                pool.sort(key=lambda row: self._lengths[row])
            batches += [pool[i : i + self._batch] for i in range(0, len(pool), self._batch)]
        # The short batch must stay last, or the loader's cuts would no longer match the buckets.
        last = batches.pop() if batches and len(batches[-1]) < self._batch else []
        draw.shuffle(batches)
        for batch in [*batches, last]:
            for row in batch:
                yield row, self._epoch


class Collator:
    """Samples to a batch of tensors for the training module.

    Args:
        bank_index: row of a text in the text bank.
    """

    def __init__(
        self, prompter: Prompter, max_text_tokens: int, bank_index: Callable[[str], int]
    ) -> None:
        self._prompter, self._max_text_tokens = prompter, max_text_tokens
        self._bank_index = bank_index

    def __call__(self, samples: list[Sample]) -> dict[str, Any]:
        batch = self._prompter.training_batch(
            [sample.photo for sample in samples],
            [sample.text for sample in samples],
            self._max_text_tokens,
        )
        indices = [self._bank_index(sample.text) for sample in samples]
        batch["bank_indices"] = torch.tensor(indices)
        return {"batch": batch}
