"""Photos in, descriptions out: the engine behind `describe`, `evaluate` and the Python API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from hazardscribe.describing.generate import Decoding, Generated, generate
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.model.checkpoint import Card, load_checkpoint
from hazardscribe.model.prompting import Prompter, model_side
from hazardscribe.pairs.photo import load_photo

Photo = str | Path | bytes


@dataclass(frozen=True, slots=True)
class Description:
    """What the model says of one photo.

    Attributes:
        text: the description; empty where the photo could not be used.
        alternatives: other descriptions, best first.
        confidence: geometric mean probability of the text's tokens, 0..1.
        error: why the photo could not be used, else None.
    """

    text: str
    alternatives: list[str] = field(default_factory=list)
    confidence: float = 0.0
    error: PhotoError | None = None


class Describer:
    """Describes photos with a trained model.

    Args:
        model: a model folder. device: `cpu`, `cuda` ...; default: a GPU where there is one.
        beams: 1 is greedy. alternatives: further descriptions a photo.
        batch_size: photos at a time. max_new_tokens: longest description, in tokens.
        precision: `float32`, or `bfloat16` products.

    Raises:
        InputError: if the model cannot be loaded, or an option is out of its range.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        device: str | None = None,
        beams: int = 1,
        alternatives: int = 0,
        batch_size: int = 16,
        max_new_tokens: int = 96,
        precision: str = "float32",
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("beams", beams, 1),
            ("alternatives", alternatives, 0),
            ("max_new_tokens", max_new_tokens, 1),
        ):
            if value < least:
                raise InputError(f"--{name} {value}: must be at least {least}.")
        device = usable_device(device)
        loaded = load_checkpoint(model, device=device)
        self.folder, self.card, self.device = loaded.folder, loaded.card, device
        self.vlm, self.processor = loaded.vlm, loaded.processor
        self._bound = image_bound(self.card, self.processor)
        self.prompter = Prompter(self.processor, self.vlm, self.card.prompt)
        self._decoding = Decoding(beams, max_new_tokens, 1 + alternatives)
        self._batch_size = batch_size
        self._compute = torch.bfloat16 if precision == "bfloat16" else torch.float32

    @overload
    def __call__(self, photos: Photo) -> Description: ...
    @overload
    def __call__(self, photos: list[Photo] | tuple[Photo, ...]) -> list[Description]: ...
    def __call__(self, photos: Photo | Sequence[Photo]) -> Description | list[Description]:
        """Describe one photo (a path or its bytes), or several.

        Raises:
            PhotoError: if a single photo cannot be used. Of several, each bad one carries its
                error in its own result.
        """
        if isinstance(photos, str | Path | bytes):
            [result] = self.stream([photos])
            if result.error is not None:
                raise result.error
            return result
        return list(self.stream(photos))

    def stream(self, photos: Sequence[Photo]) -> Iterator[Description]:
        """Describe photos in order, batch by batch; one bad photo never stops the rest.

        The next batch is decoded while the model works on this one.
        """
        todo = iter(photos)
        with ThreadPoolExecutor(max_workers=2) as pool:
            ahead = self._decode(pool, todo)
            while ahead:
                decoded = [future.result() for future in ahead]
                ahead = self._decode(pool, todo)
                yield from self._describe(decoded)

    def _decode(self, pool: ThreadPoolExecutor, todo: Iterator[Photo]) -> list[Any]:
        return [pool.submit(self._load, photo) for photo in islice(todo, self._batch_size)]

    def pixels(self, photo: Photo) -> np.ndarray:
        """A photo as the model gets it before its processor: `(H, W, 3)` uint8, within the bound.

        Raises:
            PhotoError: if it cannot be used.
        """
        return np.asarray(load_photo(photo, bound=self._bound))

    def _load(self, photo: Photo) -> np.ndarray | PhotoError:
        try:
            return self.pixels(photo)
        except PhotoError as error:
            return error

    def _describe(self, decoded: list[np.ndarray | PhotoError]) -> list[Description]:
        good = [photo for photo in decoded if isinstance(photo, np.ndarray)]
        made: Iterator[Generated] = iter(
            generate(self.vlm, self.prompter, good, self._decoding, compute=self._compute)
            if good
            else []
        )
        results = []
        for photo in decoded:
            if isinstance(photo, PhotoError):
                results.append(Description("", error=photo))
            else:
                of_photo = next(made)
                results.append(
                    Description(of_photo.texts[0], of_photo.texts[1:], of_photo.confidences[0])
                )
        return results


def usable_device(device: str | None) -> str:
    """The device as named, or by default a GPU where there is one.

    Raises:
        InputError: if there is no such device on this machine.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InputError(
            f"--device {device}: is no device; write `cpu`, `cuda` or `cuda:1`."
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"--device {device}: no usable NVIDIA GPU is here (no GPU, no driver, or PyTorch's CPU "
            "build). Leave --device out to use the processor."
        )
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise InputError(
            f"--device {device}: this machine has no such device. Leave --device out, or write "
            "`cpu`."
        ) from error
    return device


def image_bound(card: Card, processor: Any) -> int:
    """Longest side to which photos are decoded: the card's, else twice the model's side."""
    if card.image_bound:
        return card.image_bound
    side = model_side(processor)
    return 2 * side if side else 2048
