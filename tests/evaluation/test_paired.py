"""The paired bootstrap sees a small gain on every photo, and no gain in noise."""

from __future__ import annotations

import numpy as np
import pytest

from hazardscribe.errors import InputError
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.evaluate import evaluate_texts
from hazardscribe.evaluation.paired import paired_differences

WORDS = ["一名工人未佩戴安全帽", "两名工人未穿反光背心", "现场未发现明显隐患", "气瓶未固定"]


def cases(count: int = 60) -> list[Case]:
    return [
        Case(f"{i}.jpg", [f"{WORDS[i % 4]},编号{i % 7}"], "", hazard=i % 4 != 2)
        for i in range(count)
    ]


def test_values_are_the_evaluations_own():
    given = cases()
    first = {c.photo: WORDS[(i // 2) % 4] for i, c in enumerate(given)}
    second = {c.photo: c.references[0] for c in given}
    found = paired_differences(given, [first], [second], language="zh", resamples=50)
    for predictions, side in ((first, "first"), (second, "second")):
        described = [
            Case(c.photo, c.references, predictions[c.photo], hazard=c.hazard) for c in given
        ]
        evaluation = evaluate_texts(
            described,
            train_texts=[],
            train_hazards=None,
            nearest=None,
            language="zh",
            embed=None,
            resamples=0,
        )
        for name in ("cider_d", "hazard_f1", "bleu_4", "rouge_l"):
            assert getattr(found[name], side) == pytest.approx(float(evaluation.metrics[name]))


def test_the_interval_is_that_of_resampled_differences():
    given = cases()
    draw = np.random.default_rng(0)
    first = {c.photo: WORDS[draw.integers(4)] for c in given}
    second = {c.photo: c.references[0] if draw.random() < 0.5 else first[c.photo] for c in given}
    found = paired_differences(given, [first], [second], language="zh", resamples=4000)["rouge_l"]
    per_photo = []
    for case in given:
        alone = paired_differences([case], [first], [second], language="zh", resamples=1)
        per_photo.append(alone["rouge_l"].value)
    values = np.array(per_photo)
    means = values[np.random.default_rng(1).integers(60, size=(4000, 60))].mean(axis=1)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.01)
    assert found.not_better == 0.0


def test_a_model_is_not_better_than_itself_and_runs_are_averaged():
    given = cases()
    one = {c.photo: WORDS[i % 3] for i, c in enumerate(given)}
    other = {c.photo: c.references[0] for c in given}
    same = paired_differences(given, [one], [one], language="zh", resamples=100)["cider_d"]
    assert (same.value, same.low, same.high, same.not_better) == (0.0, 0.0, 0.0, 1.0)
    alone = paired_differences(given, [one], [other], language="zh", resamples=100)["cider_d"]
    half = paired_differences(given, [one, one], [other, one], language="zh", resamples=100)
    assert half["cider_d"].value == pytest.approx(alone.value / 2)
    assert half["cider_d"].low == pytest.approx(alone.low / 2)


def test_what_cannot_be_compared_is_named():
    given = cases(4)
    full = {c.photo: "文字" for c in given}
    with pytest.raises(InputError, match=r"1 photos have no prediction, first 3\.jpg"):
        paired_differences(given, [full], [dict(list(full.items())[:3])], language="zh")
    with pytest.raises(InputError, match="2 runs of the first model and 1 of the second"):
        paired_differences(given, [full, full], [full], language="zh")
