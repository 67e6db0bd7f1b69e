"""An evaluation's result for a terminal: the main scores beside the baselines, and the warnings."""

from __future__ import annotations

from collections.abc import Iterator

from hazardscribe.evaluation.comparison_words import comparison_rows, comparison_sentences
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
    yield from _comparison_lines(evaluation)
    head = "注意：" if evaluation.language == "zh" else "warning: "
    for warning in notices_of(evaluation):
        yield f"{head}{warning}"


def _comparison_lines(evaluation: Evaluation) -> Iterator[str]:
    """The scores of both models and their difference, and what that comes to."""
    comparison = evaluation.against
    if comparison is None:
        return
    yield f"{'against ' + comparison.model:18}{'this':>12}{'that':>12}{'difference':>26}"
    for name, _, _, ours, theirs, difference in comparison_rows(comparison, evaluation.language):
        yield f"{name:18}{ours:>12.3f}{theirs:>12.3f}{_signed(difference):>26}"
    yield from comparison_sentences(comparison, evaluation.language)


def _signed(score: Score) -> str:
    bounds = "" if score.low is None else f" [{score.low:+.3f}, {score.high:+.3f}]"
    return "-" if score.value is None else f"{score.value:+.3f}{bounds}"


def _cell(score: Score) -> str:
    return "-" if score.value is None else str(score)
