"""OpenAI's form: the official client, unchanged, with good requests and bad ones."""

from __future__ import annotations

import base64
import json

import httpx
import openai
import pytest
from fake_engine import FakeEngine
from running_server import make_app, picture, running

from hazardscribe.serving.auth import Tokens
from hazardscribe.serving.engine import Described, busy, too_late
from hazardscribe.serving.errors import ApiError
from hazardscribe.serving.openai_forms import decode_data_url, own_fields
from hazardscribe.serving.settings import ServeSettings

URL = f"data:image/jpeg;base64,{base64.b64encode(picture()).decode()}"
PHOTO = {"type": "image_url", "image_url": {"url": URL, "detail": "high"}}
MESSAGES = [
    {"role": "system", "content": "You are an inspector."},
    {"role": "user", "content": [{"type": "text", "text": "描述隐患"}, PHOTO]},
]


@pytest.fixture(scope="module")
def client(server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def model(client) -> str:
    [only] = client.models.list().data
    assert client.models.retrieve(only.id) == only
    return only.id


def test_an_answer_counts_its_tokens(client, model):
    answer = client.chat.completions.create(model=model, messages=MESSAGES, temperature=0, n=1)
    [choice] = answer.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "length")
    assert answer.usage.completion_tokens == 8  # of one letter each, cut off at the server's limit
    assert answer.usage.prompt_tokens > 16  # the photo alone has sixteen
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 8
    assert answer.model == model
    assert answer.hazardscribe["text"] == choice.message.content


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_longest_text_is_the_clients_up_to_the_servers(client, model, name):
    texts = {}
    for longest in (3, 8, 5000):
        asked = {"model": model, "messages": MESSAGES, name: longest}
        answer = client.chat.completions.create(**asked)
        texts[longest] = answer.choices[0].message.content
        assert answer.usage.completion_tokens == min(longest, 8)
    assert texts[8].startswith(texts[3])
    assert texts[5000] == texts[8]


def test_a_stream_ends_with_the_finish_the_usage_and_our_own_fields(client, model):
    stream = client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert sum(map(bool, texts)) > 1
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-2].hazardscribe["text"] == "".join(texts)
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 8)
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize(
    ("more", "kind", "code", "param"),
    [
        ({"temperature": 0.7}, openai.BadRequestError, "unsupported_parameter", "temperature"),
        ({"temperature": -1}, openai.BadRequestError, "unsupported_parameter", "temperature"),
        ({"n": 2}, openai.BadRequestError, "unsupported_parameter", "n"),
        ({"top_p": 0.5}, openai.BadRequestError, "unsupported_parameter", "top_p"),
        ({"stop": ["。"]}, openai.BadRequestError, "unsupported_parameter", "stop"),
        ({"logprobs": True}, openai.BadRequestError, "unsupported_parameter", "logprobs"),
        ({"extra_body": {"beams": 3}}, openai.BadRequestError, "unsupported_parameter", "beams"),
        ({"model": "gpt-5"}, openai.NotFoundError, "model_not_found", "model"),
        ({"messages": MESSAGES[:1]}, openai.BadRequestError, "one_photo", "messages"),
        ({"messages": MESSAGES[1:] * 2}, openai.BadRequestError, "one_photo", "messages"),
        ({"messages": []}, openai.BadRequestError, "invalid_request", None),
        ({"max_tokens": 0}, openai.BadRequestError, "invalid_request", None),
        (
            {"messages": [{"role": "assistant", "content": "x"}]},
            openai.BadRequestError,
            "invalid_request",
            None,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_openais_form(client, model, more, kind, code, param, stream):
    asked = {"model": model, "messages": MESSAGES, "stream": stream} | more
    with pytest.raises(kind) as raised:
        client.chat.completions.create(**asked)
    error = raised.value
    assert (error.code, error.param, error.type) == (code, param, "invalid_request_error")
    assert error.body["request_id"] == error.response.headers["x-request-id"] == error.request_id


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.com/x.jpg", "not_a_data_url"),
        ("data:text/plain;base64,aGk=", "not_a_data_url"),
        ("data:image/png;base64,a*Gk=", "bad_base64"),
        (f"data:image/png;base64,{base64.b64encode(bytes(11)).decode()}", "too_large"),
        (f"DATA:image/PNG;base64,{base64.b64encode(bytes(8)).decode()}", None),
    ],
)
def test_a_photo_is_what_its_data_url_holds_and_no_more_than_is_taken(url, code):
    if code is None:
        assert decode_data_url(url, limit=8) == bytes(8)
        return
    with pytest.raises(ApiError) as refused:
        decode_data_url(url, limit=8)
    assert refused.value.code == code


def test_our_own_fields_are_those_of_the_description():
    said = Described("未发现明显隐患", "未戴安全帽", confidence=0.123456, doubt="likely_safe")
    assert own_fields(said).model_dump() == {
        "text": "未发现明显隐患",
        "draft": "未戴安全帽",
        "confidence": 0.1235,
        "doubt": "likely_safe",
    }
    assert own_fields(Described("x", "x")).confidence is None


def test_a_model_whose_id_has_a_slash_is_found_and_none_without_a_name():
    engine = FakeEngine()
    engine.model = "org/model-7b"
    with running(make_app(ServeSettings(engine="http://x"), engine)) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        assert client.models.retrieve("org/model-7b").id == "org/model-7b"
        assert httpx.get(f"{address}/v1/models/org/model-7b").status_code == 200
        assert httpx.get(f"{address}/v1/models/org/other").status_code == 404
        asked = {"model": "", "messages": MESSAGES}
        answer = httpx.post(f"{address}/v1/chat/completions", json=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_what_changes_nothing_is_let_pass(client, model):
    client.chat.completions.create(
        model=model.partition("@")[0],
        messages=MESSAGES,
        top_p=1,
        seed=7,
        user="li",
        frequency_penalty=0,
        response_format={"type": "text"},
        logprobs=False,
        tools=[],
    )


def test_a_token_is_the_api_key():
    token = "0123456789abcdefghij"
    app = make_app(ServeSettings(engine="http://x"), FakeEngine())
    app.state.gate.tokens = Tokens.load(None, token)
    with running(app) as address:
        good = openai.OpenAI(base_url=f"{address}/v1", api_key=token)
        assert good.models.list().data[0].id == "fake@0123"
        bad = openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0)
        with pytest.raises(openai.AuthenticationError) as raised:
            bad.models.list()
        assert raised.value.code == "unauthorized"


@pytest.mark.parametrize("stream", [False, True])
def test_a_busy_or_failing_engine(stream):
    engine = FakeEngine()
    app = make_app(ServeSettings(engine="http://x"), engine)
    with running(app) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        asked = {"model": engine.model, "messages": MESSAGES, "stream": stream}
        engine.error = busy(7)
        if not stream:
            with pytest.raises(openai.RateLimitError) as raised:
                client.chat.completions.create(**asked)
            assert raised.value.response.headers["retry-after"] == "7"
            engine.error = RuntimeError("/secret/path")
            with pytest.raises(openai.InternalServerError) as failed:
                client.chat.completions.create(**asked)
        else:
            engine.error, engine.wait = too_late(60), 0.1
            with pytest.raises(openai.APIError, match="60"):
                list(client.chat.completions.create(**asked))
            engine.error = RuntimeError("/secret/path")
            with pytest.raises(openai.APIError) as failed:
                list(client.chat.completions.create(**asked))
        assert "secret" not in str(failed.value)


@pytest.mark.parametrize("stream", [False, True])
def test_a_photo_that_was_not_described_is_counted_by_the_reason(stream):
    engine = FakeEngine(wait=0.1, error=too_late(60))
    app = make_app(ServeSettings(engine="http://x"), engine)
    with running(app) as address:
        asked = {"model": engine.model, "messages": MESSAGES, "stream": stream}
        httpx.post(f"{address}/v1/chat/completions", json=asked)
        engine.error = RuntimeError("/secret")
        httpx.post(f"{address}/v1/chat/completions", json=asked)
    for reason in ("deadline", "internal"):
        of = {"result": reason}
        value = app.state.metrics.registry.get_sample_value("hazardscribe_photos_total", of)
        assert value == 1


def test_an_error_in_a_stream_bears_the_status_that_it_would_have_had():
    engine = FakeEngine(wait=0.1, error=busy(7))
    with running(make_app(ServeSettings(engine="http://x"), engine)) as address:
        asked = {"model": engine.model, "messages": MESSAGES, "stream": True}
        answer = httpx.post(f"{address}/v1/chat/completions", json=asked)
    *_, last = answer.text.strip().splitlines()
    told = json.loads(last[6:])
    assert (told["error"]["code"], told["status"], told["retry_after"]) == ("busy", 429, 7)


def test_a_text_that_came_with_the_end_is_sent(monkeypatch):
    engine = FakeEngine(text="abc")
    told: list[str] = []

    async def described(photos, ask, watch=None):
        for text in told:  # and at once, before anybody could have taken them, the end
            watch.text(0, text)
        return [Described(text="abcd", draft="abcd")]

    monkeypatch.setattr(engine, "describe", described)
    with running(make_app(ServeSettings(engine="http://x"), engine)) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        for told[:] in (["ab", "abcd"], ["ab"], [], ["x"]):
            stream = client.chat.completions.create(
                model=engine.model, messages=MESSAGES, stream=True
            )
            texts = [chunk.choices[0].delta.content or "" for chunk in stream]
            assert "".join(texts) == ("x" if told == ["x"] else "abcd")


def test_a_body_that_is_no_json(server):
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"[]", b"\xff", b"[" * 5000):
        answer = httpx.post(f"{server}/v1/chat/completions", content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] in ("invalid_request", "bad_request")
