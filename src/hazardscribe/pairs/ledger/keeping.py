"""Photos on their way into the folder of pairs: checked, hashed and stored as they are.

One photo is held at a time for each worker, so that memory does not grow with the ledger.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.near_duplicates import Look, look_at
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.sentences import say
from hazardscribe.pairs.write import digest_name

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
    photos: Iterable[tuple[str, Callable[[], bytes]]], folder: Path | None
) -> Iterator[tuple[str, Kept | Refused]]:
    """Check each photo and store it under its digest.

    Args:
        photos: (key, what reads its bytes), read one after the other in this thread.
        folder: the folder of pairs; None stores nothing.

    Yields:
        (key, the kept photo or why it is refused), in the order given.
    """
    workers = max(1, min(8, os.cpu_count() or 1))
    if folder is not None:
        (folder / "photos").mkdir(exist_ok=True)
    waiting: deque[tuple[str, Future[Kept | Refused] | Refused]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for key, read in photos:
            try:
                waiting.append((key, pool.submit(_keep, read(), folder)))
            except InputError as error:
                waiting.append((key, _refused(error)))
            if len(waiting) > workers:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)


def _next(
    waiting: deque[tuple[str, Future[Kept | Refused] | Refused]],
) -> tuple[str, Kept | Refused]:
    key, result = waiting.popleft()
    return key, result if isinstance(result, tuple) else result.result()


def _keep(content: bytes, folder: Path | None) -> Kept | Refused:
    try:
        likeness = look_at(content)
    except PhotoError as error:
        return _refused(error)
    digest = photo_digest(content)
    name = f"photos/{digest_name(digest, content[:1024])}"
    if folder is not None and not (folder / name).exists():
        (folder / name).write_bytes(content)
    return Kept(name, digest, likeness)


def _refused(error: InputError) -> Refused:
    if isinstance(error, PhotoError):
        return "photo_unreadable", say(f"unreadable_{error.reason}", cause=str(error))
    # A picture of a workbook whose bytes are damaged costs its own row, not the whole ledger.
    return "picture_damaged", say("picture_damaged", cause=str(error))
