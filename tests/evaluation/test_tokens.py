"""What counts as a token in each language."""

from __future__ import annotations

import pytest

from hazardscribe.errors import InputError
from hazardscribe.evaluation.tokens import (
    characters,
    chinese_pieces,
    chinese_words,
    english_words,
    normalise,
    tokenizers,
)


def test_full_width_and_white_space_do_not_tell_texts_apart():
    assert normalise("　１２号配电箱，未接地 ") == "12号配电箱,未接地"
    assert characters("１２ 号，ｐ") == ["1", "2", "号", ",", "p"]


def test_chinese_words_are_words_and_not_one_token():
    words = chinese_words("一名工人未佩戴安全帽， 存在安全隐患")
    assert "工人" in words
    assert "安全帽" in words
    assert not any(word.isspace() for word in words)


def test_pieces_put_together_give_the_text():
    text = "配电箱 未关闭，\n存在１处隐患。"
    assert "".join(chinese_pieces(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The worker's hat isn't on.", ["the", "worker", "'s", "hat", "is", "n't", "on"]),
        ("Hi-Vis vest; 3.5 m: OK!", ["hi-vis", "vest", "3.5", "m", "ok"]),
        ("don’t", ["do", "n't"]),
        ("", []),
        ("?!...", []),
        ("未戴 hat", ["未", "戴", "hat"]),
        ("(helmet, vest)", ["helmet", "vest"]),
        ("snake_case", ["snake", "case"]),
    ],
)
def test_english_words_follow_the_treebank(text, words):
    assert english_words(text) == words


def test_an_unknown_language_is_refused_by_name():
    with pytest.raises(InputError, match=r"'fr'.*zh, en"):
        tokenizers("fr")
