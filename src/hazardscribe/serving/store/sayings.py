"""What the model said, kept and rejected: statements within a transaction of the caller's."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from hazardscribe.serving.engine import Described
from hazardscribe.serving.store.errors import AlreadyConfirmedError, NotFoundError
from hazardscribe.serving.store.records import clean, monday
from hazardscribe.serving.store.rows import check_id
from hazardscribe.serving.store.tables import proposals, sayings


def add_sayings(
    connection: Connection, said: Sequence[Described], model: str, asked_by: str
) -> list[str]:
    """Keep what a model said of photos, at least one, each under the id that is given back."""
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for one in said:
        categories = [clean(suggestion.category) for suggestion in one.suggestions]
        rows.append(
            {
                "id": secrets.token_hex(16),
                "at": now,
                "asked_by": clean(asked_by),
                "model": clean(model),
                "text": clean(one.text),
                "draft": clean(one.draft),
                "alternatives": [clean(text) for text in one.alternatives],
                "confidence": one.confidence,
                "doubt": one.doubt,
                "categories": categories,
                "category": categories[0] if categories else "",
            }
        )
    connection.execute(insert(sayings), rows)
    return [str(row["id"]) for row in rows]


def reject_saying(connection: Connection, saying: str, by: str) -> None:
    """Count a saying as thrown away; once more changes nothing.

    Raises:
        NotFoundError: the store does not know it, or no longer.
        AlreadyConfirmedError: a record was made from it.
    """
    check_id(saying)
    now = datetime.now(UTC)
    used = exists().where(proposals.c.saying_id == sayings.c.id)
    query = select(sayings.c.rejected_at, used.label("used")).where(sayings.c.id == saying)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(saying)
    if row.used:
        raise AlreadyConfirmedError(saying)
    if row.rejected_at is None:
        rejected = {"rejected_at": now, "rejected_by": by, "rejected_week": monday(now)}
        connection.execute(update(sayings).where(sayings.c.id == saying).values(rejected))
