"""Save and load a model folder: a plain Hugging Face checkpoint plus what describing needs to know.

Beside transformers' own files lie ours, which others may ignore: `hazardscribe.json` (prompt,
language, decode bound), `alignment_head.safetensors`, the text bank (`bank_file`), which photos it
was trained on (`seen_photos`) and what `describing/calibrate.py` fits on dev. `weights_index` tells
others which files are which.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from hazardscribe.checksums import CHECKSUMS, check_checksums, write_checksums
from hazardscribe.errors import InputError
from hazardscribe.files import new_folder, recover_folder, write_json
from hazardscribe.model.bank_file import BANK_FILE, BANK_TEXTS_FILE, save_bank
from hazardscribe.model.folders import (
    LOADING,
    UNLOADABLE,
    WEIGHTS,
    damaged_settings,
    reason,
    refuse_unusable,
)
from hazardscribe.model.generation import plain_settings
from hazardscribe.model.parts import image_token_id
from hazardscribe.model.prompting import refuse_unprompted
from hazardscribe.model.seen_photos import SEEN_FILE, SeenPhotos
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.weight_names import publish_names
from hazardscribe.model.weights_index import write_index

CARD_FILE = "hazardscribe.json"
HEAD_FILE = "alignment_head.safetensors"
_DAMAGED = (
    "Copy the model folder again from its origin, or train it again; where you changed the weights "
    f"yourself, delete {CHECKSUMS}."
)
DEFAULT_PROMPT = {"zh": "描述图中的安全隐患。", "en": "Describe the safety hazard in the photo."}


@dataclass(frozen=True, slots=True)
class Card:
    """What describing needs beyond the checkpoint itself.

    Attributes:
        language: `zh` or `en`, the language of the descriptions.
        prompt: the user text beside the photo, the same in training and describing.
        target: template of the text that was learned, over the columns of the pairs.
        image_bound: longest side, in pixels, to which photos are decoded before the processor's own
            resize; the same in training and describing.
        start: the checkpoint that training started from, if any (for the nearest-photo baseline).
        tower: what `init` took the tower from; `scratch`: it was untrained.
        safe_share: share of the photos after rectification that trained it; None where an earlier
            version did not say. safe_text: their description; None: the usual one.
        version: version of hazardscribe that wrote the folder.
    """

    language: str = "zh"
    prompt: str = DEFAULT_PROMPT["zh"]
    target: str = "{description}"
    image_bound: int | None = None
    start: str | None = None
    tower: str | None = None
    safe_share: float | None = None
    safe_text: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model folder."""

    vlm: Any
    processor: Any
    card: Card
    folder: Path


def save_checkpoint(
    folder: Path,
    vlm: Any,
    processor: Any,
    *,
    card: Card | None = None,
    head: nn.Module | None = None,
    bank: TextBank | None = None,
    alignment_of: Path | None = None,
    state_dict: dict[str, torch.Tensor] | None = None,
    seen: SeenPhotos | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a model folder, whole or not at all, with checksums of weights, head and tokenizer.

    An index of the weights keeps other programs from taking the head and the bank for weights.

    Args:
        state_dict: tensors to save in place of the model's own (merged adapters).
        head: alignment head, written beside the model for re-ranking and retrieval.
        bank: the training texts and their vectors, beside the head; see `bank_file`.
        alignment_of: a former model folder whose head and bank are copied, where it has them.
        seen: the photos that trained it, beside the model; see `seen_photos`.
        texts: of further files, by name.

    Raises:
        InputError: if the folder cannot be written.
    """
    with new_folder(Path(folder)) as partial:
        vlm.save_pretrained(partial, state_dict=state_dict)
        publish_names(partial, vlm.config)
        processor.save_pretrained(partial)
        if card is not None:
            write_json(partial / CARD_FILE, asdict(card))
        if head is not None:
            tensors = {name: value.contiguous() for name, value in head.state_dict().items()}
            save_file(tensors, partial / HEAD_FILE, metadata={"form": getattr(head, "form", "")})
        if bank is not None:
            save_bank(partial, bank)
        if alignment_of is not None:
            for name in (HEAD_FILE, BANK_FILE, BANK_TEXTS_FILE):
                if (alignment_of / name).is_file():
                    shutil.copyfile(alignment_of / name, partial / name)
        if seen is not None:
            seen.save(partial)
        for name, text in (texts or {}).items():
            (partial / name).write_bytes(text.encode())
        write_index(partial)
        # Not what may be fitted anew or edited by hand: the bank, calibration, settings.
        patterns = ("*.safetensors", "*.safetensors.index.json", "tokenizer.json", SEEN_FILE)
        checked = {path for pattern in patterns for path in partial.glob(pattern)}
        write_checksums(partial, checked - {partial / BANK_FILE})


def load_checkpoint(folder: str | Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """Load any image-text-to-text checkpoint in Hugging Face format, safetensors only.

    Of its generation config, what shapes the search for a text is left behind: see `generation`.

    Args:
        folder: a model folder, or a name in the local cache.

    Raises:
        InputError: if the folder is missing, damaged, holds custom code, pickled weights, or no
            image-text-to-text model, or one of a kind that cannot be prompted.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = Path(folder)
    recover_folder(folder)
    refuse_unusable(folder)
    check_checksums(folder, _DAMAGED, all_there=False)
    try:
        # float32, since bfloat16 rounds AdamW's updates away
        vlm: Any = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, **WEIGHTS
        )
        processor = AutoProcessor.from_pretrained(folder, **LOADING)
    except UNLOADABLE as error:
        raise InputError(
            f"{folder}: could not be loaded as an image-text-to-text model: "
            f"{damaged_settings(folder)}{reason(error)}\n"
            "Name a folder that `hazardscribe init` or `hazardscribe train` wrote, or any "
            "checkpoint that transformers' AutoModelForImageTextToText loads."
        ) from error
    refuse_unprompted(folder, vlm.config, processor)
    vlm.generation_config = plain_settings(
        vlm.generation_config, processor.tokenizer, {image_token_id(vlm.config)}
    )
    return Checkpoint(vlm.to(device).eval(), processor, load_card(folder), folder)


def load_card(folder: Path) -> Card:
    """The card of a model folder; a checkpoint from elsewhere has none and gets the defaults.

    Raises:
        InputError: if the file is there but is not valid.
    """
    path = Path(folder) / CARD_FILE
    if not path.is_file():
        return Card()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict):
            raise ValueError("it is no JSON object")
        known = {field.name for field in fields(Card)}
        return Card(**{key: value for key, value in stored.items() if key in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is not valid: {error}. Delete it to take defaults.") from error
