"""The baseline of the nearest training photo: what it compares, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from hazardscribe.describing.describer import Describer
from hazardscribe.describing.evaluate import evaluate


def test_a_baseline_without_the_start_says_that_it_is_weaker(start, pairs, tmp_path, caplog):
    describer = Describer(start, max_new_tokens=4)
    evaluate(describer, pairs["validation"], pairs["train"], resamples=0)
    assert "weaker" not in caplog.text  # trained from nothing: there was no tower to compare by
    describer.card = replace(describer.card, start=str(tmp_path / "gone"))
    evaluate(describer, pairs["validation"], pairs["train"], resamples=0)
    assert "gone, is not here: the nearest-photo baseline compares small pictures" in caplog.text


def test_the_baseline_is_left_out_where_no_training_photo_can_be_read(start, pairs, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no photo")
    train = pd.DataFrame(list(pairs["train"])).assign(photo=str(bad)).to_dict("records")
    describer = Describer(start, max_new_tokens=4)
    evaluation = evaluate(describer, pairs["validation"], train, resamples=0)
    assert evaluation.baselines["nearest"] is None
