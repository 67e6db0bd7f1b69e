"""The id of a model, by which every record of the ledger says who proposed its text."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK, _BLOCKS = 64 * 1024, 16


def model_id(folder: Path, card: str) -> str:
    """`name@fingerprint`: the same for a copy of the folder, another after any training.

    The fingerprint is of each weight file's size and sixteen blocks spread over it, and of the
    card: training changes all weights, and gigabytes need not be read for that to show. A folder
    `runs/mine/model`, as `train` leaves it, is called `mine`.
    """
    folder = folder.resolve()
    name = folder.parent.name if folder.name == "model" else folder.name
    digest = hashlib.sha256(card.encode())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            for i in range(_BLOCKS):
                file.seek(max(0, size - _BLOCK) * i // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return f"{name[:80]}@{digest.hexdigest()[:12]}"
