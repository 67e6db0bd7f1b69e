"""The connection to the database: durable commits, and writers that wait for one another.

SQLite: write-ahead log, `synchronous=FULL` (a commit is on the disk before it returns), ten
seconds of patience, foreign keys, and deleted content overwritten with zeros. Its transactions
that write take the write lock at their start, or two of them could read first and then both fail.
PostgreSQL needs nothing of this; a connection that the server has dropped is replaced.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hazardscribe.errors import InputError, missing_package
from hazardscribe.files import locked
from hazardscribe.serving.store.errors import StoreUnavailableError, unavailable
from hazardscribe.serving.store.tables import prepare

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a writer waits for others."""

_WRITES = "hazardscribe_writes"


class Database:
    """A database whose tables are ready; threads may share it."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Take over an engine; most callers want `open`."""
        self.engine, self.name = engine, name
        self._file: tuple[int, int] | None = None

    @classmethod
    def open(cls, url: str) -> Database:
        """Connect, and make or update the tables.

        Raises:
            InputError: the address is none, its driver is missing, or the database cannot be
                opened, written or understood.
        """
        address = _address(url)
        name = address.set(query={}).render_as_string(hide_password=True)  # it may hold one, too
        # What people wrote stays out of errors, and so out of the log.
        options: dict[str, Any] = {"pool_timeout": PATIENCE, "hide_parameters": True}
        alone: AbstractContextManager[None] = nullcontext()
        if address.get_backend_name() == "sqlite":
            file = Path(address.database or "")
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # SQLite would let everybody on the machine read a new file, and its log.
                file.touch(mode=0o600)
            except OSError as error:
                raise InputError(
                    f"--store {file}: cannot be made or written ({error.strerror}). Check the "
                    "path and its permissions, or name another folder."
                ) from error
            name = str(file)
            # While one turns a new file to write-ahead logging, SQLite refuses others at once.
            lock = file.with_name(f".{file.name}.lock")
            alone = locked(lock, timeout=PATIENCE, unless_read_only=True)
            options["connect_args"] = {"timeout": PATIENCE}
        else:
            options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": int(PATIENCE)}}
        try:
            engine = create_engine(address, **options)
        except ImportError as error:
            # Without its binary part the driver asks for a compiler; quoted, as a shell wants it.
            remedy = missing_package('"psycopg[binary]"', "postgresql")
            raise InputError(f"--store {name}: {remedy}") from error
        if address.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _sqlite_ready)
            event.listen(engine, "begin", _sqlite_begin)
        database = cls(engine, name)
        try:
            with alone, database.write() as connection:
                prepare(connection, name)
            database._file = database._found()
        except (StoreUnavailableError, OSError) as error:
            engine.dispose()
            raise InputError(
                f"--store {name}: cannot be opened for reading and writing ({error}). Check the "
                "path or address, its permissions, and that it is a store of hazardscribe."
            ) from error
        except BaseException:
            engine.dispose()
            raise
        return database

    def _found(self) -> tuple[int, int] | None:
        """Which file lies at SQLite's address."""
        if self.engine.dialect.name != "sqlite":
            return None
        try:
            found = Path(self.engine.url.database or "").stat()
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def check_file(self) -> None:
        """Return if the file is the one that was opened: SQLite would write on into a file that was
        moved or deleted, as a restore under a running server does, and nobody would find it there.

        Raises:
            StoreUnavailableError: it is another one, or gone.
        """
        if self._file is not None and self._file != self._found():
            raise StoreUnavailableError(
                f"{self.name}: was moved, deleted or replaced while the server runs; restart it"
            )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with _told(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed, on disk, when the block has ended well; undone otherwise.

        Raises:
            StoreUnavailableError: the database does not answer, is read-only or full, or is another
                file by now.
        """
        self.check_file()
        with _told(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def forget_deleted(self) -> None:
        """Let no copy of deleted content lie in SQLite's log, as soon as nobody reads there.

        PostgreSQL frees such rows by itself (autovacuum).
        """
        if self.engine.dialect.name != "sqlite":
            return
        try:
            with _told(), self.engine.connect() as connection:
                # Outside of a transaction, which SQLAlchemy would begin.
                driver: Any = connection.connection.driver_connection
                [(kept, *_)] = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if kept:  # a reader's; this is no error to SQLite
                log.warning("deleted content lies in the log for up to a day: somebody reads there")
        except (StoreUnavailableError, sqlite3.Error) as error:
            log.warning("deleted content may lie in the log until the next deletion: %s", error)

    def close(self) -> None:
        """Close all connections; SQLite then folds its log into the file."""
        self.engine.dispose()


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError, NoSuchModuleError) as error:
        # The address itself is not repeated: it may hold a password.
        raise InputError(
            "--store: is not the address of a database; write sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/DATABASE, or name a folder"
        ) from error
    if backend == "postgresql" or address.drivername == "postgres":
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise InputError(
            f"--store: {backend} databases are not supported; write sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/DATABASE, or name a folder"
        )
    if not address.database or address.database == ":memory:":
        raise InputError(
            "--store: an SQLite store needs a file, as in sqlite:////srv/hazardscribe/ledger.sqlite3"
        )
    return address


def _sqlite_ready(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_sqlite_begin` decides how transactions begin
    for setting in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {setting}")


def _sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told() -> Iterator[None]:
    """What a database may say at any time, as one error of ours.

    A broken constraint goes through, as it is the caller's to understand, and so does what would
    be a defect of ours.
    """
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise
    except DBAPIError as error:
        raise unavailable(error) from error
    except PoolTimeout as error:
        raise StoreUnavailableError("all connections are in use") from error
