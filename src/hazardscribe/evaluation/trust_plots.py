"""The report's plots on confidence: the reliability diagram, and risk against coverage."""

from __future__ import annotations

from hazardscribe.evaluation.result import Evaluation, Trust
from hazardscribe.pages import plot_language, plot_style, svg_text

_WIDTH = 5.4  # as the other plots of the report
_BLUE, _RED = "#1f5fa8", "#b23b32"
_WORDS = {
    "en": {
        "confidence": "confidence",
        "acceptable": "share acceptable",
        "ideal": "as it should be",
        "photos": "about {n} photos a point",
        "coverage": "share of photos answered, surest first",
        "risk": "share of those not acceptable",
        "chosen": "as answered now",
    },
    "zh": {
        "confidence": "置信度",
        "acceptable": "可用比例",
        "ideal": "理想情形",
        "photos": "每点约 {n} 张照片",
        "coverage": "作答比例（置信度由高到低）",
        "risk": "其中不可用的比例",
        "chosen": "当前作答",
    },
}


def trust_plots(evaluation: Evaluation) -> list[str]:
    """Both plots as SVG text; none where no confidences were given."""
    trust = evaluation.trust
    if trust is None:
        return []
    language, fonts = plot_language(evaluation.language)
    with plot_style(fonts):
        return [_reliability(trust, _WORDS[language]), _risk(trust, _WORDS[language])]


def _reliability(trust: Trust, words: dict[str, str]) -> str:
    """Share acceptable against mean confidence in the bins of the evaluation, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, 4.2))
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="#9aa5b1", lw=1, ls="--", label=words["ideal"], zorder=1)
    for one in trust.bins:
        axis.plot([one.confidence] * 2, [one.low, one.high], color="#26303b", lw=1.1, zorder=2)
    label = words["photos"].format(n=round(sum(b.photos for b in trust.bins) / len(trust.bins)))
    axis.plot(
        [one.confidence for one in trust.bins],
        [one.acceptable for one in trust.bins],
        color=_BLUE,
        marker="o",
        lw=1.4,
        label=label,
        zorder=3,
    )
    axis.set(xlim=(0, 1), ylim=(0, 1.02))
    axis.set_xlabel(words["confidence"])
    axis.set_ylabel(words["acceptable"])
    axis.legend(loc="upper left")
    figure.tight_layout()
    return svg_text(figure)


def _risk(trust: Trust, words: dict[str, str]) -> str:
    """Risk as more and more photos are answered, and where the doubt stands now."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, 3.6))
    axis = figure.subplots()
    coverage, risk = zip(*trust.curve, strict=True)
    # Where all confidences are equal the curve is one point, which a line alone does not show.
    marker = "o" if len(coverage) == 1 else None
    axis.step(coverage, risk, where="post", color=_BLUE, lw=1.6, marker=marker, zorder=2)
    if trust.coverage.value is not None and trust.risk.value is not None:
        place = (trust.coverage.value, trust.risk.value)
        axis.plot(*place, marker="o", color=_RED, ls="", label=words["chosen"], zorder=3)
        if trust.risk.low is not None and trust.risk.high is not None:
            span = [trust.risk.low, trust.risk.high]
            axis.plot([place[0]] * 2, span, color=_RED, lw=1.1, zorder=3)
        axis.legend(loc="upper left")
    axis.set_xlim(0, 1.01)
    axis.set_ylim(0, max(0.1, 1.15 * max(risk[len(risk) // 10 :]), trust.risk.high or 0.0))
    axis.set_xlabel(words["coverage"])
    axis.set_ylabel(words["risk"])
    figure.tight_layout()
    return svg_text(figure)
