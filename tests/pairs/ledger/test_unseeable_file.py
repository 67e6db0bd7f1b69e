"""An own list of what no photo shows: a slip in it must not drop rows in silence."""

from __future__ import annotations

import pytest

from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.unseeable import load_unseeable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zh: [", r"own\.yaml is not valid YAML: line 1: "),
        ("zh: {unseeable: ['']}", "zh: unseeable, entry 1: the pattern is empty"),
        ("zh: {unseeable: 护栏}", "zh: unseeable: expected a list of texts"),
        ("zh: {unseeable: ['资料（台账）']}", r"can never match.*write '资料\(台账\)'"),
        ("zh: {unseeable: ['(']}", "entry 1: '\\(' is not a regular expression"),
        ("zh: {unseen: [a]}", "unknown 'unseen'"),
        ("- a", "must hold"),
        ("zh: [台账]", "must hold"),
    ],
)
def test_a_list_that_cannot_be_used(text, message, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        load_unseeable(own)


def test_an_own_list_takes_the_place_of_the_packaged_one(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("\ufeffzh: {unseeable: [台账]}", "utf-8")
    words = load_unseeable(own)
    assert words.find("台账不全") == "台账"
    assert words.find("护栏缺失") is None


def test_each_list_of_a_file_says_what_it_is_there_for(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "zh: {unseeable: [台账], unless: [张贴], visible: [裸露], passing: [存在, 裸]}", "utf-8"
    )
    words = load_unseeable(own)
    assert words.find("台账不全，存在问题") == "台账"  # what only goes on is no reason to keep it
    assert words.find("台账不全，电线裸露") is None  # what can be seen is, though it goes on, too
    assert words.find("台账不全，电线破损") is None  # and so is whatever else
    assert words.find("台账未张贴") is None
    assert words.find("台账不全，台账未张贴") is None
