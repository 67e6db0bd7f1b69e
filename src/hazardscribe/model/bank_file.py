"""The text bank in a model folder, so that describing can compare photos with texts.

`text_bank.safetensors` holds the vectors, and those of an `lsa` encoder; `text_bank.json` the
training descriptions as they are written, which encoder made the vectors, and `lsa`'s n-grams. A
Hugging Face encoder is not copied: its folder is named, and whether what lies there now is the same
encoder is seen by whether it gives the same vectors.
"""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hazardscribe.errors import InputError
from hazardscribe.files import write_json
from hazardscribe.model.folders import absolute
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.text_bank import KEPT, TextBank
from hazardscribe.model.text_encoder import LSA, HubEncoder, embed
from hazardscribe.model.weights_index import write_index

logger = logging.getLogger(__name__)

BANK_FILE = "text_bank.safetensors"
BANK_TEXTS_FILE = "text_bank.json"
_PROBED = 8
_SAME = 0.999  # cosine; another revision of an encoder gives clearly other vectors


def save_bank(folder: Path, bank: TextBank) -> None:
    """Write a bank into a model folder; the token states of the form `token` are left out."""
    encoder = bank.encoder
    tensors = {name: getattr(bank, name).detach().cpu().contiguous() for name in KEPT}
    values: dict[str, Any] = {"pooling": bank.pooling, "encoder": None}
    if isinstance(encoder, LsaEncoder):
        lsa, values["lsa"] = encoder.state()
        tensors |= {f"{LSA}.{name}": tensor for name, tensor in lsa.items()}
        values["encoder"] = {"name": LSA}
    elif encoder is not None:
        values["encoder"] = {
            "name": absolute(encoder.path),
            "prefix": encoder.prefix,
            "identity": encoder.identity,
        }
    write_index(folder)  # first: from then on, there are weights that are not the model's
    save_file(tensors, folder / BANK_FILE)
    write_json(folder / BANK_TEXTS_FILE, values | {"texts": bank.texts})


def load_bank(folder: Path, device: str | torch.device = "cpu") -> TextBank | None:
    """The bank of a model folder; None where it has none.

    A Hugging Face encoder that made it is loaded when it is first needed. Where it is not to be
    had, or is not the same any more, a warning says so and the bank knows its own texts only.

    Raises:
        InputError: if the files are damaged.
    """
    path, texts_path = folder / BANK_FILE, folder / BANK_TEXTS_FILE
    if not (path.is_file() and texts_path.is_file()):
        return None
    try:
        tensors = load_file(path)
        values = json.loads(texts_path.read_text(encoding="utf-8"))
        texts = values["texts"]
        if not len(texts) == len(tensors["vectors"]) == len(tensors["log_counts"]):
            raise ValueError("texts and vectors differ in number")
        encoder: LsaEncoder | HubEncoder | None = None
        if "lsa" in values:
            kept = {name: tensors[f"{LSA}.{name}"] for name in ("idf", "components")}
            encoder = LsaEncoder.from_state(kept, values["lsa"])
        bank = TextBank.restored(texts, tensors, encoder, values["pooling"])
        named = values["encoder"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InputError(
            f"{path}: is damaged ({error}). Delete {BANK_FILE} and {BANK_TEXTS_FILE} to describe "
            "without comparing photos and texts, or run `hazardscribe calibrate` on the model."
        ) from error
    if encoder is None and named is not None:
        bank.load_encoder_by(partial(_hub_encoder, named, bank, device))
    return bank.to(device)


def _hub_encoder(
    named: dict[str, Any], bank: TextBank, device: str | torch.device
) -> HubEncoder | None:
    try:
        encoder = HubEncoder(named["name"], named["prefix"], device)
        probe = bank.texts[:_PROBED]
        centred = bank.centred(embed(encoder, probe, bank.pooling))
        likeness = float((centred * bank.vectors[:_PROBED]).sum(-1).min()) if probe else 1.0
    except (InputError, RuntimeError) as error:
        logger.warning(
            "text encoder %s is not to be had, so that only descriptions that occur in training "
            "can be compared with a photo: %s",
            named["name"],
            str(error).splitlines()[0],
        )
        return None
    if likeness < _SAME and len(bank) > 1:
        logger.warning(
            "text encoder %s is not the one this model was trained with (its vectors differ), so "
            "that only descriptions that occur in training can be compared with a photo",
            named["name"],
        )
        return None
    return encoder
