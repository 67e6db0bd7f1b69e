"""Combinations that training never shows, so that dev and validation ask for more than recall.

Three sorts, fixed by the catalogue's order and the same for every seed:

- place: each kind's object never stands at one of the three places,
- colour: each kind's object never has one of the six colours,
- pair: two kinds are never hazards in one scene.

Place and colour are withheld from the object whatever its state; otherwise a hazard and its safe
twin would differ in where they stand, and the place alone would give the state away. For the same
reason the pairs are cycles among kinds which share their withheld place: within such a pair, both
remaining places are equally likely for either kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from hazardscribe.pairs.scenes.catalogue import COLOURS, KINDS, PLACES


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Combinations withheld from training.

    Attributes:
        places: kind -> the place its object never has in training.
        colours: kind -> the colour its object never has in training.
        pairs: sets of two kinds that are never hazards together in training.
    """

    places: Mapping[str, str]
    colours: Mapping[str, str]
    pairs: frozenset[frozenset[str]]


@cache
def held_out() -> HeldOut:
    """The withheld combinations."""
    kinds, colours = tuple(KINDS), tuple(COLOURS)
    places = {kind: PLACES[i % 3] for i, kind in enumerate(kinds)}
    pairs = set()
    for place in PLACES:
        group = [kind for kind in kinds if places[kind] == place]
        pairs |= {frozenset((a, b)) for a, b in zip(group, group[1:] + group[:1], strict=True)}
    return HeldOut(
        places=places,
        colours={kind: colours[(2 * i + i // 3) % 6] for i, kind in enumerate(kinds)},
        pairs=frozenset(pairs),
    )
