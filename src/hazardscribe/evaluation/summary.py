"""An evaluation's result for a terminal: the main scores beside the baselines, and the warnings."""

from __future__ import annotations

from collections.abc import Iterator

from hazardscribe.evaluation.notices import notices_of
from hazardscribe.evaluation.result import Evaluation, Score

_SHOWN = ("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "cider_d", "bleu_4")


def summary_lines(evaluation: Evaluation) -> Iterator[str]:
    """A table of fixed columns, how far confidence and doubt can be trusted, warnings.

    The warnings are in the language of the descriptions, as the report has them.
    """
    names = ["model", *evaluation.baselines]
    columns = [evaluation.metrics, *evaluation.baselines.values()]
    yield f"{'':18}" + "".join(f"{name:>24}" for name in names)
    for metric in _SHOWN:
        cells = [_cell(column[metric]) if column else "-" for column in columns]
        yield f"{metric:18}" + "".join(f"{cell:>24}" for cell in cells)
    trust = evaluation.trust
    if trust is not None:
        yield f"confidence: Brier {_cell(trust.brier_score)}, ECE {_cell(trust.calibration_error)}"
        if trust.coverage.value is not None:
            yield (
                f"doubt: answered {_cell(trust.coverage)} of the photos, not acceptable "
                f"{_cell(trust.risk)} of the answers ({_cell(trust.risk_of_all)} if all were)"
            )
    head = "注意：" if evaluation.language == "zh" else "warning: "
    for warning in notices_of(evaluation):
        yield f"{head}{warning}"


def _cell(score: Score) -> str:
    return "-" if score.value is None else str(score)
