"""Frozen text encoders: any Hugging Face encoder, or the embedded `lsa`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hazardscribe.errors import InputError
from hazardscribe.model.folders import (
    LOADING,
    UNLOADABLE,
    WEIGHTS,
    fingerprint,
    reason,
    refuse_unusable,
)
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.sequences import TextEncoder, pool_sequence, second_sequence

LSA = "lsa"


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
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, **LOADING)
            model: Any = AutoModel.from_pretrained(path, dtype=torch.float32, **WEIGHTS)
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
        self._model = model.to(device).eval().requires_grad_(False)
        self.path, self.prefix = path, prefix
        self.dim = int(model.config.hidden_size)
        self.identity = f"{path}/{fingerprint(Path(path), model.config.to_json_string())}/{prefix}"

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


def embed(
    encoder: TextEncoder, texts: Sequence[str], pooling: str = "mean", batch: int = 64
) -> torch.Tensor:
    """Pooled unit vectors `(len(texts), D)` of many texts, encoded in batches."""
    parts = [
        pool_sequence(*second_sequence(encoder, list(texts[i : i + batch])), pooling)
        for i in range(0, len(texts), batch)
    ]
    return torch.cat(parts)


def default_pooling(path: str) -> str:
    """The pooling that a sentence-transformers folder states, else `mean`."""
    config = Path(path) / "1_Pooling" / "config.json"
    if not config.is_file():
        return "mean"
    stated = json.loads(config.read_text(encoding="utf-8"))
    is_cls = stated.get("pooling_mode_cls_token") or stated.get("pooling_mode") == "cls"
    return "cls" if is_cls else "mean"
