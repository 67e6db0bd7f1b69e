"""What the store refuses, each with a stable code.

Only `StoreUnavailableError` is the store's own trouble; all others say what is wrong with the
request. What cannot be opened at all is an `InputError`, as it stops the start.
"""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError

from hazardscribe.errors import PhotoError
from hazardscribe.serving.schemas import Finding


class StoreError(Exception):
    """Something was not done; the store is as it was before."""

    code = "store"


class StoppingError(StoreError):
    """The server stops, and does not wait for an export."""

    code = "draining"


class NotFoundError(StoreError):
    """There is no such record, photo or saying, or it was deleted."""

    code = "not_found"


class EditConflictError(StoreError):
    """Somebody else changed the record first.

    Attributes:
        current: the record as it is now.
    """

    code = "edit_conflict"

    def __init__(self, current: Finding) -> None:
        super().__init__(f"record {current.number} is at version {current.version}")
        self.current = current


class KeyReusedError(StoreError):
    """The idempotency key came with another body before."""

    code = "key_reused"


class DeletedError(StoreError):
    """The record that was confirmed with this idempotency key has been deleted since."""

    code = "deleted"


class AlreadyConfirmedError(StoreError):
    """What a person has confirmed cannot be rejected any more."""

    code = "already_confirmed"


class EmptyTextError(StoreError):
    """A finding needs a text."""

    code = "empty_text"


class PhotoRefusedError(StoreError):
    """A photo cannot be used.

    Attributes:
        place: which of the request's photos, from 0.
        cause: why.
    """

    code = "photo"

    def __init__(self, place: int, cause: PhotoError) -> None:
        super().__init__(f"photo {place}: {cause.reason}")
        self.place, self.cause = place, cause


class BadCursorError(StoreError):
    """The cursor is none that `Store.find` gave."""

    code = "bad_cursor"


class NothingToExportError(StoreError):
    """None of the records has a photo and a text."""

    code = "nothing_to_export"


class StoreUnavailableError(StoreError):
    """The disk is full or read-only, or the database does not answer; nothing was half-written.

    Attributes:
        full: whether space is what is missing.
    """

    code = "store_unavailable"

    def __init__(self, cause: str, *, full: bool = False) -> None:
        super().__init__(cause)
        self.full = full
        if full:
            self.code = "store_full"


def unavailable(error: OSError | DBAPIError) -> StoreUnavailableError:
    """What the disk or the database said, as an error of the store."""
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        where = f"{error.filename}: " if error.filename else ""
        return StoreUnavailableError(where + (error.strerror or type(error).__name__), full=full)
    said = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
    state = getattr(error.orig, "sqlstate", None) or ""
    # SQLite names it in words; PostgreSQL's class 53 are missing resources, 53100 a full disk.
    full = "disk is full" in said or state == "53100"
    return StoreUnavailableError(said, full=full)
