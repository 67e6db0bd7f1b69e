"""Files that are no usable photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bad_inputs.world import Case, World
from hazardscribe.pairs.photo import load_photo
from serving.odd_photos import BAD


def _load(content: bytes, name: str = "a.jpg") -> Callable[[World], object]:
    return lambda world: load_photo(world.file(name, content))


def _folder(world: World) -> object:
    (world.tmp / "a.jpg").mkdir()
    return load_photo(world.tmp / "a.jpg")


def _link_to_itself(world: World) -> object:
    (world.tmp / "a.jpg").symlink_to(Path("a.jpg"))
    return load_photo(world.tmp / "a.jpg")


_BY_NAME: dict[str, str] = dict.fromkeys(BAD, "")
CASES: dict[str, Case] = {
    **{name: (_load(BAD[name][0]), said) for name, said in _BY_NAME.items()},
    "missing": (lambda world: load_photo(world.tmp / "none.jpg"), ""),
    "a folder": (_folder, ""),
    "a link to itself": (_link_to_itself, ""),
    "an endless device": (lambda world: load_photo("/dev/zero"), ""),
}
