"""Statements on the rows of one record, each within a transaction of its caller's."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from hazardscribe.serving.schemas import Finding
from hazardscribe.serving.store.errors import EditConflictError, NotFoundError
from hazardscribe.serving.store.records import (
    finding_of,
    history_fields,
    monday,
    outcome_after,
    proposal,
    search_text,
)
from hazardscribe.serving.store.tables import (
    about,
    changes,
    findings,
    keys,
    photos,
    proposals,
    sayings,
    tombstones,
)

log = logging.getLogger(__name__)

Row = Mapping[Any, Any]
_ID = re.compile(r"[0-9a-f]{32}")


def add_finding(
    connection: Connection,
    values: dict[str, Any],
    saying_ids: Sequence[str],
    names: Sequence[str],
    by: str,
) -> Finding:
    """Add a record under the next number, made from sayings that are still known.

    Args:
        connection: in a transaction that may write. So for all functions below.
        values: the fields of `NewFinding`, cleaned.
        saying_ids: what it was made from.
        names: ids of its photos, which are on the disk.
        by: who confirmed it.
    """
    now = datetime.now(UTC)
    offered = proposal(values["text"], _sayings(connection, saying_ids))
    # The row is locked until the end of the transaction, so numbers are given in turn, and
    # one that was not used after all is given to the next.
    counted = update(about).values(last_number=about.c.last_number + 1)
    number = connection.execute(counted.returning(about.c.last_number)).scalar_one()
    row: dict[str, Any] = values | {
        "id": secrets.token_hex(16),
        "number": number,
        "version": 1,
        "ai_text": offered.ai_text,
        "outcome": offered.outcome,
        "model": offered.model,
        "confidence": offered.confidence,
        "doubt": offered.doubt,
        "found_on": values["found_on"] or now.astimezone().date(),
        "status": "open",
        "confirmed_by": by,
        "created_at": now,
        "changed_at": now,
        "week": monday(now),
    }
    row["searched"] = search_text(row)
    connection.execute(insert(findings).values(row))
    _note_change(connection, row["id"], 1, now, by, history_fields({}, row))
    for table, column, ids in (
        (photos, "id", names),
        (proposals, "saying_id", offered.saying_ids),
    ):
        rows = [
            {"finding_id": row["id"], column: one, "position": position}
            for position, one in enumerate(ids)
        ]
        if rows:
            connection.execute(insert(table), rows)
    if offered.saying_ids:
        withdrawn = {"rejected_at": None, "rejected_by": None, "rejected_week": None}
        connection.execute(
            update(sayings).where(sayings.c.id.in_(offered.saying_ids)).values(withdrawn)
        )
    return finding_of(row, names)


def change_finding(
    connection: Connection, finding: str, wanted: Mapping[str, Any], version: int, by: str
) -> Finding:
    """Change fields of a record, unless it has another version by now; as it is afterwards.

    Args:
        wanted: the fields, cleaned. version: that the person had before them.

    Raises:
        NotFoundError: there is no such record.
        EditConflictError: it has another version.
    """
    before = row_of(connection, finding, lock=True)
    if before["version"] != version:
        raise EditConflictError(get_finding(connection, finding))
    fields = history_fields(before, wanted)
    if fields:
        now = datetime.now(UTC)
        after = {**before, **wanted, "version": version + 1, "changed_at": now}
        after["outcome"] = outcome_after(after["text"], after["ai_text"], after["outcome"])
        after["searched"] = search_text(after)
        connection.execute(update(findings).where(findings.c.id == finding).values(after))
        _note_change(connection, finding, version + 1, now, by, fields)
    return get_finding(connection, finding)


def remove_finding(connection: Connection, finding: str, by: str) -> tuple[int, list[str]]:
    """Remove a record and all that was only its own; its number, and the ids of its photos.

    Raises:
        NotFoundError: there is no such record.
    """
    row = row_of(connection, finding, lock=True)
    names = photo_ids(connection, [finding])[finding]
    mine = select(proposals.c.saying_id).where(proposals.c.finding_id == finding)
    said = list(connection.execute(mine).scalars())
    for table in (proposals, photos, changes):
        connection.execute(delete(table).where(table.c.finding_id == finding))
    if said:
        used = exists().where(proposals.c.saying_id == sayings.c.id)
        connection.execute(delete(sayings).where(sayings.c.id.in_(said), ~used))
    connection.execute(update(keys).where(keys.c.finding_id == finding).values(digest=""))
    connection.execute(delete(findings).where(findings.c.id == finding))
    grave = {"number": row["number"], "finding_id": finding, "deleted_by": by}
    connection.execute(insert(tombstones).values(grave | {"deleted_at": datetime.now(UTC)}))
    return row["number"], names


def check_id(text: str) -> None:
    """Refuse what was never given out, before a database is asked that may not even hold it."""
    if not _ID.fullmatch(text):
        raise NotFoundError(text)


def row_of(connection: Connection, finding: str, *, lock: bool = False) -> Row:
    """The row of a record; locked, nobody else changes it before the transaction ends.

    Raises:
        NotFoundError: there is no such record.
    """
    check_id(finding)
    query = select(findings).where(findings.c.id == finding)
    query = query.with_for_update() if lock else query  # SQLite has locked all already
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError(finding)
    return dict(row)


def get_finding(connection: Connection, finding: str) -> Finding:
    """A record with the ids of its photos.

    Raises:
        NotFoundError: there is no such record.
    """
    return finding_of(row_of(connection, finding), photo_ids(connection, [finding])[finding])


def photo_ids(connection: Connection, ids: Collection[str]) -> dict[str, list[str]]:
    """Record -> ids of its photos, in order."""
    found: dict[str, list[str]] = {one: [] for one in ids}
    query = select(photos.c.finding_id, photos.c.id).where(photos.c.finding_id.in_(ids))
    for finding, name in connection.execute(query.order_by(photos.c.position)):
        found[finding].append(name)
    return found


def _sayings(connection: Connection, ids: Sequence[str]) -> list[Row]:
    """The sayings that are known of those named, in that order."""
    named = list(dict.fromkeys(ids))
    wanted = [one for one in named if _ID.fullmatch(one)]
    if not named:
        return []
    # Locked, or retention could remove one before the record that names it is there.
    query = select(sayings).where(sayings.c.id.in_(wanted)).with_for_update()
    rows = {row["id"]: row for row in connection.execute(query).mappings()}
    if len(rows) < len(named):
        log.warning("%d sayings of a confirmed text are not known", len(named) - len(rows))
    return [rows[one] for one in wanted if one in rows]


def _note_change(
    connection: Connection,
    finding: str,
    version: int,
    at: datetime,
    by: str,
    fields: Mapping[str, tuple[str | None, str | None]],
) -> None:
    """Write a version's entry into the history of a record."""
    row = {"finding_id": finding, "version": version, "at": at, "by": by, "fields": dict(fields)}
    connection.execute(insert(changes).values(row))
