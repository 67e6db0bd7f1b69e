"""Renders the whole ledger: photos and `pairs.csv`, the same bytes whatever the machine's load."""

import csv
import json
import multiprocessing
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.pairs.scenes.compose import compose, scene_seed
from hazardscribe.pairs.scenes.picture import take_photo
from hazardscribe.pairs.scenes.wording import describe_en, describe_zh

COLUMNS = ("photo", "description", "description_en", "hazard", "split", "facts")

_SMALLEST = (128, 96)
_CHUNK = 50  # scenes a worker takes at a time
_Task = tuple[str, str, int, int, int, int]
_Row = tuple[str, str, str, int, str, str]


def render_scenes(
    out: Path,
    *,
    train: int = 2400,
    dev: int = 200,
    validation: int = 300,
    seed: int = 0,
    width: int = 256,
    height: int = 192,
    workers: int = 1,
) -> Path:
    """Renders photos of made-up scenes with descriptions, for the demo and for tests.

    Args:
        out: folder to write `photos/*.jpg` and `pairs.csv` into; made where missing.
        train: number of training scenes.
        dev: number of scenes for choosing, with combinations that training never shows.
        validation: number of scenes for reporting, likewise.
        seed: another seed gives other scenes; the withheld combinations stay.
        width: photo width in pixels.
        height: photo height in pixels.
        workers: processes; the result does not depend on it.

    Returns:
        `out`.

    Raises:
        InputError: a number is out of range, or `out` is a file or holds other photos.
    """
    sizes = {"train": train, "dev": dev, "validation": validation}
    _check(sizes, width, height, workers)
    photos = _photo_folder(out, sizes)
    tasks: list[_Task] = [
        (str(photos), split, index, seed, width, height)
        for split, size in sizes.items()
        for index in range(size)
    ]
    with (out / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_rows(tasks, workers))
    return out


def _rows(tasks: list[_Task], workers: int) -> Iterator[_Row]:
    if workers == 1:
        yield from map(_render, tasks)
        return
    # Started afresh, not forked: the caller may already run threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_render, tasks, chunksize=_CHUNK)


def _render(task: _Task) -> _Row:
    """Writes one photo and returns its row."""
    photos, split, index, seed, width, height = task
    own = scene_seed(seed, split, index)
    items = compose(random.Random(own), unseen=split != "train")
    name = _name(split, index)
    take_photo(items, own, width, height).save(Path(photos) / name, quality=90)
    hazards = [item.facts() for item in items if item.hazard]
    facts = {"hazards": hazards, "safe": [item.facts() for item in items if not item.hazard]}
    words = random.Random(own + 1)
    return (
        f"photos/{name}",
        describe_zh(items, words),
        describe_en(items, words),
        int(bool(hazards)),
        split,
        json.dumps(facts, ensure_ascii=False),
    )


def _name(split: str, index: int) -> str:
    return f"{split}-{index:05d}.jpg"


def _check(sizes: dict[str, int], width: int, height: int, workers: int) -> None:
    for split, size in sizes.items():
        if size < 0:
            raise InputError(
                f"{split}={size}: the number of scenes cannot be negative; give 0 or more"
            )
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        raise InputError(
            f"width={width}, height={height}: nothing can be recognised in scenes below "
            f"{_SMALLEST[0]}x{_SMALLEST[1]} pixels; give a larger size"
        )
    if workers < 1:
        raise InputError(f"workers={workers}: at least one process is needed; give 1 or more")


def _photo_folder(out: Path, sizes: dict[str, int]) -> Path:
    """The folder for the photos; refuses one whose other files would be taken for scenes."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder to write the scenes into")
    photos = out / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    ours = {_name(split, index) for split, size in sizes.items() for index in range(size)}
    strange = min((p.name for p in photos.iterdir() if p.name not in ours), default=None)
    if strange:
        raise InputError(
            f"{photos} already holds other files ({strange}); empty it or name another folder"
        )
    return photos
