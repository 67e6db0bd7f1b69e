"""What the encoder's probabilities of training texts say about a description."""

from __future__ import annotations

import numpy as np
import pytest

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
