"""Vectors that take long to compute, kept between runs: of training texts, of past photos.

A cache that cannot be used costs time and nothing else: it is told once and done without.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

logger = logging.getLogger(__name__)


class VectorCache:
    """Float32 vectors by key, in an SQLite file that several processes may use.

    Args:
        path: the file; made when it is first needed. None: nothing is kept.
        what: is kept, for the log: `texts`, `photos`.
    """

    def __init__(self, path: Path | None, what: str) -> None:
        self._path, self._what = path, what

    def find(self, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """The vectors `(D,)` of those keys that are there."""
        found: dict[str, np.ndarray] = {}

        def look_up(store: sqlite3.Connection) -> None:
            for key in keys:
                ask = "SELECT value FROM vectors WHERE key = ?"
                row = store.execute(ask, (key,)).fetchone()
                if row is not None:
                    found[key] = np.frombuffer(row[0], dtype="<f4").copy()

        self._use(look_up)
        return found

    def keep(self, vectors: Mapping[str, np.ndarray]) -> None:
        """Add vectors `(D,)`, in place of what their keys had."""
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        ask = "INSERT OR REPLACE INTO vectors VALUES (?, ?)"
        self._use(lambda store: store.executemany(ask, rows))

    def _use(self, use: Callable[[sqlite3.Connection], object]) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=60)) as store:
                store.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, value BLOB)"
                )
                use(store)
                store.commit()
        except (sqlite3.Error, OSError) as error:
            # No class below it: the file is damaged or no database. The others, such as a lock or
            # a full disk, say nothing against the file.
            damaged = type(error) is sqlite3.DatabaseError
            logger.warning(
                "%s: the cache of vectors of %s cannot be used (%s); they are encoded anew%s",
                *(self._path, self._what, error, ", into a new one" if damaged else ""),
            )
            if damaged:
                for name in (self._path.name, f"{self._path.name}-journal"):
                    self._path.with_name(name).unlink(missing_ok=True)
            else:
                self._path = None
