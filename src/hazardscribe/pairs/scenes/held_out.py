"""Combinations that training never shows, so that dev and validation ask for more than recall.

Two sorts, fixed by the catalogue's order and the same for every seed:

- look: each kind's object has one colour that it never shows at a side and another that it never
  shows in the middle; each colour and each place of it is seen, this colour at this place is not,
- pair: two kinds are never hazards in one scene.

Looks are withheld from the object whatever its state; otherwise a hazard and its safe twin would
differ in colour, and the colour would give the state away. Both sides lack the same colour, so
that a mirrored training photo shows no withheld look either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from hazardscribe.pairs.scenes.catalogue import COLOURS, KINDS, PLACES


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Combinations withheld from training.

    Attributes:
        looks: (kind, place) -> the colour its object never has there in training.
        pairs: sets of two kinds that are never hazards together in training.
    """

    looks: Mapping[tuple[str, str], str]
    pairs: frozenset[frozenset[str]]


@cache
def held_out() -> HeldOut:
    """The withheld combinations."""
    kinds, colours = tuple(KINDS), tuple(COLOURS)
    looks = {}
    for i, kind in enumerate(kinds):
        side = 2 * i + i // 3
        for place in PLACES:
            at = side + 3 if place == "middle" else side
            looks[kind, place] = colours[at % len(colours)]
    # Three cycles: every kind is withheld together with two others.
    cycles = [kinds[start::3] for start in range(3)]
    return HeldOut(
        looks=looks,
        pairs=frozenset(
            frozenset(pair)
            for cycle in cycles
            for pair in zip(cycle, cycle[1:] + cycle[:1], strict=True)
        ),
    )
