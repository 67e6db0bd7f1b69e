"""Frozen text encoders: any Hugging Face encoder, or the embedded `lsa`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hazardscribe.errors import InputError
from hazardscribe.model.folders import LOADING, UNLOADABLE, WEIGHTS, reason, refuse_unusable
from hazardscribe.model.sequences import TextEncoder, pool_sequence, second_sequence

LSA = "lsa"
LSA_DIM = 128


class LsaEncoder:
    """Latent semantic analysis of character n-grams: needs no pretrained model and no download.

    TF-IDF over character 1- to 4-grams, then a truncated SVD (Deerwester et al. 1990), fitted on
    the training descriptions. The sequence it gives has length one.

    Args:
        corpus: the training descriptions.
        dim: at most this many dimensions; a small corpus gives fewer.
    """

    def __init__(self, corpus: Sequence[str], dim: int = LSA_DIM) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = sorted(set(corpus))
        self._tfidf = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
        table = self._tfidf.fit_transform(texts)
        # The SVD needs fewer components than there are texts or n-grams.
        self.dim = max(1, min(dim, min(table.shape) - 1))
        # One text, or texts of one n-gram, cannot be told apart: all get the same vector.
        self._svd = None
        if min(table.shape) > 1:
            self._svd = TruncatedSVD(self.dim, random_state=0).fit(table)
        fingerprint = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        self.identity = f"lsa/{self.dim}/{fingerprint}"

    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Texts to `(B, 1, D)` and an all-true mask `(B, 1)`."""
        if self._svd is None:
            values = torch.ones(len(texts), 1)
        else:
            table = self._svd.transform(self._tfidf.transform(texts))
            values = torch.from_numpy(table).float()
        return values[:, None], torch.ones(len(texts), 1, dtype=torch.bool)


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
        self._model = model.to(device).eval().requires_grad_(False)
        self._prefix = prefix
        self.dim = int(model.config.hidden_size)
        self.identity = f"{path}/{_fingerprint(Path(path), model.config.to_json_string())}/{prefix}"

    @torch.no_grad()
    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Texts to token states `(B, M, D)` on the CPU and their mask `(B, M)`."""
        batch = self._tokenizer(
            [self._prefix + text for text in texts],
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


def _fingerprint(folder: Path, config: str) -> str:
    """Tells one revision of a model from another without reading gigabytes of weights."""
    weights = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    parts = [config, *(f"{w.name}:{w.stat().st_size}:{w.stat().st_mtime_ns}" for w in weights)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
