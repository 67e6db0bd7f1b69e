"""From pairs to batches: the dataset, the sampler and the collator."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from hazardscribe.model.composed import photo_start
from hazardscribe.model.prompting import IGNORED, Prompter
from hazardscribe.pairs.pixel_cache import PixelCache
from hazardscribe.training.augment import augment
from hazardscribe.training.recipe import Augmentation


class Sample(NamedTuple):
    """One photo, `(H, W, 3)` uint8, with the text to learn, as the collator takes it."""

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
        pixels = self._cache.pixels(self.photos[row])
        return Sample(*augment(pixels, self.texts[row], self._augmentation, draw))


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


@dataclass(frozen=True, slots=True)
class Places:
    """Where photos and supervised words stand in a batch.

    Found before the batch goes to a device: looked up on a GPU, each of them holds up the step
    until the GPU has done all it was given.

    Attributes:
        photo: column where the photos start, None where they are not one run in the same columns.
        counts: placeholders of each row.
        supervised: `(2, T)`, row and column of each position whose label is supervised.
    """

    photo: int | None
    counts: list[int]
    supervised: torch.Tensor

    @classmethod
    def find(cls, ids: torch.Tensor, labels: torch.Tensor, image_token: int) -> Places:
        """Those of a batch.

        Args:
            ids: `(B, L)` with placeholders `image_token`. labels: `(B, L)`.
        """
        counts = [int(n) for n in (ids == image_token).sum(-1).tolist()]
        supervised = (labels != IGNORED).nonzero().T.contiguous()
        return cls(photo_start(ids, image_token), counts, supervised)

    def to(self, *args: Any, **kwargs: Any) -> Places:
        """As `torch.Tensor.to`; the loader calls it."""
        return replace(self, supervised=self.supervised.to(*args, **kwargs))

    def pin_memory(self) -> Places:
        """As `torch.Tensor.pin_memory`; the loader calls it."""
        return replace(self, supervised=self.supervised.pin_memory())


class Collator:
    """Samples to a batch for the training module: tensors, and their `places`.

    Args:
        bank_index: row of a text in the text bank.
        pixels: type of the pixels. A tower that computes in bfloat16 rounds them so at once; half
            as many bytes then go from a worker to the GPU.
    """

    def __init__(
        self,
        prompter: Prompter,
        max_text_tokens: int,
        bank_index: Callable[[str], int],
        pixels: torch.dtype = torch.float32,
    ) -> None:
        self._prompter, self._max_text_tokens = prompter, max_text_tokens
        self._bank_index, self._pixels = bank_index, pixels

    def __call__(self, samples: list[Sample]) -> dict[str, Any]:
        photos, texts = zip(*samples, strict=True)
        batch = self._prompter.training_batch(photos, texts, self._max_text_tokens)
        for name, value in batch.items():
            if name.startswith("pixel_") and value.is_floating_point():
                batch[name] = value.to(self._pixels)
        indices = [self._bank_index(text) for text in texts]
        image_token = self._prompter.image_token_id
        places = Places.find(batch["input_ids"], batch["labels"], image_token)
        return {"batch": batch | {"bank_indices": torch.tensor(indices), "places": places}}
