"""The baseline that says of a photo what was written of the training photo most like it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hazardscribe.describing.describer import Describer
from hazardscribe.errors import PhotoError
from hazardscribe.evaluation import nearest_texts
from hazardscribe.model.checkpoint import load_card, load_checkpoint
from hazardscribe.model.parts import part_of
from hazardscribe.model.sequences import first_sequence
from hazardscribe.pairs.left_out import tell_unreadable
from hazardscribe.pairs.photo import load_photo

logger = logging.getLogger(__name__)

# What is compared where there was no pretrained tower: a tiny picture.
_THUMBNAIL = 32
_BATCH = 32


def texts_of_nearest(
    describer: Describer, photos: list[str], train_photos: list[str], train_texts: list[str]
) -> list[str] | None:
    """Description of the nearest training photo, by what was known *before* training.

    Features of the pretrained tower that training started from; of a tiny picture where there was
    none. The trained encoder would be no baseline: it is what is being evaluated. None where no
    training photo can be read.
    """
    start = describer.card.start
    features: Callable[[list[str]], tuple[list[int], np.ndarray]]
    if start and Path(start).is_dir() and load_card(Path(start)).tower != "scratch":
        features = TowerFeatures(start, describer)
    else:
        if start and not Path(start).is_dir():
            logger.warning(
                "evaluate: the model that training started from, %s, is not here: the "
                "nearest-photo baseline compares small pictures in place of its tower's features, "
                "and is weaker for it",
                start,
            )
        features = _thumbnails
    readable, theirs = features(train_photos)
    if not readable:
        return None
    places: dict[str, list[int]] = {}
    for place, number in enumerate(readable):
        places.setdefault(train_photos[number], []).append(place)
    own = [places.get(photo, []) for photo in photos]
    texts = [train_texts[number] for number in readable]
    return nearest_texts(theirs, features(photos)[1], texts, own)


def _readable(photos: list[str], load: Callable[[str], Any]) -> Iterator[tuple[int, Any]]:
    """Number and picture of each photo that can be read; a warning tells of the others."""
    failed = []
    for number, photo in enumerate(photos):
        try:
            picture = load(photo)
        except PhotoError as error:
            failed.append(error)
        else:
            yield number, picture
    tell_unreadable("nearest-photo baseline", failed, len(photos), "photos")


class TowerFeatures:
    """Mean-pooled output of the tower of the checkpoint that training started from.

    Its language model, most of a start, stays where it was loaded: a GPU holds the describer's.
    """

    def __init__(self, start: str, describer: Describer) -> None:
        self._vlm, self._describer = load_checkpoint(start).vlm, describer
        for name, module in self._vlm.named_modules():
            if part_of(name) != "llm":
                _move(module, describer.device)

    @torch.inference_mode()
    def __call__(self, photos: list[str]) -> tuple[list[int], np.ndarray]:
        numbers: list[int] = []
        parts: list[np.ndarray] = []
        readable = _readable(photos, self._describer.pixels)
        # No more than the describer takes: one photo may be many tiles.
        while batch := list(islice(readable, min(_BATCH, self._describer.batch_size))):
            numbers += [number for number, _ in batch]
            pixels = [one for _, one in batch]
            inputs = self._describer.prompter.inputs(pixels, self._describer.device)
            sequence = first_sequence(self._vlm, inputs)
            parts.append(sequence.tower_vectors().float().cpu().numpy())
        return numbers, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _move(module: nn.Module, device: str) -> None:
    """Move what a module itself holds, not what the modules inside it do."""
    for key, weight in list(module.named_parameters(recurse=False)):
        setattr(module, key, nn.Parameter(weight.detach().to(device), requires_grad=False))
    for key, buffer in list(module.named_buffers(recurse=False)):
        setattr(module, key, buffer.to(device))


def _thumbnails(photos: list[str]) -> tuple[list[int], np.ndarray]:
    numbers, rows = [], []
    for number, picture in _readable(photos, partial(load_photo, bound=4 * _THUMBNAIL)):
        numbers.append(number)
        small = np.asarray(picture.resize((_THUMBNAIL, _THUMBNAIL)), dtype=np.float32)
        rows.append((small - small.mean()).reshape(-1))
    return numbers, np.stack(rows) if rows else np.empty((0, 0), np.float32)
