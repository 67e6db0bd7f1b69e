"""Rules of one's own hold wherever texts are read: dev scores, reward, calibration, statements."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from hazardscribe import calibrate, verbs
from hazardscribe.describing.calibration import load_calibration
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.evaluate import evaluate
from hazardscribe.errors import InputError
from hazardscribe.evaluation.notices import notices
from hazardscribe.evaluation.rules import RULES_FILE, Rules, rules_of
from hazardscribe.training import dev
from hazardscribe.training import reward as reward_stage
from hazardscribe.training.recipe import Alignment, Recipe, Reward

# By these an open distribution box, which the second photo of dev shows, is no hazard.
OWN = """language: zh
no_hazard: [未发现, 配电箱]
elements:
  exit:
    patterns: [消防通道]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recipe(start, file):
    return Recipe(
        start=str(start),
        rules=str(file),
        steps=1,
        batch_size=4,
        alignment=Alignment(queries=2),
        max_text_tokens=8,
    )


@pytest.fixture(scope="module")
def run(pairs, recipe, tmp_path_factory):
    return verbs.train(pairs, recipe, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture
def folder(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "copy") / "model"


def test_training_keeps_the_rules_and_fits_by_them(run, folder, file, pairs):
    assert (run.model / RULES_FILE).read_text(encoding="utf-8") == OWN
    digest = Rules.load(file).digest
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert record["data"]["rules"] == load_calibration(run.model).rules == digest
    assert rules_of(run.model, "zh").source == f"model/{RULES_FILE}"
    assert load_calibration(folder).dev_hazard.tolist() == [1, 0]
    (folder / RULES_FILE).unlink()
    calibrate(folder, pairs)
    assert load_calibration(folder).dev_hazard.tolist() == [1, 1]
    assert load_calibration(folder).rules == Rules.load("zh").digest


def test_dev_is_scored_by_them(monkeypatch, pairs, recipe, tmp_path):
    seen = []
    score = dev.evaluate_texts
    monkeypatch.setattr(
        dev, "evaluate_texts", lambda *a, **o: seen.append(o["rules"]) or score(*a, **o)
    )
    verbs.train(pairs, replace(recipe, calibrate=False), tmp_path / "run")
    assert {rules.text for rules in seen} == {OWN}


def test_a_run_is_not_resumed_by_other_rules(pairs, recipe, tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(OWN, encoding="utf-8")
    recipe = replace(recipe, rules=str(path), calibrate=False)
    verbs.train(pairs, recipe, tmp_path / "run")
    path.write_text(OWN + "hazard: [漏]\n", encoding="utf-8")
    with pytest.raises(InputError, match="another rule file"):
        verbs.train(pairs, recipe, tmp_path / "run", resume=True)
    path.write_text("elements: 1", encoding="utf-8")
    with pytest.raises(InputError, match=r"rules\.yaml"):
        verbs.train(pairs, recipe, tmp_path / "other")


def test_the_reward_stage_goes_by_the_rules_of_its_start(monkeypatch, run, pairs, tmp_path):
    pytest.importorskip("trl")
    given = []
    parts = reward_stage.reward_parts
    monkeypatch.setattr(
        reward_stage, "reward_parts", lambda *a: given.append(a[3].text) or parts(*a)
    )
    recipe = Recipe(
        start=str(run.model),
        stage="reward",
        steps=1,
        batch_size=2,
        max_text_tokens=8,
        calibrate=False,
        reward=Reward(samples=2, temperature=1.0, cider_d=0.0),
    )
    after = verbs.train(pairs, recipe, tmp_path / "run")
    assert given == [OWN]
    assert (after.model / RULES_FILE).read_text(encoding="utf-8") == OWN


def test_evaluating_tells_of_other_rules_than_those_fitted_to(folder, pairs, file, tmp_path):
    describer = Describer(folder, max_new_tokens=4)
    by_own = evaluate(describer, pairs["dev"], resamples=0)
    assert by_own.rules == f"model/{RULES_FILE}"
    assert not by_own.other_rules
    assert "exit" in Describer(folder)._judge._statements._rules.elements_by_name
    other = tmp_path / "other.yaml"
    other.write_text(OWN + "hazard: [漏]\n", encoding="utf-8")
    evaluation = evaluate(describer, pairs["dev"], rules=other, resamples=0)
    assert evaluation.other_rules
    assert any("fitted to other rules" in one for one in evaluation.warnings)
    found = notices(["a"], evaluation.metrics, {}, "zh", other_rules=True)
    assert any("按另一套规则" in one for one in found)
    calibrate(folder, pairs, rules=other)
    assert rules_of(folder, "zh").text == other.read_text(encoding="utf-8")
    again = evaluate(Describer(folder, max_new_tokens=4), pairs["dev"], rules=other, resamples=0)
    assert not again.other_rules
    assert evaluate(
        Describer(folder, max_new_tokens=4), pairs["dev"], rules=file, resamples=0
    ).other_rules


def test_a_model_whose_rules_were_edited_says_so(folder, caplog):
    (folder / RULES_FILE).write_text(OWN + "hazard: [漏]\n", encoding="utf-8")
    Describer(folder)
    assert "was calibrated by other rules than model/rules.yaml" in caplog.text


def test_calibrating_refuses_bad_rules_before_the_pairs_are_read(folder, tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml cannot be read"):
        calibrate(folder, tmp_path / "no pairs", rules=tmp_path / "none.yaml")
