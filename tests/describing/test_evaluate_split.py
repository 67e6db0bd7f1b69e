"""A split described and scored: what a photo that cannot be read changes."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from hazardscribe import read_pairs, verbs
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.doubt import answer
from hazardscribe.describing.evaluate import evaluate
from hazardscribe.errors import InputError


@pytest.fixture
def shards(pairs, tmp_path):
    """The pairs in two shards; a photo of train and one of validation are damaged."""
    frame = pairs.frame[["photo", "description", "split"]].copy()
    for at in (2, 11):
        bad = tmp_path / f"{at}.png"
        bad.write_bytes(b"no photo")
        frame.loc[at, "photo"] = str(bad)
    folder = tmp_path / "shards"
    folder.mkdir()
    for i in range(2):
        frame[6 * i : 6 * i + 6].to_parquet(folder / f"{i}.parquet")
    return folder


def test_a_photo_that_cannot_be_read_is_left_out_and_counted(start, shards, tmp_path, caplog):
    out = tmp_path / "report"
    caplog.set_level(logging.WARNING)
    evaluation = verbs.evaluate_model(start, shards, out, evidence=0)
    assert "evaluate: 1 of 2 photos cannot be read and are left out" in caplog.text
    assert "baseline: 1 of 8 photos cannot be read and are left out" in caplog.text
    assert len(evaluation.cases) == 1
    assert evaluation.baselines["nearest"] is not None
    stored = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert (stored["counts"]["photos"], stored["counts"]["unreadable"]) == (1, 1)
    assert "2 张照片中有 1 张无法读取" in (out / "report.html").read_text(encoding="utf-8")


def test_a_photo_that_reading_left_out_is_told_in_the_report(start, shards, tmp_path):
    """Of one table, damaged photos are left out when it is read, and in no split."""
    frame = pd.concat([pd.read_parquet(shard) for shard in sorted(shards.glob("*.parquet"))])
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    out = tmp_path / "report"
    verbs.evaluate_model(start, tmp_path / "pairs.csv", out, evidence=0)
    stored = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert (stored["counts"]["unreadable"], stored["counts"]["left_out"]) == (0, 2)
    assert "读取数据时有 2 张照片" in (out / "report.html").read_text(encoding="utf-8")


def test_the_tower_of_the_start_leaves_out_the_same_photos(start, shards, caplog):
    describer = Describer(start, max_new_tokens=4)
    describer.card = replace(describer.card, start=str(start))
    pairs = read_pairs(shards)
    evaluation = evaluate(describer, pairs["validation"], pairs["train"], resamples=0)
    assert "baseline: 1 of 8 photos cannot be read and are left out" in caplog.text
    assert evaluation.baselines["nearest"] is not None


def test_a_split_without_a_readable_photo_is_refused(start, shards):
    pairs = read_pairs(shards)
    rows = [row for row in pairs["validation"] if row["photo"] == str(shards.parent / "11.png")]
    with pytest.raises(InputError, match="none of 1 photos can be read"):
        evaluate(Describer(start, max_new_tokens=4), rows)


@pytest.mark.parametrize("options", [{"text_encoder": "none/such"}, {"rules": "none.yaml"}])
@pytest.mark.parametrize("trained_on", ["train", None])
def test_what_is_unsuitable_is_refused_before_photos_are_described(
    options, trained_on, start, pairs, tmp_path, monkeypatch
):
    describer = Describer(start, max_new_tokens=4)
    monkeypatch.setattr(describer, "stream", lambda photos: pytest.fail("photos were described"))
    options = {name: str(tmp_path / value) for name, value in options.items()}
    train = pairs[trained_on] if trained_on else None
    with pytest.raises(InputError):
        evaluate(describer, pairs["validation"], train, **options)


@pytest.mark.parametrize("own", [False, True])
def test_what_is_said_in_doubt_is_understood_under_rules_of_ones_own(own, start, pairs, tmp_path):
    """A rule file need not know how this program says that it cannot judge."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("language: zh\nno_hazard: ['没有隐患']\n", encoding="utf-8")
    describer = Doubting(start, max_new_tokens=4)
    rows = list(pairs["train"])
    trust = evaluate(describer, rows, rules=rules if own else None, resamples=0).trust
    assert trust.coverage.value == pytest.approx(3 / 4)
    assert trust.reasons == {"unsure": 2, "likely_safe": 4}


class Doubting(Describer):
    """Of eight photos it answers two, says of four that no hazard is seen, and of two nothing."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.calibration = SimpleNamespace(rules=None)

    def stream(self, photos):
        for i, one in enumerate(super().stream(photos)):
            reason = (None, "unsure", "likely_safe", "likely_safe")[i % 4]
            text = one.text if reason is None else answer(reason, self.card.language)
            yield replace(one, text=text, draft="一名工人未戴安全帽", doubt=reason)
