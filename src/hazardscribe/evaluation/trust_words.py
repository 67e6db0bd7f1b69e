"""What the report says about confidence and doubt, in sentences and as a table."""

from __future__ import annotations

from collections.abc import Mapping

from hazardscribe.evaluation.report_words import METRICS, percent
from hazardscribe.evaluation.result import Evaluation, Score

FIGURES: Mapping[str, tuple[str, str]] = {
    "risk_of_all": ("Not acceptable, if every draft were the answer", "若草稿全部作答，不可用比例"),
    "coverage": ("Photos answered", "作答比例"),
    "risk": ("Not acceptable among the answers", "作答中不可用比例"),
    "area_under_risk": ("Area under risk and coverage", "风险-覆盖曲线下面积"),
    "calibration_error": ("Expected calibration error", "期望校准误差（ECE）"),
    "brier_score": ("Brier score", "Brier 分数"),
}
COMPARED = ("hazard_f1", "hazard_precision", "hazard_recall", "false_alarm_rate", "element_f1")
_REASONS = {
    "unfamiliar": ("unlike the training photos", "与训练照片差别过大"),
    "unsure": ("not sure enough", "把握不足"),
    "likely_safe": ("not sure, but looks like photos without hazard", "把握不足但近似无隐患照片"),
}
_ACCEPTABLE = (
    "A description is acceptable when it is right on whether there is a hazard, names no kind that "
    "is not there and, where kinds are known, names at least one that is. Wording does not count.",
    "“可用”指：有无隐患判断正确，未指出不存在的隐患类别；已知类别时至少说对一类。不计措辞。",
)


def trust_sentences(evaluation: Evaluation) -> list[str]:
    """What confidence and doubt come to, for people who know no such scores."""
    trust, zh = evaluation.trust, evaluation.language == "zh"
    if trust is None:
        return []
    found = [_ACCEPTABLE[zh]]
    if trust.coverage.value is None:
        found.append(
            "该模型未经校准：置信度只是语言模型对措辞的把握，不是描述可用的概率。"
            if zh
            else "This model is not calibrated: its confidence is how sure the language model is "
            "of its wording, not how probable it is that the description will do."
        )
        return found
    total = evaluation.counts["photos"]
    held = total - round(trust.coverage.value * total)
    risk = "–" if trust.risk.value is None else percent(trust.risk.value)
    found.append(
        f"{total} 张照片中作答 {total - held} 张，其中不可用 {risk}；其余 {held} 张答“无法判断”。"
        f"若全部作答，不可用为 {percent(float(trust.risk_of_all))}。"
        if zh
        else f"Of {total} photos it answers {total - held}, of which {risk} are not acceptable; of "
        f"the other {held} it says that it cannot judge. Were every draft given as the answer, "
        f"{percent(float(trust.risk_of_all))} would not be acceptable."
    )
    if trust.reasons:
        named = [(_REASONS.get(k, (k, k))[zh], n) for k, n in sorted(trust.reasons.items())]
        listed = ("；" if zh else "; ").join(f"{label} {n}" for label, n in named)
        found.append(f"未按草稿作答的照片：{listed}。" if zh else f"Drafts held back: {listed}.")
    return found


def trust_rows(evaluation: Evaluation) -> list[tuple[str, Score]]:
    """Label and score of each figure."""
    trust = evaluation.trust
    if trust is None:
        return []
    zh = evaluation.language == "zh"
    rows = [(labels[zh], getattr(trust, name)) for name, labels in FIGURES.items()]
    return [(label, score) for label, score in rows if score.value is not None]


def compared_scores(evaluation: Evaluation) -> list[tuple[str, Score, Score]]:
    """Label, score of the drafts, score of the answers: where doubt may change something."""
    trust = evaluation.trust
    if trust is None or not trust.metrics:
        return []
    zh = evaluation.language == "zh"
    return [
        (str(METRICS[name][zh]), evaluation.metrics[name], trust.metrics[name])
        for name in COMPARED
        if evaluation.metrics[name].value is not None and name in trust.metrics
    ]
