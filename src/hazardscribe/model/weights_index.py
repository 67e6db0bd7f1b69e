"""Which files of a model folder hold the model's weights, for programs that would take all of them.

Beside `model.safetensors` lie safetensors of ours. transformers opens the former alone; vLLM opens
every `*.safetensors` of a folder and stumbles over names that are not the model's, unless an index
in the form of sharded checkpoints says where each weight lies.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open

from hazardscribe.files import write_json

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"


def write_index(folder: Path) -> None:
    """Write the index, unless the folder has one.

    Args:
        folder: a model folder. Where transformers cut the weights into several files, it wrote one
            itself.
    """
    weights, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if index.exists() or not weights.is_file():
        return
    with safe_open(weights, "np") as tensors:
        names = list(tensors.keys())
    metadata = {"total_size": weights.stat().st_size}
    write_json(index, {"metadata": metadata, "weight_map": dict.fromkeys(names, weights.name)})
