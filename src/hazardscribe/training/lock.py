"""One training at a time in a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hazardscribe.errors import InputError
from hazardscribe.files import locked

LOCK_FILE = ".lock"


@contextmanager
def one_training(folder: Path) -> Iterator[None]:
    """Hold a run folder, see `files.locked`.

    Raises:
        InputError: if another process holds it, or it cannot be written.
    """
    with ExitStack() as held:
        if not folder.exists():
            held.callback(_leave_nothing, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / LOCK_FILE, timeout=0))
        except TimeoutError as error:
            raise InputError(
                f"{folder}: another training is writing to this folder. Wait until it has ended "
                "or stop it, or name another folder with --out."
            ) from error
        except OSError as error:
            raise InputError(
                f"--out {folder}: cannot be written ({error.strerror or error}). Check the path "
                "and the free space, or name another folder."
            ) from error
        yield


def _leave_nothing(folder: Path) -> None:
    """What failed before it wrote anything leaves no folder."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] in ([], [LOCK_FILE]):
            (folder / LOCK_FILE).unlink(missing_ok=True)
            folder.rmdir()
