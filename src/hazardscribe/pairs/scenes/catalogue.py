"""What a scene may contain: hazard kinds, places and colours, as plain names.

Everything else in this package (drawings, wording, patterns, held-out combinations) is keyed by
these names; a kind that is added here must be given a drawing, phrases and patterns, and the
tests say so when one is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of hazard; its safe twin has the same name.

    Attributes:
        domain: the part of the safety trade it belongs to (`gas`, `electrical`, ...).
        zh: the hazard's name in Chinese.
        en: the hazard's name in English.
        most: how many of the object may stand together (drawn and told as `count`).
    """

    domain: str
    zh: str
    en: str
    most: int = 1


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "cylinder_unchained": Kind("gas", "气瓶未固定", "gas cylinder not chained", most=3),
        "hose_cracked": Kind("gas", "燃气软管老化开裂", "cracked gas hose"),
        "box_open": Kind("electrical", "配电箱未关闭", "distribution box left open"),
        "cable_tangled": Kind("electrical", "电线私拉乱接", "tangled makeshift wiring"),
        "extinguisher_toppled": Kind("fire", "灭火器倒地", "fire extinguisher toppled"),
        "exit_blocked": Kind("fire", "安全出口堵塞", "emergency exit blocked"),
        "hydrant_empty": Kind("fire", "消火栓箱水带缺失", "hydrant cabinet without hose"),
        "guardrail_missing": Kind("height", "临边护栏缺失", "edge without guardrail"),
        "opening_uncovered": Kind("height", "洞口未覆盖", "floor opening uncovered"),
        "ladder_broken": Kind("height", "梯子踏棍断裂", "ladder with broken rungs"),
        "helmet_missing": Kind("ppe", "未戴安全帽", "worker without hard hat"),
        "vest_missing": Kind("ppe", "未穿反光背心", "worker without hi-vis vest"),
        "stack_tilting": Kind("storage", "物料堆放倾斜", "stack tilting"),
        "rack_sagging": Kind("storage", "货架变形", "storage rack sagging"),
        "floor_spill": Kind("housekeeping", "地面油污积液", "liquid spilled on floor", most=2),
        "walkway_cluttered": Kind("housekeeping", "通道堆有杂物", "walkway littered"),
    }
)

PLACES: Final = ("left", "middle", "right")

COLOURS: Final[Mapping[str, Rgb]] = MappingProxyType(
    {
        "red": (196, 44, 40),
        "orange": (232, 126, 36),
        "yellow": (232, 200, 52),
        "green": (52, 140, 76),
        "blue": (44, 92, 176),
        "grey": (134, 140, 146),
    }
)
