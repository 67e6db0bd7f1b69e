"""What is forgotten, and what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hazardscribe.errors import InputError
from hazardscribe.serving.schemas import NewFinding
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store import retention as module
from hazardscribe.serving.store.errors import NotFoundError, StoreUnavailableError
from hazardscribe.serving.store.retention import Forgotten, Retention, forget, keep_forgetting
from hazardscribe.serving.store.tables import sayings, tombstones


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_unconfirmed_texts_go_and_counts_stay(store, say, confirm):
    more = {"categories": ["消防"], "alternatives": ["另一说法"], "confidence": 0.7}
    unused, used, thrown = (say(f"说法{i}", **more) for i in range(3))
    record = confirm("已确认", description_ids=[used])
    store.reject(thrown, "张三")
    retention = Retention(keep_unconfirmed_days=30)
    assert forget(store, retention, later(29)) == Forgotten(0, 0, 0)
    assert forget(store, retention, later(31)) == Forgotten(2, 0, 0)
    assert forget(store, retention, later(31)) == Forgotten(0, 0, 0)
    with store.database.read() as connection:
        left = {row["id"]: row for row in connection.execute(select(sayings)).mappings()}
    assert left.keys() == {used, thrown}
    assert left[used]["text"] == "说法1"
    gone = {"text": "", "draft": "", "asked_by": "", "alternatives": [], "categories": []}
    gone |= {"confidence": None, "rejected_by": None}
    assert {name: left[thrown][name] for name in gone} == gone
    assert store.get(record.id).ai_text == "说法1"
    assert store.dashboard(1).categories[-1].rejected == 1
    with pytest.raises(NotFoundError):
        store.reject(unused, "a")


def test_old_records_go_with_their_photos(store, picture):
    record, _ = store.confirm(NewFinding(text="甲"), [picture()], "a", "k")
    path = store.photo(record.photos[0])
    assert forget(store, Retention(), later(10_000)).records == 0
    assert forget(store, Retention(keep_days=365), later(364)).records == 0
    assert forget(store, Retention(keep_days=365), later(366)).records == 1
    assert not path.exists()
    assert store.find().total == 0
    with store.database.read() as connection:
        grave = connection.execute(select(tombstones)).mappings().one()
    assert (grave["number"], grave["deleted_by"]) == (1, "retention")


def test_it_is_tried_again_after_trouble(store, monkeypatch):
    asked = []

    def trouble(*_: object) -> Forgotten:
        asked.append(1)
        raise StoreUnavailableError("busy") if len(asked) == 1 else RuntimeError("a defect")

    async def run() -> None:
        monkeypatch.setattr(module, "forget", trouble)
        task = asyncio.create_task(keep_forgetting(store, Retention(), every=0))
        while len(asked) < 3:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    assert len(asked) >= 3


@pytest.mark.parametrize("name", ["keep_days", "keep_unconfirmed_days"])
def test_less_than_a_day_is_refused(name):
    with pytest.raises(InputError, match=f"--{name} 0: must be at least 1"):
        ServeSettings(model=Path("m"), **{name: 0})
