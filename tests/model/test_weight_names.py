"""Weights of a composed model bear the names that other programs look for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import tiny
from hazardscribe.checksums import CHECKSUMS
from hazardscribe.model.checkpoint import load_checkpoint, save_checkpoint
from hazardscribe.model.compose import compose
from hazardscribe.model.language_model import load_language_model
from hazardscribe.model.tower import load_tower
from hazardscribe.model.weight_names import publish_names

INDEX = "model.safetensors.index.json"


def composed(folder: Path, tower: str):
    return compose(
        load_tower(str(tiny.save_tower(tower, folder / "tower")), None),
        load_language_model(str(tiny.save_language_model("llama", folder / "llm"))),
    )


def names_in(folder: Path) -> set[str]:
    names: set[str] = set()
    for path in folder.glob("model*.safetensors"):
        with safe_open(path, "np") as tensors:
            names |= set(tensors.keys())
    return names


def same_model(folder: Path, vlm) -> None:
    loaded = type(vlm).from_pretrained(folder).state_dict()
    for name, tensor in vlm.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


@pytest.mark.parametrize("tower", ["siglip", "siglip_dual", "clip", "clip_dual"])
def test_a_siglip_or_clip_tower_is_named_as_vllm_has_it(tower, tmp_path):
    vlm, processor = composed(tmp_path, tower)
    folder, again = tmp_path / "model", tmp_path / "again"
    save_checkpoint(folder, vlm, processor)
    of_tower = {name for name in names_in(folder) if name.startswith("vision_tower.")}
    assert of_tower
    assert all(name.startswith("vision_tower.vision_model.") for name in of_tower)
    assert json.loads((folder / INDEX).read_text())["weight_map"].keys() == names_in(folder)
    assert "model.safetensors" in (folder / CHECKSUMS).read_text()
    same_model(folder, vlm)
    loaded = load_checkpoint(folder)  # which compares the checksums
    save_checkpoint(again, loaded.vlm, loaded.processor)
    assert names_in(again) == names_in(folder)


def test_weights_in_several_files_and_their_index_are_renamed(tmp_path):
    vlm, _ = composed(tmp_path, "siglip")
    folder = tmp_path / "model"
    vlm.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model*.safetensors"))) > 1
    publish_names(folder, vlm.config)
    names = names_in(folder)
    assert json.loads((folder / INDEX).read_text())["weight_map"].keys() == names
    assert "vision_tower.vision_model.embeddings.patch_embedding.weight" in names
    same_model(folder, vlm)


def test_a_complete_checkpoint_with_such_a_tower_is_named_so_too(tmp_path):
    """llama.cpp's converter knows Gemma 3's weights by their published names alone."""
    loaded = load_checkpoint(tiny.save_family("gemma3", tmp_path / "start"))
    folder = tmp_path / "model"
    save_checkpoint(folder, loaded.vlm, loaded.processor)
    assert "vision_tower.vision_model.embeddings.patch_embedding.weight" in names_in(folder)
    same_model(folder, loaded.vlm)


@pytest.mark.parametrize("tower", ["dinov2", "vit"])
def test_other_towers_keep_their_names(tower, tmp_path):
    vlm, processor = composed(tmp_path, tower)
    save_checkpoint(tmp_path / "model", vlm, processor)
    assert not any("vision_model" in name for name in names_in(tmp_path / "model"))
    same_model(tmp_path / "model", vlm)
