"""How each kind is said, in Chinese and English; the wordings stand in `phrases.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hazardscribe import pattern_file


@dataclass(frozen=True, slots=True)
class Phrases:
    """One kind's wordings in one language.

    Attributes:
        objects: names of the object, with `{n}`, `{c}`, `{s}` (English plural) and `[]`.
        defects: what is wrong with it.
        risks: what may follow.
        safe: statements that it is in order.
    """

    objects: tuple[str, ...]
    defects: tuple[str, ...]
    risks: tuple[str, ...]
    safe: tuple[str, ...]


@cache
def phrases() -> Mapping[str, Mapping[str, Phrases]]:
    """Language (`zh`, `en`) -> kind -> its wordings."""
    text = (resources.files(__package__) / "phrases.yaml").read_text(encoding="utf-8")
    kinds = pattern_file.parse(text, "phrases.yaml")
    return {
        language: {
            kind: Phrases(**{part: tuple(said) for part, said in of[language].items()})
            for kind, of in kinds.items()
        }
        for language in ("zh", "en")
    }
