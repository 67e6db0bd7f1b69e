"""What the store refuses, each with what a client is told of it.

Only `StoreUnavailableError` is the store's own trouble; all others say what is wrong with the
request. What cannot be opened at all is an `InputError`, as it stops the start.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from sqlalchemy.exc import DBAPIError

from hazardscribe.serving.errors import ApiError, no_room
from hazardscribe.serving.schemas import Finding


class StoreError(ApiError):
    """Something was not done; the store is as it was before.

    Args:
        cause: what it was about, for the log: no client is told.
    """

    refusal: ClassVar[tuple[int, str, str, str]]
    """Status, code, and the sentences."""

    def __init__(self, cause: str = "") -> None:
        super().__init__(
            *self.refusal, headers={"Retry-After": "10"} if self.refusal[0] == 503 else {}
        )
        self.cause = cause

    def __str__(self) -> str:
        return self.cause or super().__str__()


class StoppingError(StoreError):
    """The server stops, and does not wait for an export."""

    refusal = (
        503,
        "draining",
        "服务器正在停止，请稍后重试。",
        "The server is stopping; try again later.",
    )


class NotFoundError(StoreError):
    """There is no such record, photo or saying, or it was deleted."""

    refusal = (
        404,
        "not_found",
        "没有这条记录或照片，可能已被删除。",
        "There is no such record or photo; it may have been deleted.",
    )


class EditConflictError(StoreError):
    """Somebody else changed the record first.

    Args:
        current: the record as it is now, which the client is shown.
    """

    refusal = (
        412,
        "edit_conflict",
        "他人已先修改这条记录。您的修改尚未保存，请对照最新内容后再提交。",
        "Somebody else changed this record first. Your change is not saved; compare it with the "
        "record as it is now, and send it again.",
    )

    def __init__(self, current: Finding) -> None:
        super().__init__(f"record {current.number} is at version {current.version}")
        self.current = current
        self.extra = {"current": current.model_dump(mode="json")}


class KeyReusedError(StoreError):
    """The idempotency key came with another body before."""

    refusal = (
        409,
        "key_reused",
        "同一个 Idempotency-Key 已用于另一条内容不同的提交，请换一个。",
        "This Idempotency-Key came with another request before; use a new one.",
    )


class DeletedError(StoreError):
    """The record that was confirmed with this idempotency key has been deleted since."""

    refusal = (
        409,
        "deleted",
        "这条记录提交过，之后已被管理员删除。",
        "This record was confirmed before and has been deleted since.",
    )


class AlreadyConfirmedError(StoreError):
    """What a person has confirmed cannot be rejected any more."""

    refusal = (
        409,
        "already_confirmed",
        "这段描述已确认进入台账，不能再作废。",
        "This text was confirmed into the ledger and cannot be rejected any more.",
    )


class EmptyTextError(StoreError):
    """A finding needs a text."""

    refusal = (422, "empty_text", "请填写隐患描述。", "Write what the hazard is.")


class BadCursorError(StoreError):
    """The cursor is none that `Store.find` gave."""

    refusal = (
        422,
        "bad_cursor",
        "cursor 无效，请从第一页重新开始。",
        "The cursor is not valid; begin again at the first page.",
    )


class NothingToExportError(StoreError):
    """None of the records has a photo and a text."""

    refusal = (
        404,
        "nothing_to_export",
        "所选记录中没有带照片的描述可供导出。",
        "None of these records has a photo and a text to learn from.",
    )


class StoreUnavailableError(StoreError):
    """The disk is full or read-only, or the database does not answer; nothing was half-written.

    Args:
        full: whether space is what is missing.
    """

    refusal = (
        503,
        "store_unavailable",
        "台账暂时无法读写，请稍后重试。",
        "The ledger cannot be read or written at the moment; try again later.",
    )

    def __init__(self, cause: str, *, full: bool = False) -> None:
        super().__init__(cause)
        self.full = full
        if full:
            room = no_room()
            self.code, self.zh, self.en = room.code, room.zh, room.en


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
