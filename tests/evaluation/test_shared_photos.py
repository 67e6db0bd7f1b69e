"""Rows that share a photo: what each of them states counts."""

from __future__ import annotations

import json

import pytest

from hazardscribe.evaluation.cases import true_elements
from hazardscribe.evaluation.rows import cases_from_rows
from hazardscribe.evaluation.rules import Rules

RULES = Rules.load("en")
HELMET, VEST = "A worker without a hard hat.", "A worker without a hi-vis vest."


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([{"hazards": ["no_helmet"]}, {"hazards": ["no_vest"]}], {"no_helmet", "no_vest"}),
        ([{"no_helmet": 1, "no_vest": 0}, {"no_vest": 2}], {"no_helmet", "no_vest"}),
        ([{"no_helmet": 0}, {"no_helmet": 0}], {"no_vest"}),  # the text tells of the other
        ([{"no_helmet": None}, {"no_helmet": 0}], {"no_vest"}),  # an empty cell denies no other
        ([{"no_helmet": 0}, {"no_helmet": None}], {"no_vest"}),
        ([{"hazards": ["no_helmet"]}, None], {"no_helmet", "no_vest"}),
        ([{"hazards": []}, {"hazards": []}], set()),
        ([{"hazards": [{"kind": "no_vest"}]}, {"no_helmet": 0}], {"no_vest"}),
        ([None, None], {"no_helmet", "no_vest"}),
    ],
)
def test_the_facts_of_all_rows_count(facts, expected):
    rows = [{"photo": "a.png", "facts": None if one is None else json.dumps(one)} for one in facts]
    [case] = cases_from_rows(rows, [HELMET, VEST], {"a.png": ""})
    names = {"no_helmet": "helmet_missing", "no_vest": "vest_missing"}
    assert true_elements(case, RULES) == {names[name] for name in expected}


def test_a_text_that_two_rows_repeat_is_one_reference():
    rows = [{"photo": photo} for photo in ("a.png", "b.png", "a.png", "a.png")]
    cases = cases_from_rows(rows, [HELMET, HELMET, VEST, HELMET], {"a.png": "x", "b.png": "y"})
    assert [(case.photo, case.references, case.prediction) for case in cases] == [
        ("a.png", [HELMET, VEST], "x"),
        ("b.png", [HELMET], "y"),
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [(["0", "1"], True), (["", "1"], True), (["0", ""], False), (["", ""], None)],
)
def test_a_photo_shows_a_hazard_where_any_row_says_so(said, expected):
    rows = [{"photo": "a.png", "hazard": one} for one in said]
    [case] = cases_from_rows(rows, [HELMET, VEST], {"a.png": ""})
    assert case.hazard is expected


@pytest.mark.parametrize("facts", ["{", "[1]", "  ", "[" * 100_000])
def test_facts_that_are_no_object_say_nothing(facts):
    [case] = cases_from_rows([{"photo": "a.png", "facts": facts}], ["text"], {"a.png": ""})
    assert case.facts is None
