"""What else lies in a model folder is not taken for the model's weights by other programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import tiny
from hazardscribe.checksums import CHECKSUMS
from hazardscribe.describing.calibration import PHOTOS_FILE, Calibration, save_calibration
from hazardscribe.describing.confidence import Confidence
from hazardscribe.describing.doubt import Doubt
from hazardscribe.describing.novelty import Novelty
from hazardscribe.model.bank_file import BANK_FILE, save_bank
from hazardscribe.model.checkpoint import HEAD_FILE, load_checkpoint, save_checkpoint
from hazardscribe.model.lsa import LsaEncoder
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.weight_names import publish_names
from hazardscribe.objectives.alignment import AlignmentHead

INDEX = "model.safetensors.index.json"
TEXTS = tiny.TEXTS["zh"]


def names_that_vllm_loads(folder: Path) -> set[str]:
    """Names of the tensors that vLLM reads from a model folder.

    After `filter_duplicate_safetensors_files` in vLLM's `model_executor/model_loader/
    weight_utils.py`: of all `*.safetensors`, those that the index names; all, where there is none.
    """
    files = set(folder.glob("*.safetensors"))
    if (folder / INDEX).is_file():
        named = json.loads((folder / INDEX).read_text())["weight_map"].values()
        files &= {folder / name for name in named}
    names: set[str] = set()
    for path in files:
        with safe_open(path, "np") as tensors:
            names |= set(tensors.keys())
    return names


@pytest.fixture
def bank() -> TextBank:
    return TextBank(TEXTS, LsaEncoder(TEXTS))


def calibration() -> Calibration:
    features = np.random.default_rng(0).random((3, 4), dtype=np.float32)
    confidence = Confidence((), (), (), (), 0.0)
    doubt = Doubt(0.5, None, None, risk=0.1, reached=True)
    return Calibration(None, confidence, doubt, Novelty(features), np.zeros(2), np.ones(2))


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_others_load_the_models_own_weights_and_nothing_else(family, family_folder, bank, tmp_path):
    loaded = load_checkpoint(family_folder(family))
    folder = tmp_path / "model"
    head = AlignmentHead(32, bank.vectors.shape[1])
    save_checkpoint(folder, loaded.vlm, loaded.processor, head=head, bank=bank)
    save_calibration(folder, calibration())
    assert all((folder / name).is_file() for name in (HEAD_FILE, BANK_FILE, PHOTOS_FILE))
    loaded.vlm.save_pretrained(tmp_path / "alone")
    publish_names(tmp_path / "alone", loaded.vlm.config)
    assert names_that_vllm_loads(folder) == names_that_vllm_loads(tmp_path / "alone")
    assert INDEX in (folder / CHECKSUMS).read_text()
    again = load_checkpoint(folder).vlm.state_dict()
    for name, tensor in loaded.vlm.state_dict().items():
        assert torch.equal(again[name], tensor), name


@pytest.mark.parametrize("add", ["bank", "calibration"])
def test_what_is_added_to_a_model_of_elsewhere_is_told_apart(add, family_folder, bank, tmp_path):
    folder = Path(shutil.copytree(family_folder("smolvlm"), tmp_path / "model"))
    before = names_that_vllm_loads(folder)
    assert not (folder / INDEX).exists()
    if add == "bank":
        save_bank(folder, bank)
    else:
        save_calibration(folder, calibration())
    assert len(list(folder.glob("*.safetensors"))) == 2
    assert names_that_vllm_loads(folder) == before


def test_weights_in_several_files_keep_their_own_index(family_folder, bank, tmp_path):
    loaded = load_checkpoint(family_folder("smolvlm"))
    folder = tmp_path / "model"
    loaded.vlm.save_pretrained(folder, max_shard_size="40KB")
    loaded.processor.save_pretrained(folder)
    index = (folder / INDEX).read_bytes()
    before = names_that_vllm_loads(folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    save_bank(folder, bank)
    assert (folder / INDEX).read_bytes() == index
    assert names_that_vllm_loads(folder) == before == set(loaded.vlm.state_dict())
