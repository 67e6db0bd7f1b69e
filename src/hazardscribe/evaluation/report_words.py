"""The report's words in Chinese and English; scores and data come from the evaluation."""

from __future__ import annotations

from collections.abc import Mapping

from hazardscribe.evaluation.result import Evaluation

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "html_lang": "en",
        "summary": "In short",
        "warnings": "Beware",
        "scores": "Scores beside answers that need no model",
        "intervals": "In brackets: 95 % interval, Wilson's for plain shares (precision, recall, "
        "false alarms), else from {resamples} bootstrap resamples over photos. "
        "Bold: the best of the row.",
        "plots": "At a glance",
        "elements": "By kind of hazard",
        "element": "Kind",
        "precision": "Precision",
        "recall": "Recall",
        "support": "Photos that show it",
        "predicted": "Photos said to show it",
        "trust": "Confidence and doubt",
        "trust_score": "On these photos",
        "compared": "What doubt changes in the scores: “cannot judge” counts as no hazard named.",
        "against": "Beside the model “{model}”",
        "this_model": "This model",
        "difference": "Difference, 95 % interval",
        "better": "Better than the other model",
        "worse": "Worse than the other model",
        "drafts": "Every draft answered",
        "answers": "In doubt where unsure",
        "confidence": "confidence",
        "evidence": "The small pictures show where in the photo the model found support for each "
        "phrase (warm colours): where it looked, not that what it says is true.",
        "evidence_alt": "Parts of the photo that speak for: {phrase}",
        "answered": "Answered",
        "cases": "Photos, worst first",
        "shown": "{shown} of {total} photos.",
        "all": "All",
        "missed": "Hazard missed",
        "alarm": "False alarm",
        "other": "Wrong kind",
        "unsaid": "No answer",
        "right": "Right",
        "written": "Written",
        "model": "Model",
        "also": "Also written",
        "diff": "Marked: words that only one of the two texts has.",
        "none": "(empty)",
        "cannot": "cannot judge",
        "missing_element": "not named",
        "invented_element": "invented",
        "no_photo": "photo not readable",
        "run": "How this was made",
        "counts": "Counts",
        "tokenizer": "Tokens",
        "rules": "Rules",
        "split_hash": "Hash of the evaluated set",
        "versions": "Versions",
        "baselines": "Baselines",
        "seed": "Seed",
        "most_frequent": "Most frequent description",
        "always_hazard": "Always the same hazard",
        "nearest": "Nearest training photo",
        "good_up": "higher is better",
        "good_down": "lower is better",
    },
    "zh": {
        "html_lang": "zh-CN",
        "summary": "概要",
        "warnings": "注意",
        "scores": "得分（与无需模型的回答对照）",
        "intervals": "方括号内为 95 % 置信区间：单纯比例（精确率、召回率、误报率）用 Wilson 区间，"
        "其余按照片自助重采样 {resamples} 次。"
        "粗体为该行最佳。",
        "plots": "图示",
        "elements": "按隐患类别",
        "element": "类别",
        "precision": "精确率",
        "recall": "召回率",
        "support": "实际照片数",
        "predicted": "模型指出数",
        "trust": "置信度与存疑",
        "trust_score": "在这些照片上",
        "compared": "存疑对得分的影响：“无法判断”按未指出隐患计。",
        "against": "与模型“{model}”对照",
        "this_model": "本模型",
        "difference": "差值（95 % 置信区间）",
        "better": "比对照模型好",
        "worse": "比对照模型差",
        "drafts": "草稿全部作答",
        "answers": "把握不足时存疑",
        "confidence": "置信度",
        "evidence": "小图显示模型写每个短句时依据照片的哪些部位（暖色）："
        "只表示看了哪里，不表示说得对。",
        "evidence_alt": "照片中支持“{phrase}”的部位",
        "answered": "作答",
        "cases": "逐张对照（最差在前）",
        "shown": "共 {total} 张照片，显示 {shown} 张。",
        "all": "全部",
        "missed": "漏报",
        "alarm": "误报",
        "other": "类别有误",
        "unsaid": "未作判断",
        "right": "正确",
        "written": "人工描述",
        "model": "模型描述",
        "also": "其他人工描述",
        "diff": "标记：只在其中一段文字中出现的词。",
        "none": "（空）",
        "cannot": "无法判断",
        "missing_element": "未指出",
        "invented_element": "无中生有",
        "no_photo": "照片无法读取",
        "run": "生成信息",
        "counts": "计数",
        "tokenizer": "分词方式",
        "rules": "规则文件",
        "split_hash": "评估集哈希",
        "versions": "版本",
        "baselines": "基线",
        "seed": "随机种子",
        "most_frequent": "最常见描述",
        "always_hazard": "总答同一隐患",
        "nearest": "最相似训练照片",
        "good_up": "越高越好",
        "good_down": "越低越好",
    },
}

# name -> (English, Chinese, higher is better)
METRICS: Mapping[str, tuple[str, str, bool | None]] = {
    "hazard_f1": ("Hazard named or not: F1", "有无隐患：F1", True),
    "hazard_precision": ("Of the hazards named, real (precision)", "有无隐患：精确率", True),
    "hazard_recall": ("Of the real hazards, named (recall)", "有无隐患：召回率", True),
    "balanced_accuracy": ("Balanced accuracy", "平衡准确率", True),
    "false_alarm_rate": ("False alarms on safe photos", "无隐患照片误报率", False),
    "element_f1": ("Kinds of hazard: F1 (micro)", "隐患类别：F1（微平均）", True),
    "element_f1_macro": ("Kinds of hazard: F1 (mean over kinds)", "隐患类别：F1（宏平均）", True),
    "cider_d": ("Wording: CIDEr-D (0-10)", "措辞：CIDEr-D（0-10）", True),
    "bleu_4": ("BLEU-4", "BLEU-4", True),
    "bleu_1": ("BLEU-1", "BLEU-1", True),
    "rouge_l": ("ROUGE-L", "ROUGE-L", True),
    "cider_d_word": ("CIDEr-D, by word", "CIDEr-D（按词）", True),
    "bleu_4_word": ("BLEU-4, by word", "BLEU-4（按词）", True),
    "bleu_1_word": ("BLEU-1, by word", "BLEU-1（按词）", True),
    "rouge_l_word": ("ROUGE-L, by word", "ROUGE-L（按词）", True),
    "text_similarity": ("Similarity of meaning", "语义相似度", True),
    "distinct_share": ("Share of distinct descriptions", "不同描述占比", None),
    "cannot_judge_share": ("Share of “cannot judge”", "“无法判断”占比", None),
    "shuffle_drop": ("CIDEr-D lost when photos are exchanged", "打乱检验：CIDEr-D 下降", True),
}

COUNTS: Mapping[str, tuple[str, str]] = {
    "photos": ("photos", "照片"),
    "references": ("written descriptions", "人工描述"),
    "hazard_photos": ("photos with a hazard", "有隐患照片"),
    "safe_photos": ("safe photos", "无隐患照片"),
    "hazards_named": ("hazards named", "指出隐患"),
    "hazards_missed": ("hazards missed", "漏报"),
    "false_alarms": ("false alarms", "误报"),
    "cannot_judge": ("cannot judge", "无法判断"),
    "empty": ("empty", "空描述"),
    "distinct": ("distinct descriptions", "不同描述"),
    "unreadable": ("photos left out, not readable", "无法读取而未计入的照片"),
    "left_out": ("photos missing from the data", "数据中缺失或损坏的照片"),
}


def summary(evaluation: Evaluation) -> list[str]:
    """What the numbers mean, in sentences that need no knowledge of metrics."""
    zh = evaluation.language == "zh"
    n = evaluation.counts
    found = []
    if n["hazard_photos"]:
        # To say that there is some hazard is easy, and alone worth little: the kind stands beside.
        share = n["hazards_named"] / n["hazard_photos"]
        known = [case for case in evaluation.cases if case.elements]
        kinds = sum(bool(case.named) for case in known)
        found.append(
            f"在 {n['hazard_photos']} 张有隐患的照片中，模型在 {n['hazards_named']} 张上说有隐患"
            f"（{percent(share)}），漏报 {n['hazards_missed']} 张"
            + (f"；类别已知的 {len(known)} 张中，说对类别的 {kinds} 张。" if known else "。")
            if zh
            else f"Of {_photos(n['hazard_photos'])} with a hazard, the model said there was some "
            f"hazard in {n['hazards_named']} ({percent(share)}) and missed {n['hazards_missed']}"
            + (f"; named the right kind in {kinds} of {len(known)}." if known else ".")
        )
    if n["safe_photos"]:
        share = n["false_alarms"] / n["safe_photos"]
        found.append(
            f"在 {n['safe_photos']} 张无隐患的照片中，"
            f"误报 {n['false_alarms']} 张（{percent(share)}）。"
            if zh
            else f"Of {_photos(n['safe_photos'], 'safe ')}, it raised a false alarm in "
            f"{n['false_alarms']} ({percent(share)})."
        )
    shown = sum(len(case.elements) for case in evaluation.cases)
    if shown:
        right = sum(len(case.named) for case in evaluation.cases)
        invented = sum(len(case.invented) for case in evaluation.cases)
        found.append(
            f"照片中的 {shown} 处已知类别隐患，指出 {right} 处，另有 {invented} 处属无中生有。"
            if zh
            else f"Of {shown} hazards of known kinds it named {right} rightly; "
            f"{invented} that it named were not there."
        )
    if n["cannot_judge"] or n["empty"]:
        found.append(
            f"模型对 {n['cannot_judge']} 张表示无法判断，{n['empty']} 张没有输出。"
            if zh
            else f"Photos that it said it could not judge: {n['cannot_judge']}; "
            f"photos for which it wrote nothing: {n['empty']}."
        )
    return found


def percent(share: float) -> str:
    """A share in whole per cent that never says all or none beside a count that says otherwise."""
    text = f"{share:.0%}"
    if text == "100%" and share < 1:
        return ">99%"
    return "<1%" if text == "0%" and share > 0 else text


def _photos(count: int, kind: str = "") -> str:
    return f"{count} {kind}photo{'' if count == 1 else 's'}"
