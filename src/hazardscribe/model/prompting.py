"""From photos and prompt to model inputs, the same way in training and in describing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hazardscribe.errors import InputError
from hazardscribe.model.parts import image_token_id
from hazardscribe.model.placeholder import plain_template

# They tell prompt and answer apart by token types that mean something else in other families.
_TWO_WAY = frozenset({"paligemma"})

# Value of a label that is not supervised, as PyTorch's cross-entropy has it.
IGNORED = -100


class Prompter:
    """Turns photos into a processor's inputs, and descriptions into supervised targets.

    A processor without a chat template gets one: the photo, the prompt, a line break.

    Args:
        processor: the checkpoint's own processor; the last resize and the normalisation are its.
        vlm: the model, for its end tokens.
        prompt: the user text that stands beside the photo.
    """

    def __init__(self, processor: Any, vlm: Any, prompt: str) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.image_token_id = image_token_id(vlm.config)
        if processor.chat_template is None:
            # Set for good: it is saved with what is trained by it. What a processor replaces need
            # not be the placeholder itself: Gemma's writes 256 of them for its own mark.
            mark = getattr(processor, "image_token", None)
            if not isinstance(mark, str):
                mark = self.tokenizer.convert_ids_to_tokens(self.image_token_id)
            processor.chat_template = plain_template(mark)
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": content}]
        self.prompt_text: str = processor.apply_chat_template(messages, add_generation_prompt=True)
        self.stops = _stops(processor, vlm)
        self.end_id = _end_id(processor, self.stops, messages)
        pad = self.tokenizer.pad_token_id
        self.pad_id: int = self.end_id if pad is None else pad

    def inputs(
        self, photos: Sequence[np.ndarray], device: torch.device | str = "cpu"
    ) -> dict[str, torch.Tensor]:
        """Model inputs for describing, padded on the left so that generation starts flush.

        Args:
            photos: `(H, W, 3)` uint8 arrays, of any sizes.
            device: on which the inputs are to lie.
        """
        batch = self.processor(
            images=[[to_tensor(photo)] for photo in photos],
            text=[self.prompt_text] * len(photos),
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,  # the chat template wrote them
        )
        return {name: value.to(device) for name, value in batch.items()}

    def training_batch(
        self, photos: Sequence[np.ndarray], texts: Sequence[str], max_text_tokens: int
    ) -> dict[str, torch.Tensor]:
        """Model inputs for training, padded on the right, with labels on the description alone.

        The description and its end token are supervised, the prompt and the placeholders are not.
        A description that is too long is cut; the prompt never is. What looks like a special token
        in a description is plain text there.

        Returns:
            The processor's inputs and `labels` `(B, L)`, already shifted: the label at a position
            is the token that this position should predict.

        Raises:
            InputError: if a description holds a placeholder or end token that the tokenizer cannot
                take for plain text.
        """
        batch = self.inputs(photos)
        attended = batch.pop("attention_mask").bool()
        shape = attended.shape
        targets = [self._target_ids(text, max_text_tokens) for text in texts]
        per_token = [name for name, value in batch.items() if value.shape[:2] == shape]
        rows: dict[str, list[torch.Tensor]] = {name: [] for name in per_token}
        labels = []
        for i, target in enumerate(targets):
            prompt_length = int(attended[i].sum())
            for name in per_token:
                # Other per-token inputs mark image tokens; a description has none.
                tail = target if name == "input_ids" else torch.zeros_like(target)
                rows[name].append(torch.cat([batch[name][i][attended[i]], tail]))
            label = torch.full((prompt_length + len(target),), IGNORED)
            label[prompt_length - 1 : -1] = target
            labels.append(label)
        for name in per_token:
            fill = self.pad_id if name == "input_ids" else 0
            batch[name] = _pad(rows[name], fill)
        batch["labels"] = _pad(labels, IGNORED)
        lengths = torch.tensor([len(label) for label in labels])
        batch["attention_mask"] = (torch.arange(batch["labels"].shape[1]) < lengths[:, None]).long()
        return batch

    def text_length(self, text: str) -> int:
        """Number of tokens of a description, its end token included.

        Raises:
            InputError: as `training_batch`.
        """
        return len(self._text_ids(text)) + 1

    def decode(self, ids: torch.Tensor) -> list[str]:
        """Generated ids `(B, L)` to texts, special tokens dropped."""
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _target_ids(self, text: str, limit: int) -> torch.Tensor:
        return torch.tensor([*self._text_ids(text)[: limit - 1], self.end_id])

    def _text_ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(
            text, add_special_tokens=False, split_special_tokens=True
        )
        # Some vocabularies (Gemma's) hold such tokens without calling them special.
        reserved = {self.image_token_id, *self.stops}
        taken = next((token for token in ids if token in reserved), None)
        if taken is not None:
            raise InputError(
                f"description {text[:80]!r}: holds {self.tokenizer.decode([taken])!r}, with which "
                "this model marks photos or ends. Remove it from the text."
            )
        return ids


def refuse_unprompted(name: str | Path, config: Any, processor: Any) -> None:
    """Tell apart models that no `Prompter` can be made for.

    Args:
        name: of the model, for the error. config: the model's.

    Raises:
        InputError: saying why not.
    """
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise InputError(
            f"{name}: has no processor for photos and text; name an image-text-to-text model"
        )
    if config.model_type in _TWO_WAY:
        raise InputError(
            f"{name}: a model of type {config.model_type!r} reads its prompt in both directions, "
            "for which training is not made. Name another family, such as Gemma 3 or Qwen-VL."
        )
    image_token_id(config)


def to_tensor(photo: np.ndarray) -> torch.Tensor:
    """`(H, W, 3)` uint8 to the `(3, H, W)` tensor that processors take without converting.

    The photo is copied: cached pixels are read-only.
    """
    return torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1)))


def model_side(processor: Any) -> int | None:
    """Side in pixels of the processor's square output; None where it keeps the photo's own size."""
    size = processor.image_processor.size
    values = size if isinstance(size, dict) else dict(size)
    sides = [int(values[key]) for key in ("height", "width") if values.get(key)]
    # Dynamic-resolution processors (Qwen's, which merge patches) keep pixel counts under the names
    # of edges; the smaller one may look like a side (Qwen2-VL's 3136 is 56 * 56).
    counts_pixels = hasattr(processor.image_processor, "merge_size")
    if not sides and not counts_pixels:
        edges = [int(values[key]) for key in ("longest_edge", "shortest_edge") if values.get(key)]
        sides = [edge for edge in edges if edge <= 4096]
    return max(sides) if sides else None


def crops(processor: Any) -> bool:
    """Whether the processor cuts the photo's edges off before the model sees it."""
    image_processor = processor.image_processor
    if not getattr(image_processor, "do_center_crop", False):
        return False
    # After padding to a square, a crop to the resized size takes nothing away.
    size, crop = dict(image_processor.size), dict(image_processor.crop_size)
    same = all(size.get(side) == crop.get(side) for side in ("height", "width"))
    return not (getattr(image_processor, "do_pad", False) and same and size.get("height"))


def _stops(processor: Any, vlm: Any) -> list[int]:
    """Tokens at which generation stops."""
    stops = vlm.generation_config.eos_token_id
    if stops is None:
        stops = processor.tokenizer.eos_token_id
    stops = [stops] if isinstance(stops, int) else list(stops or [])
    if not stops:
        raise InputError(
            "the model names no end token: set eos_token_id in its generation_config.json"
        )
    return stops


def _end_id(processor: Any, stops: list[int], messages: list[dict[str, Any]]) -> int:
    """The token that ends an answer: what the chat template writes, if generation stops at it."""
    answer = {"role": "assistant", "content": [{"type": "text", "text": "answer"}]}
    try:
        rendered = processor.apply_chat_template([*messages, answer])
    except Exception:  # a template may refuse assistant turns; the first stop token then serves
        return int(stops[0])
    tail = processor.tokenizer.encode(rendered.rpartition("answer")[2], add_special_tokens=False)
    return int(next((token for token in tail if token in stops), stops[0]))


def _pad(rows: list[torch.Tensor], value: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
