"""What is forgotten, and when: texts that nobody confirmed, and, if wished, old records.

Of a saying that a person rejected stays that it was rejected, by which model and under which
category, for the dashboard; its texts go with the others. A record that is kept for `keep_days` is
then deleted as if an administrator had done so, photos and history included.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, select, update
from starlette.concurrency import run_in_threadpool

from hazardscribe.serving.store.errors import NotFoundError, StoreError
from hazardscribe.serving.store.store import Store
from hazardscribe.serving.store.tables import findings, proposals, sayings

log = logging.getLogger(__name__)

EVERY = 24 * 3600.0
BY = "retention"
"""Who deleted a record, in its tombstone."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept.

    Attributes:
        keep_unconfirmed_days: what the model said and no record was made from.
        keep_days: records, from the day they were confirmed; None for ever.
    """

    keep_unconfirmed_days: int = 30
    keep_days: int | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many sayings, records and stray photo files were removed."""

    sayings: int
    records: int
    files: int


def forget(store: Store, retention: Retention, now: datetime | None = None) -> Forgotten:
    """Remove what is beyond its time.

    Raises:
        StoreUnavailableError: the store does not answer; what is left is removed the next time.
    """
    now = now or datetime.now(UTC)
    said = _forget_sayings(store, now - timedelta(days=retention.keep_unconfirmed_days))
    records = 0
    if retention.keep_days is not None:
        before = now - timedelta(days=retention.keep_days)
        with store.database.read() as connection:
            old = select(findings.c.id).where(findings.c.created_at < before)
            ids = list(connection.execute(old).scalars())
        for finding in ids:
            try:
                store.delete(finding, BY)
                records += 1
            except NotFoundError:  # somebody was faster
                continue
    return Forgotten(said, records, store.sweep())


def _forget_sayings(store: Store, before: datetime) -> int:
    unused = ~exists().where(proposals.c.saying_id == sayings.c.id)
    old = (sayings.c.at < before) & unused
    with store.database.write() as connection:
        gone = connection.execute(delete(sayings).where(old, sayings.c.rejected_at.is_(None)))
        # Their model and category stay; what was said, and to whom, does not.
        blank = {"text": "", "draft": "", "alternatives": [], "categories": [], "asked_by": ""}
        told = old & sayings.c.rejected_at.is_not(None) & sayings.c.rejected_by.is_not(None)
        blanked = connection.execute(
            update(sayings).where(told).values(blank | {"rejected_by": None, "confidence": None})
        )
    # Also what a deletion had to leave in the log, as somebody was reading.
    store.database.forget_deleted()
    return gone.rowcount + blanked.rowcount


async def keep_forgetting(store: Store, retention: Retention, every: float = EVERY) -> None:
    """Forget now and once a day, until cancelled; a failure is logged and tried again next time."""
    while True:
        try:
            done = await run_in_threadpool(forget, store, retention)
            log.info(
                "retention: %d unconfirmed texts, %d records, %d stray files removed",
                *(done.sayings, done.records, done.files),
            )
        except StoreError as error:
            log.error("retention: %s; it is tried again in a day", error)
        except Exception:  # it must not end unseen while the server goes on
            log.exception("retention failed; it is tried again in a day")
        await asyncio.sleep(every)
