"""One training at a time in a run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hazardscribe.errors import InputError

logger = logging.getLogger(__name__)

LOCK_FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder; the system lets go of it when the process ends, however it ends.

    Raises:
        InputError: if another process holds it, or it cannot be written.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{folder}: another training is writing to this folder. Wait until it has ended or "
            "stop it, or name another folder with --out."
        ) from error
    except NotImplementedError:  # some network file systems
        logger.warning(
            "%s: this file system has no locks; see to it that no other training writes there",
            folder,
        )
    except OSError as error:
        raise InputError(
            f"--out {folder}: cannot be written ({error.strerror or error}). Check the path and "
            "the free space, or name another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
        if made:  # what failed before it wrote anything leaves no folder
            with suppress(OSError):
                if [path.name for path in folder.iterdir()] in ([], [LOCK_FILE]):
                    (folder / LOCK_FILE).unlink(missing_ok=True)
                    folder.rmdir()
