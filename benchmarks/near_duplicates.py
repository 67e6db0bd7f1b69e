"""Which photos count as near-duplicates? Found copies and false twins of each definition.

    python benchmarks/near_duplicates.py --data DIR [--out benchmarks/results/near_duplicates.json]

DIR holds photos/. Of 250 of them, altered copies are made (stored smaller, cropped, turned ...),
and it is counted how many each definition still links to their original. The other side: how many
of all pairs of *different* photos it links, in DIR and among 2,900 drawn scenes. The pairs of DIR
that it links are listed, to be looked at. The definition in use is `near_duplicates`: hashes
within `MAX_DISTANCE` bits and miniatures that correlate by `MIN_LIKENESS`.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from hazardscribe.pairs.fingerprints import NEAR
from hazardscribe.pairs.near_duplicates import MAX_DISTANCE, MIN_LIKENESS, Look, likeness, look_at
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.scenes import render_scenes

COPIES = 250
DEFINITIONS = {
    "hash 2": (NEAR, -1.0),  # of a photo that is not kept: `pairs/fingerprints.py`
    "hash 4": (4, -1.0),
    "hash 8": (8, -1.0),
    "hash 8, likeness 0.9": (8, 0.9),
    "hash 10, likeness 0.9": (10, 0.9),
    "in use": (MAX_DISTANCE, MIN_LIKENESS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/near_duplicates.json"))
    args = parser.parse_args()
    photos = sorted((args.data / "photos").iterdir())
    result = {
        "copies_found": copies(random.Random(0).sample(photos, min(COPIES, len(photos)))),
        "different_photos_linked": {"data": linked(photos)},
    }
    with tempfile.TemporaryDirectory() as folder:
        scenes = render_scenes(Path(folder))
        result["different_photos_linked"]["drawn scenes"] = linked(
            sorted((scenes / "photos").iterdir()), named=False
        )
    print(json.dumps(result, indent=1))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def copies(photos: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Alteration -> share of the copies that each definition links to their original."""
    found: dict[str, dict[str, float]] = {}
    first = [look_at(photo) for photo in photos]
    for name, change in ALTERATIONS.items():
        second = [look_at(jpeg(change(load_photo(photo, bound=4096)))) for photo in photos]
        both = [(a, b) for a, b in zip(first, second, strict=True) if a and b]
        found[name] = {
            title: round(sum(near(a, b, *rule) for a, b in both) / len(photos), 3)
            for title, rule in DEFINITIONS.items()
        }
        least = np.percentile([likeness(a, b) for a, b in both], 5)
        found[name]["likeness, 5th percentile"] = round(float(least), 2)
    return found


def linked(photos: Sequence[Path], *, named: bool = True) -> dict[str, object]:
    """How many pairs of the photos each definition links."""
    looks = [(photo.name, look) for photo in photos if (look := look_at(photo))]
    hashes = np.array([look.hash for _, look in looks], dtype=np.uint64)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None])
    first, second = np.nonzero(np.triu(apart <= 12, k=1))
    pairs = [(looks[a], looks[b]) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    result: dict[str, object] = {"pairs": len(looks) * (len(looks) - 1) // 2}
    for title, rule in DEFINITIONS.items():
        result[title] = sum(near(a, b, *rule) for (_, a), (_, b) in pairs)
    if named:
        close = [(round(likeness(a, b), 3), (a.hash ^ b.hash).bit_count(), name, other)
                 for (name, a), (other, b) in pairs]  # fmt: skip
        result["likest within 12 bits"] = sorted(close, reverse=True)[:12]
    return result


def near(one: Look, other: Look, bits: int, least: float) -> bool:
    return (one.hash ^ other.hash).bit_count() <= bits and likeness(one, other) >= least


def jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return stream.getvalue()


def crop(share: float) -> Callable[[Image.Image], Image.Image]:
    """Cut that share off each side."""

    def cut(image: Image.Image) -> Image.Image:
        wide, high = image.size
        left, top = int(wide * share), int(high * share)
        return image.crop((left, top, wide - left, high - top))

    return cut


def shift(image: Image.Image) -> Image.Image:
    """The camera moved a little: 4 % off one side, 2 % off above and below."""
    wide, high = image.size
    return image.crop((int(wide * 0.04), int(high * 0.02), wide, int(high * 0.98)))


def turn(degrees: float, cut: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: crop(cut)(image.rotate(degrees, Image.Resampling.BICUBIC))


def stamp(image: Image.Image) -> Image.Image:
    """Date and place printed into the corner, as phone apps do."""
    marked = image.copy()
    size = max(10, image.height // 18)
    at = (int(image.width * 0.03), image.height - 3 * size)
    words = "2024-05-16 16:45:13\nWorkshop 2, east gate"
    ImageDraw.Draw(marked).multiline_text(at, words, fill=(255, 210, 60), font_size=size)
    return marked


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darker by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "date stamp": stamp,
    "cropped 1 %": crop(0.01),
    "cropped 2 %": crop(0.02),
    "cropped 4 %": crop(0.04),
    "shifted 4 %": shift,
    "turned 1 degree": turn(1, 0.02),
    "turned 2 degrees": turn(2, 0.03),
}


if __name__ == "__main__":
    main()
