"""Where truth comes from: a field, facts, or the rules, in this order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hazardscribe.errors import InputError
from hazardscribe.evaluation import Case, Rules
from hazardscribe.evaluation.acceptable import acceptable
from hazardscribe.evaluation.cases import check_cases, element_facts, true_elements, true_hazard

RULES = Rules.load("zh")
NO_HAT, SAFE = "一名工人未戴安全帽", "未发现隐患"


@pytest.mark.parametrize(
    ("hazard", "facts", "references", "expected"),
    [
        (False, {"no_helmet": 2}, [NO_HAT], False),
        (True, None, [SAFE], True),
        (None, {"no_helmet": 2}, [SAFE], True),
        (None, {"no_helmet": 0, "no_vest": 0}, [NO_HAT], False),
        (None, {"no_helmet": 0, "no_vest": 0}, ["电缆私拉乱接"], True),  # silent on cables
        (None, {"no_helmet": 0, "no_vest": 0}, [f"{NO_HAT}，电缆私拉乱接"], True),
        (None, {"no_helmet": 0, "no_vest": 0}, ["墙面潮湿"], True),  # of no kind that is known
        (None, {"no_helmet": 0, "no_vest": 0}, [SAFE], False),
        (None, dict.fromkeys(RULES.elements_by_name, 0), ["墙面潮湿"], False),  # speaks for all
        (None, {"no_helmet": "0", "no_vest": "否"}, [SAFE], False),
        (None, {"no_helmet": "２"}, [SAFE], True),
        (None, {"hazards": [{"kind": "box_open"}]}, [SAFE], True),
        (None, {"hazards": []}, [NO_HAT], False),
        (None, {"hazards": ["something unheard of"]}, [SAFE], True),
        (None, {"people": 3}, [NO_HAT], True),  # says nothing about hazards
        (None, None, [SAFE, NO_HAT], True),
        (None, None, [SAFE], False),
        (None, {}, ["照片模糊，无法判断"], False),
    ],
)
def test_hazard(hazard, facts, references, expected):
    assert true_hazard(Case("a", references, "", hazard, facts), RULES) is expected


@pytest.mark.parametrize(
    ("facts", "references", "expected"),
    [
        ({"no_helmet": 2, "no_vest": 0}, [SAFE], {"helmet_missing"}),
        ({"no_vest": 1}, [NO_HAT], {"helmet_missing", "vest_missing"}),  # silent on helmets
        ({"no_helmet": 0}, [NO_HAT], set()),
        ({"helmet_missing": True}, [SAFE], {"helmet_missing"}),
        ({"helmet_missing": 0, "no_helmet": 1}, [SAFE], {"helmet_missing"}),  # by either name
        ({"no_helmet": "several"}, [SAFE], {"helmet_missing"}),
        ({"no_helmet": None}, [NO_HAT], {"helmet_missing"}),
        ({"no_helmet": " "}, [NO_HAT], {"helmet_missing"}),
        ({"no_helmet": float("nan")}, [NO_HAT], {"helmet_missing"}),  # a cell left empty
        ({"no_helmet": "0"}, [NO_HAT], set()),
        ({"no_helmet": "False", "no_vest": "yes"}, [NO_HAT], {"vest_missing"}),
        ({"hazards": ["box_open", {"kind": "no_helmet"}]}, [SAFE], {"box_open", "helmet_missing"}),
        ({"hazards": ["box_open", ["no_helmet"], {"kind": {}}]}, [SAFE], {"box_open"}),
        ({"hazards": []}, [NO_HAT], set()),
        (None, [NO_HAT, "工人未穿反光衣"], {"helmet_missing", "vest_missing"}),
    ],
)
def test_elements(facts, references, expected):
    assert true_elements(Case("a", references, "", None, facts), RULES) == expected


@pytest.mark.parametrize("facts", [None, {"no_helmet": 2}, {"hazards": ["no_helmet"]}])
def test_a_photo_without_a_hazard_shows_no_element(facts):
    """Its text may tell of what was put right."""
    case = Case("a", [f"{NO_HAT}，已整改"], SAFE, False, facts)
    assert true_elements(case, RULES) == set()
    assert acceptable([case], RULES).all()
    assert true_elements(replace(case, hazard=None), RULES) == {"helmet_missing"}


def test_rules_without_elements_leave_hazards_to_the_text(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("no_hazard: [未发现]", encoding="utf-8")
    rules = Rules.load(path)
    for text, expected in ((NO_HAT, True), (SAFE, False)):
        for facts in (None, {"no_helmet": 0}):
            assert true_hazard(Case("a", [text], "", None, facts), rules) is expected


def test_a_list_of_hazards_speaks_for_all_elements():
    assert set(element_facts({"hazards": []}, RULES)) == set(RULES.elements_by_name)
    assert set(element_facts({"no_vest": 0}, RULES)) == {"vest_missing"}


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "nothing to evaluate"),
        ([Case("a.jpg", [], "x")], "a.jpg: references must be a list"),
        ([Case("a.jpg", "text", "x")], "a.jpg: references must be a list"),
        ([Case("a.jpg", ["  "], "x")], "a.jpg: a written description is empty"),
        ([Case("a.jpg", ["x"], None)], "a.jpg: the prediction is NoneType"),
    ],
)
def test_unusable_cases_are_named(cases, message):
    with pytest.raises(InputError, match=message):
        check_cases(cases)
