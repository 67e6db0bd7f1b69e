"""The ledger over HTTP: what is taken, what is refused and with which code."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from hazardscribe.serving.auth import Caller, Gate, Tokens
from hazardscribe.serving.engine import Described
from hazardscribe.serving.errors import install_handlers
from hazardscribe.serving.guards import Guards
from hazardscribe.serving.memory import Memory
from hazardscribe.serving.metrics import Metrics
from hazardscribe.serving.routes import export, ledger
from hazardscribe.serving.schemas import Findings
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.errors import StoreUnavailableError

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def token(name: str) -> str:
    return f"{name}-{'x' * 20}"


@pytest.fixture
def app(store, tmp_path: Path) -> FastAPI:
    app = FastAPI()
    app.include_router(export.router)
    app.include_router(ledger.router)
    install_handlers(app)
    entries = [
        (Caller("zhang", "inspector"), token("zhang")),
        (Caller("li", "inspector"), token("li")),
        (Caller("boss", "admin"), token("boss")),
    ]
    app.state.store, app.state.gate = store, Gate(Tokens(entries))
    app.state.settings = ServeSettings(
        model=tmp_path, max_photos=3, max_photo_bytes=1_000_000, queue_size=3
    )
    state = app.state
    state.confirming = asyncio.Semaphore(ledger.CONFIRMING)
    parts = {"settings": state.settings, "gate": state.gate, "metrics": Metrics()}
    app.add_middleware(Guards, memory=Memory(state.settings.max_held_bytes), **parts)
    return app


@pytest.fixture
def client(app: FastAPI):
    def ask(name: str = "zhang", **options: Any) -> TestClient:
        headers = {"Authorization": f"Bearer {token(name)}"}
        return TestClient(app, headers=headers, **options)

    return ask


@pytest.fixture
def post(client, picture):
    """Confirm a finding; its answer."""

    def send(text: str = "未戴安全帽", photos: int | list[bytes] = 1, name="zhang", **fields: Any):
        key = fields.pop("key", None)
        headers = {"Idempotency-Key": key} if key else {}
        contents = [picture(i) for i in range(photos)] if isinstance(photos, int) else photos
        return client(name).post(
            "/v1/findings",
            data={"finding": json.dumps({"text": text, **fields})},
            files=[("photos", ("../../etc/x.php", one, "text/html")) for one in contents],
            headers=headers,
        )

    return send


def code(answer) -> str:
    body = answer.json()
    assert set(body["error"]) == {"code", "message", "request_id"}
    return body["error"]["code"]


def test_the_whole_way_of_a_record(post, client, store):
    [saying] = store.remember([Described("未戴帽", "未戴帽")], "m1")
    answer = post("未戴安全帽", 2, description_ids=[saying], due="2026-03-01", key="k1")
    assert answer.status_code == 201
    record = answer.json()
    assert (record["ai_text"], record["outcome"], record["confirmed_by"]) == (
        "未戴帽",
        "edited",
        "zhang",
    )
    assert answer.headers["etag"] == '"1"'
    again = post("未戴安全帽", 2, description_ids=[saying], due="2026-03-01", key="k1")
    assert (again.status_code, again.json()) == (200, record)
    other = post("别的", 2, key="k1")
    assert (other.status_code, code(other)) == (409, "key_reused")

    address = f"/v1/findings/{record['id']}"
    zhang, li = client("zhang"), client("li")
    got = zhang.get(address)
    assert (got.json(), got.headers["etag"]) == (record, '"1"')
    changed = zhang.patch(address, json={"place": "罐区"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    late = li.patch(address, json={"place": "锅炉房"}, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    assert late.json()["error"]["code"] == "edit_conflict"
    assert late.json()["current"] == changed.json()
    history = zhang.get(f"{address}/history").json()["changes"]
    assert [(one["version"], one["by"]) for one in history] == [(1, "zhang"), (2, "zhang")]
    assert history[1]["fields"] == {"place": [None, "罐区"]}

    assert code(zhang.delete(address)) == "forbidden"
    assert client("boss").delete(address).status_code == 204
    assert code(zhang.get(address)) == "not_found"
    assert code(post("未戴安全帽", 2, description_ids=[saying], due="2026-03-01", key="k1")) == (
        "deleted"
    )


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({}, 428, "version_required"),
        ({"If-Match": "*"}, 422, "bad_if_match"),
        ({"If-Match": "1"}, 422, "bad_if_match"),
        ({"If-Match": '"1", "2"'}, 422, "bad_if_match"),
        ({"If-Match": '"99999999999999999999"'}, 422, "bad_if_match"),
        ({"If-Match": '"7"'}, 412, "edit_conflict"),
    ],
)
def test_a_change_names_its_version(headers, status, expected, post, client):
    address = f"/v1/findings/{post().json()['id']}"
    answer = client().patch(address, json={"place": "A"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, expected)
    assert client().get(address).json()["place"] == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": ""}, "invalid_request"),
        ({"text": "  "}, "invalid_request"),
        ({"text": "\x00\x01"}, "empty_text"),
        ({"text": "x" * 2001}, "invalid_request"),
        ({"level": "特大"}, "invalid_request"),
        ({"ai_text": "forged"}, "invalid_request"),
        ({"outcome": "accepted"}, "invalid_request"),
        ({"description_ids": ["x"] * 201}, "invalid_request"),
        ({"due": "tomorrow"}, "invalid_request"),
        ({"due": "2026-02-30"}, "invalid_request"),
        ({"due": 0}, "invalid_request"),
        ({"key": "x" * 101}, "invalid_request"),
        ({"key": "a b"}, "invalid_request"),
    ],
)
def test_what_is_no_finding(fields, expected, post, store):
    answer = post(**fields)
    assert (answer.status_code, code(answer)) == (422, expected)
    assert store.find().total == 0
    assert not list(store.folder.folder.glob("??/*"))


def test_a_finding_that_is_no_json(client):
    for body in ("", "{", "[]", "null", '{"text":"\\ud800"}', "1" * 5000):
        answer = client().post("/v1/findings", data={"finding": body})
        assert (answer.status_code, code(answer)) == (422, "invalid_request"), body
    assert code(client().post("/v1/findings")) == "invalid_request"
    assert code(client().post("/v1/findings", json={"text": "x"})) == "invalid_request"


def test_photos_that_are_none(post, picture, store):
    good = picture()
    for photos, status, expected in (
        ([b""], 422, "damaged"),
        ([good, b"<svg/>"], 415, "format"),
        ([good[: len(good) // 2]], 422, "damaged"),
        ([picture(size=(8, 8))], 422, "too_small"),
        ([b"\xff\xd8" + b"0" * 1_000_001], 413, "too_large"),
        ([good] * 4, 413, "too_many_photos"),
    ):
        answer = post(photos=photos)
        assert (answer.status_code, code(answer)) == (status, expected)
    message = post(photos=[good, good[: len(good) // 2]]).json()["error"]["message"]
    assert "第 2 张" in message
    assert store.find().total == 0
    assert not list(store.folder.folder.glob("??/*"))
    assert post(photos=0).status_code == 201


def test_photos_are_served_as_jpeg_alone(post, client, picture):
    record = post(photos=[picture(kind="PNG", size=(640, 480))]).json()
    [photo] = record["photos"]
    for query, size in (("", (640, 480)), ("?size=full", (640, 480)), ("?size=thumb", (320, 240))):
        answer = client().get(f"/v1/photos/{photo}{query}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"].startswith("private")
        image = Image.open(io.BytesIO(answer.content))
        assert (image.format, image.size) == ("JPEG", size)
    for name in ("0" * 32, "..%2f..%2fetc%2fpasswd", "%00", photo.upper()):
        assert code(client().get(f"/v1/photos/{name}")) == "not_found"
    assert code(client().get(f"/v1/photos/{photo}?size=huge")) == "invalid_request"


def test_listing(post, client):
    for i in range(5):
        post(f"第{i}处", 0, category="消防" if i % 2 else "电气")
    answer = client().get("/v1/findings?q=&level=&status=&since=&limit=2").json()
    assert Findings.model_validate(answer).total == 5
    rest = client().get("/v1/findings", params={"limit": 200, "cursor": answer["next"]}).json()
    assert [one["text"] for one in rest["items"]] == ["第2处", "第1处", "第0处"]
    assert rest["next"] is None
    found = client().get("/v1/findings", params={"category": "消防", "until": "2000-01-01"})
    assert found.json()["total"] == 0
    assert client().get("/v1/findings?category=消防").json()["total"] == 2
    for query in (
        "limit=0",
        "limit=201",
        "level=x",
        "since=x",
        "until=0",
        "cursor=%00",
        f"q={'x' * 201}",
    ):
        assert client().get(f"/v1/findings?{query}").status_code == 422
    assert client().get("/v1/findings?q=%00%25").json()["total"] == 0
    assert client().get("/v1/dashboard?weeks=2").json()["weeks"][1]["written"] == 5
    assert client().get("/v1/dashboard?weeks=105").status_code == 422


@pytest.mark.parametrize(
    ("asked", "name", "known"),
    [
        ("/v1/findings?limt=5", "limt", "limit"),
        ("/v1/findings?status=open&catgory=消防", "catgory", "category"),
        ("/v1/export?to=xlsx&form=2026-01-01", "form", "since"),
        ("/v1/findings/{id}?version=1", "version", "takes none"),
        ("/v1/photos/{id}?sise=thumb", "sise", "size"),
        ("/v1/dashboard?week=2", "week", "weeks"),
        ("/v1/findings?status=open&status=done", "status", "once"),
        ("/v1/findings?=", "-", "limit"),
    ],
)
def test_a_parameter_that_is_not_known_is_not_ignored(post, client, asked, name, known):
    record = post("甲").json()
    headers = {"Accept-Language": "en"}
    answer = client().get(asked.format(id=record["id"]), headers=headers)
    assert (answer.status_code, code(answer)) == (422, "unknown_parameter")
    message = answer.json()["error"]["message"]
    assert f"parameter {name} " in message
    assert known in message
    assert name in client().get(asked.format(id=record["id"])).json()["error"]["message"]
    deleted = client("boss").delete(f"/v1/findings/{record['id']}?soft=1")
    assert (deleted.status_code, code(deleted)) == (422, "unknown_parameter")
    assert client().get(f"/v1/findings/{record['id']}").status_code == 200


@pytest.mark.parametrize("name", ["photo", "photos[]", "file"])
def test_a_photo_under_another_name_is_not_left_out_in_silence(client, store, picture, name):
    finding = {"finding": json.dumps({"text": "甲"})}
    answer = client().post("/v1/findings", data=finding, files={name: picture()})
    assert (answer.status_code, code(answer)) == (422, "unknown_parameter")
    assert name in answer.json()["error"]["message"]
    assert store.find().total == 0


def test_rejecting(post, client, store):
    thrown, used = store.remember([Described("甲", "甲"), Described("乙", "乙")], "m1")
    for _ in range(2):
        assert client().post(f"/v1/descriptions/{thrown}/reject").status_code == 204
    post("乙", description_ids=[used])
    late = client().post(f"/v1/descriptions/{used}/reject")
    assert (late.status_code, code(late)) == (409, "already_confirmed")
    assert code(client().post("/v1/descriptions/%00/reject")) == "not_found"
    week = client().get("/v1/dashboard?weeks=1").json()["weeks"][0]
    assert (week["accepted"], week["rejected"]) == (1, 1)


def test_exports(post, client, store):
    post("甲处未防护", 2, category="高处")
    post("=乙", 1, category="电气")
    answer = client().get("/v1/export?to=xlsx&category=高处")
    assert answer.headers["content-type"] == XLSX
    assert "attachment" in answer.headers["content-disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert [row[2] for row in sheet.iter_rows(values_only=True)] == [
        "隐患描述",
        *["甲处未防护"] * 2,
    ]
    english = client().get("/v1/export?to=xlsx", headers={"Accept-Language": "en"})
    assert openpyxl.load_workbook(io.BytesIO(english.content)).active["A1"].value == "number"
    answer = client().get("/v1/export?to=pairs")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "pairs.parquet" in archive.namelist()
    nothing = client().get("/v1/export?to=pairs&category=无此类")
    assert (nothing.status_code, code(nothing)) == (404, "nothing_to_export")
    assert client().get("/v1/export?to=csv").status_code == 422
    with store.exporting:
        busy = client().get("/v1/export?to=xlsx")
    assert (busy.status_code, code(busy), busy.headers["retry-after"]) == (429, "export_busy", "10")
    assert not list(store.folder.folder.glob(".export-*"))  # nothing stays behind


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": "字" * 2001}, "finding.text (string_too_long: max_length 2000)"),
        ({"level": "较大"}, "finding.level (literal_error: expected '一般'"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(post, given, said):
    answer = post(**given)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]


def test_a_day_is_asked_for_as_it_is_written(client):
    answer = client().get("/v1/findings?since=2026-13-01")
    assert answer.status_code == 422
    assert "since (date_from_datetime_parsing: YYYY-MM-DD" in answer.json()["error"]["message"]


def test_trouble_of_the_store_is_told_without_its_words(post, client, store, monkeypatch, caplog):
    for full, expected in ((False, "store_unavailable"), (True, "store_full")):

        def fail(*_: Any, full: bool = full) -> Any:
            raise StoreUnavailableError("/secret/path: database is locked", full=full)

        monkeypatch.setattr(store, "confirm", fail)
        answer = post()
        assert (answer.status_code, code(answer)) == (503, expected)
        assert answer.headers["retry-after"]
        assert "secret" not in answer.text
        assert "/secret/path: database is locked" in caplog.messages[-1]  # the log has them


def test_a_full_disk_is_nobodys_fault_but_the_servers(post, client, store, monkeypatch, picture):
    """A phone gives up what is refused with 400; with 503 it keeps it and tries again."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/path")

    post()
    with monkeypatch.context() as broken:
        broken.setattr("xlsxwriter.workbook.Workbook._store_workbook", fail)
        answer = client().get("/v1/export?to=xlsx")
    assert (answer.status_code, code(answer)) == (503, "store_full")
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", fail)
    answer = post()
    assert (answer.status_code, code(answer)) == (503, "store_full")
    assert answer.headers["retry-after"]
    assert "secret" not in answer.text


def test_without_a_token_nothing(app):
    for method, path in (
        ("GET", "/v1/findings"),
        ("POST", "/v1/findings"),
        ("GET", f"/v1/findings/{'0' * 32}"),
        ("GET", f"/v1/findings/{'0' * 32}/history"),
        ("PATCH", f"/v1/findings/{'0' * 32}"),
        ("DELETE", f"/v1/findings/{'0' * 32}"),
        ("GET", f"/v1/photos/{'0' * 32}"),
        ("GET", "/v1/export?to=xlsx"),
        ("GET", "/v1/dashboard"),
    ):
        assert TestClient(app).request(method, path).status_code == 401, path


def test_the_openapi_document_says_what_is_answered(app):
    document = app.openapi()
    confirm = document["paths"]["/v1/findings"]["post"]
    assert {"200", "201", "409", "413", "415", "422", "503"} <= confirm["responses"].keys()
    change = document["paths"]["/v1/findings/{finding_id}"]["patch"]
    conflict = change["responses"]["412"]["content"]["application/json"]["schema"]["$ref"]
    assert conflict.endswith("/ConflictAnswer")
    photo = document["paths"]["/v1/photos/{photo_id}"]["get"]["responses"]["200"]
    assert list(photo["content"]) == ["image/jpeg"]
    export = document["paths"]["/v1/export"]["get"]["responses"]["200"]
    assert set(export["content"]) == {XLSX, "application/zip"}
