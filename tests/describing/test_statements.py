"""What the encoder's probabilities of training texts say about a description."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hazardscribe.describing.confidence import Confidence, log_odds
from hazardscribe.describing.doubt import Doubt
from hazardscribe.describing.generate import Candidate, Generated
from hazardscribe.describing.judge import Judge, Reading, signs
from hazardscribe.describing.novelty import Novelty
from hazardscribe.describing.rerank import Reranking
from hazardscribe.describing.statements import Statements
from hazardscribe.evaluation.rules import Rules

TEXTS = [
    "一名工人未佩戴安全帽",
    "一名工人未穿反光背心",
    "一名工人未佩戴安全帽，未穿反光背心",
    "未发现明显隐患",
    "脚手架搭设混乱",  # a hazard of no kind that the rules know
]
POSTERIOR = np.array([0.4, 0.2, 0.1, 0.25, 0.05])


@pytest.mark.parametrize(
    ("text", "support", "agreement"),
    [
        ("工人未戴安全帽", 0.5, 0.5),  # texts 0 and 2 show it
        ("工人未戴安全帽，未穿反光衣", 0.3, 0.1),  # the weaker kind; both together
        ("现场未见隐患", 0.25, 0.25),
        ("现场杂乱", 0.75, 0.05),  # any hazard; acceptable only where no kind is known
    ],
)
def test_support_and_agreement_are_sums_that_can_be_made_by_hand(text, support, agreement):
    statements = Statements(TEXTS, Rules.load("zh"))
    assert statements.weigh(POSTERIOR, text) == pytest.approx((support, agreement))
    assert statements.no_hazard(POSTERIOR) == pytest.approx(0.25)


def test_rules_that_name_no_kind_tell_hazards_all_the_same(tmp_path):
    own = tmp_path / "rules.yaml"
    own.write_text("no_hazard: [未发现]", encoding="utf-8")
    statements = Statements(TEXTS, Rules.load(own))
    assert statements.weigh(POSTERIOR, "现场杂乱") == pytest.approx((0.75, 0.75))
    assert statements.no_hazard(POSTERIOR) == pytest.approx(0.25)


READING = Reading(torch.ones(2), POSTERIOR, np.array([1.0, 1.0]))


def test_signs_are_those_that_the_confidence_names():
    statements = Statements(TEXTS, Rules.load("zh"))
    draft = Candidate("工人未戴安全帽，未穿反光衣", -6.0, 12)
    found = signs(draft, READING, statements, 0.2)
    assert found == pytest.approx(
        {
            "wording": -0.5,
            "distance": np.log(0.2),
            "support": log_odds(0.3),
            "agreement": log_odds(0.1),
        }
    )
    assert set(signs(draft, READING, None, 0.2)) == {"wording", "distance"}


@pytest.mark.parametrize(
    ("least_safe", "farthest", "reason"),
    [(0.25, None, "likely_safe"), (0.26, None, "unsure"), (0.25, 0.1, "unfamiliar")],
)
def test_the_first_after_reranking_is_judged(least_safe, farthest, reason):
    calibration = SimpleNamespace(
        confidence=Confidence(("wording",), (0.0,), (1.0,), (1.0,), 0.0),
        novelty=Novelty(np.array([[1.0, 0.0]])),  # 1 - cos 45 degrees, or 0.29
        doubt=Doubt(0.9, least_safe, farthest, 0.1, True),
    )
    aligner = SimpleNamespace(fit=lambda vector, texts: torch.tensor([0.0, 9.0]))
    written = [Candidate("现场杂乱", -1.0, 4), Candidate("工人未戴安全帽", -4.0, 4)]
    statements = Statements(TEXTS, Rules.load("zh"))
    judge = Judge(calibration, aligner, statements, Reranking(2, 1.0, 1.0))
    found = judge(Generated(written), READING)
    assert found.candidates == written[::-1]
    assert found.confidence == pytest.approx(1 / (1 + np.e))
    assert found.reason == reason
