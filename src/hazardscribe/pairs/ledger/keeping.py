"""Photos on their way into the folder of pairs: checked, hashed and stored as they are.

One photo is held at a time for each worker, so that memory does not grow with the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.near_duplicates import Look, look_at
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.write import digest_name
from hazardscribe.threads import mapped

Refused = tuple[str, str]
"""(reason code, detail)."""

Wanted = tuple[str, Callable[[], bytes]]
"""(key of a photo, what reads its bytes)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A photo that can be used.

    Attributes:
        name: its path in the folder of pairs.
        digest: SHA-256 of its bytes in hex.
        likeness: its look; None where the picture is too even to tell.
    """

    name: str
    digest: str
    likeness: Look | None


def keep_photos(
    photos: Iterable[Wanted], folder: Path | None
) -> Iterator[tuple[str, Kept | Refused]]:
    """Check each photo and store it under its digest.

    Args:
        photos: (key, what reads its bytes), read one after the other in this thread.
        folder: the folder of pairs; None stores nothing.

    Returns:
        (key, the kept photo or why it is refused), in the order given.
    """
    if folder is not None:
        (folder / "photos").mkdir(exist_ok=True)
    workers = max(1, min(8, os.cpu_count() or 1))
    return mapped(partial(_keep, folder=folder), map(_read, photos), workers, workers)


def _read(photo: Wanted) -> tuple[str, bytes | Refused]:
    key, read = photo
    try:
        return key, read()
    except InputError as error:
        return key, _refused(error)


def _keep(photo: tuple[str, bytes | Refused], folder: Path | None) -> tuple[str, Kept | Refused]:
    key, content = photo
    if isinstance(content, tuple):
        return key, content
    try:
        likeness = look_at(content)
    except PhotoError as error:
        return key, _refused(error)
    digest = photo_digest(content)
    name = f"photos/{digest_name(digest, content[:1024])}"
    if folder is not None and not (folder / name).exists():
        (folder / name).write_bytes(content)
    return key, Kept(name, digest, likeness)


def _refused(error: InputError) -> Refused:
    if isinstance(error, PhotoError):
        return "photo_unreadable", say(f"unreadable_{error.reason}", cause=str(error))
    # A picture of a workbook whose bytes are damaged costs its own row, not the whole ledger.
    return "picture_damaged", say("picture_damaged", cause=str(error))
