"""What a scene may contain: hazard kinds, places and colours, as plain names.

Everything else in this package (drawings, wording, held-out combinations) is keyed by these
names; a kind that is added here must be given a drawing and phrases, and a rule to recognise it
by (in `evaluation`), and the tests say so when one is forgotten.
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
        most: how many of the object may stand together (drawn and told as `count`).
    """

    domain: str
    most: int = 1


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "cylinder_unchained": Kind("gas", most=3),
        "hose_cracked": Kind("gas"),
        "box_open": Kind("electrical"),
        "cable_tangled": Kind("electrical"),
        "extinguisher_toppled": Kind("fire"),
        "exit_blocked": Kind("fire"),
        "hydrant_empty": Kind("fire"),
        "guardrail_missing": Kind("height"),
        "opening_uncovered": Kind("height"),
        "ladder_broken": Kind("height"),
        "helmet_missing": Kind("ppe"),
        "vest_missing": Kind("ppe"),
        "stack_tilting": Kind("storage"),
        "rack_sagging": Kind("storage"),
        "floor_spill": Kind("housekeeping", most=2),
        "walkway_cluttered": Kind("housekeeping"),
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
