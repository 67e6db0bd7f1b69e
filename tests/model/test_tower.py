"""Which towers can be composed, and what is read off their folders."""

from __future__ import annotations

import json

import pytest

import tiny
from hazardscribe.errors import InputError
from hazardscribe.model.tower import load_tower


def test_a_size_that_the_tower_cannot_take_is_refused(tmp_path):
    folder = str(tiny.save_tower("siglip", tmp_path / "siglip"))
    with pytest.raises(InputError, match="works at 32 pixels only"):
        load_tower(folder, 64)
    timm = str(tiny.save_tower("timm", tmp_path / "timm"))
    with pytest.raises(InputError, match="no multiple of the backbone's stride 32"):
        load_tower(timm, 80)
    dinov2 = str(tiny.save_tower("dinov2", tmp_path / "dinov2"))
    with pytest.raises(InputError, match=r"patch size 8. Take 8\."):
        load_tower(dinov2, 5)


def test_a_tower_that_cannot_be_composed_is_named(tmp_path):
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="'bert' cannot be composed"):
        load_tower(str(tmp_path / "bert"))


def test_a_missing_package_is_named_with_its_remedy(monkeypatch, tmp_path):
    import transformers

    def fail(*args, **kwargs):
        raise ImportError("TimmWrapperModel requires the timm library but it was not found")

    tower = tiny.save_tower("siglip", tmp_path / "tower")
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", fail)
    with pytest.raises(InputError, match=r'timm, which is not installed: pip install "\.\[timm\]"'):
        load_tower(str(tower))


def test_a_folder_in_timms_own_format(tmp_path, caplog):
    folder = tiny.save_tower("timm", tmp_path / "timm")
    own = {
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
        "input_size": [3, 64, 64],
        "num_classes": 0,
    }
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    name = config.get("architecture", config.get("model_type"))
    timms = {"architecture": name, "num_classes": 0, "pretrained_cfg": own}
    path.write_text(json.dumps(timms), encoding="utf-8")
    (folder / "preprocessor_config.json").unlink(missing_ok=True)
    tower = load_tower(str(folder))
    assert (tower.mean, tower.std, tower.image_size) == (own["mean"], own["std"], 64)
    assert not caplog.records
    path.write_text(json.dumps(timms | {"model_args": {"num_classes": 3}}), encoding="utf-8")
    with pytest.raises(InputError, match=r"could not be loaded: .*num_classes"):
        load_tower(str(folder))
