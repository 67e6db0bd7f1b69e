"""A model that learned from photos after rectification is calibrated and scored on them again."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import tiny
from hazardscribe import calibrate, import_ledger, read_pairs, verbs
from hazardscribe.describing.aligner import Aligner
from hazardscribe.describing.calibration import load_calibration
from hazardscribe.model.bank_file import BANK_FILE, BANK_TEXTS_FILE
from hazardscribe.model.checkpoint import CARD_FILE, load_card
from hazardscribe.training.recipe import Alignment, Recipe
from hazardscribe.training.reward import with_words_of_start

SAFE = "此处已整改完毕，未见隐患"


@pytest.fixture(scope="module")
def ledger_pairs(tmp_path_factory):
    """Sixteen hazards, each with a photo after rectification, in an imported folder."""
    folder = tmp_path_factory.mktemp("ledger")
    lines = ["隐患描述,隐患照片,整改后照片"]
    for i in range(16):
        for name in (f"{i}.png", f"{i}-after.png"):
            noise = np.random.default_rng(2 * i + ("after" in name)).integers(0, 256, (6, 8, 3))
            picture = Image.fromarray(noise.astype(np.uint8))
            picture.resize((64, 48), Image.Resampling.BICUBIC).save(folder / name)
        lines.append(f"{tiny.TEXTS['zh'][i % 5]},{i}.png,{i}-after.png")
    (folder / "ledger.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    import_ledger(folder / "ledger.csv", out=folder / "pairs")
    return folder / "pairs"


@pytest.fixture(scope="module")
def run(start, ledger_pairs, tmp_path_factory):
    recipe = Recipe(
        start=str(start),
        steps=1,
        batch_size=4,
        alignment=Alignment(queries=2),
        max_text_tokens=8,
        safe_share=1.0,
        safe_text=SAFE,
    )
    return verbs.train(ledger_pairs, recipe, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture
def folder(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "copy") / "model"


@pytest.mark.parametrize("says", ["card", "run.json"])
def test_calibrating_takes_the_safe_photos_of_the_training(says, folder, ledger_pairs, caplog):
    former = load_calibration(folder).dev_hazard.tolist()
    assert 0 < sum(former) < len(former)
    texts = Aligner.load(folder).bank.texts
    if says == "run.json":  # as an earlier version left the folder
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        del card["safe_share"], card["safe_text"]
        (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
        (folder / BANK_FILE).unlink()
        (folder / BANK_TEXTS_FILE).unlink()
    else:
        assert load_card(folder).safe_share == 1.0
    with caplog.at_level(logging.WARNING):
        calibrate(folder, ledger_pairs, risk=0.2)
    assert load_calibration(folder).dev_hazard.tolist() == former
    assert SAFE in texts
    assert Aligner.load(folder).bank.texts == texts
    assert "without a hazard" not in caplog.text


@pytest.mark.parametrize("why", ["asked for", "none there"])
def test_it_is_told_where_no_safe_photo_is_left(why, folder, ledger_pairs, tmp_path, caplog):
    data, share = ledger_pairs, 0.0
    if why == "none there":
        frame = read_pairs(ledger_pairs).frame[["photo", "description", "split"]]
        frame.to_csv(tmp_path / "pairs.csv", index=False)
        data, share = tmp_path / "pairs.csv", None
    safe = (load_calibration(folder).dev_hazard == 0).sum()
    calibrate(folder, data, safe_share=share)
    assert f"former calibration rested on {safe} dev photos without a hazard" in caplog.text
    assert load_calibration(folder).dev_hazard.all()
    caplog.clear()
    calibrate(folder, data, safe_share=share)
    assert "former calibration" not in caplog.text  # it did not, any more


def test_evaluating_writes_the_text_of_the_training_beside_safe_photos(run, ledger_pairs, tmp_path):
    evaluation = verbs.evaluate_model(
        run.model, ledger_pairs, tmp_path / "report", safe_share=1.0, evidence=0
    )
    safe = [case for case in evaluation.cases if not case.hazard]
    assert safe
    assert {case.references for case in safe} == {(SAFE,)}


def test_the_reward_stage_keeps_the_words_of_its_start(folder):
    recipe = Recipe(start=str(folder), stage="reward", prompt="?")
    assert with_words_of_start(recipe).safe_text == SAFE
    assert with_words_of_start(replace(recipe, safe_text="x")).safe_text == "x"
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card |= (words := {"language": "en", "prompt": "What is wrong?", "target": "{measure}"})
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    kept = with_words_of_start(recipe)
    assert {name: getattr(kept, name) for name in words} == words
