"""A model beside another one: what changed, beyond chance or not, told in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hazardscribe.evaluation import Rules, Score, evaluate_texts, write_report
from hazardscribe.evaluation.comparison import compare
from hazardscribe.evaluation.comparison_words import (
    COMPARED,
    clearly,
    comparison_rows,
    comparison_sentences,
)
from hazardscribe.evaluation.paired import paired_differences
from hazardscribe.evaluation.photo_scores import Truth
from hazardscribe.evaluation.selective import Answer
from hazardscribe.evaluation.summary import summary_lines

SAFE, DOUBT = "未发现明显隐患", "无法判断，请人工核实"


def comparison(cases, theirs, answers=(None, None), **options):
    given = {"model": "old", "known": 0, "untold": False, "resamples": 200, "seed": 0}
    rules = Rules.load("zh").knowing(no_hazard=SAFE, cannot_judge=DOUBT)
    return compare(cases, theirs, answers, language="zh", rules=rules, **given | options)


@pytest.fixture
def silent(cases) -> list[str]:
    """A model that finds no hazard anywhere: right on the four safe photos alone."""
    return [SAFE] * len(cases)


def test_both_have_the_values_that_an_evaluation_by_itself_has(cases, silent):
    found = comparison(cases, silent)
    for texts, values in (([c.prediction for c in cases], found.ours), (silent, found.theirs)):
        told = [replace(case, prediction=text) for case, text in zip(cases, texts, strict=True)]
        alone = evaluate_texts(told, language="zh", resamples=0).metrics
        for name in ("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "cider_d"):
            assert values[name] == pytest.approx(alone[name].value, abs=1e-12), name
    for name in ("hazard_f1", "cider_d"):
        expected = found.ours[name] - found.theirs[name]
        assert found.differences[name].value == pytest.approx(expected)


def test_photos_are_better_or_worse_where_one_draft_alone_is_acceptable(cases, silent):
    found = comparison(cases, silent)
    # 0, 2 and 3 name the hazard; on 5 to 7 there is a false alarm, a doubt and nothing, where
    # silence is right; 1 is missed by both, 4 right by both.
    better = [found.changed[f"{i}.jpg"].better for i in range(8)]
    assert better == [1, 0, 1, 1, 0, -1, -1, -1]
    assert (found.better, found.worse) == (3, 3)
    assert found.changed["0.jpg"].text == SAFE
    assert (found.ours["risk_of_all"], found.theirs["risk_of_all"]) == (0.5, 0.5)
    assert found.differences["risk_of_all"].value == 0
    low, high = found.differences["risk_of_all"].low, found.differences["risk_of_all"].high
    assert low < 0 < high


def test_doubt_is_compared_where_both_have_it(cases, silent):
    doubt = Answer(DOUBT, "unsure")
    ours = [doubt if case.photo in ("1.jpg", "5.jpg") else None for case in cases]
    found = comparison(cases, silent, (ours, [None] * 8))
    # ours answers five (0, 2, 3, 4, 7; on 6 the draft itself cannot judge), of which 7, the empty
    # one, is not acceptable; theirs answers all and misses four.
    assert found.ours["coverage"] == 5 / 8
    assert found.ours["risk"] == 1 / 5
    assert (found.theirs["coverage"], found.theirs["risk"]) == (1, 0.5)
    assert found.differences["risk"].value == pytest.approx(-0.3)
    assert found.differences["risk"].low < -0.3 < found.differences["risk"].high
    # Risk is of what is answered, though the drafts of 0 and 2 were right.
    safe = Answer(SAFE, "likely_safe")
    moved = comparison(cases, silent, ([safe, None, safe, *[None] * 5], [None] * 8)).ours
    assert (moved["risk_of_all"], moved["coverage"], moved["risk"]) == (4 / 8, 7 / 8, 5 / 7)
    nothing = comparison(cases, silent, ([doubt] * 8, [None] * 8))
    assert (nothing.ours["coverage"], nothing.ours["risk"]) == (0, None)
    assert nothing.differences["risk"] == Score(None)
    assert "risk" not in [row[0] for row in comparison_rows(nothing, "zh")]
    alone = comparison(cases, silent, (ours, None))
    assert "coverage" in alone.ours
    assert "coverage" not in alone.theirs
    assert "coverage" not in alone.differences


def test_a_model_is_not_better_than_itself(cases):
    found = comparison(cases, [case.prediction for case in cases])
    assert (found.better, found.worse) == (0, 0)
    assert {score.value for score in found.differences.values()} <= {0.0, None}
    assert any("beyond chance: every interval" in s for s in comparison_sentences(found, "en"))
    without = comparison(cases, [case.prediction for case in cases], resamples=0)
    assert comparison_rows(without, "en")
    assert len(comparison_sentences(without, "en")) == 1  # nothing of intervals that there are not


def test_what_is_beyond_chance_depends_on_which_way_is_better():
    assert clearly(Score(0.2, 0.1, 0.3), True) == 1
    assert clearly(Score(0.2, 0.1, 0.3), False) == -1
    assert clearly(Score(-0.2, -0.3, -0.1), False) == 1
    assert clearly(Score(0.2, -0.1, 0.3), True) == 0
    assert clearly(Score(0.2, 0.0, 0.3), True) == 0
    assert clearly(Score(None), True) == 0


def test_more_answers_and_less_of_what_is_not_acceptable_are_better():
    down = {"false_alarm_rate", "risk_of_all", "risk"}
    assert {name for name, (*_, up) in COMPARED.items() if not up} == down
    assert {"hazard_f1", "balanced_accuracy", "element_f1", "cider_d", "coverage"} <= set(COMPARED)


def test_the_interval_is_of_as_many_resamples_and_the_seed_that_were_asked_for(cases, silent):
    found = comparison(cases, silent, resamples=50, seed=3).differences
    rules = Rules.load("zh").knowing(no_hazard=SAFE, cannot_judge=DOUBT)
    drafts = [case.prediction for case in cases]
    expected = paired_differences(
        Truth.of(cases, rules, "zh"), [drafts], [silent], resamples=50, seed=3
    )
    assert {name: found[name] for name in expected} == expected


def test_doubt_of_both_is_compared_on_the_same_resampled_photos(cases, silent):
    doubt = Answer(DOUBT, "unsure")
    held = [doubt if i < 3 else None for i in range(8)]
    found = comparison(cases, [case.prediction for case in cases], (held, held)).differences
    for name in ("risk_of_all", "coverage", "risk"):
        assert found[name] == Score(0, 0, 0), name
    # Theirs is wrong on one photo more, and never on one less.
    worse = comparison(cases, [SAFE, *(case.prediction for case in cases[1:])]).differences
    assert worse["risk_of_all"].value == -1 / 8
    assert worse["risk_of_all"].low < -1 / 8 < worse["risk_of_all"].high <= 0


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "draft is acceptable: 3; only that of “old”: 1."),
        ("zh", "只有本模型的草稿可用：3 张；只有“old”的草稿可用：1 张。"),
    ],
)
def test_the_words_say_which_of_the_two_is_better_how_often(cases, silent, language, told):
    found = comparison(cases, [*silent[:6], "", ""])
    assert (found.better, found.worse) == (3, 1)
    first, *others = comparison_sentences(found, language)
    assert told in first
    # Nothing is left out, and both say what they know.
    assert not any(word in one for one in others for word in ("knows", "见过", "trained", "训练"))


@pytest.mark.parametrize(
    ("language", "better", "worse", "known", "untold"),
    [
        (
            "en",
            "Better beyond chance: Haz",
            "Worse beyond chance: False",
            ": 7.",
            "Not both models say",
        ),
        ("zh", "明显更好：有无隐患：F1", "明显更差：无隐患照片误报率", "另有 7 张", "没有记录"),
    ],
)
def test_the_outcome_is_told_in_words(cases, silent, language, better, worse, known, untold):
    found = comparison(cases, silent)
    sure = {
        "hazard_f1": Score(0.3, 0.1, 0.5),
        "false_alarm_rate": Score(0.3, 0.1, 0.5),
        "cider_d": Score(0.3, -0.1, 0.5),
    }
    found = replace(found, differences=sure, known=7, untold=True)
    first, *others = comparison_sentences(found, language)
    assert "old" in first
    assert "8" in first
    for expected, sentence in zip((better, worse, known, untold), others, strict=True):
        assert expected in sentence
    assert "CIDEr" not in "".join(others)
    assert [row[0] for row in comparison_rows(found, language)] == list(sure)


def test_report_and_terminal_show_both_models(cases, silent, tmp_path):
    found = comparison(cases, [*silent[:-1], "请联系 13812345678 处理"])
    evaluation = replace(evaluate_texts(cases, language="zh", resamples=20), against=found)
    page = write_report(evaluation, tmp_path, title="T").read_text(encoding="utf-8")
    assert "与模型“old”对照" in page
    assert re.findall(r'<article class="card \w+ (better|worse)">', page).count("better") == 3
    assert '<label for="pick-better">比对照模型好 3</label>' in page
    assert ".cards .card:not(.worse)" in page
    assert f"old: {SAFE}" in page
    assert "13812345678" not in page
    alone = write_report(replace(evaluation, against=None), tmp_path, title="T")
    assert "pick-better" not in alone.read_text(encoding="utf-8")

    lines = list(summary_lines(evaluation))
    head = next(line for line in lines if line.startswith("against old"))
    assert head.split() == ["against", "old", "this", "that", "difference"]
    row = next(line for line in lines[lines.index(head) :] if line.startswith("hazard_f1"))
    ours, theirs = found.ours["hazard_f1"], found.theirs["hazard_f1"]
    assert row.split()[1:3] == [f"{ours:.3f}", f"{theirs:.3f}"] == ["0.750", "0.000"]
    apart = found.differences["hazard_f1"]
    assert f"{apart.value:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}]" in row


def test_figures_are_kept(cases, silent):
    found = comparison(cases, silent, known=5, untold=True)
    evaluation = replace(evaluate_texts(cases, language="zh", resamples=0), against=found)
    kept = evaluation.to_json()["against"]
    assert (kept["model"], kept["photos"], kept["better"], kept["worse"]) == ("old", 8, 3, 3)
    assert (kept["known"], kept["untold"]) == (5, True)
    assert kept["scores"]["hazard_f1"] == {
        "ours": found.ours["hazard_f1"],
        "theirs": found.theirs["hazard_f1"],
        "difference": {
            "value": found.differences["hazard_f1"].value,
            "low": found.differences["hazard_f1"].low,
            "high": found.differences["hazard_f1"].high,
        },
    }
