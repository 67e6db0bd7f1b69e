"""The baseline of the nearest training photo: what it compares, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tiny
from hazardscribe.describing.describer import Describer
from hazardscribe.describing.evaluate import evaluate
from hazardscribe.describing.nearest_photo import TowerFeatures
from hazardscribe.model.parts import parameters_by_part


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


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_the_language_model_of_the_start_takes_no_room_beside_the_describer(
    name, family_folder, photos
):
    folder = family_folder(name)
    describer = Describer(folder, batch_size=2)
    batches = []
    former = describer.prompter.inputs

    def inputs(pixels, device):
        batches.append(len(pixels))
        return former(pixels, device)

    describer.prompter.inputs = inputs
    expected = TowerFeatures(str(folder), describer)(photos[:3])
    assert batches == [2, 1]
    describer.device = "meta"
    features = TowerFeatures(str(folder), describer)
    parts = parameters_by_part(features._vlm)
    assert {one.device.type for one in parts["llm"].values()} == {"cpu"}
    assert {one.device.type for one in parts["tower"].values()} == {"meta"}
    # And the tower asks nothing of it.
    describer.device = "cpu"
    features = TowerFeatures(str(folder), describer)
    for parameter in parameters_by_part(features._vlm)["llm"].values():
        parameter.data.fill_(float("nan"))
    numbers, rows = features(photos[:3])
    assert numbers == expected[0]
    np.testing.assert_array_equal(rows, expected[1])
