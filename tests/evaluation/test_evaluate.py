"""Scores counted by hand, their intervals, nulls, baselines and warnings."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import zip_longest

import numpy as np
import pytest
import sacrebleu
from evaluation_texts import groups, sentences

from hazardscribe.errors import InputError
from hazardscribe.evaluation import Case, Rules, Score, evaluate_texts
from hazardscribe.evaluation.bootstrap import wilson
from hazardscribe.evaluation.cider import cider_d
from hazardscribe.evaluation.notices import notices, notices_of
from hazardscribe.evaluation.report_words import METRICS
from hazardscribe.evaluation.result import Seen
from hazardscribe.evaluation.rouge import rouge_l
from hazardscribe.evaluation.tokens import characters, tokenizers

NO_HAT, SAFE = "一名工人未戴安全帽", "未发现明显隐患"
TRAIN = [SAFE, SAFE, NO_HAT]


def embed(texts: list[str]) -> np.ndarray:
    """Counts of a few characters: alike texts get alike vectors; not of unit length."""
    return np.array([[text.count(c) + 0.1 for c in "未戴穿隐患帽"] for text in texts])


def evaluate(cases, **options):
    given = {
        "train_texts": TRAIN,
        "train_hazards": None,
        "nearest": [NO_HAT] * len(cases),
        "language": "zh",
        "embed": embed,
        "resamples": 200,
    }
    return evaluate_texts(cases, **{**given, **options})


def test_scores_counted_by_hand(cases):
    metrics = evaluate(cases).metrics
    # hazards: three of four named, one false alarm among four safe photos
    assert float(metrics["hazard_f1"]) == pytest.approx(3 / 4)
    assert float(metrics["hazard_precision"]) == pytest.approx(3 / 4)
    assert float(metrics["hazard_recall"]) == pytest.approx(3 / 4)
    assert float(metrics["balanced_accuracy"]) == pytest.approx(3 / 4)
    assert float(metrics["false_alarm_rate"]) == pytest.approx(1 / 4)
    # elements: hat on 0, 1, 3 (named on 0, 3), vest on 2, 3 (named on 2, and wrongly on 5)
    assert float(metrics["element_f1"]) == pytest.approx(6 / 9)
    assert float(metrics["element_f1.helmet_missing"]) == pytest.approx(4 / 5)
    assert float(metrics["element_f1.vest_missing"]) == pytest.approx(2 / 4)
    assert float(metrics["element_f1_macro"]) == pytest.approx((4 / 5 + 2 / 4) / 2)
    assert float(metrics["cannot_judge_share"]) == pytest.approx(1 / 8)
    assert float(metrics["distinct_share"]) == pytest.approx(7 / 8)
    expected = cider_d(
        [characters(case.prediction) for case in cases],
        [[characters(text) for text in case.references] for case in cases],
    )
    assert float(metrics["cider_d"]) == pytest.approx(expected.mean())


def test_counts_and_cases(cases):
    evaluation = evaluate(cases)
    assert evaluation.counts == {
        "photos": 8,
        "references": 8,
        "hazard_photos": 4,
        "safe_photos": 4,
        "hazards_named": 3,
        "hazards_missed": 1,
        "false_alarms": 1,
        "cannot_judge": 1,
        "empty": 1,
        "distinct": 7,
        "unreadable": 0,
        "left_out": 0,
    }
    assert evaluation.cases[3].missing == {"vest_missing"}
    assert evaluation.cases[5].invented == {"vest_missing"}
    assert evaluation.cases[6].cannot_judge
    assert not evaluation.cases[7].said_hazard
    worst = sorted(evaluation.cases, key=lambda case: case.badness, reverse=True)
    assert {case.photo for case in worst[:2]} == {"1.jpg", "5.jpg"}
    assert worst[2].photo == "3.jpg"
    element = evaluation.elements["vest_missing"]
    assert (element.support, element.predicted, element.label) == (2, 2, "未穿反光衣")
    assert float(element.precision) == float(element.recall) == pytest.approx(1 / 2)


def test_each_photo_has_its_own_scores_and_confidence(cases):
    confidences = np.linspace(0.1, 0.8, 8).tolist()
    found = evaluate(cases, confidences=confidences).cases
    split = [[characters(text) for text in case.references] for case in cases]
    said = [characters(case.prediction) for case in cases]
    assert [case.cider_d for case in found] == pytest.approx(cider_d(said, split).tolist())
    assert [case.rouge_l for case in found] == pytest.approx(rouge_l(said, split).tolist())
    assert [case.confidence for case in found] == confidences


def test_hazards_and_safe_photos_are_counted_each(cases):
    counts = evaluate([case for case in cases if case.photo != "5.jpg"]).counts
    names = ("hazard_photos", "safe_photos", "hazards_named", "hazards_missed", "false_alarms")
    assert [counts[name] for name in names] == [4, 3, 3, 1, 0]


def test_baselines_go_through_the_same_scores(cases):
    evaluation = evaluate(cases, nearest=[case.references[0] for case in cases])
    assert evaluation.baseline_texts == {"most_frequent": SAFE, "always_hazard": NO_HAT}
    for scores in evaluation.baselines.values():
        assert list(scores) == list(evaluation.metrics)
    assert float(evaluation.baselines["most_frequent"]["hazard_f1"]) == 0.0
    assert float(evaluation.baselines["most_frequent"]["hazard_precision"]) == 0.0
    assert float(evaluation.baselines["always_hazard"]["hazard_f1"]) == pytest.approx(2 / 3)
    assert float(evaluation.baselines["always_hazard"]["balanced_accuracy"]) == 0.5
    nearest = evaluation.baselines["nearest"]
    assert float(nearest["hazard_f1"]) == float(nearest["bleu_4"]) == pytest.approx(1.0)
    assert float(nearest["cider_d"]) == pytest.approx(10.0)


def test_json_has_flat_names_and_no_nan(cases):
    data = evaluate(cases).to_json()
    text = json.dumps(data, allow_nan=False, ensure_ascii=False)
    assert "未穿反光衣" in text
    names = [
        "hazard_f1",
        "hazard_precision",
        "hazard_recall",
        "balanced_accuracy",
        "false_alarm_rate",
        "element_f1",
        "element_f1_macro",
        "cider_d",
        "bleu_4",
        "bleu_1",
        "rouge_l",
        "cider_d_word",
        "bleu_4_word",
        "rouge_l_word",
        "text_similarity",
        "distinct_share",
        "cannot_judge_share",
        "shuffle_drop",
        "element_f1.helmet_missing",
    ]
    for name in names:
        for table in (data, *data["baselines"].values()):
            assert set(table[name]) == {"value", "low", "high"}
            assert table[name]["low"] <= table[name]["value"] <= table[name]["high"]
    assert set(data["elements"]["helmet_missing"]) >= {"f1", "precision", "recall", "support"}
    assert data["language"] == "zh"
    assert data["resamples"] == 200
    assert data["seed"] == 0
    assert {"sacrebleu", "jieba", "hazardscribe"} <= set(data["versions"])
    assert data["nulls"] == {}


def test_equal_seeds_give_equal_results_and_no_resamples_no_intervals(cases):
    first = evaluate(cases).to_json()
    assert first == evaluate(cases).to_json()
    other = evaluate(cases, seed=1).to_json()
    assert first["hazard_f1"]["value"] == other["hazard_f1"]["value"]
    none = evaluate(cases, resamples=0)
    assert none.metrics["hazard_f1"] == Score(0.75)


def test_english_with_several_references():
    texts = groups("en", 40, 4, seed=3)
    cases = [
        Case(f"{i}.jpg", group, prediction)
        for i, (group, prediction) in enumerate(zip(texts, sentences("en", 40, 5), strict=True))
    ]
    evaluation = evaluate(
        cases, language="en", train_texts=["No visible hazard"], embed=None, nearest=None
    )
    assert "cider_d_word" not in evaluation.metrics
    [words] = tokenizers("en").values()
    spoken = [" ".join(words(case.prediction)) for case in cases]
    written = [[" ".join(words(text)) for text in case.references] for case in cases]
    streams = list(zip_longest(*written))
    bleu = sacrebleu.corpus_bleu(spoken, streams, smooth_method="none", tokenize="none")
    assert float(evaluation.metrics["bleu_4"]) == pytest.approx(bleu.score / 100)
    assert float(evaluation.metrics["bleu_1"]) == pytest.approx(bleu.bp * bleu.precisions[0] / 100)
    assert evaluation.counts["references"] == sum(map(len, texts))
    assert evaluation.nulls["baselines.nearest"]
    assert evaluation.nulls["baselines.always_hazard"]
    assert evaluation.baselines["nearest"] is None
    assert evaluation.to_json()["baselines"]["always_hazard"] is None
    assert "jieba" not in evaluation.versions


def test_without_a_safe_photo_hazard_scores_are_null_with_the_reason(cases):
    evaluation = evaluate(cases[:4])
    for name in ("hazard_f1", "hazard_precision", "balanced_accuracy", "false_alarm_rate"):
        assert evaluation.metrics[name] == Score(None)
        assert evaluation.baselines["nearest"][name] == Score(None)
        assert "no safe photo" in evaluation.nulls[name]
    assert float(evaluation.metrics["hazard_recall"]) == pytest.approx(3 / 4)
    assert math.isnan(float(evaluation.metrics["hazard_f1"]))
    assert evaluation.to_json()["hazard_f1"] == {"value": None, "low": None, "high": None}


def test_without_a_hazard_false_alarms_are_still_counted(cases):
    evaluation = evaluate(cases[4:])
    for name in ("hazard_f1", "hazard_recall", "balanced_accuracy"):
        assert "no photo with a hazard" in evaluation.nulls[name]
    assert "element_f1" in evaluation.nulls
    assert float(evaluation.metrics["false_alarm_rate"]) == pytest.approx(1 / 4)
    assert evaluation.elements["vest_missing"].f1 == Score(None)
    assert evaluation.elements["vest_missing"].predicted == 1
    assert "element_f1.vest_missing" not in evaluation.metrics
    json.dumps(evaluation.to_json(), allow_nan=False)


@pytest.mark.parametrize("count", [1, 3])
def test_cider_d_is_null_where_it_can_only_be_zero(cases, count):
    same = [replace(cases[0], photo=f"{i}.jpg") for i in range(count)]
    evaluation = evaluate(same)
    for name in ("cider_d", "cider_d_word", "shuffle_drop"):
        assert evaluation.metrics[name] == Score(None)
        assert ("only one photo" if count == 1 else "same references") in evaluation.nulls[name]
    json.dumps(evaluation.to_json(), allow_nan=False)


def test_similarity_is_the_best_cosine_and_null_without_an_encoder():
    cases = [
        Case("a", ["ab", "cd"], "cd"),
        Case("b", ["ab"], "cd"),
        Case("c", ["ab"], ""),
        Case("d", ["ab"], "not ab"),
    ]
    calls: list[list[str]] = []

    def letters(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        known = {"ab": [3.0, 0.0], "cd": [1.0, 1.0], "not ab": [-2.0, 0.0]}
        return np.array([known[text] for text in texts])

    evaluation = evaluate(cases, embed=letters, train_texts=[], nearest=None)
    got = [case.text_similarity for case in evaluation.cases]
    assert got == pytest.approx([1.0, math.sqrt(0.5), 0.0, -1.0])
    assert calls == [["ab", "cd", "not ab"]]  # each text once, nothing empty
    assert "no text encoder" in evaluate(cases, embed=None).nulls["text_similarity"]
    with pytest.raises(InputError, match="embed gave an array of shape"):
        evaluate(cases, embed=lambda texts: np.zeros(len(texts)))


def varied(count: int) -> list[Case]:
    texts = sentences("zh", count, seed=7)
    return [Case(f"{i}.jpg", [text], text) for i, text in enumerate(texts)]


def test_a_model_that_looks_passes_the_shuffle_test():
    evaluation = evaluate(varied(60), train_texts=[SAFE, NO_HAT])
    assert evaluation.metrics["shuffle_drop"].low > 1
    assert evaluation.warnings == ()


def test_shares_of_0_and_1_keep_an_interval():
    hazards = [Case(f"{i}.jpg", [NO_HAT], NO_HAT, True) for i in range(8)]
    safe = [Case(f"safe{i}.jpg", [SAFE], SAFE, False) for i in range(8)]
    found = evaluate(hazards + safe, resamples=20)
    # Wilson's upper bound of 0 in 8: z^2 / (8 + z^2).
    bound = pytest.approx(0.3244, abs=1e-4)
    assert found.metrics["false_alarm_rate"].low == 0
    assert found.metrics["false_alarm_rate"].high == bound
    assert 1 - found.metrics["hazard_recall"].low == bound
    helmet = found.elements["helmet_missing"]
    assert 1 - helmet.precision.low == bound
    assert helmet.recall.high == 1
    assert evaluate(hazards + safe, resamples=0).metrics["false_alarm_rate"] == Score(0.0)


def test_the_intervals_of_one_kind_are_those_of_its_counts():
    said = [(NO_HAT, NO_HAT)] * 6 + [(SAFE, NO_HAT)] * 2 + [(NO_HAT, SAFE)] * 3
    cases = [
        Case(f"{i}.jpg", [written], predicted, written == NO_HAT)
        for i, (written, predicted) in enumerate(said)
    ]
    found = evaluate(cases, resamples=20)
    helmet = found.elements["helmet_missing"]
    for score, hits, of in ((helmet.precision, 6, 8), (helmet.recall, 6, 9)):
        assert score == Score(pytest.approx(hits / of), *wilson(hits, of))
    for name, hits, of in (
        ("hazard_precision", 6, 8),
        ("hazard_recall", 6, 9),
        ("false_alarm_rate", 2, 2),
    ):
        assert found.metrics[name] == Score(pytest.approx(hits / of), *wilson(hits, of))


def test_a_kind_that_was_never_named_has_no_precision():
    cases = [Case("a.jpg", [NO_HAT], SAFE, True), Case("b.jpg", [SAFE], SAFE, False)]
    helmet = evaluate(cases).elements["helmet_missing"]
    assert helmet.precision == Score(None)
    assert helmet.recall.value == 0


def test_a_faultless_model_on_photos_of_which_half_are_safe_alike_is_not_blamed():
    right = varied(30) + [Case(f"safe{i}.jpg", [SAFE], SAFE) for i in range(30)]
    assert evaluate(right, train_texts=[SAFE, NO_HAT]).warnings == ()


def test_a_model_that_does_not_look_is_told_so():
    cases = varied(60)
    mixed = [replace(case, prediction=cases[i - 7].prediction) for i, case in enumerate(cases)]
    warnings = evaluate(mixed, nearest=[case.references[0] for case in cases]).warnings
    assert any(text.startswith("Shuffle test failed") for text in warnings)
    assert any("CIDEr-D (0-10)" in text and "“Nearest training" in text for text in warnings)

    constant = [replace(case, prediction=NO_HAT) for case in cases]
    evaluation = evaluate(constant)
    assert evaluation.metrics["shuffle_drop"] == Score(0.0, 0.0, 0.0)
    assert any("same description" in text for text in evaluation.warnings)
    assert any(text.startswith("Shuffle test failed") for text in evaluation.warnings)


@pytest.mark.parametrize(
    ("drop", "told"),
    [
        (Score(1.2, -0.3, 2.5), "Shuffle test undecided"),  # clear, but on too few photos
        (Score(0.01, -0.02, 0.03), "Shuffle test failed"),
        (Score(0.4, -0.2, 1.0), "Shuffle test failed"),
        (Score(-0.5, -1.0, 0.1), "Shuffle test failed"),
        (Score(0.0, 0.0, 0.0), "Shuffle test failed"),
        (Score(1.0, 0.0, 2.0), "Shuffle test undecided"),  # just half of the CIDEr-D of 2
        (Score(0.99, 0.0, 2.0), "Shuffle test failed"),
        (Score(0.0), "Shuffle test failed"),  # without resamples
        (Score(0.01), None),
        (Score(1.2, 0.3, 2.5), None),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_drop_that_may_be_chance_is_not_called_none(drop, told, language):
    names = ("hazard_f1", "element_f1", "cider_d")
    metrics = {**dict.fromkeys(names, Score(2.0)), "shuffle_drop": drop}
    found = notices([f"text {i}" for i in range(40)], metrics, {}, language)
    words = {"Shuffle test undecided": "打乱检验未有定论", "Shuffle test failed": "打乱检验未通过"}
    if told is None:
        assert found == []
    else:
        assert len(found) == 1
        assert (told if language == "en" else words[told]) in found[0]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "the model (0.400) is not above the baseline “Nearest training photo” (0.400)"),
        ("zh", "模型（0.400）没有超过无需模型的基线“最相似训练照片”（0.400）"),
    ],
)
def test_a_model_that_no_more_than_equals_a_baseline_is_told_so(language, said):
    names = ("hazard_f1", "element_f1", "cider_d")
    metrics = dict.fromkeys(names, Score(0.4)) | {"shuffle_drop": Score(1.2, 0.3, 2.5)}
    below, equal = dict.fromkeys(names, Score(0.3)), dict.fromkeys(names, Score(0.4))
    equal |= {"hazard_f1": Score(0.39), "element_f1": Score(None)}
    texts = [f"text {i}" for i in range(40)]
    assert notices(texts, metrics, {"most_frequent": below, "always_hazard": None}, language) == []
    baselines = {"most_frequent": below, "nearest": equal}
    [told] = notices(texts, metrics, baselines, language)
    assert said in told


@pytest.mark.parametrize(
    ("seen", "en", "zh"),
    [
        (Seen(9, 0, 0, 0), None, None),
        (
            Seen(9, 2, 1, 3, {"cider_d": Score(1.5)}),
            "Of 9 photos 2 were trained on, 1 show nearly the same as a training photo, "
            "3 were used to choose the weights: the scores flatter the model. On the other 3",
            "9 张照片中，2 张参加过训练，1 张与训练照片几乎相同，3 张参与过权重选择：得分偏高。"
            "仅计其余 3 张",
        ),
        (
            Seen(9, 1, 0, 2, {"element_f1": Score(0.25, 0.2, 0.3), "hazard_f1": Score(0.7)}),
            "On the other 6 alone: Kinds of hazard: F1 (micro) 0.250 [0.200, 0.300].",
            "仅计其余 6 张：隐患类别：F1（微平均） 0.250 [0.200, 0.300]。",
        ),
        (Seen(9, 8, 1, 0), "8 were trained on, 1 show nearly", "8 张参加过训练，1 张与"),
        (Seen(9, 9, 0, 0), "trained on all 9", "全部 9 张照片都参加过训练"),
        (Seen(9, 0, 0, 9), "All 9 photos were used to choose", "全部 9 张照片都参与过权重选择"),
    ],
)
def test_photos_that_the_model_knows_are_told_of(seen, en, zh):
    metrics = dict.fromkeys(("hazard_f1", "element_f1", "cider_d"), Score(2.0))
    metrics |= {"shuffle_drop": Score(1.2, 0.3, 2.5)}
    for language, said in (("en", en), ("zh", zh)):
        texts = [f"text {i}" for i in range(40)]
        found = notices(texts, metrics, {}, language, seen=seen)
        assert [said in one for one in found] == ([True] if said else [])


def test_what_the_model_knows_is_kept_by_how_it_knows_it():
    assert Seen(9, 2, 1, 3, {"cider_d": Score(1.5, 1, 2)}).to_json() == {
        "seen_in_train": 2,
        "near_seen": 1,
        "seen_in_dev": 3,
        "metrics_unseen": {"cider_d": {"value": 1.5, "low": 1, "high": 2}},
    }


def test_photos_that_could_not_be_read_are_counted_and_told(cases):
    evaluation = evaluate(cases, unreadable=2)
    assert evaluation.counts["unreadable"] == 2
    assert "2 of 10 photos could not be read and are in none of the scores." in evaluation.warnings


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        (1, "1 photo of the data (all splits) is missing or damaged and in none of the scores."),
        (3, "3 photos of the data (all splits) are missing or damaged and in none of the scores."),
    ],
)
def test_photos_that_reading_left_out_are_counted_and_told(cases, left_out, told):
    evaluation = evaluate(cases, left_out=left_out)
    assert evaluation.counts["left_out"] == left_out
    assert told in evaluation.warnings
    assert evaluate(cases).counts["left_out"] == 0


@pytest.mark.parametrize("name", ["hazard_f1", "element_f1", "cider_d"])
def test_each_main_score_is_held_against_the_best_baseline(name):
    names = ("hazard_f1", "element_f1", "cider_d")
    metrics = dict.fromkeys(names, Score(0.4)) | {"shuffle_drop": Score(1.2, 0.3, 2.5)}
    low = dict.fromkeys(names, Score(0.1))
    baselines = {"most_frequent": low, "always_hazard": low | {name: Score(0.5)}, "nearest": low}
    [told] = notices([f"text {i}" for i in range(40)], metrics, baselines)
    assert told.startswith(METRICS[name][0])
    assert "“Always the same hazard” (0.500)" in told


@pytest.mark.parametrize(("photos", "rough"), [(29, True), (30, False)])
def test_fewer_than_thirty_photos_are_few(photos, rough):
    told = evaluate(varied(photos), train_texts=[SAFE, NO_HAT]).warnings
    assert told == ((f"Only {photos} photos: these scores are rough.",) if rough else ())


def test_the_report_has_the_warnings_of_the_evaluation(cases):
    """Those of the report are made anew, in the language of the descriptions."""
    seen = Seen(8, 1, 0, 0, {"cider_d": Score(1.5)})
    rules = Rules.load("zh")
    given = {"unreadable": 2, "left_out": 3, "seen": seen, "other_rules": True}
    for some in (cases, varied(30) + [Case(f"safe{i}.jpg", [SAFE], SAFE) for i in range(30)]):
        found = evaluate(some, language="en", rules=rules, **given)
        assert notices_of(found) == list(found.warnings)
        assert len(notices_of(replace(found, language="zh"))) == len(found.warnings)
    for told in ("2 of 62 photos", "3 photos of the data", "Of 8 photos 1", "to other rules"):
        assert sum(told in one for one in found.warnings) == 1, told
    assert not any("same description" in one for one in found.warnings)


def test_few_photos_are_called_rough(cases):
    assert any("Only 8 photos" in text for text in evaluate(cases).warnings)


def test_own_rules_and_training_hazards_are_used(cases, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("no_hazard: ['隐患']", encoding="utf-8")
    evaluation = evaluate(cases, rules=Rules.load(path), train_hazards=[True, None, False])
    assert evaluation.rules == str(path)
    assert evaluation.baseline_texts["always_hazard"] == SAFE
    assert evaluation.elements == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nearest": ["x"]}, "8 cases but 1 nearest"),
        ({"train_hazards": [True]}, "3 training texts but 1 hazard values"),
        ({"language": "de"}, "'de' cannot be scored"),
    ],
)
def test_unusable_arguments_are_named(cases, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(cases, **options)


def test_hash_names_the_set_whatever_its_order_or_folder(cases):
    first = evaluate(cases).split_hash
    moved = [replace(case, photo=f"/elsewhere/{case.photo}", prediction="x") for case in cases]
    assert evaluate(moved[::-1]).split_hash == first
    assert evaluate(cases[1:]).split_hash != first


def test_scoring_needs_no_deep_learning_framework():
    code = (
        "import sys, hazardscribe.evaluation, hazardscribe.evaluation.report;"
        "bad = {'torch', 'transformers', 'matplotlib', 'jieba', 'sacrebleu'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
