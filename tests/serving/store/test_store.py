"""What the ledger keeps, changes, finds and forgets."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import IntegrityError

from hazardscribe.errors import InputError
from hazardscribe.serving.engine import Described
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.schemas import FindingChange, NewFinding, Suggestion
from hazardscribe.serving.store import rows, tables
from hazardscribe.serving.store.database import Database
from hazardscribe.serving.store.errors import (
    AlreadyConfirmedError,
    BadCursorError,
    DeletedError,
    EditConflictError,
    EmptyTextError,
    KeyReusedError,
    NotFoundError,
    StoreUnavailableError,
)
from hazardscribe.serving.store.listing import Filters
from hazardscribe.serving.store.records import search_text, searched
from hazardscribe.serving.store.retention import Retention, forget
from hazardscribe.serving.store.store import Store
from hazardscribe.serving.store.tables import about, sayings, tombstones

NO_ID = "0" * 32


def test_a_record_keeps_what_the_person_and_the_model_said(place, picture):
    store = place.open()
    suggested = [Suggestion(category="个体防护", share=1)]
    said = Described("未戴安全帽", "未戴安全帽", ["未穿反光衣"], 0.8, suggestions=suggested)
    [saying] = store.remember([said], "m1", "张三")
    new = NewFinding(
        text=" 两名工人未戴安全帽 ",
        description_ids=[saying],
        place="一号罐区",
        category="个体防护",
        measure="立即佩戴",
        responsible="李四",
        due=date(2026, 3, 1),
        found_on=date(2026, 2, 1),
    )
    record, created = store.confirm(new, [picture(1), picture(2)], "张三")
    assert created
    assert (record.text, record.ai_text, record.outcome) == (
        "两名工人未戴安全帽",
        "未戴安全帽",
        "edited",
    )
    assert (record.model, record.confidence, record.number, record.version) == ("m1", 0.8, 1, 1)
    assert (record.level, record.status, record.confirmed_by) == ("一般", "open", "张三")
    assert record.created_at.tzinfo is not None
    store.close()
    again = place.open()
    assert again.get(record.id) == record
    assert len(record.photos) == 2
    assert all(again.photo(one).is_file() for one in record.photos)
    [first] = again.history(record.id).changes
    assert first.fields["text"] == (None, "两名工人未戴安全帽")


@pytest.mark.parametrize(
    ("text", "said", "outcome", "ai_text"),
    [
        ("未戴安全帽", {}, "accepted", "未戴安全帽"),
        ("未戴安全帽　", {"text": "未戴安全帽"}, "accepted", "未戴安全帽"),
        ("ＰＰＥ缺失", {"text": "PPE缺失"}, "accepted", "PPE缺失"),
        ("未穿反光衣", {"alternatives": ["未穿反光衣"]}, "accepted", "未穿反光衣"),
        ("未戴帽", {"alternatives": ["未穿反光衣"]}, "edited", "未戴安全帽"),
        (
            "一处临边未防护",
            {"text": "无法判断", "draft": "一处临边未防护", "doubt": "unsure"},
            "accepted",
            "一处临边未防护",
        ),
        (
            "两处临边未防护",
            {"text": "无法判断", "draft": "一处临边未防护", "doubt": "unsure"},
            "edited",
            "一处临边未防护",
        ),
        (
            "配电箱门未关闭",  # the draft was held back, and helped with nothing
            {"text": "无法判断", "draft": "一处临边未防护", "doubt": "unsure"},
            "written",
            "一处临边未防护",
        ),
    ],
)
def test_outcomes(text, said, outcome, ai_text, say, confirm):
    record = confirm(text, description_ids=[say(**{"text": "未戴安全帽", **said})])
    assert (record.outcome, record.ai_text) == (outcome, ai_text)


def test_several_photos_together_and_none(say, confirm):
    ids = [say("未戴安全帽"), say("通道堵塞", confidence=0.3), say("未戴安全帽", confidence=0.9)]
    record = confirm("未戴安全帽；通道堵塞", description_ids=ids)
    assert (record.outcome, record.confidence) == ("accepted", 0.3)
    assert confirm("通道堵塞；；未戴安全帽；", description_ids=ids).outcome == "accepted"
    record = confirm("通道堵塞", description_ids=ids)  # of one of them
    assert record.outcome == "accepted"
    unsure = say("无法判断", draft="井盖缺失", doubt="unsure")
    record = confirm("未戴安全帽；通道堵塞", description_ids=[*ids, unsure])
    assert (record.outcome, record.doubt) == ("accepted", "unsure")
    none = say("未发现明显隐患")  # which the page leaves out of the joined text
    record = confirm("未戴安全帽；通道堵塞", description_ids=[ids[0], none, ids[1]])
    assert (record.outcome, record.ai_text) == ("accepted", "未戴安全帽；通道堵塞")
    record = confirm(
        "No hard hat；Exit blocked", description_ids=[say("No hard hat"), say("Exit blocked")]
    )
    assert record.outcome == "accepted"
    record = confirm("都没有防护", description_ids=[*ids, unsure])
    assert (record.outcome, record.ai_text) == ("edited", "未戴安全帽；通道堵塞")
    english = [say("No hard hat"), say("Exit blocked")]
    assert confirm("No hard hat; Exit blocked", description_ids=english).outcome == "accepted"
    record = confirm("气瓶未固定")
    assert (record.outcome, record.ai_text, record.model) == ("written", None, None)
    # A phone may send what it kept for longer than the model's words are kept.
    record = confirm("气瓶未固定", description_ids=[NO_ID, "x" * 500])
    assert (record.outcome, record.ai_text) == ("written", None)


def test_another_model_leaves_old_records_with_theirs(say, confirm, store):
    old = confirm(description_ids=[say(model="m1")])
    new = confirm(description_ids=[say(model="m2")])
    assert [store.get(one.id).model for one in (old, new)] == ["m1", "m2"]
    assert [one.model for one in store.dashboard(1).models] == ["m1", "m2"]


def test_texts_are_fit_for_every_database(confirm, store):
    record = confirm("未戴\x00安全帽\r\n第二行", place="\x07罐区")
    assert (record.text, record.place) == ("未戴安全帽\n第二行", "罐区")
    assert store.find(Filters(q="安全帽\x00", place="罐\x00区", category="\x00")).total == 1
    with pytest.raises(EmptyTextError):
        confirm("\x00\x01")
    with pytest.raises(EmptyTextError):
        store.change(record.id, FindingChange(text="\x00"), 1, "a")
    for unknown in ("\x00", "../../etc/passwd", NO_ID, "a" * 10_000):
        for ask in (store.get, store.history, store.photo):
            with pytest.raises(NotFoundError):
                ask(unknown)
        with pytest.raises(NotFoundError):
            store.reject(unknown, "a")
        with pytest.raises(NotFoundError):
            store.delete(unknown, "a")


# ---- changing -----------------------------------------------------------------------------------


def test_a_change_is_kept_beside_what_was(say, confirm, store):
    record = confirm(
        "未戴安全帽", description_ids=[say("未戴安全帽")], place="A", due=date(2026, 1, 2)
    )
    change = FindingChange(text="两人未戴安全帽", due=None, status="done", place="A")
    after = store.change(record.id, change, 1, "李四")
    assert (after.text, after.due, after.status, after.version) == (
        "两人未戴安全帽",
        None,
        "done",
        2,
    )
    assert (after.outcome, after.ai_text) == ("edited", "未戴安全帽")
    assert after.confirmed_by == "张三"
    last = store.history(record.id).changes[-1]
    assert (last.version, last.by) == (2, "李四")
    assert last.fields == {
        "text": ("未戴安全帽", "两人未戴安全帽"),
        "due": ("2026-01-02", None),
        "status": ("open", "done"),
    }
    same = store.change(record.id, FindingChange(status="done", text=None), 2, "李四")
    assert same.version == 2
    assert store.find(Filters(q="两人")).total == 1
    assert store.change(record.id, FindingChange(text="未戴安全帽"), 2, "a").outcome == "accepted"


def test_two_editors_get_a_clear_conflict_and_nothing_is_lost(confirm, store):
    record = confirm()
    barrier = threading.Barrier(2)

    def edit(place: str) -> str:
        barrier.wait()
        try:
            return store.change(record.id, FindingChange(place=place), 1, place).place
        except EditConflictError as error:
            return error.current.place

    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(edit, ["A", "B"]))
    assert seen in (["A", "A"], ["B", "B"])  # the loser was shown the winner's
    assert store.get(record.id).place == seen[0]
    assert len(store.history(record.id).changes) == 2


def test_a_repeated_request_gives_the_same_record(store, picture):
    new = NewFinding(text="通道堵塞")
    first, created = store.confirm(new, [picture()], "张三", "k")
    again, created_again = store.confirm(new, [picture()], "张三", "k")
    assert (created, created_again) == (True, False)
    assert first == again
    for other in ((new, []), (NewFinding(text="通道畅通"), [picture()])):
        with pytest.raises(KeyReusedError):
            store.confirm(*other, "张三", "k")
    # Another's key is another key: nobody is given a stranger's record.
    assert store.confirm(new, [picture()], "李四", "k")[1]
    store.delete(first.id, "admin")
    with pytest.raises(DeletedError):
        store.confirm(new, [picture()], "张三", "k")
    assert store.find().total == 1


def test_many_at_once_get_numbers_without_gaps_and_one_record_a_key(store, picture):
    photo = picture()

    def send(i: int) -> tuple[str, int]:
        # Every request is sent by two threads.
        new = NewFinding(text=f"第{i // 2}处")
        record, _ = store.confirm(new, [photo], "张三", f"key-{i // 2}")
        return record.id, record.number

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(send, range(40)))
    assert len(seen) == 20
    assert sorted(number for _, number in seen) == list(range(1, 21))
    kept = {path.name.partition(".")[0] for path in store.folder.folder.glob("??/*")}
    assert kept == {photo for record in store.each() for photo in record.photos}


def test_a_number_is_given_again_only_if_nobody_got_it(confirm, store, monkeypatch):
    first = confirm()
    with monkeypatch.context() as patch:
        patch.setattr(rows, "_note_change", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            confirm("不会入账", [])
    assert confirm().number == first.number + 1
    last = store.find().items[0]
    store.delete(last.id, "a")
    assert confirm().number == last.number + 1


# ---- finding ------------------------------------------------------------------------------------


def test_filters(confirm, store):
    confirm("甲", category="消防", place="一号罐区", found_on=date(2026, 1, 1), responsible="李四")
    confirm("乙", category="消防", level="重大", place="二号罐区", found_on=date(2026, 2, 1))
    other = confirm("丙", category="电气", place="Boiler Room", found_on=date(2026, 3, 1))
    store.change(other.id, FindingChange(status="done"), 1, "a")

    def texts(**filters) -> str:
        found = store.find(Filters(**filters))
        assert found.total == len(found.items)
        return "".join(one.text for one in found.items)

    assert texts() == "丙乙甲"  # newest first
    assert texts(category="消防") == "乙甲"
    assert texts(category="消") == ""
    assert texts(level="重大") == "乙"
    assert texts(status="done") == "丙"
    assert texts(outcome="accepted") == ""
    assert texts(place="罐区") == "乙甲"
    assert texts(place="boiler room") == "丙"
    assert texts(responsible="李") == "甲"
    assert texts(since=date(2026, 2, 1)) == "丙乙"
    assert texts(until=date(2026, 2, 1), since=date(2026, 2, 1)) == "乙"
    assert texts(q="2") == "乙"  # its number


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("安全帽", 1),
        ("罐区 安全帽", 1),
        ("安全帽 锅炉", 0),
        ("ppe", 1),
        ("ＰＰＥ", 1),
        ("50%", 1),
        ("5%", 0),
        ("%", 1),
        ("_", 1),
        ("a_b", 1),
        ("a_c", 0),
        ("\\", 1),
        ("/", 1),
        ("'; DROP TABLE hs_findings; --", 0),
        ("张三", 2),
        ("", 2),
        ("   ", 2),
    ],
)
def test_search(q, found, confirm, store):
    confirm("工人未佩戴安全帽，PPE 不足50%", place="一号罐区", measure="a_b \\ /")
    confirm("通道堵塞", place="锅炉房")
    assert store.find(Filters(q=q)).total == found


@pytest.mark.parametrize("q", ["12", "№12", "No.12", "no 12", "No. 12", "NO12", "#12", "编号12"])
def test_a_record_is_found_by_its_number_as_people_write_it(q, confirm, store):
    for _ in range(12):
        confirm("通道堵塞")
    assert [one.number for one in store.find(Filters(q=q)).items] == [12]
    assert store.find(Filters(q=f"通道 {q}")).total == 1


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30
)
@given(
    texts=st.lists(st.text("安全帽%_\\/'\"aAＡ1 \n", min_size=1, max_size=8), max_size=4),
    q=st.text("安全帽%_\\/'\"aAＡ ", max_size=4),
)
def test_search_finds_what_contains_all_words_and_nothing_else(texts, q, store):
    round_ = f"c{store.find().total}"
    made = []
    for one in texts:
        if one.strip():
            made.append(
                store.confirm(NewFinding(text=one, category=round_), [], "x")[0].model_dump()
            )
    wanted = [r["id"] for r in made if all(w in search_text(r) for w in searched(q).split())]
    found = store.find(Filters(q=q, category=round_))
    assert [one.id for one in found.items] == wanted[::-1]


def test_pages_do_not_shift_while_people_add(confirm, store):
    for i in range(7):
        confirm(f"第{i}处")
    first = store.find(limit=3)
    assert (len(first.items), first.total) == (3, 7)
    confirm("新来的")
    store.delete(first.items[-1].id, "a")
    second = store.find(cursor=first.next, limit=3)
    third = store.find(cursor=second.next, limit=3)
    assert [one.text for one in [*second.items, *third.items]] == [f"第{i}处" for i in (3, 2, 1, 0)]
    assert third.next is None
    assert [one.number for one in store.each()] == [8, 7, 6, 4, 3, 2, 1]
    for wrong in ("x", "bm4x", "é", "bg", "bi0x", "bjk5OTk5OTk5OTk5OTk5OTk5OTk5", "\x00"):
        with pytest.raises(BadCursorError):
            store.find(cursor=wrong)


def test_dashboard(say, confirm, store, place):
    confirm("未戴安全帽", description_ids=[say("未戴安全帽")], category="个体防护")
    confirm("未戴帽", description_ids=[say("未戴安全帽")], category="个体防护")
    confirm("手写", category="消防")
    thrown = say(categories=["消防", "电气"])
    store.reject(thrown, "张三")
    store.reject(thrown, "张三")
    board = store.dashboard(3)
    assert [week.week.weekday() for week in board.weeks] == [0, 0, 0]
    assert [week.accepted for week in board.weeks] == [0, 0, 1]
    last = board.weeks[-1]
    assert (last.accepted, last.edited, last.written, last.rejected) == (1, 1, 1, 1)
    assert [(c.category, c.written, c.rejected) for c in board.categories] == [
        ("个体防护", 0, 0),
        ("消防", 1, 1),
    ]
    assert [(m.model, m.accepted, m.edited, m.rejected) for m in board.models] == [("m1", 1, 1, 1)]


def test_rejecting(say, confirm, store):
    used = say()
    confirm(description_ids=[used])
    with pytest.raises(AlreadyConfirmedError):
        store.reject(used, "a")
    thrown = say()
    store.reject(thrown, "a")
    confirm(description_ids=[thrown])  # on second thoughts
    assert store.dashboard(1).weeks[0].rejected == 0


# ---- deleting -----------------------------------------------------------------------------------


def test_deletion_leaves_nothing_of_the_content(place, store, say, confirm, picture):
    shared, own = say("共享的话"), say("独有的秘密")
    record = confirm("绝密文本", [picture()], description_ids=[own, shared], place="绝密地点")
    store.change(record.id, FindingChange(text="绝密改动"), 1, "a")
    other = confirm("另一条", [picture(1)], description_ids=[shared])
    files = [store.photo(record.photos[0], size) for size in ("full", "thumb")]
    store.delete(record.id, "李主任")
    assert not any(path.exists() for path in files)
    for ask in (store.get, store.history):
        with pytest.raises(NotFoundError):
            ask(record.id)
    with pytest.raises(NotFoundError):
        store.photo(record.photos[0])
    with store.database.read() as connection:
        grave = connection.execute(select(tombstones)).mappings().one()
        left = list(connection.execute(select(sayings.c.id)).scalars())
    assert (grave["number"], grave["deleted_by"]) == (1, "李主任")
    assert left == [shared]
    assert store.get(other.id).photos == other.photos
    if place.url.startswith("sqlite"):
        # Not even in free pages or the log.
        for path in Path(place.url.removeprefix("sqlite:///")).parent.glob("ledger.sqlite*"):
            content = path.read_bytes()
            assert not any(
                word.encode() in content for word in ("绝密文本", "绝密改动", "绝密地点", "秘密")
            )


# ---- opening ------------------------------------------------------------------------------------


def test_a_newer_store_is_refused_and_left_alone(place):
    store = place.open()
    with store.database.write() as connection:
        connection.execute(update(about).values(schema_version=99))
    store.close()
    with pytest.raises(InputError, match=r"newer hazardscribe \(tables of version 99"):
        place.open()


def test_an_older_store_is_brought_forward_whole_or_not_at_all(place, monkeypatch):
    store = place.open()
    record, _ = store.confirm(NewFinding(text="甲"), [], "a")
    store.close()

    def step(connection, *, fails: bool) -> None:
        connection.execute(text("ALTER TABLE hs_findings ADD COLUMN shift TEXT DEFAULT 'day'"))
        assert not fails

    monkeypatch.setattr(tables, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(tables, "MIGRATIONS", {1: partial(step, fails=True)})
    with pytest.raises(AssertionError):
        place.open()
    monkeypatch.setattr(tables, "MIGRATIONS", {1: partial(step, fails=False)})
    for _ in range(2):  # done once, not again
        store = place.open()
        assert store.get(record.id).text == "甲"
        with store.database.read() as connection:
            assert connection.execute(text("SELECT shift FROM hs_findings")).scalar_one() == "day"
            assert connection.execute(select(about.c.schema_version)).scalar_one() == 2
        store.close()


def test_a_backup_taken_while_people_work_is_whole(tmp_path, picture):
    store = Store.open(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "photos")
    records = [store.confirm(NewFinding(text=f"{i}"), [picture(i)], "a")[0] for i in range(3)]
    # As docs/operations.md says: the database first, then the photos.
    with sqlite3.connect(tmp_path / "l.sqlite") as source:
        target = sqlite3.connect(tmp_path / "backup.sqlite")
        source.backup(target)
        target.close()
    source.close()
    store.confirm(NewFinding(text="later"), [picture(9)], "a")
    shutil.copytree(tmp_path / "photos", tmp_path / "backup_photos")
    store.close()
    restored = Store.open(f"sqlite:///{tmp_path / 'backup.sqlite'}", tmp_path / "backup_photos")
    assert list(restored.each()) == records[::-1]
    assert all(restored.photo(one.photos[0]).is_file() for one in records)
    restored.close()


@pytest.mark.parametrize("meanwhile", ["deleted", "moved", "replaced"])
def test_nothing_is_written_into_a_file_that_nobody_will_find(tmp_path, picture, meanwhile):
    """A restore under a running server."""
    file, away = tmp_path / "ledger.sqlite", tmp_path / "away.sqlite"
    store = Store.open(f"sqlite:///{file}", tmp_path / "photos")
    store.confirm(NewFinding(text="甲"), [picture()], "a")
    store.check()
    shutil.copy(file, tmp_path / "backup")
    file.unlink() if meanwhile == "deleted" else file.rename(away)
    if meanwhile == "replaced":
        shutil.copy(tmp_path / "backup", file)
    for ask in (
        store.check,
        lambda: store.confirm(NewFinding(text="乙"), [picture()], "a"),
        lambda: store.remember([Described("丙", "丙")], "m"),
    ):
        with pytest.raises(StoreUnavailableError, match="while the server runs; restart it"):
            ask()
    assert len(store.folder.ids()) == 1
    store.close()


def test_two_servers_may_make_the_tables_at_once(place):
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: place.open(), range(4)))
    assert {one.find().total for one in stores} == {0}


def test_photos_of_another_store_are_not_swept_away(place, picture, tmp_path):
    store = place.open()
    record, _ = store.confirm(NewFinding(text="甲"), [picture()], "a")
    with pytest.raises(InputError, match="belong to another store"):
        Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}", place.photos)
    assert store.photo(record.photos[0]).is_file()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://root:geheim@host/db", "mysql databases are not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("nonsense", "not the address of a database"),
        ("postgresql://u:geheim@127.0.0.1:1/db", "cannot be opened"),
        ("postgresql://u@127.0.0.1:1/db?password=geheim", "cannot be opened"),
        ("sqlite:////proc/none/ledger.sqlite", "cannot be made or written"),
    ],
)
def test_addresses_that_cannot_be_used(url, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        Store.open(url, tmp_path / "photos")
    assert "geheim" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path):
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(InputError, match="is a store of hazardscribe"):
        Store.open(f"sqlite:///{file}", tmp_path / "photos")
    assert file.read_bytes() == b"not a database" * 100


def test_an_error_of_the_database_repeats_nothing_that_people_wrote(store, monkeypatch):
    """It goes to the log."""
    monkeypatch.setattr("hazardscribe.serving.store.rows.secrets.token_hex", lambda _: "0" * 32)
    store.confirm(NewFinding(text="甲"), [], "张三")
    with pytest.raises(IntegrityError) as caught:
        store.confirm(NewFinding(text="李四未戴安全帽"), [], "张三")
    assert "李四" not in str(caught.value)
    assert "张三" not in str(caught.value)


def test_commits_are_durable(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "photos")
    with store.database.read() as connection:
        ask = lambda name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()  # noqa: E731
        assert ask("journal_mode") == "wal"
        assert ask("synchronous") == 2  # FULL
        assert ask("foreign_keys") == 1
    store.close()


# ---- trouble ------------------------------------------------------------------------------------


def test_a_bad_photo_keeps_nothing(store, picture):
    good = picture()
    with pytest.raises(ApiError) as caught:
        store.confirm(NewFinding(text="甲"), [good, good[:200]], "a")
    assert (caught.value.code, caught.value.en[:8]) == ("damaged", "Photo 2:")
    assert store.find().total == 0
    assert not list(store.folder.folder.glob("??/*"))


def test_trouble_after_the_commit_does_not_cost_the_photos(store, picture, monkeypatch):
    former = store.database.write

    @contextmanager
    def interrupted():
        with former() as connection:
            yield connection
        raise KeyboardInterrupt

    new = NewFinding(text="甲")
    with monkeypatch.context() as patch:
        patch.setattr(store.database, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.confirm(new, [picture()], "a", "k")
    record, created = store.confirm(new, [picture()], "a", "k")  # the client tries again
    assert not created
    assert store.photo(record.photos[0]).is_file()


def test_a_full_database_keeps_nothing(tmp_path, picture):
    store = Store.open(f"sqlite:///{tmp_path / 'l.sqlite'}", tmp_path / "photos")
    store.confirm(NewFinding(text="甲"), [picture()], "a")

    def limit(connection, pages):
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(store.database.engine, "checkout", lambda c, *_: limit(c, 1))
    new = NewFinding(text="乙" * 2000, measure="丙" * 2000)

    def fill() -> None:
        for i in range(200):
            store.confirm(new, [picture(i)], "a")

    with pytest.raises(StoreUnavailableError) as caught:
        fill()
    assert caught.value.full
    names = {photo for record in store.each() for photo in record.photos}
    assert {path.name.partition(".")[0] for path in store.folder.folder.glob("??/*")} == names
    store.close()


def test_a_read_only_or_locked_database_says_so(tmp_path, picture, monkeypatch):
    monkeypatch.setattr("hazardscribe.serving.store.database.PATIENCE", 0.05)
    file = tmp_path / "l.sqlite"
    store = Store.open(f"sqlite:///{file}", tmp_path / "photos")
    other = sqlite3.connect(file)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked") as caught:
        store.confirm(NewFinding(text="甲"), [picture()], "a")
    assert not caught.value.full
    assert store.find().total == 0  # readers go on
    other.rollback()
    assert not list(store.folder.folder.glob("??/*"))
    assert store.confirm(NewFinding(text="甲"), [picture()], "a")[1]
    store.close()
    other.close()


def test_a_server_that_went_away(place, confirm, store, picture, monkeypatch):
    if place.url.startswith("sqlite"):
        pytest.skip("SQLite has no server")
    import psycopg

    confirm("甲", [picture()])
    with psycopg.connect(place.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert confirm("乙", [picture()]).number == 2  # a new connection was made


def test_a_reader_does_not_keep_a_record_from_being_deleted(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("hazardscribe.serving.store.database.PATIENCE", 0.05)
    store = Store.open(f"sqlite:///{tmp_path / 'l'}", tmp_path / "photos")
    record, _ = store.confirm(NewFinding(text="甲一二三"), [], "a")
    with store.database.read() as connection:
        connection.execute(select(about)).all()
        store.delete(record.id, "a")
    with pytest.raises(NotFoundError):
        store.get(record.id)
    log = tmp_path / "l-wal"
    assert "甲一二三".encode() in log.read_bytes()
    assert "somebody reads there" in caplog.text
    forget(store, Retention())  # once a day
    assert not log.read_bytes()
    store.close()


def test_strangers_on_the_machine_cannot_read_a_new_store(tmp_path):
    Store.open(f"sqlite:///{tmp_path / 'new' / 'l'}", tmp_path / "new" / "photos").close()
    for path in (tmp_path / "new", tmp_path / "new" / "l", tmp_path / "new" / "photos"):
        assert path.stat().st_mode & 0o077 == 0


def test_said_moments_are_utc(say, store):
    before = datetime.now(UTC)
    saying = say()
    with store.database.read() as connection:
        at = connection.execute(select(sayings.c.at).where(sayings.c.id == saying)).scalar_one()
    assert before <= at <= datetime.now(UTC)


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch):
    def missing(*_, **__):
        raise ImportError("no module named psycopg")

    monkeypatch.setattr("hazardscribe.serving.store.database.create_engine", missing)
    with pytest.raises(InputError, match=r'or pip install "psycopg\[binary\]"$'):
        Database.open("postgresql://ledger@elsewhere/ledger")
