"""What holds for every request and every answer."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fake_engine import FakeEngine
from running_server import make_app, picture, running

from hazardscribe.serving import connections, guards
from hazardscribe.serving.engine import busy
from hazardscribe.serving.settings import ServeSettings

TOKEN, INSPECTOR = "0123456789-0123456789", "9876543210-9876543210"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
SMALL = {"max_request_bytes": 50_000, "max_photo_bytes": 30_000}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    tokens.write_text(f"inspector zhang {INSPECTOR}\n", encoding="utf-8")
    settings = ServeSettings(engine="http://nowhere", token=TOKEN, tokens=tokens, **SMALL)
    app = make_app(settings, FakeEngine())

    @app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("password of the database")

    return app


@pytest.fixture(scope="module")
def address(app):
    with running(app) as address:
        yield address


@pytest.mark.parametrize(
    ("path", "status"), [("/healthz", 200), ("/nothing", 404), ("/v1/session", 401)]
)
def test_every_answer_bears_the_security_headers_and_a_request_id(address, path, status):
    answer = httpx.get(address + path)
    assert answer.status_code == status
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert len(headers["x-request-id"]) == 32
    assert "server" not in headers
    if status >= 400:
        assert answer.json()["error"]["request_id"] == headers["x-request-id"]


def test_a_request_id_of_the_client_is_kept_if_it_is_one(address):
    def kept(given: str) -> bool:
        answer = httpx.get(f"{address}/healthz", headers={"X-Request-ID": given})
        return answer.headers["x-request-id"] == given

    assert kept("0a1b2c3d-trace.7")
    assert not any(kept(bad) for bad in ("short", "a" * 65, "with space 12", "<script>alert(1)"))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-GB,en;q=0.9", "There is nothing"),
        ("zh-CN,en;q=0.5", "没有"),
        ("fr", "没有"),
        ("", "没有"),
    ],
)
def test_errors_speak_the_clients_language(address, language, said):
    answer = httpx.get(f"{address}/nothing", headers={"Accept-Language": language})
    assert answer.json()["error"]["message"].startswith(said)


def test_an_unexpected_exception_is_a_500_that_tells_nothing(address, caplog):
    answer = httpx.get(f"{address}/v1/broken", headers=AUTH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "password" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["error"]["request_id"] in caplog.text


def test_a_wrong_method_is_told_the_right_ones(address):
    answer = httpx.put(f"{address}/v1/describe", headers=AUTH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "kind", "size", "status"),
    [
        ("/v1/describe", "multipart/form-data; boundary=b", 60_000, 413),
        ("/v1/chat/completions", "application/json", 110_000, 413),
        ("/v1/chat/completions", "application/json", 90_000, 400),
    ],
)
def test_a_body_beyond_its_limit_is_refused(address, path, kind, size, status, chunked):
    begin = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="x"\r\n\r\n'
    content = (begin if "multipart" in kind else b"") + b" " * size

    def parts():
        for at in range(0, len(content), 4096):
            yield content[at : at + 4096]

    headers = AUTH | {"Content-Type": kind}
    answer = httpx.post(address + path, content=parts() if chunked else content, headers=headers)
    assert answer.status_code == status
    if status == 413:
        assert answer.json()["error"]["code"] == "request_too_large"
    assert httpx.get(f"{address}/healthz").status_code == 200


def test_a_stranger_is_refused_before_the_body_is_taken(address, app):
    files = [("photos", picture())]
    answer = httpx.post(f"{address}/v1/describe", files=files)
    assert answer.status_code == 401
    assert app.state.engine.asked == []
    assert httpx.post(f"{address}/v1/describe", files=files, headers=AUTH).status_code == 200


def test_a_length_that_lies_takes_no_more_than_was_sent(address):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            b"POST /v1/describe HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        client.shutdown(socket.SHUT_WR)
        client.settimeout(10)
        client.recv(1000)
    assert httpx.get(f"{address}/healthz").status_code == 200


def told_until_closed(address: str, request: str, drip: bytes = b"") -> bytes:
    """What is answered to a client that goes on dripping, until the server closes."""
    host, port = address.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port))) as client:
        client.sendall(request.encode())
        client.settimeout(0.05)
        for _ in range(200):
            with contextlib.suppress(TimeoutError):
                try:
                    client.sendall(drip)
                    read = client.recv(5000)
                except (ConnectionResetError, BrokenPipeError):
                    return answer
                if not read:
                    return answer
                answer += read
    raise AssertionError("the connection is held for ever")


@pytest.mark.parametrize(("token", "status"), [(TOKEN, b" 408 "), ("", b" 401 ")])
def test_a_body_that_does_not_come_is_given_up(address, monkeypatch, token, status):
    monkeypatch.setattr(guards, "_GRACE", 0.2)
    monkeypatch.setattr(guards, "_DRAINED", 0.2)
    request = (
        "POST /v1/describe HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nAuthorization: Bearer {token}\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="photos"; filename="x"\r\n\r\n'
    )
    assert status in told_until_closed(address, request).partition(b"\r\n")[0]


def test_a_body_that_comes_slowly_but_steadily_is_taken(address, monkeypatch):
    monkeypatch.setattr(guards, "_GRACE", 1.0)

    def parts():
        for _ in range(6):
            yield b" " * 2000
            time.sleep(0.3)

    headers = AUTH | {"Content-Type": "application/json"}
    answer = httpx.post(f"{address}/v1/chat/completions", content=parts(), headers=headers)
    assert answer.status_code == 400  # no JSON, but all of it came


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "GET /healthz HTTP/1.1\r\nX: ",
        "POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n",
    ],
)
def test_a_connection_without_a_request_is_closed(address, monkeypatch, request_):
    monkeypatch.setattr(connections, "LOOK", 0.2)
    told_until_closed(address, request_, drip=b"x")


def test_a_slow_answer_is_waited_for(address, app, monkeypatch):
    monkeypatch.setattr(connections, "LOOK", 0.02)
    monkeypatch.setattr(app.state.engine, "wait", 0.3)
    files = [("photos", picture())]
    assert httpx.post(f"{address}/v1/describe", files=files, headers=AUTH).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/findings/0"])
def test_a_form_is_large_only_where_photos_come(path):
    """Elsewhere it would be read into memory."""
    settings = ServeSettings(engine="http://nowhere", token=TOKEN, max_photo_bytes=1000)
    headers = AUTH | {"Content-Type": "multipart/form-data; boundary=b"}
    with running(make_app(settings, FakeEngine())) as address:
        method = "PATCH" if path.endswith("0") else "POST"
        answer = httpx.request(method, address + path, content=b" " * 300_000, headers=headers)
    assert answer.status_code == 413


@pytest.fixture
def narrow(monkeypatch):
    """An app whose requests may hold 100,000 bytes together."""
    monkeypatch.setattr(ServeSettings, "max_held_bytes", 100_000, raising=False)
    settings = ServeSettings(engine="http://nowhere", token=TOKEN, requests_per_minute=0)
    app = make_app(settings, FakeEngine())
    with running(app) as address:
        yield app, address


def test_bodies_that_are_on_their_way_do_not_fill_the_memory(narrow):
    _, address = narrow
    host, port = address.removeprefix("http://").split(":")

    def post() -> httpx.Response:
        headers = AUTH | {"Content-Type": "application/json"}
        return httpx.post(f"{address}/v1/chat/completions", content=b" " * 40_000, headers=headers)

    assert post().status_code == 400
    with socket.create_connection((host, int(port))) as client:
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
        head += f"Content-Type: application/json\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        client.sendall(head.encode() + b" " * 80_000)
        for _ in range(500):
            refused = post()
            if refused.status_code != 400:
                break
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
    for _ in range(500):  # once the server sees that it has left
        if post().status_code == 400:
            break
    assert post().status_code == 400


def test_photos_of_requests_under_way_do_not_fill_the_memory(narrow):
    app, address = narrow
    engine = app.state.engine

    def post() -> int:
        files = [("photos", picture() + bytes(60_000))]
        return httpx.post(f"{address}/v1/describe", files=files, headers=AUTH).status_code

    engine.wait = 0.5
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: post(), range(2))) == [200, 429]
    assert len(engine.asked) == 1
    assert [post(), post()] == [200, 200]


def test_a_chat_for_which_there_is_no_room_is_refused_before_its_body_is_read(narrow, monkeypatch):
    app, address = narrow

    def full() -> None:
        raise busy(9)

    monkeypatch.setattr(app.state.engine, "check_room", full)
    headers = AUTH | {"Content-Type": "application/json"}
    answer = httpx.post(f"{address}/v1/chat/completions", content=b"no json", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert answer.json()["error"]["type"] == "rate_limit_error"


def test_metrics_are_for_admins_and_this_machine(address):
    httpx.get(f"{address}/healthz")
    assert httpx.get(f"{address}/metrics").status_code == 200
    through_proxy = {"X-Forwarded-For": "10.0.0.9"}
    assert httpx.get(f"{address}/metrics", headers=through_proxy).status_code == 401
    assert httpx.get(f"{address}/metrics", headers=through_proxy | AUTH).status_code == 200
    inspector = through_proxy | {"Authorization": f"Bearer {INSPECTOR}"}
    assert httpx.get(f"{address}/metrics", headers=inspector).status_code == 403
    text = httpx.get(f"{address}/metrics").text
    assert 'hazardscribe_requests_total{method="GET",route="/healthz",status="200"}' in text
    httpx.get(f"{address}/v1/export", headers=AUTH)
    text = httpx.get(f"{address}/metrics").text
    assert 'route="/v1/export"' in text  # whole, though one router may lie within another
    httpx.request("BREW", f"{address}/healthz")
    httpx.get(f"{address}/no/such/{'x' * 50}")
    text = httpx.get(f"{address}/metrics").text
    assert "BREW" not in text
    assert "xxxx" not in text


def test_ready_says_why_not(address, app, monkeypatch):
    def code() -> str:
        answer = httpx.get(f"{address}/readyz")
        return "ok" if answer.status_code == 200 else answer.json()["error"]["code"]

    class Store:
        def check(self):
            raise OSError("disk")

    assert code() == "ok"
    app.state.engine.is_ready = False
    assert code() == "engine_unavailable"
    ledger, app.state.engine.is_ready, app.state.store = app.state.store, True, Store()
    assert code() == "store_unavailable"
    app.state.store = ledger
    with monkeypatch.context() as patched:
        full = shutil.disk_usage("/")._replace(free=app.state.room.least - 1)
        patched.setattr(shutil, "disk_usage", lambda path: full)
        assert code() == "store_full"
        assert 'hazardscribe_free_bytes{place="uploads"}' in httpx.get(f"{address}/metrics").text
    assert code() == "ok"
    app.state.draining = True
    assert code() == "draining"
    assert httpx.get(f"{address}/healthz").status_code == 200
    app.state.draining = False
