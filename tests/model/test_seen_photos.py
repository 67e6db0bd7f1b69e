"""A model folder tells which photos trained it, and scores on them are told as such."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from hazardscribe import calibrate, verbs
from hazardscribe.checksums import CHECKSUMS
from hazardscribe.cli import main
from hazardscribe.describing.calibrate import calibrate as calibrate_rows
from hazardscribe.describing.calibration import load_calibration
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.evaluate import evaluate
from hazardscribe.describing.look import NoUnseenPhotoError
from hazardscribe.errors import InputError
from hazardscribe.evaluation.notices import notices
from hazardscribe.evaluation.result import Seen
from hazardscribe.model.seen_photos import SEEN_FILE, SeenPhotos, load_seen
from hazardscribe.pairs.fingerprints import fingerprints
from hazardscribe.pairs.records import Pairs
from hazardscribe.training.recipe import Alignment, Recipe


@pytest.fixture(scope="module")
def recipe(start):
    return Recipe(
        start=str(start), steps=1, batch_size=4, alignment=Alignment(queries=2), max_text_tokens=8
    )


@pytest.fixture(scope="module")
def run(pairs, recipe, tmp_path_factory):
    return verbs.train(pairs, recipe, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture
def folder(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "copy") / "model"


def divided(pairs, *splits):
    """The twelve photos in other splits."""
    return Pairs(pairs.frame.assign(split=list(splits)), folder=pairs.folder)


def test_training_leaves_what_it_has_seen_under_a_checksum(run, folder):
    seen = load_seen(run.model)
    assert (len(seen.train.digests), len(seen.dev.digests)) == (8, 2)
    assert f"  {SEEN_FILE}\n" in (run.model / CHECKSUMS).read_text(encoding="utf-8")
    assert (run.model / SEEN_FILE).stat().st_size < 1000
    assert not any("was trained on" in warning for warning in run.warnings)
    (folder / SEEN_FILE).write_text('{"train": {}}', encoding="utf-8")
    with pytest.raises(InputError, match=f"{SEEN_FILE}: cannot be used"):
        load_seen(folder)
    with pytest.raises(InputError, match=f"{SEEN_FILE}: is damaged"):
        Describer(folder)


def test_a_run_tells_that_its_start_knows_dev_and_validation(run, pairs, recipe, tmp_path):
    other = divided(pairs, *["dev"] * 3, *["train"] * 7, "validation", "dev")
    again = verbs.train(
        other,
        Recipe(**{**recipe.__dict__, "start": str(run.model), "calibrate": False}),
        tmp_path / "run",
    )
    [warning] = [one for one in again.warnings if "was trained on" in one]
    assert "3 of 4 dev photos" in warning
    assert "validation" not in warning
    assert len(load_seen(again.model).train.digests) == 10  # the start's 8 and 2 that were its dev
    assert len(load_seen(again.model).dev.digests) == 6


def test_scores_on_known_photos_are_told_as_such(run, pairs, photos, tmp_path):
    smaller = tmp_path / "smaller.jpg"
    with Image.open(photos[7]) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(smaller)
    frame = pairs.frame.assign(split=[*["validation"] * 3, *["train"] * 5, *["validation"] * 4])
    frame.loc[9, "photo"] = str(smaller)
    frame[["photo", "description", "split"]].to_csv(tmp_path / "pairs.csv", index=False)
    out = tmp_path / "report"
    evaluation = verbs.evaluate_model(run.model, tmp_path / "pairs.csv", out, evidence=0)
    assert (evaluation.seen.photos, evaluation.seen.in_train) == (7, 3)
    assert (evaluation.seen.near, evaluation.seen.in_dev) == (1, 1)
    stored = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["seen"]
    assert (stored["seen_in_train"], stored["near_seen"], stored["seen_in_dev"]) == (3, 1, 1)
    alone = evaluate(Describer(run.model), pairs["validation"])
    assert stored["metrics_unseen"]["rouge_l"]["value"] == alone.metrics["rouge_l"].value
    assert "Of 7 photos 3 were trained on, 1 show nearly the same" in evaluation.warnings[0]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "7 张照片中，3 张参加过训练，1 张与训练照片几乎相同，" in page
    assert "1 张参与过权重选择：得分偏高。仅计其余 2 张：" in page


@pytest.mark.parametrize(
    ("split", "said"),
    [("train", "trained on all 8"), ("dev", "used to choose"), ("validation", "")],
)
def test_the_models_own_splits_get_one_sentence_and_new_photos_none(split, said, run, pairs):
    describer = Describer(run.model, max_new_tokens=4)
    evaluation = evaluate(describer, pairs[split], resamples=0)
    assert evaluation.seen is not None
    assert not evaluation.seen.unseen
    told = [one for one in evaluation.warnings if "the scores" in one]
    assert [said in one for one in told] == ([True] if said else [])


def test_a_model_that_does_not_say_gives_null_and_no_notice(start, pairs):
    evaluation = evaluate(Describer(start, max_new_tokens=4), pairs["train"], resamples=0)
    assert evaluation.to_json()["seen"] is None
    assert not any("trained on" in one for one in evaluation.warnings)


@pytest.mark.parametrize("seen", [Seen(9, 9, 0, 0), Seen(9, 0, 0, 9), Seen(9, 2, 1, 3)])
def test_both_languages_tell_of_known_photos(seen, run, pairs):
    evaluation = evaluate(Describer(run.model, max_new_tokens=4), pairs["dev"], resamples=0)
    texts = {
        language: notices(["a"] * 9, evaluation.metrics, {}, language, seen=seen)[0]
        for language in ("en", "zh")
    }
    assert "scores" in texts["en"]
    assert "得分" in texts["zh"]


def test_calibrating_leaves_out_what_was_trained_on(folder, pairs, caplog):
    calibrate(folder, pairs)
    expected = load_calibration(folder).dev_confidences.tolist()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        calibrate(folder, divided(pairs, *["train"] * 5, *["dev"] * 5, *["validation"] * 2))
    assert "was trained on 3 of 5 dev photos" in caplog.text
    assert load_calibration(folder).dev_confidences.tolist() == expected
    with pytest.raises(InputError, match="was trained on all 3 photos of dev"):
        calibrate(folder, divided(pairs, *["train"] * 5, *["dev"] * 3, *["validation"] * 4))


def test_a_photo_that_cannot_be_read_is_not_an_unseen_one(folder, pairs, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no photo")
    train = list(pairs["train"])
    with pytest.raises(NoUnseenPhotoError, match="was trained on all 2 photos of dev"):
        calibrate_rows(folder, train, [*train[:2], train[0] | {"photo": str(bad)}])


def test_training_ends_well_where_all_of_dev_is_in_train(pairs, recipe, tmp_path):
    both = pairs.frame.assign(split=[*["train"] * 8, "dev", "dev", *["validation"] * 2])
    both.loc[8:9, "photo"] = both["photo"][:2].tolist()
    run = verbs.train(Pairs(both, folder=pairs.folder), recipe, tmp_path / "run")
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert run.status == "finished"
    assert "trained on all 2 photos of dev" in record["calibration"]["missing"]


def test_two_models_are_compared_on_photos_that_neither_knows(
    run, start, pairs, folder, tmp_path, capsys
):
    frame = pairs.frame.assign(split=["validation"] * 12)
    frame[["photo", "description", "split"]].to_csv(tmp_path / "pairs.csv", index=False)
    out = tmp_path / "report"
    arguments = ["--model", run.model, "--against", folder, "--data", tmp_path / "pairs.csv"]
    assert main(["evaluate", *map(str, arguments), "--out", str(out), "--evidence", "0"]) == 0
    stored = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["against"]
    # 8 trained both, 2 chose their weights; the model is a copy of the other.
    assert (stored["model"], stored["photos"], stored["known"]) == ("copy", 2, 10)
    assert (stored["better"], stored["worse"], stored["untold"]) == (0, 0, False)
    assert stored["scores"]["rouge_l"]["difference"]["value"] == 0
    assert "against copy" in capsys.readouterr().out
    assert "另有 10 张照片被其中一个模型见过" in (out / "report.html").read_text(encoding="utf-8")

    elsewhere = evaluate(
        Describer(run.model, max_new_tokens=4),
        pairs["validation"],
        against=Describer(start, max_new_tokens=4),
        resamples=0,
    )
    assert (elsewhere.against.untold, elsewhere.against.known) == (True, 0)
    assert elsewhere.against.model == start.parent.name
    assert set(elsewhere.against.changed) == set(pairs["validation"]["photo"])


def test_the_other_models_own_photos_do_not_count_either(run, pairs):
    """The model in service knows other photos than the one that may follow it."""
    model, other = Describer(run.model, max_new_tokens=4), Describer(run.model, max_new_tokens=4)
    rows = list(pairs["validation"])
    looks = fingerprints([row["photo"] for row in rows], model.pixels)
    other.folder = model.folder.parent / "elsewhere"
    other.folder.mkdir()
    SeenPhotos.of(looks, looks).save(other.folder)
    with pytest.raises(InputError, match="each of the 2 photos was in the training of one of"):
        evaluate(model, rows, against=other)


@pytest.mark.parametrize(("changed", "named"), [("language", "'en'"), ("target", "'{other}'")])
def test_models_that_answer_other_questions_are_not_compared(changed, named, run, start, pairs):
    model, other = Describer(run.model), Describer(start)
    other.card = replace(other.card, **{changed: named.strip("'")})
    with pytest.raises(InputError, match=f"its {changed} is {named}.*cannot be compared"):
        evaluate(model, pairs["validation"], against=other)
