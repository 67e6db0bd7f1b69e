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
