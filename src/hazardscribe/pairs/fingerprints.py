"""By what a photo is known again where the photo itself is not kept.

Two numbers of 64 bits: the first eight bytes of its file's SHA-256, which a copy shares, and the
difference hash of its look, which the same picture in another size or file format has within a few
bits. A list of them shows no picture.

A hash without miniatures must be compared strictly. `NEAR` bits link 99 % of 250 photos of site-ppe
to their copy of half the size and 94 % to one with a date printed into it, but 24 % to one cropped
by 2 %; they link no two different photos there, nor among 2,900 drawn scenes, of which 4 bits link
ten pairs (`benchmarks/near_duplicates.py`).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import PhotoError
from hazardscribe.files import locked, write_whole
from hazardscribe.pairs.near_duplicates import difference_hash
from hazardscribe.pairs.photo import LOADER_VERSION
from hazardscribe.pairs.photo_file import file_status, photo_digest

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

NEAR = 2
"""Bits of 64 in which the looks of two pictures of the same may differ."""

_BLOCK = 1 << 22  # pairs of looks that are compared at once

Pixels = Callable[[str], "np.ndarray"]


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """Those of N photos, in their order.

    Attributes:
        digests: `(N,)` uint64, of the files' bytes; 0 where a file cannot be read.
        looks: `(N,)` uint64, difference hashes; 0 where a picture is too even to tell, or cannot
            be read.
    """

    digests: np.ndarray
    looks: np.ndarray

    def are_in(self, digests: np.ndarray) -> np.ndarray:
        """Whether each photo's file is one of those: `(N,)` bool."""
        import numpy as np

        found: np.ndarray = np.isin(self.digests, digests) & (self.digests != 0)
        return found

    def are_near(self, looks: np.ndarray) -> np.ndarray:
        """Whether each photo looks nearly like one of those: `(N,)` bool."""
        import numpy as np

        found: np.ndarray = np.zeros(len(self.looks), dtype=bool)
        rows = max(1, _BLOCK // max(1, len(looks)))
        for start in range(0, len(found) if len(looks) else 0, rows):
            part = slice(start, start + rows)
            apart = np.bitwise_count(self.looks[part, None] ^ looks[None])
            found[part] = (apart <= NEAR).any(1)
        found &= self.looks != 0
        return found


def fingerprints(
    photos: Sequence[str], pixels: Pixels, *, kept: Path | None = None, threads: int = 0
) -> Fingerprints:
    """Take those of photo files.

    Args:
        photos: paths. pixels: gives a photo's pixels, `(H, W, 3)` uint8.
        kept: a file in which they are kept for the next time; a photo is known again by absolute
            path, size and modification time. Its folder is there.
        threads: photos at a time; 0: one a core. 1 where `pixels` cannot be called from several.
    """
    import numpy as np

    keys = [os.path.abspath(photo) for photo in photos]  # noqa: PTH100 (once per sample)
    # Of several processes that ask for the same, the first takes them and the others find them.
    alone = None if kept is None else locked(kept.with_suffix(".lock"), unless_read_only=True)
    with alone or nullcontext():
        known = {} if kept is None else _read(kept)
        status = {key: file_status(key) for key in keys}
        missing = [key for key in status if known.get(key, [])[:2] != status[key]]
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            found = dict(zip(missing, pool.map(partial(_take, pixels), missing), strict=True))
        known |= {key: [*status[key], *taken] for key, taken in found.items()}
        if kept is not None and missing:
            _keep(kept, {key: entry for key, entry in known.items() if entry[2]})
    both = np.array([known[key][2:] for key in keys], dtype=np.uint64).reshape(-1, 2)
    return Fingerprints(both[:, 0], both[:, 1])


def kept_fingerprints(folder: Path, bound: int) -> Path:
    """The file, beside a pixel cache, for those of photos decoded within its bound."""
    return folder / f"fingerprints-b{bound}-v{LOADER_VERSION}.json"


def _take(pixels: Pixels, photo: str) -> tuple[int, int]:
    from PIL import Image

    try:
        digest = int.from_bytes(bytes.fromhex(photo_digest(photo)[:16]), "little")
        return digest, difference_hash(Image.fromarray(pixels(photo))) or 0
    except PhotoError:
        return 0, 0


def _read(kept: Path) -> dict[str, list[int]]:
    try:
        stored: Any = json.loads(kept.read_text(encoding="utf-8"))
        return {key: entry for key, entry in stored.items() if len(entry) == 4}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # they are taken anew


def _keep(kept: Path, entries: dict[str, list[int]]) -> None:
    """Write the file; that it fails costs only that they are taken again."""
    text = json.dumps(entries, separators=(",", ":"))
    try:
        write_whole(kept, lambda draft: draft.write_text(text, encoding="utf-8"))
    except OSError as error:
        log.debug("%s: fingerprints could not be kept: %s", kept, error)
