"""The rewards of a recipe, ready to score generated descriptions of the training photos.

The formulas are in objectives/reward.py and evaluation/cider.py; here they meet the photos'
written descriptions, the rules of the language, and the text encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hazardscribe.errors import InputError
from hazardscribe.evaluation.cases import Case, true_elements, true_hazard
from hazardscribe.evaluation.cider import CiderD
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.tokens import Tokens, normalise, tokenizers
from hazardscribe.model.text_bank import TextBank
from hazardscribe.model.text_encoder import default_pooling, load_text_encoder
from hazardscribe.objectives.reward import element_f1, length_excess, repetition_excess
from hazardscribe.training.recipe import Recipe

# Texts shorter or longer than these percentiles of the written ones are what nobody writes.
_USUAL_LENGTHS = (1, 99)

Score = Callable[[str, int], float]


@dataclass(frozen=True, slots=True)
class RewardPart:
    """One part of the reward, as TRL takes it.

    Attributes:
        name: under which it is logged. weight: in the sum; negative for a penalty.
        score: of texts and the photos (numbers of rows) that they describe.
    """

    name: str
    weight: float
    score: Callable[[Sequence[str], Sequence[int]], list[float]]

    @property
    def __name__(self) -> str:
        """TRL logs a part as `rewards/<__name__>/mean`."""
        return self.name

    def __call__(self, completions: list[str], photo: list[int], **_: Any) -> list[float]:
        """Scores of a batch of descriptions."""
        return self.score([normalise(text) for text in completions], photo)


def reward_parts(
    recipe: Recipe, cases: Sequence[Case], language: str, rules: Rules | None = None
) -> list[RewardPart]:
    """The parts of the reward that have a weight.

    Args:
        cases: the training photos with their written descriptions; what they predict is not read.
        rules: how statements are read; default: the shipped ones of the language.

    Raises:
        InputError: if CIDEr-D is wanted where all photos have the same descriptions.
    """
    options = recipe.reward
    split = tokenizers(language)[""]
    references = [[split(text) for text in case.references] for case in cases]
    parts = {
        "cider_d": (options.cider_d, lambda: _cider(references, split)),
        "text_similarity": (options.text_similarity, lambda: _similarity(recipe, cases)),
        "element_f1": (options.element_f1, lambda: _elements(cases, rules or Rules.load(language))),
        "length": (-options.length, lambda: _length(references, split)),
        "repetition": (-options.repetition, lambda: _repetition(references, split)),
    }
    return [RewardPart(name, weight, make()) for name, (weight, make) in parts.items() if weight]


def _each(score: Score) -> Callable[[Sequence[str], Sequence[int]], list[float]]:
    """One text at a time; equal texts of a photo, which are common, are scored once."""

    def scores(texts: Sequence[str], photos: Sequence[int]) -> list[float]:
        known = {pair: score(*pair) for pair in set(zip(texts, photos, strict=True))}
        return [known[pair] for pair in zip(texts, photos, strict=True)]

    return scores


def _cider(references: list[list[Tokens]], split: Callable[[str], Tokens]) -> Any:
    scorer = CiderD(references)
    if not scorer.informative:
        raise InputError(
            "reward.cider_d: all training photos have the same description, so CIDEr-D is 0 "
            "whatever the model writes. Set reward.cider_d to 0, or look at the pairs with "
            "`hazardscribe check`."
        )

    def scores(texts: Sequence[str], photos: Sequence[int]) -> list[float]:
        candidates = scorer.weigh([split(text) for text in texts])
        found: list[float] = (scorer.scores(candidates, np.asarray(photos)) / 10).tolist()
        return found

    return scores


def _similarity(recipe: Recipe, cases: Sequence[Case]) -> Any:
    """The best cosine with a written text in the space of the text bank, centred as there.

    Sentence encoders put all texts of one subject close together (cosines of 0.8 and more); the
    mean of the training descriptions is what they share.
    """
    options = recipe.alignment
    corpus = [text for case in cases for text in case.references]
    encoder = load_text_encoder(options.text_encoder, corpus, options.prefix)
    pooling = options.pooling or default_pooling(options.text_encoder)
    bank = TextBank(corpus, encoder, pooling=pooling)
    rows = [[bank.index(text) for text in case.references] for case in cases]

    def scores(texts: Sequence[str], photos: Sequence[int]) -> list[float]:
        ours = bank.embed(texts)
        assert ours is not None  # the encoder is at hand
        return [
            float((bank.vectors[rows[photo]] @ vector).max()) if text else 0.0
            for text, vector, photo in zip(texts, ours, photos, strict=True)
        ]

    return scores


def _elements(cases: Sequence[Case], rules: Rules) -> Any:
    """F1 of the elements; where neither names one, whether the text is right that there is none.

    Of a hazard that no element stands for, "no hazard" must not earn what the truth does.
    """
    true = [true_elements(case, rules) for case in cases]
    hazard = [true_hazard(case, rules) for case in cases]

    def score(text: str, photo: int) -> float:
        said = rules.elements(text)
        if not text or rules.cannot_judge(text):
            return 0.0
        if not said and not true[photo]:
            return float(rules.hazard(text) == hazard[photo])
        return element_f1(said, true[photo])

    return _each(score)


def _length(references: list[list[Tokens]], split: Callable[[str], Tokens]) -> Any:
    lengths = [len(text) for group in references for text in group]
    shortest, longest = (round(float(x)) for x in np.percentile(lengths, _USUAL_LENGTHS))
    return _each(lambda text, photo: length_excess(len(split(text)), shortest, longest))


def _repetition(references: list[list[Tokens]], split: Callable[[str], Tokens]) -> Any:
    return _each(lambda text, photo: repetition_excess(split(text), references[photo]))
