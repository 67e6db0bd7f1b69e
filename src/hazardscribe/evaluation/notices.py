"""What to beware of in a set of scores, in plain words and both languages.

Machines read the English text in `Evaluation.warnings` and `Evaluation.nulls`; report and terminal
tell the same in the language of the evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hazardscribe.evaluation.report_words import METRICS, WORDS
from hazardscribe.evaluation.result import Evaluation, Score, Seen
from hazardscribe.evaluation.sanity import collapse_warning

FEW_PHOTOS = 30
_CLEAR_DROP = 0.5  # of the CIDEr-D: the descriptions fit others less than half as well

NO_SAFE_PHOTO = "no safe photo among these: any answer that names a hazard would look right"
NO_HAZARD_PHOTO = "no photo with a hazard among these"
NO_ELEMENT = "no photo shows an element that the rules name"
ONE_PHOTO = "only one photo: CIDEr-D is 0 whatever is written"
ALIKE = "all photos have the same references: CIDEr-D is 0 whatever is written"
NO_EMBEDDING = "no text encoder was given"
NO_BASELINE = {
    "most_frequent": "there are no training descriptions",
    "always_hazard": "no training description states a hazard",
    "nearest": "the nearest training photos were not given",
}

_ZH = {
    NO_SAFE_PHOTO: "其中没有无隐患的照片：凡是指出隐患的回答都会显得正确",
    NO_HAZARD_PHOTO: "其中没有存在隐患的照片",
    NO_ELEMENT: "没有照片含有规则文件所列的隐患要素",
    ONE_PHOTO: "只有一张照片：无论写什么，CIDEr-D 都为 0",
    ALIKE: "所有照片的参考描述相同：无论写什么，CIDEr-D 都为 0",
    NO_EMBEDDING: "未提供文本编码器",
    NO_BASELINE["most_frequent"]: "没有训练描述",
    NO_BASELINE["always_hazard"]: "训练描述中没有隐患",
    NO_BASELINE["nearest"]: "未提供最相似的训练照片",
}


def reason_in(language: str, reason: str) -> str:
    """The reason for a null in the language of the reader."""
    return _ZH.get(reason, reason) if language == "zh" else reason


def shuffle_failed(metrics: Mapping[str, Score]) -> bool:
    """Whether the descriptions fit other photos about as well as their own."""
    return _not_shown(metrics["shuffle_drop"]) and not shuffle_undecided(metrics)


def shuffle_undecided(metrics: Mapping[str, Score]) -> bool:
    """Whether the descriptions fit their own photos clearly better, but perhaps by chance."""
    drop, own = metrics["shuffle_drop"], metrics["cider_d"]
    clear = bool(drop.value and own.value and drop.value >= _CLEAR_DROP * own.value)
    return clear and _not_shown(drop)


def _not_shown(drop: Score) -> bool:
    return drop.value is not None and (drop.low if drop.low is not None else drop.value) <= 0


def notices_of(evaluation: Evaluation) -> list[str]:
    """The evaluation's warnings in its own language."""
    return notices(
        [case.prediction for case in evaluation.cases],
        evaluation.metrics,
        evaluation.baselines,
        evaluation.language,
        references=[case.references for case in evaluation.cases],
        unreadable=evaluation.counts["unreadable"],
        left_out=evaluation.counts["left_out"],
        seen=evaluation.seen,
        other_rules=evaluation.other_rules,
    )


def notices(
    predictions: Sequence[str],
    metrics: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score] | None],
    language: str = "en",
    *,
    references: Sequence[Sequence[str]] = (),
    unreadable: int = 0,
    left_out: int = 0,
    seen: Seen | None = None,
    other_rules: bool = False,
) -> list[str]:
    """Why these scores should be doubted; empty when nothing speaks against them.

    Args:
        references: the written texts of each photo, to tell how alike they are themselves.
        unreadable: photos of this set without a score. left_out: photos that were left out when
            the data were read, of whichever split.
        seen: how many of the photos the model knows from its training.
        other_rules: whether the confidences were fitted to other rules than these.
    """
    zh = language == "zh"
    photos = len(predictions)
    found = [] if seen is None else _seen_notices(seen, zh)
    failed = shuffle_failed(metrics)
    if collapsed := collapse_warning(predictions, language, references, shuffle_failed=failed):
        found.append(collapsed)
    found += _shuffle_notices(metrics, photos, zh)
    found += _rival_notices(metrics, baselines, zh)
    found += _account_notices(photos, unreadable, left_out, zh)
    if other_rules:
        found.append(
            "置信度按另一套规则（何为“可用”）拟合，与本报告的规则不同：这里的数字说明不了它是否可信。"
            "请用 `hazardscribe calibrate --rules FILE` 重新拟合，或按模型自己的规则评估。"
            if zh
            else "The confidence was fitted to other rules of what is acceptable than those of "
            "this report: what is shown of it here says little. Fit it anew with `hazardscribe "
            "calibrate --rules FILE`, or evaluate by the model's own rules."
        )
    if photos < FEW_PHOTOS:
        found.append(
            f"只有 {photos} 张照片：得分仅供粗略参考。"
            if zh
            else f"Only {photos} photo{'s' if photos > 1 else ''}: these scores are rough."
        )
    return found


def _shuffle_notices(metrics: Mapping[str, Score], photos: int, zh: bool) -> list[str]:
    """That the texts may not rest on what the photos show."""
    found, drop = [], metrics["shuffle_drop"]
    if shuffle_failed(metrics):
        found.append(
            f"打乱检验未通过：把描述换到别的照片上，得分没有明显下降（CIDEr-D 下降 {drop}）。"
            "没有证据表明模型依据了照片内容。"
            if zh
            else "Shuffle test failed: the descriptions fit other photos about as well as their "
            f"own (CIDEr-D falls by {drop} when photos are exchanged). "
            "There is no evidence that the model uses what the photo shows."
        )
    if shuffle_undecided(metrics):
        found.append(
            f"打乱检验未有定论：把描述换到别的照片上，得分有所下降（CIDEr-D 下降 {drop}），"
            f"但 {photos} 张照片太少，也可能出于偶然：尚未证明模型依据了照片内容。"
            if zh
            else "Shuffle test undecided: the descriptions fit their own photos better than others "
            f"(CIDEr-D falls by {drop} when photos are exchanged), but on {photos} "
            "photos that may be chance: it is not shown that the model uses what the photo shows."
        )
    return found


def _rival_notices(
    metrics: Mapping[str, Score], baselines: Mapping[str, Mapping[str, Score] | None], zh: bool
) -> list[str]:
    """That a main score is no better than one which needs no model."""
    found = []
    for name in ("hazard_f1", "element_f1", "cider_d"):
        rivals = {
            baseline: float(scores[name])
            for baseline, scores in baselines.items()
            if scores is not None and scores[name].value is not None
        }
        ours = metrics[name].value
        if rivals and ours is not None and max(rivals.values()) >= ours:
            best = max(rivals, key=lambda baseline: rivals[baseline])
            label, rival = METRICS[name][zh], WORDS["zh" if zh else "en"][best]
            found.append(
                f"{label}——模型（{ours:.3f}）没有超过无需模型的基线“{rival}”（{rivals[best]:.3f}）。"
                if zh
                else f"{label}: the model ({ours:.3f}) is not above the baseline “{rival}” "
                f"({rivals[best]:.3f}), which needs no model."
            )
    return found


def _account_notices(photos: int, unreadable: int, left_out: int, zh: bool) -> list[str]:
    """That there are photos without a score."""
    found = []
    if unreadable:
        total = photos + unreadable
        found.append(
            f"{total} 张照片中有 {unreadable} 张无法读取，未计入得分。"
            if zh
            else f"{unreadable} of {total} photos could not be read and are in none of the scores."
        )
    if left_out:
        found.append(
            f"读取数据时有 {left_out} 张照片（不分训练与验证）缺失或无法读取，未计入任何得分。"
            if zh
            else f"{left_out} photos of the data (all splits) are missing or damaged and in none "
            "of the scores."
            if left_out > 1
            else "1 photo of the data (all splits) is missing or damaged and in none of the scores."
        )
    return found


def _seen_notices(seen: Seen, zh: bool) -> list[str]:
    """That scores are of photos which the model knows, in at most one sentence."""
    n = seen.photos
    if n == seen.in_train:
        return [
            f"全部 {n} 张照片都参加过训练：得分反映的是记忆，不是对新照片的表现。"
            if zh
            else f"The model was trained on all {n} photos: the scores tell what it remembers, not "
            "what it makes of new photos."
        ]
    if n == seen.in_dev:
        return [
            f"全部 {n} 张照片都参与过权重选择（dev）：得分偏高，应以未见过的照片为准。"
            if zh
            else f"All {n} photos were used to choose the model's weights (dev): the scores "
            "flatter it. The ones that count are on photos that it has not seen."
        ]
    counts = [
        (seen.in_train, "{} 张参加过训练", "{} were trained on"),
        (seen.near, "{} 张与训练照片几乎相同", "{} show nearly the same as a training photo"),
        (seen.in_dev, "{} 张参与过权重选择", "{} were used to choose the weights"),
    ]
    known = [(words[0] if zh else words[1]).format(count) for count, *words in counts if count]
    if not known:
        return []
    told = (
        f"{n} 张照片中，{'，'.join(known)}：得分偏高。"
        if zh
        else f"Of {n} photos {', '.join(known)}: the scores flatter the model."
    )
    scores = [
        f"{METRICS[name][zh]} {seen.unseen[name]}"
        for name in ("element_f1", "cider_d")
        if name in seen.unseen and seen.unseen[name].value is not None
    ]
    if scores:
        rest = n - seen.in_train - seen.near - seen.in_dev
        told += (
            f"仅计其余 {rest} 张：{'，'.join(scores)}。"
            if zh
            else f" On the other {rest} alone: {', '.join(scores)}."
        )
    return [told]
