"""Which function draws which kind."""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from hazardscribe.pairs.scenes import (
    draw_electrical,
    draw_fire,
    draw_floor,
    draw_gas,
    draw_height,
    draw_people,
    draw_storage,
)
from hazardscribe.pairs.scenes.canvas import Brush
from hazardscribe.pairs.scenes.catalogue import Rgb

# (brush, random numbers, body colour, count, hazard or safe twin)
Drawing = Callable[[Brush, random.Random, Rgb, int, bool], None]

DRAWINGS: Final[Mapping[str, Drawing]] = MappingProxyType(
    {
        "cylinder_unchained": draw_gas.cylinder,
        "hose_cracked": draw_gas.hose,
        "box_open": draw_electrical.box,
        "cable_tangled": draw_electrical.cable,
        "extinguisher_toppled": draw_fire.extinguisher,
        "exit_blocked": draw_fire.exit_door,
        "hydrant_empty": draw_fire.hydrant,
        "guardrail_missing": draw_height.platform,
        "opening_uncovered": draw_height.opening,
        "ladder_broken": draw_height.ladder,
        "helmet_missing": draw_people.bust,
        "vest_missing": draw_people.standing,
        "stack_tilting": draw_storage.stack,
        "rack_sagging": draw_storage.rack,
        "floor_spill": draw_floor.drum,
        "walkway_cluttered": draw_floor.walkway,
    }
)
