"""Folders and files that are either whole or not there: written beside, flushed, then renamed."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from hazardscribe.errors import InputError

log = logging.getLogger(__name__)
_MAY_NOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)
_TRIES = 10  # of putting a folder in place; each needs a reader within microseconds to fail
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `target` when the block ends well.

    A crash inside the block leaves `target` as it was; a crash between the two renames leaves the
    former folder under its hidden name, and `recover_folder` brings it back. Where `target` is a
    symbolic link, the folder that it leads to is replaced and the link stays.

    Raises:
        InputError: if the folder cannot be written (read-only, full disk) or renamed, or another
            process is writing it.
    """
    target = Path(target)
    place = places_of(target)[0]
    _check_replaceable(place, target)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place, target), _replacing(place) as partial:
            yield partial
    except Exception as error:
        failure = writing_failure(error)
        if failure is None:
            raise
        full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Free some space or name" if full else "Check the path, or name"
        raise InputError(
            f"{target}: could not be written: {failure.strerror or failure}. "
            f"What was there before is unchanged. {remedy} another folder."
        ) from error


@contextmanager
def _alone(place: Path, target: Path) -> Iterator[None]:
    """Keep a second writer away: both would write the same draft, and neither have it whole."""
    lock = place.with_name(f".{place.name}.writing")  # `.lock` is for who reads and writes
    with ExitStack() as held:
        try:
            held.enter_context(locked(lock, timeout=0))
        except TimeoutError as error:
            raise InputError(
                f"{target}: another process is writing this folder. Wait until it has ended, or "
                "name another folder."
            ) from error
        try:
            yield
        finally:  # while it is held: afterwards it may be somebody else's
            with suppress(OSError):
                lock.unlink()


@contextmanager
def _replacing(place: Path) -> Iterator[Path]:
    """The draft, which takes the folder's place when the block ends well."""
    _, partial, previous = places_of(place)
    try:
        recover_folder(place)
        _remove(partial)
        partial.mkdir()
        yield partial
        usual = partial.stat().st_mode & 0o666
        for path in sorted(partial.rglob("*")):
            if path.suffix == ".safetensors":  # its library writes for the owner alone
                path.chmod(usual)
            flush(path)
        flush(partial)
        _put_in_place(partial, place, previous)
        flush(place.parent)
        shutil.rmtree(previous, ignore_errors=True)
    finally:  # after success nothing of this is left
        shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):
            recover_folder(place)


def places_of(target: Path) -> tuple[Path, Path, Path]:
    """Where `new_folder` puts a folder, its draft and its predecessor; links are followed.

    Beside the link, a draft could lie on another disk than the folder, and not be renamed into it.
    """
    place = Path(os.path.realpath(target))
    if not place.name:  # the root: nothing lies beside it, and `new_folder` refuses it
        return place, place, place
    partial, previous = f".{place.name}.partial", f".{place.name}.previous"
    return place, place.with_name(partial), place.with_name(previous)


def _check_replaceable(place: Path, target: Path) -> None:
    """Refuse, before any work, a folder that cannot be renamed or whose renaming would hurt."""
    if not place.name or os.path.ismount(place):
        raise InputError(
            f"{target}: is the top of a disk, which cannot be replaced as a whole. "
            f"Name a folder on it, such as {target / 'new'}."
        )
    if _is_inside(place):
        raise InputError(
            f"{target}: is the folder you are in, or holds it, and cannot be replaced as a whole. "
            f"Name a folder in it, such as {target / 'new'}, or run this from elsewhere."
        )


def _is_inside(folder: Path) -> bool:
    """Whether the process works in the folder or below it."""
    try:
        return Path.cwd().is_relative_to(folder)
    except FileNotFoundError:  # where it worked has been deleted
        return False


def _remove(folder: Path) -> None:
    """Delete a draft or a predecessor; in place of one, a former version could leave a link."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(partial: Path, target: Path, previous: Path) -> None:
    """The two renames, again where a reader's `recover_folder` came between them."""
    for remaining in reversed(range(_TRIES)):
        _remove(previous)
        if target.exists():
            target.rename(previous)
        try:
            partial.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not remaining:
                raise
        else:
            return


def writing_failure(error: Exception) -> OSError | None:
    """The system's error of a file that could not be written, also where a library hides it.

    safetensors gives its number within a text; `torch.save` says that its archive broke off.
    """
    if isinstance(error, OSError):
        return error
    numbered = _OS_ERROR.search(str(error))
    if numbered and type(error).__name__ == "SafetensorError":
        return OSError(int(numbered[1]), os.strerror(int(numbered[1])))
    if isinstance(error, RuntimeError) and "inline_container.cc" in str(error):
        return OSError(errno.EIO, "the disk is full, or the file is larger than allowed")
    return None


def check_writable(folder: Path) -> None:
    """Make sure, before long work, that a folder can be made and written; leaves nothing behind.

    Args:
        folder: where results will go, named with `--out`.

    Raises:
        InputError: if it is a file, or cannot be made or written.
    """
    made: list[Path] = []
    try:
        for part in reversed([folder, *folder.parents]):
            if not part.exists():
                part.mkdir()
                made.append(part)
        if not folder.is_dir():
            raise InputError(f"--out {folder}: is a file, not a folder. Name another folder.")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"--out {folder}: cannot be written ({error.strerror or error}). Check the path, or "
            "name another folder."
        ) from error
    finally:
        for part in reversed(made):
            with suppress(OSError):
                part.rmdir()


def recover_folder(target: Path) -> None:
    """Bring back a folder whose replacement was cut off between its two renames."""
    place, _, previous = places_of(target)
    if previous.exists() and not place.exists():
        try:
            previous.rename(place)
        except OSError:
            if not place.exists():  # else its writer was still at work, and has finished
                raise


def draft_of(path: Path) -> Path:
    """Where a file is written before it is renamed into place."""
    return path.with_name(f".{path.name}.partial")


def publish(draft: Path, path: Path) -> None:
    """Flush a finished draft to disk and rename it into place."""
    flush(draft)
    draft.replace(path)


def write_whole(path: Path, write: Callable[[Path], object], *, rivals: bool = False) -> None:
    """Write beside the path, flush to disk, then rename: all of the file or nothing.

    Args:
        rivals: other processes may write the same file now, so the draft has a name of its own;
            killed, this one leaves it there. The last to finish wins.
    """
    draft = draft_of(path)
    if rivals:
        draft = draft.with_name(f"{draft.name}-{secrets.token_hex(4)}")
    try:
        draft.touch()
        usual = draft.stat().st_mode
        write(draft)
        draft.chmod(usual)  # see `_replacing`
        publish(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, data: Any) -> None:
    """Write JSON (UTF-8, readable Chinese) whole or not at all."""
    text = json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n"
    # A lone surrogate, of a file name that is not UTF-8, is written as JSON's own escape.
    odd = "backslashreplace"
    write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8", errors=odd))


def cache_folder(*parts: str) -> Path:
    """The folder for what can be made again: `$HAZARDSCRIBE_CACHE` or `~/.cache/hazardscribe`."""
    root = os.environ.get("HAZARDSCRIBE_CACHE") or str(Path.home() / ".cache" / "hazardscribe")
    return Path(root, *parts)


def flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, timeout: float = -1, unless_read_only: bool = False) -> Iterator[None]:
    """Hold an advisory lock that the system lets go of when the process ends, however it ends.

    Some network file systems know no locks: a warning says so, and nobody is kept apart.

    Args:
        timeout: seconds to wait for who holds it; -1: as long as it takes.
        unless_read_only: go without where the folder may only be read: it has no writers to keep
            apart.

    Raises:
        TimeoutError: if it is held for longer.
        OSError: if the file cannot be written.
    """
    # Nothing in place of a lock that a file system lacks: a file would outlive a killed process.
    lock = FileLock(path, timeout=timeout, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            log.warning(
                "%s: this file system knows no locks; see to it that no other process writes there",
                path.parent,
            )
        elif not (unless_read_only and error.errno in _MAY_NOT_WRITE):
            raise
    try:
        yield
    finally:
        lock.release()
