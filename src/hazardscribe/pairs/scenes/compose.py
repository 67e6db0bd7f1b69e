"""What is in a scene: which objects, where, in which colour and state.

The state (hazard or safe twin) is drawn without looking at place or colour, and in dev and
validation the withheld combinations are spread evenly over both states, so that nothing but the
object's own look tells a hazard from its twin.
"""

import hashlib
import itertools
import random
from dataclasses import dataclass
from functools import cache

from hazardscribe.pairs.scenes.catalogue import COLOURS, KINDS, PLACES
from hazardscribe.pairs.scenes.held_out import held_out

# number of objects -> its share of the scenes; then, for each, number of hazards -> its share
_OBJECTS = {1: 0.15, 2: 0.40, 3: 0.45}
_HAZARDS = {
    1: {0: 0.45, 1: 0.55},
    2: {0: 0.34, 1: 0.36, 2: 0.30},
    3: {0: 0.28, 1: 0.28, 2: 0.26, 3: 0.18},
}
# Of the unseen scenes with two or more hazards, the share whose novelty is a withheld pair.
_PAIR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a scene.

    Attributes:
        kind: a name of `KINDS`.
        place: `left`, `middle` or `right`.
        colour: a name of `COLOURS`.
        count: how many stand together.
        hazard: whether the hazard is shown, or its safe twin.
    """

    kind: str
    place: str
    colour: str
    count: int
    hazard: bool

    def facts(self) -> dict[str, str | int]:
        """The item as the ledger's `facts` tell it."""
        told: dict[str, str | int] = {"kind": self.kind, "where": self.place, "colour": self.colour}
        if KINDS[self.kind].most > 1:
            told["count"] = self.count
        return told


def scene_seed(seed: int, split: str, index: int) -> int:
    """A 64-bit seed of one scene; split is part of it, so no two splits share a scene's seed."""
    digest = hashlib.blake2b(f"{seed}/{split}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def compose(rng: random.Random, *, unseen: bool) -> tuple[Item, ...]:
    """The objects of one scene, from left to right.

    Args:
        rng: the scene's random numbers.
        unseen: False for training: no withheld combination occurs. True for dev and validation:
            every scene with a hazard holds at least one.
    """
    total = _pick(rng, _OBJECTS)
    hazards = _pick(rng, _HAZARDS[total])
    novelty = _novelty(rng, hazards) if unseen else "none"
    while True:
        places = rng.sample(PLACES, total)
        if novelty == "pair":
            pairs = sorted(sorted(pair) for pair in held_out().pairs)
            kinds = rng.sample(rng.choice(pairs), 2)
            kinds += rng.sample(tuple(KINDS), total - 2)
        else:
            kinds = rng.sample(tuple(KINDS), total)
        if _fits(kinds, hazards, novelty):
            break
    items = (
        Item(
            kind,
            place,
            _colour(rng, kind, place, novelty),
            rng.randint(1, KINDS[kind].most),
            i < hazards,
        )
        for i, (kind, place) in enumerate(zip(kinds, places, strict=True))
    )
    return tuple(sorted(items, key=lambda item: PLACES.index(item.place)))


def _fits(kinds: list[str], hazards: int, novelty: str) -> bool:
    """Whether a draw keeps the novelty's rules; the first `hazards` kinds are the hazards."""
    if len(set(kinds)) < len(kinds):
        return False
    together = itertools.combinations(kinds[:hazards], 2)
    return novelty != "none" or not any(frozenset(pair) in held_out().pairs for pair in together)


def _colour(rng: random.Random, kind: str, place: str, novelty: str) -> str:
    withheld = held_out().looks[kind, place]
    if novelty == "look":
        return withheld
    return rng.choice([name for name in COLOURS if name != withheld])


def _novelty(rng: random.Random, hazards: int) -> str:
    """What is new in an unseen scene; scenes without a hazard may hold nothing new."""
    usual = _usual_share() if hazards == 0 else _PAIR_SHARE if hazards > 1 else 0.0
    if rng.random() < usual:
        return "pair" if hazards else "none"
    return "look"


@cache
def _usual_share() -> float:
    """Share of unseen safe scenes in usual looks.

    Chosen so that safe twins have usual looks as often as hazards do, which is in the scenes whose
    novelty is a pair.
    """
    hazards = hazards_usual = safe = safe_usual = safe_alone = 0.0
    for total, share in _OBJECTS.items():
        for bad, given in _HAZARDS[total].items():
            weight = share * given
            hazards += weight * bad
            safe += weight * (total - bad)
            if bad > 1:
                hazards_usual += weight * bad * _PAIR_SHARE
                safe_usual += weight * (total - bad) * _PAIR_SHARE
            if bad == 0:
                safe_alone += weight * total
    return (safe * hazards_usual / hazards - safe_usual) / safe_alone


def _pick(rng: random.Random, shares: dict[int, float]) -> int:
    return rng.choices(tuple(shares), tuple(shares.values()))[0]
