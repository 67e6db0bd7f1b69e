"""What is uploaded as a photo and is none, or is a trap: the right refusal, and bounded memory."""

from __future__ import annotations

import asyncio
import base64
import io
import resource
import threading
from pathlib import Path

import httpx
import pytest
from running_server import running
from starlette.datastructures import UploadFile

from hazardscribe.pairs.photo import DEFAULT_LIMITS
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.memory import Memory
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.uploads import Decoders, read_photos
from serving.odd_photos import BAD, GOOD, JPEG, PNG, SVG, bomb, png

NAMES = ("../../etc/passwd", "a\\..\\b.jpg", "x.svg", "照片.jpg", "con", "." * 300, "%2e%2e%2f.jpg")


@pytest.fixture(scope="module")
def address(start, serve_app):
    # The memory of the test's own process counts: nothing may pile up.
    with running(serve_app(start)) as address:
        yield address


def send(address: str, *photos: bytes, name: str = "photo.jpg", **more) -> httpx.Response:
    parts = [("photos", (name, photo, "image/jpeg")) for photo in photos]
    return httpx.post(f"{address}/v1/describe", files=parts, timeout=60, **more)


def test_there_are_sixty_bad_ones():
    assert len(BAD) >= 60


@pytest.mark.parametrize("name", BAD)
def test_a_bad_photo_is_refused_for_what_it_is(address, name):
    content, status, code = BAD[name]
    answer = send(address, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert set(answer.json()) == {"error"}
    # A library's words would name its classes, files or bytes.
    text = answer.json()["error"]["message"].lower()
    assert not any(word in text for word in ("pil", "traceback", "error", "bytes", "/"))


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_photo_is_described(address, name):
    answer = send(address, GOOD[name])
    assert answer.status_code == 200, answer.text
    assert answer.json()["descriptions"][0]["id"]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_means_nothing(address, name):
    assert send(address, JPEG, name=name).status_code == 200


def test_memory_stays_bounded(address):
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    large = bomb(6_000)
    send(address, large)
    before = peak()
    # Each would unpack to 144 MB; together they must not take more than one does.
    answer = send(address, *[large] * 6, *[BAD["bomb"][0]] * 6)
    problems = [one["problem"] for one in answer.json()["descriptions"]]
    assert [problem is None for problem in problems] == [True] * 6 + [False] * 6
    assert peak() - before < 140


def test_a_bad_one_among_good_ones_is_told_of_in_its_place(address):
    answer = send(address, JPEG, b"no photo", PNG, headers={"Accept-Language": "en"}).json()
    first, second, third = answer["descriptions"]
    assert [one["photo"] for one in (first, second, third)] == [0, 1, 2]
    assert first["id"] != third["id"]
    assert second["problem"]["code"] == "not_an_image"
    assert second["problem"]["message"].startswith("The file is not a photo")
    assert second["id"] is None
    assert [finding["photos"] for finding in answer["findings"]] == [[0], [2]]


def test_too_many_photos_and_none(address):
    answer = send(address, *[JPEG] * 21)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_photos")
    answer = httpx.post(f"{address}/v1/describe", files={"other": b"x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_photo")


@pytest.mark.parametrize("known", [True, False])  # whether the form tells the sizes
@pytest.mark.parametrize(
    ("photos", "code"),
    [
        ([JPEG, JPEG], None),
        ([JPEG, JPEG, JPEG], "too_many_photos"),
        ([JPEG, JPEG + b"\0"], "too_large"),
        ([], "no_photo"),
        ([JPEG, b"no photo"], "not_an_image"),
    ],
)
def test_as_many_and_as_large_photos_as_are_allowed_and_no_more(photos, code, known):
    settings = ServeSettings(model=Path("m"), max_photos=2, max_photo_bytes=len(JPEG))
    files = [UploadFile(io.BytesIO(photo), size=len(photo) if known else None) for photo in photos]
    memory = Memory(10**6)

    def read() -> list[bytes]:
        return asyncio.run(read_photos(files, settings, memory.hold()))

    if code is None:
        assert read() == photos
        assert memory.taken == (2 * len(JPEG) if known else 0)
    else:
        with pytest.raises(ApiError) as refused:
            read()
        assert refused.value.code == code


def test_of_large_pictures_one_at_a_time_is_decoded_and_of_others_two():
    most, now, lock = {}, dict.fromkeys(("large", "small"), 0), threading.Lock()
    met = threading.Barrier(2)

    def decode(photo: bytes, limits: object) -> str:
        kind = "small" if photo == JPEG else "large"
        with lock:
            now[kind] += 1
            most[kind] = max(most.get(kind, 0), now[kind])
        if kind == "small":
            met.wait(20)  # both are here
        else:
            threading.Event().wait(0.1)
        with lock:
            now[kind] -= 1
        return kind

    async def all_of_them() -> list[object]:
        decoders = Decoders(DEFAULT_LIMITS)
        photos = [png(5000, 4000), png(4001, 4000), png(5000, 4000), JPEG, JPEG]
        done = await asyncio.gather(*(decoders(photo, decode) for photo in photos))
        decoders.close()
        return done

    assert asyncio.run(all_of_them()) == ["large"] * 3 + ["small"] * 2
    assert most == {"large": 1, "small": 2}


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("http://127.0.0.1:1/a.jpg", 400, "not_a_data_url"),
        ("file:///etc/passwd", 400, "not_a_data_url"),
        ("data:text/html;base64,AAAA", 400, "not_a_data_url"),
        ("data:image/png,AAAA", 400, "not_a_data_url"),
        ("data:image/png;base64,####", 400, "bad_base64"),
        ("data:image/png;base64,", 400, "damaged"),
        (f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}", 400, "format"),
        (f"data:image/png;base64,{base64.b64encode(png(10**5, 10**5)).decode()}", 413, "too_large"),
    ],
)
def test_a_data_url_that_holds_no_photo(address, url, status, code):
    model = httpx.get(f"{address}/v1/models").json()["data"][0]["id"]
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    answer = httpx.post(f"{address}/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_reasons_of_the_loader_are_all_known():
    from hazardscribe.errors import PhotoError
    from hazardscribe.serving.errors import photo_error

    for reason in ("missing", "not_an_image", "format", "too_large", "aspect", "too_small"):
        error = photo_error(PhotoError(reason, "/secret/path"), 2)
        assert isinstance(error, ApiError)
        assert error.code == reason
        assert "第 3 张" in error.zh
        assert "secret" not in error.zh + error.en
