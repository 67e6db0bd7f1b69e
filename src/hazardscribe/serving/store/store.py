"""The ledger: what people confirmed, with its history, and what the model had said.

    store = Store.open("sqlite:////srv/ledger.sqlite", Path("/srv/photos"))
    [saying] = store.remember([Described(text="未戴安全帽", draft="未戴安全帽")], "m1")
    new = NewFinding(text="工人未戴安全帽", description_ids=[saying])
    finding, created = store.confirm(new, [photo], by="张三", key="8f0c")

Nothing enters the ledger but by `confirm`, with the text of a person. What the model had proposed
is taken from the store's own memory of what it said, never from the client. A method returns when
its change is on the disk; several threads, and several servers on one database, may call at once.
All is synchronous: a web server calls it from its thread pool.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.photo_limits import DEFAULT_LIMITS, PhotoLimits
from hazardscribe.serving.engine import Described
from hazardscribe.serving.errors import photo_error
from hazardscribe.serving.schemas import (
    Change,
    Dashboard,
    Finding,
    FindingChange,
    Findings,
    History,
    NewFinding,
)
from hazardscribe.serving.store.dashboard import dashboard
from hazardscribe.serving.store.database import Database
from hazardscribe.serving.store.errors import (
    DeletedError,
    EmptyTextError,
    KeyReusedError,
    NotFoundError,
    StoppingError,
    StoreUnavailableError,
)
from hazardscribe.serving.store.listing import Filters, conditions, page, write_cursor
from hazardscribe.serving.store.photos import GRACE, Packed, PhotoFolder, Size, pack
from hazardscribe.serving.store.records import (
    body_digest,
    cleaned,
    finding_of,
    monday,
)
from hazardscribe.serving.store.rows import (
    add_finding,
    change_finding,
    check_id,
    get_finding,
    photo_ids,
    remove_finding,
)
from hazardscribe.serving.store.sayings import add_sayings, reject_saying
from hazardscribe.serving.store.sweep import sweep
from hazardscribe.serving.store.tables import (
    about,
    changes,
    findings,
    keys,
    photos,
)

log = logging.getLogger(__name__)


class Store:
    """The ledger and its photos."""

    def __init__(
        self, database: Database, folder: PhotoFolder, limits: PhotoLimits = DEFAULT_LIMITS
    ) -> None:
        """Take over a database and a folder that go together; most callers want `open`."""
        self.database, self.folder, self._limits = database, folder, limits
        self.exporting = threading.Lock()  # one export at a time: it is disk and memory
        self._stopping = threading.Event()

    @classmethod
    def open(cls, url: str, photos: Path, limits: PhotoLimits = DEFAULT_LIMITS) -> Store:
        """Open a store, or make a new one, and remove what a crash left of the photos.

        Args:
            url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
            photos: their folder.
            limits: beyond which a photo is refused.

        Raises:
            InputError: it cannot be opened, is not ours, or was written by a newer version.
        """
        database = Database.open(url)
        try:
            store = cls(database, PhotoFolder(Path(photos)), limits)
            store._check_folder()
            store.sweep()
        except BaseException:
            database.close()
            raise
        return store

    def _check_folder(self) -> None:
        """Refuse photos that are not this ledger's."""
        with self.database.read() as connection:
            own = connection.execute(select(about.c.store_id)).scalar_one()
            known = connection.execute(select(func.count()).select_from(photos)).scalar_one()
        self.folder.belong_to(own, known)

    def close(self) -> None:
        """End an export that is under way, and close the database."""
        self._stopping.set()
        with self.exporting:
            self.database.close()

    def check_going_on(self) -> None:
        """Return unless the store is about to be closed; an export asks now and then.

        Raises:
            StoppingError: it is.
        """
        if self._stopping.is_set():
            raise StoppingError

    @property
    def places(self) -> dict[str, Path]:
        """The folders that it writes, by what is in them."""
        places = {"photos": self.folder.folder}
        if self.database.engine.dialect.name == "sqlite":
            places["ledger"] = Path(self.database.engine.url.database or "").parent
        return places

    def check(self) -> None:
        """Return if the store answers, and a photo could be written.

        Raises:
            StoreUnavailableError: it does not.
        """
        with self.database.read() as connection:
            connection.execute(select(about.c.schema_version)).scalar_one()
        self.database.check_file()
        self.folder.check()

    # ---- what the model says --------------------------------------------------------------------

    def remember(self, said: Sequence[Described], model: str, asked_by: str = "") -> list[str]:
        """Keep what the model said, without the photos; its ids.

        Args:
            said: of each photo. model: its id. asked_by: whose request it was.

        Raises:
            StoreUnavailableError: see its class. So for all methods below.
        """
        if not said:
            return []
        with self.database.write() as connection:
            return add_sayings(connection, said, model, asked_by)

    def reject(self, description_id: str, by: str) -> None:
        """Count a saying as thrown away; once more changes nothing.

        Raises:
            NotFoundError: the store does not know it, or no longer.
            AlreadyConfirmedError: a record was made from it.
        """
        with self.database.write() as connection:
            reject_saying(connection, description_id, by)

    # ---- records --------------------------------------------------------------------------------

    def confirm(
        self, new: NewFinding, pictures: Sequence[bytes], by: str, key: str | None = None
    ) -> tuple[Finding, bool]:
        """Take a person's finding into the ledger.

        Sayings that the store no longer knows do not keep a person's word out of the ledger: a
        phone may send what it kept for weeks.

        Args:
            new: what the person confirmed.
            pictures: its photos as uploaded.
            by: who.
            key: idempotency key; the same request with it again gives the same record.

        Returns:
            The record, and whether it is new.

        Raises:
            ApiError: a photo cannot be used.
            EmptyTextError: nothing is left of the text without its control characters.
            KeyReusedError: another request of this person came with the key.
            DeletedError: the record of this request has been deleted since.
        """
        digest = body_digest(new, pictures)
        if key and (known := self._known(by, key, digest)):
            return known, False
        values = cleaned(new.model_dump(exclude={"description_ids"}))
        if not values["text"]:
            raise EmptyTextError("text")
        names = self.folder.add(_packed(pictures, self._limits))
        try:
            with self.database.write() as connection:
                finding = add_finding(connection, values, new.description_ids, names, by)
                if key:
                    row = {"by": by, "key": key, "digest": digest, "finding_id": finding.id}
                    connection.execute(insert(keys).values(row | {"at": finding.created_at}))
        except IntegrityError:
            # The same request came a second time while the first was on its way.
            self._abandon(names)
            if key and (known := self._known(by, key, digest)):
                return known, False
            raise
        except StoreUnavailableError:
            # When the line to a server breaks, the commit may be done all the same, or just then.
            if self.database.engine.dialect.name == "sqlite":
                self._abandon(names)
            raise
        except BaseException:
            self._abandon(names)
            raise
        self.folder.settle(names)
        return finding, True

    def _abandon(self, names: Sequence[str]) -> None:
        """Remove photos whose record did not come to be; in doubt they are left to `sweep`."""
        try:
            with self.database.read() as connection:
                query = select(photos.c.id).where(photos.c.id.in_(names)).limit(1)
                committed = connection.execute(query).first() is not None
        except StoreUnavailableError:
            return
        if not committed:
            self.folder.remove(names)

    def _known(self, by: str, key: str, digest: str) -> Finding | None:
        """The record that was made with a key."""
        with self.database.read() as connection:
            query = select(keys).where(keys.c.by == by, keys.c.key == key)
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            if not row["digest"]:
                raise DeletedError(row["finding_id"])
            if row["digest"] != digest:
                raise KeyReusedError(key)
            return get_finding(connection, row["finding_id"])

    def change(self, finding: str, change: FindingChange, version: int, by: str) -> Finding:
        """Change fields of a record.

        Fields that were not set stay; `due` set to None is cleared. A change that changes nothing
        gives no new version.

        Args:
            finding: id of the record.
            change: the fields.
            version: of the record that the person had before them.
            by: who.

        Raises:
            NotFoundError: there is no such record.
            EditConflictError: the record has another version by now.
            EmptyTextError: nothing is left of the text without its control characters.
        """
        wanted = cleaned(change.model_dump(exclude_unset=True))
        wanted = {name: one for name, one in wanted.items() if one is not None or name == "due"}
        if not wanted.get("text", "-"):
            raise EmptyTextError("text")
        with self.database.write() as connection:
            return change_finding(connection, finding, wanted, version, by)

    def delete(self, finding: str, by: str) -> None:
        """Remove a record for good: its texts, its history, what the model had said, its photos.

        Its number is never given again. What stays is the number, who deleted it and when.

        Raises:
            NotFoundError: there is no such record.
        """
        with self.database.write() as connection:
            number, names = remove_finding(connection, finding, by)
            try:
                self.folder.mark_open(names)
            except OSError as error:  # they are most likely removed all the same
                log.warning("the photos of a record cannot be marked as deleted: %s", error)
        self.folder.remove(names)
        self.database.forget_deleted()
        log.info("record %d was deleted", number)  # by whom, its tombstone says

    # ---- reading --------------------------------------------------------------------------------

    def get(self, finding: str) -> Finding:
        """A record.

        Raises:
            NotFoundError: there is no such record.
        """
        with self.database.read() as connection:
            return get_finding(connection, finding)

    def find(
        self, filters: Filters | None = None, cursor: str | None = None, limit: int = 50
    ) -> Findings:
        """A page of the ledger, newest first.

        Raises:
            BadCursorError: `cursor` is none that was given out.
        """
        where = conditions(filters or Filters())
        with self.database.read() as connection:
            total = connection.execute(select(func.count()).select_from(findings).where(where))
            query = page(select(findings).where(where), cursor, limit + 1)
            rows = list(connection.execute(query).mappings())
            names = photo_ids(connection, [row["id"] for row in rows[:limit]])
            items = [finding_of(row, names[row["id"]]) for row in rows[:limit]]
            more = write_cursor(items[-1].number) if len(rows) > limit else None
            return Findings(items=items, total=total.scalar_one(), next=more)

    def each(self, filters: Filters | None = None) -> Iterator[Finding]:
        """All records of a filter, newest first, read a page at a time."""
        cursor: str | None = None
        while True:
            found = self.find(filters, cursor, 200)
            yield from found.items
            cursor = found.next
            if cursor is None:
                return

    def history(self, finding: str) -> History:
        """How a record became what it is, oldest first.

        Raises:
            NotFoundError: there is no such record.
        """
        check_id(finding)
        with self.database.read() as connection:
            query = select(changes).where(changes.c.finding_id == finding)
            rows = connection.execute(query.order_by(changes.c.version)).mappings().all()
        if not rows:
            raise NotFoundError(finding)
        names = ("version", "at", "by", "fields")
        return History(changes=[Change(**{name: row[name] for name in names}) for row in rows])

    def photo(self, photo: str, size: Size = "full") -> Path:
        """The JPEG file of a photo of a record.

        Raises:
            NotFoundError: there is no such photo, or its file is gone.
        """
        check_id(photo)
        with self.database.read() as connection:
            known = connection.execute(select(photos.c.id).where(photos.c.id == photo)).first()
        if known is None:
            raise NotFoundError(photo)
        path = self.folder.path(photo, size)
        if not path.is_file():
            log.error("%s: the file of a photo in the ledger is missing; restore it", path)
            raise NotFoundError(photo)
        return path

    def dashboard(self, weeks: int = 12) -> Dashboard:
        """What people did with the model's texts in the last weeks."""
        with self.database.read() as connection:
            return dashboard(connection, monday(datetime.now(UTC)), weeks)

    # ---- upkeep ---------------------------------------------------------------------------------

    def sweep(self, grace: float = GRACE) -> int:
        """Remove what a crash left, once it is older than `grace` seconds; how many files."""
        return sweep(self.database, self.folder, grace)


def _packed(pictures: Sequence[bytes], limits: PhotoLimits) -> list[Packed]:
    packed = []
    for place, picture in enumerate(pictures):
        try:
            packed.append(pack(picture, limits))
        except PhotoError as error:
            raise photo_error(error, place) from error
    return packed
