"""Scores, baselines and the report: how good the descriptions are, told honestly.

Knows texts, not models: the caller predicts, this package scores. `evaluate_texts` scores,
`write_report` writes `metrics.json` and `report.html`, `Rules` reads statements out of texts.
"""

from hazardscribe.evaluation.baselines import nearest_texts
from hazardscribe.evaluation.cases import Case
from hazardscribe.evaluation.evaluate import evaluate_texts
from hazardscribe.evaluation.report import write_report
from hazardscribe.evaluation.result import CaseScore, ElementScore, Evaluation, Score
from hazardscribe.evaluation.rules import Rules
from hazardscribe.evaluation.sanity import collapse_warning

__all__ = [
    "Case",
    "CaseScore",
    "ElementScore",
    "Evaluation",
    "Rules",
    "Score",
    "collapse_warning",
    "evaluate_texts",
    "nearest_texts",
    "write_report",
]
