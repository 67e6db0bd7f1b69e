"""Names of a model's weights as published checkpoints of its class have them.

transformers leaves `vision_model.` out of a SigLIP or CLIP tower's names when it saves LLaVA's
class or one of its layout (Gemma 3), and reads both forms; vLLM knows LLaVA's weights by the
published form alone, llama.cpp's converter Gemma 3's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

_TOWERS = ("siglip_vision_model", "clip_vision_model")
_TOWER, _PUBLISHED = "vision_tower.", "vision_tower.vision_model."


def publish_names(folder: Path, config: Any) -> None:
    """Rename what is stored under other names; does nothing where there is none.

    Args:
        folder: a model folder, its weights written. config: the model's.
    """
    tower = getattr(config, "vision_config", None)
    if getattr(tower, "model_type", None) not in _TOWERS:
        return
    for weights in folder.glob("model*.safetensors"):
        _rename(weights)
    for index in folder.glob("model*.safetensors.index.json"):
        stored = json.loads(index.read_text(encoding="utf-8"))
        stored["weight_map"] = {_published(k): v for k, v in stored["weight_map"].items()}
        index.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


def _rename(weights: Path) -> None:
    tensors = load_file(weights)
    named = {_published(name): tensor for name, tensor in tensors.items()}
    if named.keys() == tensors.keys():
        return
    draft = weights.with_suffix(".renamed")
    save_file(named, draft, metadata={"format": "pt"})
    draft.replace(weights)


def _published(name: str) -> str:
    rest = name.removeprefix(_TOWER)
    if rest == name or name.startswith(_PUBLISHED):
        return name
    return _PUBLISHED + rest
