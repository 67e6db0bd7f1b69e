"""From a trained folder to answers: what is kept in it, what is said, what still works without."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hazardscribe import calibrate, import_ledger, similar, verbs
from hazardscribe.describing.aligner import Aligner, load_head
from hazardscribe.describing.calibrate import _even, _fits, _warn_of_few
from hazardscribe.describing.calibrate import calibrate as calibrate_rows
from hazardscribe.describing.calibration import (
    CALIBRATION_FILE,
    Search,
    load_calibration,
    save_calibration,
)
from hazardscribe.describing.confidence import Confidence
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.doubt import Doubt
from hazardscribe.describing.generate import Candidate
from hazardscribe.describing.judge import Reading
from hazardscribe.describing.look import Described
from hazardscribe.describing.rerank import Reranking
from hazardscribe.describing.summary import summary_lines
from hazardscribe.errors import InputError
from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.model.bank_file import BANK_FILE, BANK_TEXTS_FILE
from hazardscribe.model.checkpoint import CARD_FILE, HEAD_FILE
from hazardscribe.training.recipe import Alignment, Recipe

TRAIN_DEV = ("train", "dev")
BRIEF = {"max_new_tokens": 6}


@pytest.fixture(scope="module")
def run(start, pairs, tmp_path_factory):
    recipe = Recipe(
        start=str(start), steps=2, batch_size=4, alignment=Alignment(queries=2), max_text_tokens=8
    )
    return verbs.train(pairs, recipe, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture
def folder(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "copy") / "model"


def change(folder, **fields):
    save_calibration(folder, replace(load_calibration(folder), **fields))


def test_training_ends_with_a_calibrated_folder(run):
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert record["calibration"]["dev_photos"] == 2
    calibration = load_calibration(run.model)
    assert calibration.confidence.signs == ("wording", "support", "agreement", "distance")
    assert calibration.novelty.references.shape == (8, 16)
    assert calibration.dev_no_hazard.shape == calibration.dev_hazard.shape == (2,)


def test_what_was_fitted_is_told_in_two_lines(run):
    calibration = load_calibration(run.model)
    doubt = replace(calibration.doubt, least_confidence=2.0, reached=False)
    way = Reranking(4, 0.0, 1.0, "cider_d", 0.25, 0.5)
    told = list(summary_lines(replace(calibration, doubt=doubt, reranking=way)))
    assert told[0] == "re-ranking: 4 candidates, cider_d on dev 0.250 -> 0.500 (cross-validated)"
    assert "is the answer for 0% of 2 dev photos, - of those not acceptable" in told[1]
    assert told[1].endswith("aimed at 10%, which no confidence reaches)")
    told = list(summary_lines(replace(calibration, reranking=None)))
    assert told[0] == "re-ranking: gains nothing on dev, left out"


def test_a_description_may_be_as_long_as_those_trained_on(run):
    assert Describer(run.model).max_new_tokens == 8
    assert Describer(run.model, max_new_tokens=3).max_new_tokens == 3


def test_photos_that_cannot_be_read_are_left_out(folder, pairs, tmp_path, caplog):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no photo")
    train, dev = ([*pairs[split], pairs[split][0] | {"photo": str(bad)}] for split in TRAIN_DEV)
    calibration = calibrate_rows(folder, train, dev)
    assert "1 of 9 training photos cannot be read and are left out" in caplog.text
    assert "1 of 3 dev photos cannot be read and are left out" in caplog.text
    expected = calibrate_rows(folder, pairs["train"], pairs["dev"])
    assert calibration.summary() == expected.summary()
    with pytest.raises(InputError, match="none of the dev photos can be read"):
        calibrate_rows(folder, pairs["train"], [pairs["dev"][0] | {"photo": str(bad)}])


def test_every_photo_is_decoded_once(folder, pairs):
    decode, asked = Describer(folder).pixels, []

    def pixels(photo):
        asked.append(photo)
        return decode(photo)

    calibrate_rows(folder, pairs["train"], pairs["dev"], pixels=pixels)
    assert sorted(asked) == sorted({*pairs["train"]["photo"], *pairs["dev"]["photo"]})


def test_the_encoder_runs_once_a_photo_whatever_is_written_of_it(folder, pairs, monkeypatch):
    def again(*_):
        pytest.fail("the encoder has seen these photos")

    monkeypatch.setattr("hazardscribe.describing.generate.first_sequence", again)
    calibrate_rows(folder, pairs["train"], pairs["dev"])


def test_photos_may_be_named_from_the_working_folder(folder, pairs, monkeypatch):
    expected = calibrate_rows(folder, pairs["train"], pairs["dev"]).summary()
    rows = {
        split: [
            row | {"photo": os.path.relpath(row["photo"], pairs.folder)} for row in pairs[split]
        ]
        for split in TRAIN_DEV
    }
    monkeypatch.chdir(pairs.folder)
    assert calibrate_rows(folder, rows["train"], rows["dev"]).summary() == expected


def test_the_aligner_gives_the_likelihood_of_the_objective_in_float64(run, photos):
    aligner = Aligner.load(run.model)
    describer = Describer(run.model, calibrated=False)
    [reading] = describer.read([describer.pixels(photos[0])], aligner)
    bank, scale = aligner.bank, float(aligner.head.scale())
    logits = scale * bank.vectors.double().numpy() @ reading.vector.double().numpy()
    logits += bank.log_counts.double().numpy()
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(reading.posterior, expected, rtol=1e-4)
    fit = aligner.fit(reading.vector, bank.texts)
    np.testing.assert_allclose(fit.numpy() + bank.log_counts.numpy(), logits, rtol=1e-4, atol=1e-4)


def test_a_draft_that_is_not_sure_enough_is_held_back(folder, photos, caplog):
    plain = Describer(folder, doubt=False, **BRIEF)(photos[0])
    assert plain.doubt is None
    assert plain.text == plain.draft
    change(folder, doubt=Doubt(1.1, None, None, 0.1, True))
    held = Describer(folder, **BRIEF)(photos[0])
    assert (held.text, held.doubt) == ("无法判断，请人工核实", "unsure")
    assert (held.draft, held.confidence) == (plain.draft, plain.confidence)
    change(folder, doubt=Doubt(1.1, 0.0, None, 0.1, True))
    assert Describer(folder, **BRIEF)(photos[0]).text == "未发现明显隐患"
    change(folder, doubt=Doubt(0.0, None, -1.0, 0.1, True))
    assert Describer(folder, **BRIEF)(photos[0]).doubt == "unfamiliar"
    change(folder, doubt=Doubt(0.5, None, None, 0.1, False))
    with caplog.at_level(logging.WARNING):
        Describer(folder, **BRIEF)
    assert "no confidence kept the share of unacceptable descriptions at 10 %" in caplog.text


def test_less_risk_moves_what_no_hazard_is_said_by(folder, caplog):
    mass = np.linspace(0, 1, 100)
    dev = {"dev_confidences": np.zeros(100), "dev_right": np.zeros(100, int)}
    change(folder, doubt=Doubt(0.5, 0.5, None, 0.4, True), **dev)
    change(folder, dev_no_hazard=mass, dev_hazard=(np.arange(100) < 70).astype(int))
    least = Describer(folder, risk=0.01).calibration.doubt.least_safe
    assert least == pytest.approx(0.7, abs=0.01)
    path = folder / CALIBRATION_FILE
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["dev"]["no_hazard"], values["dev"]["hazard"]  # as earlier versions wrote it
    path.write_text(json.dumps(values), encoding="utf-8")
    assert Describer(folder, risk=0.5).calibration.doubt.least_safe == 0.5
    assert "no hazard is seen" not in caplog.text
    assert Describer(folder, risk=0.01).calibration.doubt.least_safe is None
    assert "no hazard is seen will not be said" in caplog.text
    assert "for at most 1 %; `hazardscribe calibrate` may show it" in caplog.text


def test_reranking_follows_the_alignment(folder, photos):
    change(folder, reranking=Reranking(4, 1.0, 1e6), doubt=Doubt(0.0, None, None, 0.1, True))
    reranked = Describer(folder, alternatives=3, **BRIEF)(photos[0])
    plain = Describer(folder, beams=4, alternatives=3, rerank=False, **BRIEF)(photos[0])
    texts = [reranked.text, *reranked.alternatives]
    assert sorted(texts) == sorted([plain.text, *plain.alternatives])
    aligner = Aligner.load(folder)
    describer = Describer(folder, **BRIEF)
    [reading] = describer.read([describer.pixels(photos[0])], aligner)
    fits = aligner.fit(reading.vector, texts).tolist()
    assert fits == sorted(fits, reverse=True)
    assert Describer(folder, **BRIEF)(photos[0]).text == reranked.text
    more = Describer(folder, alternatives=5, **BRIEF)(photos[0])  # of which the fitted beams find 3
    assert (more.text, more.confidence) == (reranked.text, pytest.approx(reranked.confidence))
    assert more.text not in more.alternatives
    assert 1 <= len(more.alternatives) <= 5


@pytest.mark.parametrize(("alternatives", "times"), [(0, 1), (3, 1), (5, 2)])
def test_candidates_are_compared_with_the_photo_once_a_search(
    alternatives, times, folder, photos, monkeypatch
):
    change(folder, reranking=Reranking(4, 1.0, 1.0), doubt=Doubt(0.0, None, None, 0.1, True))
    former, asked = Aligner.fit, []

    def fit(self, photo, texts):
        asked.append(texts)
        return former(self, photo, texts)

    monkeypatch.setattr(Aligner, "fit", fit)
    Describer(folder, alternatives=alternatives, **BRIEF)(photos[0])
    assert len(asked) == times


def test_the_search_that_dev_was_judged_by_is_kept_and_another_one_told_of(folder, pairs, caplog):
    calibration = calibrate_rows(folder, pairs["train"], pairs["dev"], precision="bfloat16")
    assert calibration.reranking is None  # two dev photos are too few
    assert calibration.search == load_calibration(folder).search == Search(1, False, "bfloat16")
    Describer(folder, **BRIEF, alternatives=3)
    Describer(folder, **BRIEF, rerank=False)
    assert "do not hold" not in caplog.text
    Describer(folder, **BRIEF, beams=3)
    assert "fitted on texts from greedy search and do not hold for those from beam" in caplog.text
    assert caplog.text.count("do not hold") == 1
    caplog.clear()
    change(folder, reranking=Reranking(4, 1.0, 1.0), search=Search(4, True, "float32"))
    Describer(folder, **BRIEF, alternatives=9)
    Describer(folder, **BRIEF, beams=2)  # the search is as wide as re-ranking needs
    assert "do not hold" not in caplog.text
    Describer(folder, **BRIEF, rerank=False)
    assert "re-ranking of 4 candidates and do not hold for those from greedy" in caplog.text
    path = folder / CALIBRATION_FILE
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["search"]  # as earlier versions wrote it
    path.write_text(json.dumps(values), encoding="utf-8")
    caplog.clear()
    Describer(folder, **BRIEF, rerank=False)
    assert "do not hold" not in caplog.text


def test_confidence_is_fitted_to_the_texts_that_describing_chooses(folder, pairs, monkeypatch):
    module = "hazardscribe.describing.calibrate"
    way, judged, told = Reranking(4, 1.0, 1e6), [], {}

    def accept(cases, rules):
        judged.extend(cases)
        return acceptable(cases, rules)

    def doubt(*given):
        told["doubt"] = given
        return Doubt(0.0, None, None, 0.1, True)

    monkeypatch.setattr(f"{module}.fit_reranking", lambda *_, **given: told.update(given) or way)
    monkeypatch.setattr(f"{module}.acceptable", accept)
    monkeypatch.setattr(f"{module}.fit_doubt", doubt)
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card["target"] = "{description_en}"
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    found = calibrate_rows(folder, pairs["train"], pairs["dev"], best_by="rouge_l", beams=4)
    assert (told["best_by"], told["beams"]) == ("rouge_l", 4)
    assert found.search == Search(4, True, "float32")
    assert [case.references for case in judged] == [[t] for t in pairs["dev"]["description_en"]]
    photos = list(pairs["dev"]["photo"])
    drafts, greedy = (
        [one.draft for one in Describer(folder, rerank=rerank)(photos)] for rerank in (True, False)
    )
    assert [case.prediction for case in judged] == drafts != greedy
    # Thresholds are set by predictions that had not seen their photo.
    kept = (found.dev_confidences, found.dev_right, found.dev_no_hazard, found.dev_hazard)
    assert [a is b for a, b in zip(told["doubt"], kept, strict=False)] == [True] * 4


def test_a_text_that_cannot_be_compared_leaves_reranking_out():
    fits = {"a": torch.tensor([1.0]), "b": None}
    aligner = SimpleNamespace(fit=lambda vector, texts: fits[texts[0]])
    several = [[Candidate(text, -1.0, 1)] for text in "ab"]
    dev = Described([], [Reading(torch.ones(1), None, None)] * 2, [], several)
    assert _fits(aligner, dev) is None
    assert _fits(aligner, replace(dev, readings=dev.readings[:1], several=several[:1])) == [[1.0]]


def test_of_many_photos_an_even_selection_is_taken():
    rows = [{"photo": f"{i // 2}.png"} for i in range(18)]
    assert _even(rows, 9) == [f"{i}.png" for i in range(9)]
    assert _even(rows, 3) == ["0.png", "4.png", "8.png"]


def test_the_summary_counts_what_is_answered(folder):
    sure, right = np.array([0.123456, 0.5, 0.6, 0.9]), np.array([0, 0, 1, 1])
    change(folder, doubt=Doubt(0.5, None, None, 0.1, True), dev_confidences=sure, dev_right=right)
    kept = load_calibration(folder)
    assert kept.dev_confidences.tolist() == sure.tolist()
    told = kept.summary()
    assert (told["dev_photos"], told["risk_of_all"], told["coverage"]) == (4, 0.5, 0.75)
    assert told["risk_answered"] == pytest.approx(1 / 3, abs=1e-4)


def test_an_older_folder_describes_as_before_and_says_so_once(folder, photos, caplog):
    with_all = Describer(folder, doubt=False, rerank=False, **BRIEF)(photos[0])
    for name in (CALIBRATION_FILE, BANK_FILE, BANK_TEXTS_FILE):
        (folder / name).unlink()
    with caplog.at_level(logging.INFO):
        older = Describer(folder, **BRIEF)
        first = older(photos[:3])[0]
    assert caplog.text.count("holds no calibration") == 1
    assert (first.text, first.doubt) == (with_all.draft, None)


def test_calibrating_anew_gives_an_older_folder_its_bank(run, folder, pairs):
    for name in (CALIBRATION_FILE, BANK_FILE, BANK_TEXTS_FILE):
        (folder / name).unlink()
    calibrate(folder, pairs, risk=0.2)
    again, former = Aligner.load(folder).bank, Aligner.load(run.model).bank
    assert again.texts == former.texts
    assert torch.equal(again.vectors, former.vectors)
    assert load_calibration(folder).doubt.risk == 0.2


@pytest.mark.parametrize("option", ["beams", "batch_size"])
def test_what_cannot_be_calibrated_with_is_told_before_anything_is_read(option, folder, tmp_path):
    with pytest.raises(InputError, match=f"--{option} 0: must be at least 1"):
        calibrate(folder, tmp_path / "no pairs", **{option: 0})


def test_few_dev_photos_are_told_of(folder, pairs, caplog):
    with caplog.at_level(logging.WARNING):
        calibrate(folder, pairs, risk=0.2)
    assert "2 dev photos are few" in caplog.text
    assert "fewer than 15" in caplog.text


@pytest.mark.parametrize(
    ("photos", "risk", "told"),
    [(29, 0.1, "fewer than 30 "), (30, 0.1, None), (59, 0.05, "fewer than 60 ")],
)
def test_no_share_is_promised_that_all_right_could_not_show(photos, risk, told, caplog):
    """None wrong of n: with 95 % certainty at most 3 in n are."""
    _warn_of_few(photos, risk)
    assert caplog.text == "" if told is None else told in caplog.text


def test_a_model_without_alignment_is_calibrated_by_wording_and_distance(folder, pairs, photos):
    for name in (HEAD_FILE, BANK_FILE, BANK_TEXTS_FILE):
        (folder / name).unlink()
    assert load_head(folder) is None
    calibration = calibrate(folder, pairs)
    assert calibration.confidence.signs == ("wording", "distance")
    assert calibration.reranking is None
    assert 0 < Describer(folder, **BRIEF)(photos[0]).confidence < 1


def test_a_photo_unlike_the_training_photos_is_described_with_less_confidence(folder, photos):
    """With weight -1 on the log of its distance d, the confidence is 1 / (1 + d)."""
    calibration = load_calibration(folder)
    by_distance = Confidence(("distance",), (0.0,), (1.0,), (-1.0,), 0.0)
    change(folder, confidence=by_distance)
    describer = Describer(folder, **BRIEF)
    for photo in photos[:2]:
        [reading] = describer.read([describer.pixels(photo)], None)
        [distance] = calibration.novelty.distances(reading.tower[None])
        expected = 1 / (1 + max(float(distance), 1e-4))
        assert describer(photo).confidence == pytest.approx(expected, rel=1e-5)


def test_a_calibration_from_before_the_distance_counted_is_used_as_it_is(folder, photos):
    former = Confidence(
        ("wording", "support", "agreement"), (0.0,) * 3, (1.0,) * 3, (0.0,) * 3, 0.5
    )
    change(folder, confidence=former)
    described = Describer(folder, **BRIEF)(photos[0])
    assert described.confidence == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_damaged_files_are_named(folder, pairs):
    (folder / BANK_FILE).unlink()
    with pytest.raises(InputError, match="a file is missing"):
        Describer(folder)
    (folder / CALIBRATION_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"calibration\.json: cannot be used"):
        Describer(folder)
    calibrate(folder, pairs)  # which puts it right
    Describer(folder)
    (folder / HEAD_FILE).write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"alignment_head\.safetensors: is damaged"):
        load_head(folder)


def test_values_that_nothing_can_be_described_with_are_refused(folder):
    with pytest.raises(InputError, match=r"--risk 2: must be between 0 and 1"):
        Describer(folder, risk=2)
    with pytest.raises(InputError, match="--precision bf16: must be float32 or bfloat16"):
        Describer(folder, precision="bf16")


def test_similar_finds_the_photo_itself_first_and_compares_all(run, pairs, photos, tmp_path):
    found = similar(photos[3], run.model, pairs, k=12)
    assert [case.photo for case in found[:1]] == [photos[3]]
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    nearness = [case.similarity for case in found]
    assert nearness == sorted(nearness, reverse=True)
    assert len({case.photo for case in found}) == len(found) == 12
    elsewhere = shutil.copyfile(photos[3], tmp_path / "new.png")
    page = tmp_path / "page.html"
    again = similar(elsewhere, run.model, pairs, k=2, split="train", out=page)
    assert [case.texts for case in again] == [case.texts for case in found[:2]] or len(again) == 2
    html = page.read_text(encoding="utf-8")
    assert again[0].texts[0] in html
    assert str(tmp_path) not in html
    assert again[0].source.startswith("pairs.csv ")
    assert f"来源：{again[0].source}" in html


def test_a_past_case_tells_what_its_row_says(run, photos, tmp_path):
    for at in range(2):
        shutil.copyfile(photos[at], tmp_path / f"{at}.png")
    head = "隐患描述,隐患照片,检查地点,整改措施\n"
    lines = f"{head}护栏缺失,0.png,二号楼,联系13812345678\n线裸露,1.png,,\n"
    (tmp_path / "台账.csv").write_text(lines, encoding="utf-8")
    import_ledger(tmp_path / "台账.csv", out=tmp_path / "pairs", split="random")
    page = tmp_path / "page.html"
    first, second = similar(photos[0], run.model, tmp_path / "pairs", k=2, out=page, split=None)
    assert first.facts == {"place": "二号楼", "measure": "联系13812345678"}
    assert (first.source, second.facts) == ("台账.csv 1", {})
    html = page.read_text(encoding="utf-8")
    assert "检查地点: 二号楼" in html
    assert "13812345678" not in html


def test_similar_encodes_past_photos_once(run, pairs, photos, monkeypatch):
    from hazardscribe.describing import similar as module

    similar(photos[0], run.model, pairs)
    calls = []
    encode = module._Encoder.encode
    monkeypatch.setattr(
        module._Encoder, "encode", lambda self, p: calls.append(len(p)) or encode(self, p)
    )
    similar(photos[1], run.model, pairs)
    assert calls == [1]


def test_similar_encodes_as_many_photos_at_a_time_as_it_is_told(run, pairs, photos, monkeypatch):
    from hazardscribe.describing import similar as module

    calls = []
    encode = module._Encoder.encode
    monkeypatch.setattr(
        module._Encoder, "encode", lambda self, p: calls.append(len(p)) or encode(self, p)
    )
    monkeypatch.setattr(module.VectorCache, "find", lambda self, keys: {})
    similar(photos[0], run.model, pairs, batch_size=5)
    assert max(calls) == 5
    assert sum(calls) == 1 + len(photos)


@pytest.mark.parametrize("damage", ["no database", "locked"])
def test_similar_does_without_a_cache_that_cannot_be_used(
    damage, run, pairs, photos, caplog, monkeypatch
):
    from hazardscribe.describing import similar as module
    from hazardscribe.model import vector_cache

    first = similar(photos[0], run.model, pairs)
    describer = Describer(run.model, calibrated=False)
    store = module.CaseIndex(describer, pairs["train"])._encoder._kept._path
    kept = store.read_bytes()
    if damage == "locked":

        def locked(*_, **__):
            raise vector_cache.sqlite3.OperationalError("database is locked")

        monkeypatch.setattr(vector_cache.sqlite3, "connect", locked)
    else:
        store.write_bytes(b"no database" * 100)
    assert [case.photo for case in similar(photos[0], run.model, pairs)] == [
        case.photo for case in first
    ]
    assert caplog.text.count("they are encoded anew") == 1
    if damage == "locked":
        assert store.read_bytes() == kept
        return
    caplog.clear()
    similar(photos[0], run.model, pairs)  # from the new one
    assert caplog.text == ""
    assert store.read_bytes().startswith(b"SQLite format 3")


def test_similar_refuses_what_it_cannot_do(run, folder, pairs, photos, tmp_path):
    with pytest.raises(InputError, match="--k 0"):
        similar(photos[0], run.model, pairs, k=0)
    with pytest.raises(InputError, match=r"ends in \.html"):
        similar(photos[0], run.model, pairs, out=tmp_path / "page.pdf")
    (folder / HEAD_FILE).unlink()
    with pytest.raises(InputError, match=r"holds no alignment_head\.safetensors"):
        similar(photos[0], folder, pairs)


def test_encoder_runs_once_for_text_and_judgement(folder, photos):
    describer = Describer(folder, beams=3, **BRIEF)
    ran = []
    tower = describer.vlm.model.vision_tower
    tower.register_forward_hook(lambda *_: ran.append(1))
    judged = describer([photos[0], photos[1]])
    assert len(ran) == 1
    plain = Describer(folder, beams=3, calibrated=False, **BRIEF)([photos[0], photos[1]])
    assert [one.draft for one in judged] == [one.text for one in plain]
    plain = Describer(folder, calibrated=False, **BRIEF)
    plain.vlm.model.vision_tower.register_forward_hook(lambda *_: ran.append(1))
    pixels = [plain.pixels(photos[0])]
    plain.describe_pixels(pixels, alternatives=2, listener=lambda _, text: None)
    assert len(ran) == 2
