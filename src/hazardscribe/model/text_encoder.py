"""Frozen text encoders: any Hugging Face encoder, or the embedded `lsa`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import torch

from hazardscribe.errors import InputError
from hazardscribe.model.folders import (
    LOADING,
    UNLOADABLE,
    WEIGHTS,
    fingerprint,
    model_folder,
    reason,
    refuse_unusable,
)
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.sequences import TextEncoder, pool_sequence, second_sequence

logger = logging.getLogger(__name__)

LSA = "lsa"
BATCH = 64  # texts
_POOLINGS = {
    "mean": "mean",
    "cls": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
}


class HubEncoder:
    """Any encoder that `AutoModel` loads, sentence-transformers folders included.

    Args:
        path: model folder (or name in the local cache).
        prefix: put in front of every text, as some encoders expect (`query: ` for E5).
        device: where it runs.

    Raises:
        InputError: if the folder holds no such model.
    """

    def __init__(self, path: str, prefix: str = "", device: str | torch.device = "cpu") -> None:
        from transformers import AutoModel, AutoTokenizer

        refuse_unusable(path)
        folder = model_folder(path)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, **LOADING)
            model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32, **WEIGHTS)
        except UNLOADABLE as error:
            raise InputError(
                f"text encoder {path!r} could not be loaded: {reason(error)}\n"
                "Name a folder that transformers' AutoModel loads, or use `lsa`, which needs none."
            ) from error
        if not hasattr(model.config, "hidden_size"):
            raise InputError(
                f"text encoder {path!r}: a {model.config.model_type} model is no text encoder. "
                "Name the folder of one, such as a sentence-transformers model, or use `lsa`."
            )
        if (folder / "2_Dense").is_dir():
            logger.warning(
                "text encoder %s: its further layer (2_Dense) is left out; texts are compared by "
                "what lies below it",
                path,
            )
        self._model = model.to(device).eval().requires_grad_(False)
        self.path, self.prefix = path, prefix
        self.dim = int(model.config.hidden_size)
        self.identity = f"{path}/{fingerprint(folder, model.config.to_json_string())}/{prefix}"

    def move(self, device: str | torch.device) -> None:
        """Run on another device from now on."""
        self._model.to(device)

    @torch.no_grad()
    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Texts to token states `(B, M, D)` on the CPU and their mask `(B, M)`."""
        batch = self._tokenizer(
            [self.prefix + text for text in texts],
            padding=True,
            truncation=True,
            return_tensors="pt",
        ).to(self._model.device)
        states = self._model(**batch).last_hidden_state
        return states.float().cpu(), batch["attention_mask"].bool().cpu()


def load_text_encoder(
    name: str, corpus: Sequence[str], prefix: str = "", device: str | torch.device = "cpu"
) -> LsaEncoder | HubEncoder:
    """The text encoder called `name`: `lsa` (fitted on `corpus`) or a model folder."""
    return LsaEncoder(corpus) if name == LSA else HubEncoder(name, prefix, device)


def embed(encoder: TextEncoder, texts: Sequence[str], pooling: str = "mean") -> torch.Tensor:
    """Pooled unit vectors `(len(texts), D)` of many texts, encoded in batches."""
    parts = [
        pool_sequence(*second_sequence(encoder, list(texts[i : i + BATCH])), pooling)
        for i in range(0, len(texts), BATCH)
    ]
    return torch.cat(parts)


def default_pooling(path: str) -> str:
    """The pooling that a sentence-transformers folder or cached name states, else `mean`.

    Raises:
        InputError: if it states a pooling other than `mean` or `cls`.
    """
    config = model_folder(path) / "1_Pooling" / "config.json"
    if not config.is_file():
        return "mean"
    stated = json.loads(config.read_text(encoding="utf-8"))
    # One flag a kind, or in newer folders the kind itself; several kinds are concatenated.
    kinds = {key for key, value in stated.items() if key.startswith("pooling_mode_") and value}
    if isinstance(stated.get("pooling_mode"), str):
        kinds.add(stated["pooling_mode"])
    pooling = {_POOLINGS.get(kind) for kind in kinds} or {"mean"}
    if len(pooling) > 1 or None in pooling:
        raise InputError(
            f"text encoder {path!r}: is made for the pooling {', '.join(sorted(kinds))}; "
            "hazardscribe pools by the mean or the first token. Name another text encoder, use "
            "`lsa`, or choose one of the two with alignment.pooling."
        )
    return str(pooling.pop())
