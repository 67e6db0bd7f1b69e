"""The embedded text encoder: latent semantic analysis of character n-grams, and how it is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

LSA_DIM = 128
"""Most dimensions of a vector; a small corpus gives fewer."""


class LsaEncoder:
    """Latent semantic analysis of character n-grams: needs no pretrained model and no download.

    TF-IDF over character 1- to 4-grams, then a truncated SVD (Deerwester et al. 1990), fitted on
    the training descriptions. The sequence it gives has length one.

    Args:
        corpus: the training descriptions.
    """

    def __init__(self, corpus: Sequence[str]) -> None:
        from sklearn.decomposition import TruncatedSVD

        texts = sorted(set(corpus))
        self._tfidf = _vectorizer()
        table = self._tfidf.fit_transform(texts)
        # The SVD needs fewer components than there are texts or n-grams.
        self.dim = max(1, min(LSA_DIM, min(table.shape) - 1))
        # One text, or texts of one n-gram, cannot be told apart: all get the same vector.
        self._components = np.zeros((0, table.shape[1]), dtype=np.float32)
        if min(table.shape) > 1:
            fitted = TruncatedSVD(self.dim, random_state=0).fit(table)
            # Rounded here, not when saved: what is loaded then gives the very same vectors.
            self._components = np.ascontiguousarray(fitted.components_, dtype=np.float32)
        fingerprint = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        self.identity = f"lsa/{self.dim}/{fingerprint}"

    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Texts to `(B, 1, D)` and an all-true mask `(B, 1)`."""
        if not len(self._components):
            values = torch.ones(len(texts), 1)
        else:
            table = self._tfidf.transform(texts) @ self._components.T
            values = torch.from_numpy(np.asarray(table)).float()
        return values[:, None], torch.ones(len(texts), 1, dtype=torch.bool)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """What `from_state` needs: tensors `idf` `(V,)` and `components` `(D, V)`, and plain values
        with the V n-grams in their order."""
        tensors = {
            "idf": torch.from_numpy(np.asarray(self._tfidf.idf_, dtype=np.float64)),
            "components": torch.from_numpy(self._components),
        }
        terms = sorted(self._tfidf.vocabulary_, key=self._tfidf.vocabulary_.__getitem__)
        return tensors, {"identity": self.identity, "dim": self.dim, "terms": terms}

    @classmethod
    def from_state(cls, tensors: dict[str, torch.Tensor], values: dict[str, Any]) -> LsaEncoder:
        """The encoder that gave this `state`; nothing is fitted."""
        encoder = cls.__new__(cls)
        encoder._tfidf = _vectorizer(vocabulary={t: i for i, t in enumerate(values["terms"])})
        encoder._tfidf.idf_ = tensors["idf"].numpy()
        encoder._components = tensors["components"].numpy()
        encoder.dim, encoder.identity = values["dim"], values["identity"]
        return encoder


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, **options)
