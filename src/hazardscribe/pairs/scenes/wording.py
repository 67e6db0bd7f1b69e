"""From a scene's items to its description, in Chinese and in English.

A ledger's clause: where + object + defect, sometimes with the consequence; one clause a hazard,
from left to right, joined by semicolons. A scene without a hazard says so, and names one or two
things that were found in order.
"""

import random
import re
from collections.abc import Mapping, Sequence

from hazardscribe.pairs.scenes.catalogue import KINDS
from hazardscribe.pairs.scenes.compose import Item
from hazardscribe.pairs.scenes.phrases import phrases

_ZH_WHERE = {
    "left": ("左侧", "画面左侧", "现场左边", "左边"),
    "middle": ("中间", "画面中部", "现场中间", "正中"),
    "right": ("右侧", "画面右侧", "现场右边", "右边"),
}
_EN_WHERE = {
    "left": ("on the left", "at the left", "on the left side", "to the left"),
    "middle": ("in the middle", "at the centre", "in the centre", "in the middle area"),
    "right": ("on the right", "at the right", "on the right side", "to the right"),
}
_ZH_COLOUR = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "grey": "灰色",
}
_ZH_COUNT = {1: "", 2: "两只", 3: "三只"}
_EN_COUNT = {1: "", 2: "two", 3: "three"}
_ZH_SAFE = ("未发现明显隐患", "现场未见明显隐患", "未见安全隐患", "检查未发现隐患")
_EN_SAFE = (
    "No visible hazard",
    "No hazard found",
    "No obvious hazard seen",
    "Inspection found no hazard",
)

# How often a clause names colour, number and consequence, and a lone hazard its place.
_COLOUR_SHARE = 0.15
_COUNT_SHARE = 0.6
_RISK_SHARE = 0.1
_WHERE_SHARE = 0.9
# How often the first of several wordings is taken: in a ledger, too, the same sentence serves
# again and again, and a few others stand beside it.
_HABIT = 0.6


def describe_zh(items: Sequence[Item], rng: random.Random) -> str:
    """The Chinese description of a scene."""
    hazards = [item for item in items if item.hazard]
    if not hazards:
        told = rng.sample(list(items), min(len(items), rng.randint(1, 2)))
        parts = [
            _where(item, _ZH_WHERE, rng, 0.5) + _one(phrases()["zh"][item.kind].safe, rng)
            for item in told
        ]
        return "，".join([_one(_ZH_SAFE, rng), *parts])
    share = _WHERE_SHARE if len(hazards) == 1 else 1.0
    clauses = []
    for item in hazards:
        said = phrases()["zh"][item.kind]
        colour = _ZH_COLOUR[item.colour] if rng.random() < _COLOUR_SHARE else ""
        count = _ZH_COUNT[item.count] if rng.random() < _COUNT_SHARE else ""
        clause = _fill(_one(said.objects, rng), n=count, c=colour) + _one(said.defects, rng)
        if rng.random() < _RISK_SHARE / len(hazards):
            clause += "，" + _one(said.risks, rng)
        clauses.append(_where(item, _ZH_WHERE, rng, share) + clause)
    return "；".join(clauses)


def describe_en(items: Sequence[Item], rng: random.Random) -> str:
    """The English description of a scene."""
    hazards = [item for item in items if item.hazard]
    if not hazards:
        told = rng.sample(list(items), min(len(items), rng.randint(1, 2)))
        parts = []
        for item in told:
            where = _where(item, _EN_WHERE, rng, 0.5)
            parts.append(f"{_one(phrases()['en'][item.kind].safe, rng)} {where}".strip())
        return f"{_one(_EN_SAFE, rng)}: {', '.join(parts)}"
    share = _WHERE_SHARE if len(hazards) == 1 else 1.0
    clauses = []
    for item in hazards:
        said = phrases()["en"][item.kind]
        where = _where(item, _EN_WHERE, rng, share)
        thing = _english_object(item, _one(said.objects, rng), rng)
        defect = _one(said.defects, rng)
        clause = f"{where}, {thing} {defect}" if rng.random() < 0.5 else f"{thing} {defect} {where}"
        clause = clause.strip(" ,")
        if rng.random() < _RISK_SHARE / len(hazards):
            clause += ", " + _one(said.risks, rng)
        clauses.append(clause)
    text = "; ".join(clauses)
    return text[0].upper() + text[1:]


def _english_object(item: Item, phrase: str, rng: random.Random) -> str:
    colour = item.colour if rng.random() < _COLOUR_SHARE else ""
    count = _EN_COUNT[item.count] if rng.random() < _COUNT_SHARE else ""
    plural = "s" if KINDS[item.kind].most > 1 and item.count > 1 else ""
    return " ".join(_fill(phrase, n=count, c=colour, s=plural).split())


def _fill(phrase: str, *, c: str, **words: str) -> str:
    """The phrase with its words filled in; without a colour, its bracketed part is left out."""
    kept = re.sub(r"\[(.*?)\]", r"\1" if c else "", phrase)
    return kept.format(c=c, **words)


def _where(item: Item, words: Mapping[str, Sequence[str]], rng: random.Random, share: float) -> str:
    return _one(words[item.place], rng) if rng.random() < share else ""


def _one(options: Sequence[str], rng: random.Random) -> str:
    return options[0] if rng.random() < _HABIT else options[rng.randrange(len(options))]
