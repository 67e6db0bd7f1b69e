"""Sentences that the program itself says in place of a description, by language."""

from __future__ import annotations

NO_HAZARD = {"zh": "未发现明显隐患", "en": "No obvious hazard found"}
"""Also what is learned of a photo that shows none; it stays as models have learned it."""

CANNOT_JUDGE = {"zh": "无法判断，请人工核实", "en": "Cannot judge, please check by hand."}
"""No description: a row that says it has none."""
