"""The tables of the ledger, the same on SQLite and PostgreSQL, and the version of their form.

    hs_about       one row: version of the form, the last running number given, the store's id
    hs_findings    the records
    hs_photos      which photos a record has, in order; the files lie beside (see `photos`)
    hs_changes     what became of each record, version by version
    hs_sayings     what the model said, whether or not anybody confirmed it
    hs_proposals   which sayings a record was made from
    hs_keys        idempotency keys of confirmations
    hs_tombstones  numbers of deleted records: who deleted them and when, nothing of their content

Moments are stored in UTC. `week` columns hold the Monday, in the server's local time, under which
the dashboard counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    inspect,
    select,
    text,
)

from hazardscribe.errors import InputError

SCHEMA_VERSION = 1

MIGRATIONS: dict[int, Callable[[Connection], None]] = {}
"""Version -> the step that brings the tables of that version to the next one."""

_LOCK = 0x68617A6172640A  # any number that other users of a PostgreSQL database do not choose


class Moment(TypeDecorator[datetime]):
    """A moment with its time zone: UTC in the database, whose own types differ on zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

about = Table(
    "hs_about",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("last_number", Integer, nullable=False),
    Column("store_id", String(32), nullable=False),
)

findings = Table(
    "hs_findings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("ai_text", Text),
    Column("outcome", String(10), nullable=False),
    Column("model", Text),
    Column("confidence", Float),
    Column("doubt", String(20)),
    Column("place", Text, nullable=False),
    Column("category", Text, nullable=False, index=True),
    Column("level", String(10), nullable=False),
    Column("measure", Text, nullable=False),
    Column("responsible", Text, nullable=False),
    Column("due", Date),
    Column("found_on", Date, nullable=False, index=True),
    Column("status", String(10), nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("week", Date, nullable=False, index=True),
    # What is searched: all texts in the form in which they are compared.
    Column("searched", Text, nullable=False),
)

photos = Table(
    "hs_photos",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("finding_id", ForeignKey("hs_findings.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Index("hs_photos_of_finding", "finding_id", "position", unique=True),
)

changes = Table(
    "hs_changes",
    metadata,
    Column("finding_id", ForeignKey("hs_findings.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("fields", JSON, nullable=False),
)

sayings = Table(
    "hs_sayings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("asked_by", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("draft", Text, nullable=False),
    Column("alternatives", JSON, nullable=False),
    Column("confidence", Float),
    Column("doubt", String(20)),
    Column("categories", JSON, nullable=False),
    Column("rejected_at", Moment),
    Column("rejected_by", Text),
    Column("rejected_week", Date, index=True),
    # Of a rejected saying: what the dashboard counts it under.
    Column("category", Text, nullable=False),
)

proposals = Table(
    "hs_proposals",
    metadata,
    Column("finding_id", ForeignKey("hs_findings.id"), primary_key=True),
    Column("saying_id", ForeignKey("hs_sayings.id"), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
)

keys = Table(
    "hs_keys",
    metadata,
    # A key is its sender's own: nobody gets another's record by guessing one.
    Column("by", Text, primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("digest", String(64), nullable=False),
    # Not a foreign key: it stays, without content, when the record goes.
    Column("finding_id", String(32), nullable=False, index=True),
    Column("at", Moment, nullable=False),
)

tombstones = Table(
    "hs_tombstones",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("finding_id", String(32), nullable=False, unique=True),
    Column("deleted_at", Moment, nullable=False),
    Column("deleted_by", Text, nullable=False),
)


def prepare(connection: Connection, name: str) -> None:
    """Make the tables, or bring those of an older version forward; within one transaction.

    Args:
        connection: in a transaction that may write.
        name: of the database, without password, for messages.

    Raises:
        InputError: the tables were made by a newer version of the program.
    """
    if connection.dialect.name == "postgresql":
        # Two servers that start at once would both make the tables.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not inspect(connection).has_table(about.name):
        metadata.create_all(connection, checkfirst=False)
        first: dict[str, Any] = {"id": 1, "schema_version": SCHEMA_VERSION, "last_number": 0}
        first["store_id"] = secrets.token_hex(16)
        connection.execute(about.insert().values(first))
        return
    found = connection.execute(select(about.c.schema_version)).scalar_one()
    if found > SCHEMA_VERSION:
        raise InputError(
            f"{name}: was written by a newer hazardscribe (tables of version {found}, this one "
            f"knows {SCHEMA_VERSION}); nothing was changed. Update hazardscribe, or name another "
            "store."
        )
    for version in range(found, SCHEMA_VERSION):
        MIGRATIONS[version](connection)
    if found < SCHEMA_VERSION:
        connection.execute(about.update().values(schema_version=SCHEMA_VERSION))
