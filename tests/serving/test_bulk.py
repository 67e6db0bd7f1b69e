"""Many photos, several endpoints: in order, each busy, a failing one made good for."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from running_server import picture

from hazardscribe import verbs
from hazardscribe.errors import InputError
from hazardscribe.serving.bulk import Endpoints
from hazardscribe.serving.engine import Described
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.remote_engine import RemoteEngine
from hazardscribe.serving.settings import ServeSettings


class Engine:
    """Answers with its name and the photo's length, slower for early photos; may fail at first."""

    language = "en"

    def __init__(self, name: str, failures: int = 0, status: int = 502) -> None:
        self.name, self.failures, self.status = name, failures, status
        self.waiting = self.most = self.answered = 0
        self.closed = False

    async def describe(self, photos, ask):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await asyncio.sleep(0.02 / (1 + self.answered))
            if self.failures:
                self.failures -= 1
                raise ApiError(self.status, "x", "不行", "it does not work")
            self.answered += 1
            return [Described(text=f"{len(photos[0])}", draft=self.name)]
        finally:
            self.waiting -= 1

    async def close(self):
        self.closed = True


@pytest.fixture
def files(tmp_path):
    made = []
    for i in range(12):
        path = tmp_path / f"{i:02}.png"
        path.write_bytes(picture(40 + i, 40, "PNG"))
        made.append(str(path))
    return made


def test_in_order_and_all_engines_busy(files):
    engines = [Engine("a"), Engine("b")]
    told = list(Endpoints(engines, each=2).stream(files))
    from pathlib import Path

    assert [one.text for one in told] == [str(len(Path(name).read_bytes())) for name in files]
    for engine in engines:
        assert engine.answered > 2
        assert 2 <= engine.most <= 8
        assert engine.closed


def test_a_failing_engine_is_made_good_for(files):
    engines = [Engine("a", failures=5), Engine("b", failures=2, status=429)]
    told = list(Endpoints(engines, each=2, wait=0.001).stream(files))
    assert len(told) == 12
    assert all(one.text for one in told)


@pytest.mark.parametrize(("status", "tried"), [(502, "8 times"), (400, "1 time")])
def test_engines_that_only_fail_end_the_run(status, tried, files):
    engine = Engine("a", failures=1000, status=status)
    with pytest.raises(InputError, match=rf"00\.png: it does not work Tried {tried}\. .*--resume"):
        list(Endpoints([engine], each=2, wait=0.001).stream(files))
    assert engine.closed


def elsewhere(answer) -> RemoteEngine:
    settings = ServeSettings(engine="http://elsewhere:9", engine_model="m")
    return RemoteEngine(settings, httpx.MockTransport(answer))


def said(text: str) -> httpx.Response:
    part = {"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}
    return httpx.Response(200, text=f"data: {json.dumps(part)}\n\ndata: [DONE]\n\n")


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_photo_that_the_endpoint_refuses_does_not_stop_the_rest(status, files):
    sizes = []

    def answer(request):
        sizes.append(len(request.content))
        return httpx.Response(status) if len(sizes) == 2 else said("fine")

    told = list(Endpoints([elsewhere(answer)], each=1, wait=0.001).stream(files[:4]))
    [problem] = [one.problem for one in told if one.problem]
    assert problem.reason == "refused"
    assert f"status {status}" in str(problem)
    assert [one.text for one in told].count("fine") == 3
    assert len(sizes) == 4  # it was not asked again


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_address_ends_the_run_at_once(status, files):
    asked = []

    def answer(request):
        asked.append(request)
        return httpx.Response(status)

    with pytest.raises(InputError, match=f"status {status}.*HAZARDSCRIBE_ENGINE_KEY"):
        list(Endpoints([elsewhere(answer)], each=1, wait=0.001).stream(files[:1]))
    assert len(asked) == 1


def test_an_endpoint_that_takes_no_photos_is_told_at_once(files):
    """llama.cpp's server without --mmproj answers so to every photo, with a status of 500."""
    asked = []
    said = "image input is not supported - hint: if this is unexpected, you may need to provide the"
    error = {"code": 500, "message": f"{said} mmproj", "type": "server_error"}

    def answer(request):
        asked.append(request)
        return httpx.Response(500, json={"error": error})

    with pytest.raises(InputError, match=r"takes no photos.*--mmproj FILE"):
        list(Endpoints([elsewhere(answer)], each=1, wait=0.001).stream(files[:1]))
    assert len(asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_asked_again(status, files):
    asked = []

    def answer(request):
        asked.append(request)
        return httpx.Response(status) if len(asked) < 3 else said("fine")

    [told] = Endpoints([elsewhere(answer)], each=1, wait=0.001).stream(files[:1])
    assert told.text == "fine"


def test_a_bad_photo_carries_its_problem(files, tmp_path):
    told = list(Endpoints([Engine("a")]).stream([files[0], str(tmp_path / "no.png"), files[1]]))
    assert told[1].problem.reason == "missing"
    assert [bool(one.text) for one in told] == [True, False, True]


def test_stopping_early_stops_the_asking(files):
    engine = Engine("a")
    told = Endpoints([engine], each=1).stream(files)
    next(told)
    told.close()
    assert engine.closed
    assert engine.answered < 12


def test_describe_asks_endpoints_and_goes_on(server, files, tmp_path):
    out = tmp_path / "described.jsonl"
    files = [*files[:3], str(tmp_path / "missing.png")]
    told = list(verbs.describe(files, engine=f"{server},{server}/v1", out=out, resume=True))
    assert [row["photo"] for row in told] == files
    assert told[3]["error"].startswith("missing:")
    assert all(row["ai_description"] and row["error"] is None for row in told[:3])
    assert [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] == told
    assert list(verbs.describe(files, engine="http://127.0.0.1:9", out=out, resume=True)) == []


def test_what_an_endpoint_cannot_do_is_refused(files):
    with pytest.raises(InputError, match="up to the endpoint"):
        verbs.describe(files, engine="http://127.0.0.1:9", alternatives=2)
    with pytest.raises(InputError, match="does not list its models"):
        verbs.describe(files, engine="http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"a model folder \(--model\) or an endpoint"):
        verbs.describe(files)
