"""Text to tokens: what is counted decides what a text score means, so it is settled in one place.

Every text is NFKC-normalised (full-width digits and punctuation become the ordinary ones) and
stripped. Then

* Chinese, headline scores: one token per character that is not white space, punctuation included,
  case kept. Written out with spaces this is what one feeds to `pycocoevalcap`; BLEU uses
  sacrebleu's own `zh` tokenizer, which differs only in that it keeps a run of Latin letters or
  digits together.
* Chinese, `*_word` scores: jieba's words (default dictionary, HMM on), punctuation included.
* English: lower-cased words without punctuation, as the reference implementation's Penn Treebank
  step leaves them: hyphenated words stay whole (`hi-vis`), clitics are split (`worker 's`,
  `is n't`). No Java is needed; rare cases such as abbreviations with dots may differ from it.
  The usual English tokenizers turn a Chinese clause into one token; here a Chinese character in
  an English text is a token of its own.
"""

from __future__ import annotations

import logging
import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from hazardscribe.errors import InputError

Tokens = list[str]

LANGUAGES = ("zh", "en")
DESCRIPTIONS = {
    "zh": "NFKC; one token per character, punctuation and case kept (*_word: jieba words; "
    "BLEU headline: sacrebleu tokenize=zh)",
    "en": "NFKC; lower-cased words without punctuation, Penn-Treebank-like clitics",
}

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_ENGLISH = re.compile(
    rf"[{_CJK}]"  # a Chinese character is a word of its own
    rf"|[^\W_{_CJK}]+(?:[-./][^\W_{_CJK}]+)*?(?=n't\b)|n't\b"
    r"|'(?:s|m|d|re|ve|ll)\b"
    rf"|[^\W_{_CJK}]+(?:[-./][^\W_{_CJK}]+)*"
)


def check_language(language: str) -> str:
    """Returns `language` when it is known.

    Raises:
        InputError: it is not one of `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise InputError(
            f"language {language!r} cannot be scored: give one of {', '.join(LANGUAGES)}"
        )
    return language


def normalise(text: str) -> str:
    """NFKC form without white space at the ends; the form in which texts are compared."""
    return unicodedata.normalize("NFKC", text).strip()


def characters(text: str) -> Tokens:
    """One token per character that is not white space."""
    return [character for character in normalise(text) if not character.isspace()]


def english_words(text: str) -> Tokens:
    """Lower-cased words without punctuation."""
    return _ENGLISH.findall(normalise(text).lower().replace("\u2019", "'"))


@cache
def _jieba() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba 0.42 predates raw strings in regular expressions
        import jieba

    # jieba announces its dictionary on stderr otherwise
    logging.getLogger("jieba").setLevel(logging.WARNING)
    # An own instance: words that a host program adds to jieba must not move our scores.
    tokenizer = jieba.Tokenizer()
    tokenizer.initialize()
    return tokenizer


def chinese_pieces(text: str) -> list[str]:
    """jieba's pieces of the text as it stands, white space included: joined, they give the text."""
    return list(_jieba().cut(text))


def chinese_words(text: str) -> Tokens:
    """jieba's words."""
    return [word for word in chinese_pieces(normalise(text)) if not word.isspace()]


def tokenizers(language: str) -> dict[str, Callable[[str], Tokens]]:
    """The tokenizers of a language by the suffix of the score names: `""` is the headline."""
    if check_language(language) == "zh":
        return {"": characters, "_word": chinese_words}
    return {"": english_words}
