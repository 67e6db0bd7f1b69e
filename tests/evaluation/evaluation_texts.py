"""Small sets of photos with several references, alike enough that scores are not all 0 or 1."""

from __future__ import annotations

import random

ZH_PARTS = (
    ["现场", "画面左侧", "配电箱旁", "基坑边", ""],
    ["一名工人", "两名作业人员", "三名施工人员", "电工"],
    ["未佩戴安全帽", "未穿反光背心", "均佩戴安全帽、穿反光背心，未见明显隐患", "违规动火"],
    ["", "，存在安全隐患", "，易造成人身伤害", "。"],
)
EN_PARTS = (
    ["One worker", "Two workers", "Several workers", "The welder"],
    ["on the left", "in the middle", "on site", ""],
    ["without a hard hat", "not wearing a hi-vis vest", "near the edge's rail", "in hard hats"],
    ["", "; someone isn't tied off", ", no visible hazard", "."],
)


def sentences(language: str, count: int, seed: int) -> list[str]:
    generator = random.Random(seed)
    parts, glue = (ZH_PARTS, "") if language == "zh" else (EN_PARTS, " ")
    return [
        glue.join(filter(None, (generator.choice(options) for options in parts)))
        for _ in range(count)
    ]


def groups(language: str, count: int, most: int, seed: int) -> list[list[str]]:
    """`count` lists of 1 to `most` references."""
    generator = random.Random(seed)
    texts = iter(sentences(language, count * most, seed))
    return [[next(texts) for _ in range(generator.randint(1, most))] for _ in range(count)]
