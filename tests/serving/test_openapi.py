"""The OpenAPI document is complete and true: random requests, good and bad, get what it promises.

The quick part sends some hundred requests; the `extended` one over two thousand.
"""

from __future__ import annotations

import base64
import math
import os
import random
import warnings
from collections import Counter
from typing import Any

import httpx
import pytest
from fake_engine import FakeEngine
from running_server import make_app, picture, running

from hazardscribe.serving.app import create_app
from hazardscribe.serving.serve import opened_store
from hazardscribe.serving.settings import ServeSettings

TOKEN = "0123456789-0123456789"
PHOTOS = [picture(), picture(kind="PNG"), b"", b"no photo", picture()[:200], b"<svg/>"]
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("store"))
    settings = ServeSettings(
        engine="http://nowhere", token=TOKEN, requests_per_minute=0, store=folder
    )
    with opened_store(settings) as store:
        app = create_app(settings, store, FakeEngine())
        with running(app) as address:
            yield address


@pytest.fixture(scope="module")
def document(address) -> dict[str, Any]:
    return httpx.get(f"{address}/openapi.json").json()


def test_every_route_tells_its_errors_and_who_may_ask(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            where = f"{method} {path}"
            if not path.startswith("/v1/"):
                continue
            assert {"401", "429", "500"} <= set(answers), where
            assert operation["security"] == [{"HTTPBearer": []}], where
            form = "OpenAIErrorAnswer" if path.startswith(("/v1/chat", "/v1/models")) else "Answer"
            for status, answer in answers.items():
                if status >= "400":
                    schema = answer["content"]["application/json"]["schema"]["$ref"]
                    assert schema.endswith(form), f"{where} {status}"
            assert operation.get("summary"), where
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert "HTTPValidationError" not in str(document)


def test_references_lead_somewhere(document):
    schemas = document["components"]["schemas"]
    found = [part.split('"')[0].split("'")[0] for part in str(document).split("/schemas/")[1:]]
    assert found
    assert set(found) <= set(schemas)


def test_uploads_are_told_as_a_form_of_files(document):
    body = document["paths"]["/v1/describe"]["post"]["requestBody"]
    schema = body["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["photos"]
    assert schema["properties"]["photos"]["items"] == {"type": "string", "format": "binary"}
    assert set(schema["properties"]) == {"photos", "together", "alternatives"}
    assert schema["properties"]["alternatives"]["maximum"] == 5


def test_it_says_how_many_photos_this_server_takes(document):
    few = ServeSettings(engine="http://nowhere", max_photos=3)
    few_document = make_app(few, FakeEngine()).openapi()
    for told, most in ((document, 20), (few_document, 3)):
        form = told["paths"]["/v1/describe"]["post"]["requestBody"]["content"]
        assert form["multipart/form-data"]["schema"]["properties"]["photos"]["maxItems"] == most
        form = told["paths"]["/v1/findings"]["post"]["requestBody"]["content"]
        name = form["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        photos = told["components"]["schemas"][name]["properties"]["photos"]
        assert photos["maxItems"] == most


def fuzz(address: str, cases: int) -> dict[str, Counter[int]]:
    """Send random requests to every route; how often each status came back, by path."""
    import hypothesis
    import schemathesis
    from hypothesis import HealthCheck
    from schemathesis import checks

    kept = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
        checks.response_headers_conformance,
    ]
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    chosen = random.Random(0)
    seen: dict[str, Counter[int]] = {}

    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.settings(
            max_examples=cases,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def one(case):
            headers = AUTH if chosen.random() < 0.9 else {}
            if isinstance(case.body, dict) and chosen.random() < 0.5:
                _make_plausible(case.body, chosen)
            answer = case.call(base_url=address, headers=headers)
            case.validate_response(answer, checks=kept)
            seen.setdefault(case.operation.path, Counter())[answer.status_code] += 1

        one()
    return seen


def _make_plausible(body: dict[str, Any], chosen: random.Random) -> None:
    """Random bytes are never photos: some requests get what may be one."""
    if isinstance(body.get("photos"), list):
        body["photos"] = [chosen.choice(PHOTOS) for _ in range(chosen.randint(0, 21))]
    if "messages" in body and isinstance(body["messages"], list):
        kept = ("stream", "stream_options", "max_tokens", "max_completion_tokens")
        for name in set(body).difference(kept):
            del body[name]  # the others are refused, almost whatever their value
        body["model"] = "fake@0123"
        photo = base64.b64encode(chosen.choice(PHOTOS)).decode()
        part = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{photo}"}}
        body["messages"] = [{"role": "user", "content": [part]}]


@pytest.fixture
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check(seen: dict[str, Counter[int]], least: int) -> None:
    assert sum(counts.total() for counts in seen.values()) >= least
    for path in ("/v1/describe", "/v1/chat/completions"):
        # Else nothing but refusals would have been tried.
        assert seen[path][200] > 3, seen[path]
        assert sum(n for status, n in seen[path].items() if status >= 400) > 3, seen[path]


@pytest.mark.usefixtures("_quiet")
def test_random_requests_get_what_the_document_promises(address):
    check(fuzz(address, cases=40), least=100)


@pytest.mark.extended
@pytest.mark.usefixtures("_quiet")
def test_two_thousand_random_requests_get_what_the_document_promises(address):
    document = httpx.get(f"{address}/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    rich = sum(bool(one.get("parameters") or one.get("requestBody")) for one in operations)
    total = int(os.environ.get("HAZARDSCRIBE_API_CASES", "3000"))
    check(fuzz(address, math.ceil(total / rich)), least=min(total, 2000))
