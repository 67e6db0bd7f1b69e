"""The second sequence of every training description, computed once and kept.

The text encoder is frozen, so its vectors never change: each photo can be contrasted with the whole
corpus at the price of one matrix product, without batch-size effects or gathers between devices.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.sequences import second_sequence
from hazardscribe.model.text_encoder import BATCH, HubEncoder, embed
from hazardscribe.model.vector_cache import VectorCache

KEPT = ("vectors", "mean", "log_counts")
"""The buffers that a model folder keeps."""
_KEPT_AT_ONCE = 1024  # texts
Encoder = LsaEncoder | HubEncoder


class TextBank(nn.Module):
    """Vectors of the distinct training descriptions, as buffers that move with the model.

    Made from the descriptions, or from a mapping of each to how often training shows it, which need
    be no whole number.

    Attributes:
        texts: the distinct descriptions, in order of first occurrence.
        vectors: `(C, D)` unit vectors, centred on the corpus mean: sentence encoders put all texts
            of one subject close together, and the mean is what they share.
        mean: `(D,)` that mean.
        log_counts: `(C,)` log of how often each text occurs.
        cumulative_counts: `(C,)` float64, how many training photos show one of the texts up to and
            with each; not in a bank that was loaded.
        encoder: what gave them; None where it is not at hand. pooling: of its token states.
        tokens: `(C, M, D)` unit token states and `token_mask` `(C, M)`; empty unless asked for.
    """

    vectors: torch.Tensor
    mean: torch.Tensor
    log_counts: torch.Tensor
    cumulative_counts: torch.Tensor
    tokens: torch.Tensor
    token_mask: torch.Tensor

    def __init__(
        self,
        texts: Sequence[str] | Mapping[str, float],
        encoder: Encoder,
        *,
        pooling: str = "mean",
        with_tokens: bool = False,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        counts = texts if isinstance(texts, Mapping) else Counter(texts)
        self.texts = list(counts)
        self._index = {text: i for i, text in enumerate(self.texts)}
        self._encoder: Encoder | None = encoder
        self._load_encoder: Callable[[], Encoder | None] | None = None
        self.pooling = pooling
        raw = _pooled(self.texts, encoder, pooling, cache)
        self.register_buffer("mean", raw.mean(0), persistent=False)
        self.register_buffer("vectors", self.centred(raw), persistent=False)
        log_counts = torch.tensor([float(counts[text]) for text in self.texts]).log()
        self.register_buffer("log_counts", log_counts, persistent=False)
        cumulative = log_counts.double().exp().cumsum(0)
        self.register_buffer("cumulative_counts", cumulative, persistent=False)
        tokens, mask = torch.empty(0), torch.empty(0, dtype=torch.bool)
        if with_tokens:
            tokens, mask = _tokens(self.texts, encoder)
        self.register_buffer("tokens", tokens, persistent=False)
        self.register_buffer("token_mask", mask, persistent=False)

    @classmethod
    def restored(
        cls,
        texts: Sequence[str],
        tensors: dict[str, torch.Tensor],
        encoder: Encoder | None,
        pooling: str,
    ) -> TextBank:
        """The bank whose `texts` and buffers were kept; without token states."""
        bank = cls.__new__(cls)
        nn.Module.__init__(bank)
        bank.texts, bank.pooling = list(texts), pooling
        bank._encoder, bank._load_encoder = encoder, None
        bank._index = {text: i for i, text in enumerate(bank.texts)}
        for name in KEPT:
            bank.register_buffer(name, tensors[name], persistent=False)
        return bank

    @property
    def encoder(self) -> Encoder | None:
        """What gave the vectors, None where it is not at hand; loaded when it is first needed."""
        if self._load_encoder is not None:
            load, self._load_encoder = self._load_encoder, None
            with torch.inference_mode(False):
                self._encoder = load()
        return self._encoder

    def load_encoder_by(self, load: Callable[[], Encoder | None]) -> None:
        """Say how the encoder is loaded, should a text be asked for that is not of the bank."""
        self._load_encoder = load

    def index(self, text: str) -> int:
        """Row of a training description."""
        return self._index[text]

    def __contains__(self, text: object) -> bool:
        return text in self._index

    def centred(self, raw: torch.Tensor) -> torch.Tensor:
        """Vectors of the text encoder `(N, D)`, centred on the bank's mean, as unit vectors."""
        return nn.functional.normalize(raw.to(self.mean) - self.mean, dim=-1)

    def embed(self, texts: Sequence[str]) -> torch.Tensor | None:
        """Any texts in the space of `vectors`: `(len(texts), D)` unit vectors, centred alike.

        None where a text is not of the bank and the text encoder is not at hand.
        """
        found = {text: self.vectors[self._index[text]] for text in texts if text in self._index}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            if self.encoder is None:
                return None
            vectors = self.centred(embed(self.encoder, missing, self.pooling))
            found |= zip(missing, vectors, strict=True)
        return torch.stack([found[text] for text in texts]) if texts else self.vectors[:0]

    def __len__(self) -> int:
        return len(self.texts)


def _pooled(texts: list[str], encoder: Encoder, pooling: str, cache: Path | None) -> torch.Tensor:
    """Unit vectors `(C, D)`, taken from the cache where it has them."""
    if cache is None or isinstance(encoder, LsaEncoder):  # fitted on this corpus: nothing to reuse
        return embed(encoder, texts, pooling)
    kept = VectorCache(cache, "texts")
    prefix = f"{encoder.identity}/{pooling}/"
    keys = [hashlib.sha256((prefix + text).encode()).hexdigest() for text in texts]
    found = kept.find(keys)
    missing = [i for i, key in enumerate(keys) if key not in found]
    # Block by block, so that a run that is killed has not encoded for nothing.
    for start in range(0, len(missing), _KEPT_AT_ONCE):
        block = missing[start : start + _KEPT_AT_ONCE]
        fresh = embed(encoder, [texts[i] for i in block], pooling).numpy()
        made = dict(zip((keys[i] for i in block), fresh, strict=True))
        kept.keep(made)
        found |= made
    return torch.from_numpy(np.stack([found[key] for key in keys]))


def _tokens(texts: list[str], encoder: Encoder) -> tuple[torch.Tensor, torch.Tensor]:
    rows: list[torch.Tensor] = []
    masks: list[torch.Tensor] = []
    for i in range(0, len(texts), BATCH):
        values, mask = second_sequence(encoder, texts[i : i + BATCH])
        rows += list(nn.functional.normalize(values, dim=-1))
        masks += list(mask)
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True), pad(masks, batch_first=True)
