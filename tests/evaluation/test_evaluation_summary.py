"""What an evaluation says of itself on a terminal."""

from __future__ import annotations

from dataclasses import replace

from hazardscribe.evaluation import evaluate_texts
from hazardscribe.evaluation.selective import Answer
from hazardscribe.evaluation.summary import summary_lines


def test_the_main_scores_stand_beside_the_baselines(cases):
    evaluation = evaluate_texts(
        cases,
        train_texts=["一名工人未戴安全帽"],
        train_hazards=None,
        nearest=None,
        language="zh",
        embed=None,
        resamples=20,
        confidences=[0.5] * 8,
    )
    head, first, *rest = summary_lines(evaluation)
    assert head.split() == ["model", "most_frequent", "always_hazard", "nearest"]
    score = str(evaluation.metrics["hazard_f1"])
    assert first.startswith(f"{'hazard_f1':18}")
    assert score in first
    assert first.endswith("                       -")  # no nearest photo was given
    assert len({len(line) for line in (head, first, *rest[:5])}) == 1
    assert rest[5].startswith("confidence: Brier ")
    assert rest[-1] == "注意：只有 8 张照片：得分仅供粗略参考。"
    assert all(line.startswith("注意：") for line in rest[6:])
    *_, told = summary_lines(replace(evaluation, language="en"))
    assert told == "warning: Only 8 photos: these scores are rough."


def test_what_doubt_changes_is_told_of_the_answers(cases):
    held = Answer("无法判断，请人工核实", "unsure")
    evaluation = evaluate_texts(
        cases[:7],
        language="zh",
        resamples=0,
        confidences=[0.5] * 7,
        answers=[None, held, *[None] * 5],
    )
    told = "doubt: answered 0.714 of the photos, not acceptable 0.200 of the answers (0.429 if all"
    assert any(line.startswith(told) for line in summary_lines(evaluation))
    without = evaluate_texts(cases, language="zh", resamples=0, confidences=[0.5] * 8)
    assert not any(line.startswith("doubt") for line in summary_lines(without))
