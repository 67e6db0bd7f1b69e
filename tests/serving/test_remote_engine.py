"""An engine elsewhere: a second hazardscribe server, and endpoints that misbehave."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from dataclasses import asdict, replace
from unittest.mock import Mock

import httpx
import pytest
from PIL import Image
from running_server import make_app, picture, running

from hazardscribe.errors import InputError
from hazardscribe.files import write_json
from hazardscribe.model.checkpoint import CARD_FILE, Card
from hazardscribe.model.generation import LONGEST
from hazardscribe.pairs.photo import load_photo
from hazardscribe.serving.engine import Ask, EngineError
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.remote_engine import RemoteEngine
from hazardscribe.serving.settings import ServeSettings

GPS = Image.Exif()
GPS[0x0112] = 6
GPS.get_ifd(0x8825)[1] = "N"
TURNED = picture(400, 300, exif=GPS)


@pytest.fixture(scope="module")
def behind(server):
    """A server that has the talkative one describe."""
    with running(make_app(ServeSettings(engine=server, requests_per_minute=0))) as address:
        yield address


def describe(address: str, *photos: bytes, **more):
    files = [("photos", photo) for photo in photos]
    return httpx.post(f"{address}/v1/describe", files=files, timeout=60, **more)


def test_the_server_behind_says_the_same_as_the_one_in_front(server, behind):
    photos = [picture(64, 48, "PNG"), TURNED, b"no photo", picture(1600, 1200, "PNG")]
    near, far = describe(server, *photos).json(), describe(behind, *photos).json()
    kept = ("text", "draft", "confidence", "doubt", "problem")
    for one, other in zip(near["descriptions"], far["descriptions"], strict=True):
        assert [one[name] for name in kept] == [other[name] for name in kept]
    assert near["model"] == far["model"]
    assert httpx.get(f"{behind}/readyz").status_code == 200


def test_its_draft_is_passed_on_while_it_grows(behind):
    answer = describe(behind, TURNED, headers={"Accept": "text/event-stream"})
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
    texts = [event["text"] for event in events if event["event"] == "text"]
    assert len(texts) > 1
    assert texts[-1] == events[-1]["descriptions"][0]["text"]


def engine(answer, **settings) -> RemoteEngine:
    """An engine whose endpoint is a function of the request."""
    made = {"engine": "http://elsewhere:9", "engine_model": "m", "deadline_s": 5} | settings
    return RemoteEngine(ServeSettings(**made), transport=httpx.MockTransport(answer))


def stream(*parts, end: str = "data: [DONE]\n\n") -> httpx.Response:
    return httpx.Response(200, text="".join(f"data: {json.dumps(p)}\n\n" for p in parts) + end)


def part(text: str | None = None, finish: str | None = None, **more) -> dict:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]} | more


def ask(engine: RemoteEngine, *photos: bytes, **asked):
    async def run():
        try:
            return await engine.describe(photos or [picture()], Ask(**asked))
        finally:
            await engine.close()

    return asyncio.run(run())


def test_what_is_sent_is_what_such_endpoints_take_and_holds_no_place():
    sent = []

    def answer(request):
        sent.append((request, json.loads(request.content)))
        usage = {"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 3}}
        return stream(part(" 未戴"), part("安全帽", "length"), usage)

    made = engine(answer, engine_key="k" * 20, language="en", prompt="What is wrong?")
    [said] = ask(made, TURNED, max_tokens=7)
    assert (said.text, said.confidence, said.ended) == ("未戴安全帽", None, False)
    assert (said.prompt_tokens, said.tokens) == (90, 3)
    [(request, body)] = sent
    assert str(request.url) == "http://elsewhere:9/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer " + "k" * 20
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0, 7)
    photo, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is wrong?"}
    kind, _, data = photo["image_url"]["url"].partition(",")
    assert kind == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.size == (300, 400)  # upright
    assert not image.getexif()
    assert made.language == "en"


@pytest.mark.parametrize(
    ("bound", "sent"), [(64, (48, 64)), (None, (300, 400)), (4096, (300, 400))]
)
def test_a_photo_is_sent_with_the_pixels_that_the_model_was_trained_on(bound, sent, tmp_path):
    """Which others would shrink in another way, and then write another text."""
    write_json(tmp_path / CARD_FILE, asdict(Card(language="en", image_bound=bound)))
    urls = []

    def answer(request):
        [message] = json.loads(request.content)["messages"]
        urls.append(message["content"][0]["image_url"]["url"])
        return stream(part("x", "stop"))

    ask(engine(answer, model=tmp_path), TURNED)
    image = Image.open(io.BytesIO(base64.b64decode(urls[0].partition(",")[2])))
    assert image.size == sent
    if bound == 64:
        ours = load_photo(TURNED, bound=bound)
        assert image.tobytes() == ours.tobytes()


def from_vllm(delta: dict, finish: str | None = None) -> dict:
    """A part of a stream as vLLM 0.32 sends it, with what hazardscribe does not ask for."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    more = {"stop_reason": None, "token_ids": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "hazards"}
    return head | {"choices": [choice | more if finish else choice], "usage": None}


def test_what_vllm_answers_is_understood():
    """Its first part holds a role and an empty text, its last the usage and no choice."""
    usage = {"prompt_tokens": 266, "total_tokens": 268, "completion_tokens": 2}
    parts = [
        from_vllm({"role": "assistant", "content": ""}),
        from_vllm({"content": "One worker"}),
        from_vllm({"content": " without a hard hat.\n"}, "stop"),
        from_vllm({}) | {"choices": [], "usage": usage},
    ]
    listed = {"object": "list", "data": [{"id": "hazards", "object": "model", "owned_by": "vllm"}]}

    def answer(request):
        if request.url.path == "/v1/models":
            return httpx.Response(200, json=listed)
        return stream(*parts)

    made = engine(answer, engine_model=None)
    assert made.model == "hazards"
    [said] = ask(made)
    assert (said.text, said.ended, said.confidence) == (
        "One worker without a hard hat.",
        True,
        None,
    )
    assert (said.prompt_tokens, said.tokens) == (266, 2)


def from_llama_cpp(delta: dict, finish: str | None = None) -> dict:
    """A part of a stream, as llama-server sends it."""
    head = {"created": 1795771523, "id": "chatcmpl-5DBa", "model": "text.gguf"}
    head |= {"system_fingerprint": "b0-unknown", "object": "chat.completion.chunk"}
    return head | {"choices": [{"finish_reason": finish, "index": 0, "delta": delta}]}


def test_what_llama_cpp_answers_is_understood():
    """Its first part holds no text, its last the times; its list of models is told twice."""
    usage = {"completion_tokens": 2, "prompt_tokens": 25, "total_tokens": 27}
    parts = [
        from_llama_cpp({"role": "assistant", "content": None}),
        from_llama_cpp({"content": "One worker"}),
        from_llama_cpp({"content": " without a hard hat."}),
        from_llama_cpp({}, "stop"),
        from_llama_cpp({}) | {"choices": [], "usage": usage, "timings": {"cache_n": 4}},
    ]
    listed = {
        "models": [{"name": "text.gguf", "capabilities": ["completion", "multimodal"]}],
        "object": "list",
        "data": [{"id": "text.gguf", "object": "model", "owned_by": "llamacpp"}],
    }

    def answer(request):
        if request.url.path == "/v1/models":
            return httpx.Response(200, json=listed)
        return stream(*parts)

    made = engine(answer, engine_model=None)
    assert made.model == "text.gguf"
    [said] = ask(made)
    assert (said.text, said.ended) == ("One worker without a hard hat.", True)
    assert (said.prompt_tokens, said.tokens, said.confidence) == (25, 2, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"},
            ": Context size has been exceeded.",
        ),
        ({"message": "x" * 20_000}, ""),
        ("out of memory", ""),
        (None, ""),
    ],
)
def test_the_log_tells_why_a_stream_ends_in_an_error(error, told, caplog):
    """Which llama-server reports after a status of 200, also where it had no room for the photo."""
    with pytest.raises(EngineError) as raised:
        ask(engine(lambda _: stream(from_llama_cpp({"content": "One"}), {"error": error}, end="")))
    assert raised.value.answered is None
    [message] = [one.getMessage() for one in caplog.records if "failed" in one.getMessage()]
    assert message.endswith(f"failed: it ended with an error{told}")
    assert "Context" not in raised.value.en


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "too\nlong: 9", "type": "BadRequestError"}}, ": too long: 9"),
        ({"error": "Unauthorized"}, ""),
        ({"error": {"message": "x" * 20_000}}, ""),
        ({"detail": "Not Found"}, ""),
        ([], ""),
    ],
)
def test_the_log_tells_why_an_endpoint_refuses(body, told, caplog):
    with pytest.raises(EngineError) as raised:
        ask(engine(lambda _: httpx.Response(400, json=body)))
    assert raised.value.answered == 400
    [message] = [one.getMessage() for one in caplog.records if "failed" in one.getMessage()]
    assert message.endswith(f"failed: status 400{told}")
    assert "long" not in raised.value.en


def broken(request):
    raise httpx.ConnectError("refused by 10.0.0.7")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (broken, 502, "engine_failed"),
        (lambda _: httpx.Response(500, text="Traceback"), 502, "engine_failed"),
        (lambda _: httpx.Response(302, headers={"Location": "http://evil"}), 502, "engine_failed"),
        (lambda _: httpx.Response(429, headers={"Retry-After": "3"}), 429, "busy"),
        (lambda _: stream(part("x"), end=""), 502, "engine_failed"),
        (lambda _: stream(part("x"), {"error": {"message": "oom"}}), 502, "engine_failed"),
        (lambda _: httpx.Response(200, text="data: {broken\n\n"), 502, "engine_failed"),
        (lambda _: httpx.Response(200, text="data: [1]\n\n"), 502, "engine_failed"),
        (lambda _: stream({"choices": [7]}), 502, "engine_failed"),
    ],
)
def test_an_endpoint_that_fails_is_told_of_without_its_words(answer, status, code):
    made = engine(answer)
    with pytest.raises(ApiError) as raised:
        ask(made)
    assert (raised.value.status, raised.value.code) == (status, code)
    assert made.waiting == 0
    assert not any(word in raised.value.en for word in ("10.0.0.7", "oom", "Traceback", "evil"))


def test_a_slow_endpoint_meets_the_deadline():
    async def slow(_):
        await asyncio.sleep(30)

    with pytest.raises(ApiError) as raised:
        ask(engine(slow, deadline_s=0.2))
    assert raised.value.code == "deadline"


@pytest.mark.parametrize("base", ["http://far:9", "http://far:9/", "http://far:9/v1/"])
def test_the_address_may_be_given_as_far_as_v1(base):
    asked = []

    def answer(request):
        asked.append(str(request.url))
        return stream(part("x", "stop"))

    ask(engine(answer, engine=base))
    assert asked == ["http://far:9/v1/chat/completions"]


@pytest.mark.parametrize(
    ("own", "asked", "sent"), [(9, 20, 9), (9, None, 9), (9, 3, 3), (None, None, LONGEST)]
)
def test_the_longest_text_is_the_clients_up_to_our_own(own, asked, sent):
    bodies = []

    def answer(request):
        bodies.append(json.loads(request.content))
        return stream(part("x", "stop"))

    ask(engine(answer, max_new_tokens=own), max_tokens=asked)
    assert bodies[0]["max_tokens"] == sent


def test_no_proxy_of_the_environment_sees_the_photos(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    [said] = ask(engine(lambda _: stream(part("x", "stop"))))
    assert said.text == "x"


def test_prompt_and_language_are_the_settings_before_the_models(tmp_path):
    write_json(tmp_path / CARD_FILE, asdict(Card(language="en", prompt="What is wrong?")))
    settings = ServeSettings(engine="http://x", engine_model="m", model=tmp_path)
    engine = RemoteEngine(settings)
    assert (engine.language, engine._prompt) == ("en", "What is wrong?")
    engine = RemoteEngine(replace(settings, language="zh", prompt="隐患？"))
    assert (engine.language, engine._prompt) == ("zh", "隐患？")


def test_photos_keep_their_places_and_no_more_are_asked_at_once_than_the_batch_holds():
    at_once = most = 0

    async def answer(request):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        [message] = json.loads(request.content)["messages"]
        data = message["content"][0]["image_url"]["url"].partition(",")[2]
        width = Image.open(io.BytesIO(base64.b64decode(data))).width
        await asyncio.sleep(0.1 if width == 64 else 0)  # the first is told last
        at_once -= 1
        return stream(part(str(width)), part("", "stop"))

    watch = Mock()
    made = engine(answer, max_batch=2, max_photos=4, queue_size=4)

    async def run():
        try:
            with pytest.raises(ApiError, match="busy"):
                await made.describe([picture()] * 5, Ask())
            photos = [picture(width, 48, "PNG") for width in (64, 72, 80, 88)]
            described = asyncio.create_task(made.describe(photos, Ask(), watch))
            await asyncio.sleep(0)
            with pytest.raises(ApiError, match="busy"):
                made.check_room()
            return await described
        finally:
            await made.close()

    assert [one.text for one in asyncio.run(run())] == ["64", "72", "80", "88"]
    assert most == 2
    told = sorted(call.args for call in watch.text.call_args_list)
    assert told == [(0, "64"), (1, "72"), (2, "80"), (3, "88")]
    assert made.waiting == 0
    made.check_room()


@pytest.mark.parametrize(("given", "told"), [("3", "3"), ("600", "60"), ("soon", "5"), (None, "5")])
def test_how_long_to_wait_is_the_endpoints_up_to_a_minute(given, told):
    headers = {} if given is None else {"Retry-After": given}
    with pytest.raises(ApiError) as raised:
        ask(engine(lambda _: httpx.Response(429, headers=headers)))
    assert raised.value.headers["Retry-After"] == told


def test_a_stream_may_be_written_in_other_ways():
    """No space after `data:`, a comment, a part after the finish, no line feed at the end."""
    parts = [part("x", "length"), part("y"), {"choices": None}]
    body = ": ping\n\n" + "".join(f"data:{json.dumps(one)}\n\n" for one in parts)
    [said] = ask(engine(lambda _: httpx.Response(200, text=f"{body}data: [DONE]")))
    assert (said.text, said.ended) == ("xy", False)


def test_not_ready_while_the_endpoint_is_away_and_asked_every_five_seconds():
    asked = []

    def counted(answer):
        return lambda request: asked.append(1) or answer(request)

    async def ready(engine):
        first = await engine.ready()
        assert await engine.ready() == first
        assert len(asked) == 1
        at, known = engine._checked
        engine._checked = at - 5, known
        assert await engine.ready() == first
        assert len(asked) == 2
        asked.clear()
        return first

    assert asyncio.run(ready(engine(counted(lambda _: httpx.Response(200, json={"data": []})))))
    assert not asyncio.run(ready(engine(counted(broken))))
    assert not asyncio.run(ready(engine(counted(lambda _: httpx.Response(401)))))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (broken, "does not list its models"),
        (lambda _: httpx.Response(401), "HAZARDSCRIBE_ENGINE_KEY"),
        (lambda _: httpx.Response(200, json={"data": []}), "has 0 models"),
        (lambda _: httpx.Response(200, json={"data": [{"id": "a"}, {"id": "b"}]}), "a, b"),
    ],
)
def test_which_model_to_ask_must_be_clear(answer, said):
    with pytest.raises(InputError, match=said):
        engine(answer, engine_model=None)


def test_no_client_can_name_an_address(behind):
    for url in ("http://127.0.0.1:1/x.jpg", "https://example.com/x.jpg", "ftp://x/y.jpg"):
        content = [{"type": "image_url", "image_url": {"url": url}}]
        model = httpx.get(f"{behind}/v1/models").json()["data"][0]["id"]
        body = {"model": model, "messages": [{"role": "user", "content": content}]}
        answer = httpx.post(f"{behind}/v1/chat/completions", json=body)
        assert answer.json()["error"]["code"] == "not_a_data_url"


def test_a_line_of_an_answer_ends_in_a_line_feed_alone():
    """JSON leaves U+2028 and U+0085 as they are, which other readers take for ends of lines."""
    text = "配电箱\u2028未上锁\u0085"
    body = json.dumps(part(text, "stop"), ensure_ascii=False)
    answer = httpx.Response(200, content=f"data: {body}\r\n\r\ndata: [DONE]\n\n".encode())
    remote = engine(lambda request: answer)
    [described] = ask(remote)
    assert described.draft == text.strip()


def test_an_answer_without_an_end_is_given_up():
    sent = 0

    async def endless():
        nonlocal sent
        for _ in range(200):
            sent += 100_000
            yield b"x" * 100_000

    remote = engine(lambda request: httpx.Response(200, content=endless()))
    with pytest.raises(ApiError):
        ask(remote)
    assert sent < 3_000_000
