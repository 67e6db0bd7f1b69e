"""`POST /v1/describe`: its answers, its events, and what becomes of a request that goes wrong."""

from __future__ import annotations

import errno
import json
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import torch
from fake_engine import FakeEngine
from running_server import make_app, picture, running

from hazardscribe.errors import PhotoError
from hazardscribe.serving import streaming
from hazardscribe.serving.engine import Described, busy, too_late
from hazardscribe.serving.local_engine import LocalEngine
from hazardscribe.serving.schemas import CategoryCounts, Dashboard, Descriptions, Suggestion
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.errors import StoreUnavailableError

PHOTO = picture()
EVENTS = {"Accept": "text/event-stream"}


class FakeStore:
    """Remembers what was said."""

    def __init__(self, error: Exception | None = None) -> None:
        self.said, self.error = [], error

    def remember(self, said, model, asked_by):
        if self.error is not None:
            raise self.error
        self.said += [(one.text, model, asked_by) for one in said]
        return [f"s{len(self.said) - len(said) + i}" for i in range(len(said))]

    def dashboard(self):
        if self.error is not None:
            raise self.error
        categories = [CategoryCounts(category=name) for name in ("消防", "电气", "")]
        return Dashboard(weeks=[], categories=categories, models=[])


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def app(engine):
    return make_app(ServeSettings(engine="http://nowhere", deadline_s=30), engine)


@pytest.fixture
def address(app):
    with running(app) as address:
        yield address


def describe(address: str, photos: int = 1, headers: dict | None = None, **fields):
    parts = [("photos", PHOTO)] * photos
    return httpx.post(f"{address}/v1/describe", files=parts, data=fields, headers=headers)


def events(address: str, photos: int = 1) -> list[dict]:
    answer = describe(address, photos, EVENTS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line]


def test_an_answer_keeps_its_schema_and_is_remembered_without_the_photo(app, address, engine):
    app.state.store = store = FakeStore()
    answer = describe(address, 2, {"X-Request-ID": "my-request-1"}, alternatives="2")
    made = Descriptions.model_validate(answer.json())
    assert made.request_id == answer.headers["x-request-id"] == "my-request-1"
    assert [one.id for one in made.descriptions] == ["s0", "s1"]
    assert engine.asked[0].alternatives == 2
    assert store.said[0] == ("未戴安全帽", "fake@0123", "local")
    timings = made.timings
    assert timings.total == pytest.approx(timings.waiting + timings.describing, abs=1e-3)


def test_what_cannot_be_remembered_is_not_said(app, address):
    app.state.store = FakeStore(RuntimeError("/var/lib/secret is full"))
    answer = describe(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    assert "secret" not in answer.text
    assert events(address)[-1]["error"]["code"] == "store_unavailable"


def test_a_full_disk_is_told_as_the_ledger_tells_it(app, address, caplog):
    app.state.store = FakeStore(StoreUnavailableError("database or disk is full", full=True))
    answer = describe(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_full")
    assert events(address)[-1]["error"]["code"] == "store_full"
    assert "Traceback" not in caplog.text


def test_a_slow_model_s_stream_shows_that_it_is_alive(address, engine, monkeypatch):
    monkeypatch.setattr(streaming, "ALIVE_EVERY", 0.05)
    engine.wait = 0.4
    for before in (engine.told, False):  # whether the engine says something at the start, or not
        engine.told = before
        began, silent = time.monotonic(), 0.0
        ask = {"files": [("photos", PHOTO)], "headers": EVENTS}
        with httpx.stream("POST", f"{address}/v1/describe", **ask) as answer:
            parts = []
            for part in answer.iter_text():
                now = time.monotonic()
                silent, began = max(silent, now - began), now
                parts.append(part)
        assert silent < 0.3
        text = "".join(parts)
        assert text.count(": still at work\n\n") >= 3
        lines = [line for line in text.splitlines() if line.startswith("data:")]
        assert json.loads(lines[-1][6:])["event"] == "result"


def test_photos_of_one_finding_give_one_draft(address, engine, monkeypatch):
    def suggestion(category, share):
        return [Suggestion(category=category, share=share)]

    said = [
        Described(text="未戴安全帽", draft="未戴安全帽", suggestions=suggestion("个体防护", 0.5)),
        Described(text="无法判断", draft="x", doubt="unsure", suggestions=suggestion("其他", 1)),
        Described(problem=PhotoError("damaged", "x")),
        Described(text="导线裸露", draft="导线裸露", suggestions=suggestion("电气", 0.8)),
        Described(text="未戴安全帽", draft="未戴安全帽", suggestions=suggestion("个体防护", 0.9)),
        Described(text="未发现明显隐患，现场整洁", draft="未发现明显隐患，现场整洁"),
    ]

    async def made(photos, ask, watch=None):
        return said

    monkeypatch.setattr(engine, "describe", made)
    [finding] = describe(address, 6, together="true").json()["findings"]
    assert finding["text"] == "未戴安全帽；导线裸露"
    assert finding["photos"] == [0, 1, 3, 4, 5]
    assert [(s["category"], s["share"]) for s in finding["suggestions"]] == [
        ("个体防护", 0.9),
        ("电气", 0.8),
    ]
    assert len(describe(address, 6).json()["findings"]) == 5
    said[:] = [said[-1], Described(text="未发现隐患", draft="未发现隐患")]
    [finding] = describe(address, 2, together="true").json()["findings"]
    assert finding["text"] == "未发现明显隐患，现场整洁"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"alternatives": "6"}, "alternatives"),
        ({"alternatives": "x"}, "alternatives"),
        ({"together": "maybe"}, "together"),
        ({"beams": "3"}, "beams"),
    ],
)
def test_a_field_that_does_not_fit_is_named(address, fields, named):
    answer = describe(address, **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert named in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (PHOTO, "image/jpeg", 415, "not_multipart"),
        (b"photos=x", "application/x-www-form-urlencoded", 415, "not_multipart"),
        (b"", "multipart/form-data; boundary=b", 422, "no_photo"),
        (b"x", "multipart/form-data", 400, "bad_request"),
        (b"--b\r\n\r\nbroken", "multipart/form-data; boundary=b", 422, "no_photo"),
        (
            b'--b\r\nContent-Disposition: form-data; name="photos"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
            "photo_not_a_file",
        ),
    ],
)
def test_a_body_that_is_no_such_form(address, content, kind, status, code):
    answer = httpx.post(f"{address}/v1/describe", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) in [
        (status, code),
        (400, "bad_request"),
    ]


@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_what_fails_before_the_first_event_has_a_status_of_its_own(address, engine, headers):
    engine.refusal = busy(9)
    answer = describe(address, 1, headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert answer.json()["error"]["code"] == "busy"


def test_what_fails_later_is_an_event(address, engine):
    engine.error, engine.wait = too_late(30), 0.1
    first, last = events(address)
    assert first == {"event": "waiting", "position": 0}
    assert (last["event"], last["error"]["code"]) == ("error", "deadline")
    assert (last["status"], last["retry_after"]) == (504, 5)
    engine.error = RuntimeError("/secret")
    last = events(address)[-1]
    assert (last["error"]["code"], last["status"], last["retry_after"]) == ("internal", 500, None)
    engine.error = busy(9)  # as an engine elsewhere is, once a photo has waited for it
    last = events(address)[-1]
    assert (last["error"]["code"], last["status"], last["retry_after"]) == ("busy", 429, 9)


@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_photos_that_were_not_described_are_counted_by_the_reason(app, address, engine, headers):
    def counted(result: str) -> float:
        of = {"result": result}
        return app.state.metrics.registry.get_sample_value("hazardscribe_photos_total", of) or 0

    engine.wait = 0.1
    engine.error = too_late(30)
    describe(address, 2, headers)
    engine.error = RuntimeError("/secret")
    describe(address, 3, headers)
    engine.error, app.state.store = None, FakeStore(StoreUnavailableError("locked"))
    describe(address, 1, headers)
    assert [counted(one) for one in ("deadline", "internal", "store_unavailable")] == [2, 3, 1]
    assert counted("answered") == 0
    app.state.store = FakeStore()
    files = [("photos", photo) for photo in (PHOTO, b"x")]
    httpx.post(f"{address}/v1/describe", files=files, headers=headers)
    httpx.post(f"{address}/v1/describe", files=files[1:], headers=headers)
    assert [counted(one) for one in ("answered", "not_an_image")] == [1, 2]


def test_what_was_told_just_before_the_end_is_an_event_too(address, engine, monkeypatch):
    async def described(photos, ask, watch=None):
        watch.text(0, "未戴")
        return [Described(text="未戴安全帽", draft="未戴安全帽")]

    monkeypatch.setattr(engine, "describe", described)
    assert [event["event"] for event in events(address)] == ["text", "result"]


@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_a_client_that_leaves_ends_the_work(app, address, engine, headers):
    engine.wait = 60
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{address}/v1/describe",
            files=[("photos", PHOTO)],
            headers=headers,
            timeout=httpx.Timeout(10, read=0.3),
        )
    for _ in range(500):
        if engine.cancelled.is_set():
            break
        time.sleep(0.01)
    assert engine.cancelled.is_set()


def test_session_tells_who_asks_and_what_the_server_takes(app, address):
    app.state.store = FakeStore()
    session = httpx.get(f"{address}/v1/session").json()
    assert (session["name"], session["role"], session["model"]) == ("local", "admin", "fake@0123")
    assert session["categories"][:2] == ["电气", "消防"]  # past cases, the ledger, the usual ones
    assert len(set(session["categories"])) == len(session["categories"])
    assert session["limits"]["max_photos"] == 20
    app.state.store = FakeStore(StoreUnavailableError("database is locked"))
    answer = httpx.get(f"{address}/v1/session")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


# ---- with a model: the queue's bounds over HTTP -------------------------------------------------


@pytest.fixture
def slow(talkative, monkeypatch):
    """An app whose model waits until it is let, with room for few."""
    settings = ServeSettings(
        model=talkative, device="cpu", queue_size=4, max_photos=2, max_batch=2, max_new_tokens=4
    )
    engine = LocalEngine(settings)
    let, entered, plain = threading.Event(), threading.Event(), engine._describer.describe_pixels

    def wait(*arguments, **named):
        entered.set()
        assert let.wait(30)
        return plain(*arguments, **named)

    monkeypatch.setattr(engine._describer, "describe_pixels", wait)
    yield make_app(settings, engine), let, entered
    let.set()


def wait_until(condition) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it never came to be")


def test_a_full_queue_refuses_at_once_and_serves_whom_it_took(slow):
    app, let, entered = slow
    with running(app) as address, ThreadPoolExecutor(8) as pool:
        first = pool.submit(describe, address, 2)
        assert entered.wait(20)
        others = [pool.submit(describe, address, 2) for _ in range(2)]
        wait_until(lambda: app.state.engine.waiting == 4)
        for headers in ({}, EVENTS):
            refused = describe(address, 1, headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "busy")
            assert int(refused.headers["retry-after"]) >= 1
        assert "hazardscribe_photos_waiting 4.0" in httpx.get(f"{address}/metrics").text
        let.set()
        assert [one.result().status_code for one in (first, *others)] == [200] * 3
        assert app.state.engine.waiting == 0
        assert describe(address).status_code == 200


def test_a_deadline_is_kept_whether_in_line_or_in_work(slow):
    app, let, entered = slow
    object.__setattr__(app.state.engine._settings, "deadline_s", 0.3)
    with running(app) as address, ThreadPoolExecutor(8) as pool:
        in_work = pool.submit(describe, address, 2)
        assert entered.wait(20)
        in_line = pool.submit(describe, address, 2, EVENTS)
        answer = in_work.result()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline")
        last = json.loads(in_line.result().text.strip().splitlines()[-1][6:])
        assert last["error"]["code"] == "deadline"
        assert app.state.engine.waiting == 0
        let.set()


def test_how_long_photos_wait_is_counted(slow):
    app, let, entered = slow

    def waits(what: str) -> float:
        name = f"hazardscribe_photo_wait_seconds_{what}"
        return app.state.metrics.registry.get_sample_value(name) or 0

    with running(app) as address, ThreadPoolExecutor(8) as pool:
        first = pool.submit(describe, address, 2)
        assert entered.wait(20)
        other = pool.submit(describe, address, 1, EVENTS)
        wait_until(lambda: app.state.engine.waiting == 1)
        time.sleep(0.2)
        let.set()
        assert (first.result().status_code, other.result().status_code) == (200, 200)
    assert waits("count") == 3
    assert waits("sum") >= 0.2


def test_who_leaves_the_line_makes_room(slow):
    app, let, entered = slow
    with running(app) as address, ThreadPoolExecutor(8) as pool:
        first = pool.submit(describe, address, 2)
        assert entered.wait(20)
        host, port = address.removeprefix("http://").split(":")
        body = httpx.Request("POST", address, files=[("photos", PHOTO)])
        content = body.read()
        head = f"POST /v1/describe HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: "
        head += f"{body.headers['content-type']}\r\nContent-Length: {len(content)}\r\n\r\n"
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head.encode() + content)
            wait_until(lambda: app.state.engine.waiting == 1)
        wait_until(lambda: app.state.engine.waiting == 0)
        let.set()
        assert first.result().status_code == 200


def test_a_batch_that_nobody_waits_for_ends_early(talkative, monkeypatch):
    settings = ServeSettings(model=talkative, device="cpu", max_new_tokens=400, deadline_s=0.5)
    engine = LocalEngine(settings)
    made, plain, let = [], engine._describer.describe_pixels, threading.Event()

    def held(*arguments: object, **named: object) -> list:
        # However fast the machine is, the writing begins after the client was told to go.
        assert let.wait(60)
        made.extend(plain(*arguments, **named))
        return made

    monkeypatch.setattr(engine._describer, "describe_pixels", held)
    with running(make_app(settings, engine)) as address:
        assert describe(address).status_code == 504
        let.set()
        wait_until(lambda: made)
    assert made[0].tokens < 400


def test_a_gpu_that_is_lost_to_the_process_is_told_to_whoever_restarts_it(
    talkative, monkeypatch, caplog
):
    settings = ServeSettings(model=talkative, device="cpu", max_new_tokens=4)
    engine = LocalEngine(settings)
    said = iter(["CUDA error: out of memory", "CUDA error: an illegal memory access\nCompile with"])

    def fail(*_: object, **__: object) -> None:
        raise torch.AcceleratorError(next(said))

    monkeypatch.setattr(engine._describer, "describe_pixels", fail)
    with running(make_app(settings, engine)) as address:
        assert describe(address).status_code == 500
        assert httpx.get(f"{address}/readyz").status_code == 200  # the next photo may fit
        assert describe(address).status_code == 500
        answer = httpx.get(f"{address}/readyz")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine_unavailable")
        assert httpx.get(f"{address}/healthz").status_code == 200
    [told] = [one.getMessage() for one in caplog.records if one.levelname == "CRITICAL"]
    assert "an illegal memory access): no photo is described any more" in told


def test_a_full_disk_of_uploads_is_told_as_such(address, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    answer = describe(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_full")
