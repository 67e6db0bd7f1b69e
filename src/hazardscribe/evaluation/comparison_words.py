"""What report and terminal say about a model beside another one, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from hazardscribe.evaluation.report_words import METRICS
from hazardscribe.evaluation.result import Comparison, Score
from hazardscribe.evaluation.trust_words import FIGURES

COMPARED: Mapping[str, tuple[str, str, bool | None]] = {
    name: METRICS[name]
    for name in ("hazard_f1", "balanced_accuracy", "false_alarm_rate", "element_f1", "cider_d")
} | {
    "risk_of_all": (*FIGURES["risk_of_all"], False),
    "coverage": (*FIGURES["coverage"], True),
    "risk": (*FIGURES["risk"], False),
}
"""Score by name -> label in English and Chinese, and whether higher is better."""

Row = tuple[str, str, bool | None, float, float, Score]


def comparison_rows(comparison: Comparison, language: str) -> list[Row]:
    """Name, label, whether higher is better, ours, theirs and the difference of each score."""
    return [
        (name, labels[language == "zh"], up, mine, other, score)
        for name, (*labels, up) in COMPARED.items()
        if (score := comparison.differences.get(name, Score(None))).value is not None
        and (mine := comparison.ours[name]) is not None
        and (other := comparison.theirs[name]) is not None
    ]


def comparison_sentences(comparison: Comparison, language: str) -> list[str]:
    """What the comparison comes to, and on which photos it stands."""
    zh = language == "zh"
    n, model = comparison.photos, comparison.model
    found = [
        f"与模型“{model}”对照，只用两个模型都没有见过的 {n} 张照片。只有本模型的草稿可用："
        f"{comparison.better} 张；只有“{model}”的草稿可用：{comparison.worse} 张。"
        if zh
        else f"Beside the model “{model}”, on {n} photo{'' if n == 1 else 's'} that neither knows. "
        f"Photos of which only this model's draft is acceptable: {comparison.better}; only that of "
        f"“{model}”: {comparison.worse}."
    ]
    rows = comparison_rows(comparison, language)
    signs = {label: clearly(score, up) for _, label, up, _, _, score in rows}
    for wanted, english, chinese in (
        (1, "Better beyond chance: {}.", "明显更好：{}。"),
        (-1, "Worse beyond chance: {}.", "明显更差：{}。"),
    ):
        if labels := [label for label, sign in signs.items() if sign == wanted]:
            found.append((chinese if zh else english).format(("；" if zh else "; ").join(labels)))
    if not any(signs.values()) and any(row[-1].low is not None for row in rows):
        found.append(
            "没有一项差异超出偶然：所有区间都包含 0。照片再多一些，或许能看出区别。"
            if zh
            else "No difference is beyond chance: every interval holds 0. With more photos one may "
            "show."
        )
    if comparison.known:
        found.append(
            f"另有 {comparison.known} 张照片被其中一个模型见过，未参与对照。"
            if zh
            else f"Left out, since one of the two knows them: {comparison.known}."
        )
    if comparison.untold:
        found.append(
            "其中有模型没有记录自己训练过哪些照片：如果它见过这些照片，对照对它有利。"
            if zh
            else "Not both models say what they were trained on: one that knows these photos is "
            "flattered by the comparison."
        )
    return found


def clearly(difference: Score, up: bool | None) -> int:
    """1 where the difference is for the better beyond chance, -1 where for the worse, else 0."""
    if difference.low is None or difference.high is None or up is None:
        return 0
    sign = (difference.low > 0) - (difference.high < 0)
    return sign if up else -sign
