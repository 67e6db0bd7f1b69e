"""What the aligned encoder says of a photo: which texts fit it, by the second objective's own
likelihood.

    aligner = Aligner.load(Path("runs/mine/model"), device="cpu")
    vectors = aligner.photos(sequence)              # (B, D)
    aligner.log_posterior(vectors)                  # (B, C): the training texts
    aligner.fit(vectors[0], ["工人未戴安全帽"])       # (1,): any text
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from hazardscribe.errors import InputError
from hazardscribe.model.bank_file import load_bank
from hazardscribe.model.checkpoint import HEAD_FILE
from hazardscribe.model.sequences import FirstSequence
from hazardscribe.model.text_bank import TextBank
from hazardscribe.objectives.alignment import AlignmentHead, text_log_posterior


class Aligner:
    """The alignment head with the bank of training texts.

    Args:
        head: of a pooled form; the token form has no vector of a whole photo.
        bank: the training texts.
    """

    def __init__(self, head: AlignmentHead, bank: TextBank) -> None:
        self.head, self.bank = head.eval().requires_grad_(False), bank

    @classmethod
    def load(cls, folder: Path, device: str | torch.device = "cpu") -> Aligner | None:
        """The aligner of a model folder; None where it has no head, no bank, or a token-form head.

        Raises:
            InputError: if a file is damaged.
        """
        head = load_head(folder)
        if head is None or head.form == "token":
            return None
        bank = load_bank(folder, device)
        return None if bank is None else cls(head.to(device), bank)

    @torch.inference_mode()
    def photos(self, sequence: FirstSequence) -> torch.Tensor:
        """First sequences to `(B, D)` unit vectors in the space of the texts."""
        vectors: torch.Tensor = self.head(sequence.values, sequence.mask)
        return vectors

    @torch.inference_mode()
    def log_posterior(self, photos: torch.Tensor) -> torch.Tensor:
        """`(B, D)` to `(B, C)`: log probability of each training text, given the photo."""
        bank = self.bank
        return text_log_posterior(photos, bank.vectors, bank.log_counts, self.head.scale())

    @torch.inference_mode()
    def fit(self, photo: torch.Tensor, texts: Sequence[str]) -> torch.Tensor | None:
        """How well texts fit a photo `(D,)`: `(len(texts),)`, scale * cosine, in nats.

        The prior of a text is left out: the language model's likelihood holds it already, and the
        normaliser is the same for all texts of a photo. None where a text cannot be embedded.
        """
        vectors = self.bank.embed(texts)
        return None if vectors is None else self.head.scale() * vectors.to(photo) @ photo


def load_head(folder: Path) -> AlignmentHead | None:
    """The alignment head of a model folder, of whatever form; None where it has none.

    Raises:
        InputError: if the file is damaged.
    """
    path = folder / HEAD_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            form = (file.metadata() or {}).get("form") or "corpus"
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        width, queries = len(tensors["norm.weight"]), len(tensors.get("queries", ()))
        head = AlignmentHead(width, len(tensors["project.weight"]), form, queries)
        # Folders of before have temperature and bias without a dimension.
        tensors = {name: value.reshape(value.shape or 1) for name, value in tensors.items()}
        head.load_state_dict(tensors)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{path}: is damaged ({error}). Delete it to describe without comparing photos and "
            "texts."
        ) from error
    return head.eval()
