"""Requests that a server must answer with a sentence and never with 5xx."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from bad_inputs.world import Case, World
from serving.running_server import picture

JPEG = picture()
MODEL = "(the server's)"
FINDING = {"text": "护栏缺失"}


def _ask(method: str, path: str, **options: Any) -> Callable[[World], object]:
    return lambda world: world.ask(method, path, **options)


def _finding(fields: Any, photo: bytes = JPEG, **options: Any) -> Callable[[World], object]:
    data = fields if isinstance(fields, str) else json.dumps(fields)
    return _ask(
        "POST",
        "/v1/findings",
        data={"finding": data},
        files={"photos": ("a.jpg", photo, "image/jpeg")},
        **options,
    )


def _describe(data: dict[str, Any] | None = None, **options: Any) -> Callable[[World], object]:
    files = {"photos": ("a.jpg", JPEG, "image/jpeg")}
    return _ask("POST", "/v1/describe", data=data or {}, files=files, **options)


def _chat(body: Any) -> Callable[[World], object]:
    def do(world: World) -> object:
        model = httpx.get(f"{world.server}/v1/models").json()["data"][0]["id"]
        sent = body | {"model": model} if MODEL in str(body) else body
        return world.ask("POST", "/v1/chat/completions", json=sent)

    return do


def _content(*parts: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": list(parts)}]}


JSON = {"headers": {"Content-Type": "application/json"}}
CASES: dict[str, Case] = {
    "no such path": (_ask("GET", "/nothing"), "404 not_found: There is nothing at this address."),
    "a climb": (
        _ask("GET", "/page/..%2f..%2fetc%2fpasswd"),
        "404 not_found: There is nothing at this address.",
    ),
    "wrong method": (
        _ask("DELETE", "/v1/describe"),
        "405 method_not_allowed: This address does not take that method.",
    ),
    "no body": (
        _ask("POST", "/v1/describe"),
        "415 not_multipart: Send photos as multipart/form-data (field photos).",
    ),
    "no form": (
        _ask("POST", "/v1/describe", content=b"{}", **JSON),
        "415 not_multipart: Send photos as multipart/form-data (field photos).",
    ),
    "form without boundary": (
        _ask("POST", "/v1/describe", content=b"x", headers={"Content-Type": "multipart/form-data"}),
        "400 bad_request: The request's body cannot be parsed; check its form.",
    ),
    "form cut off": (
        _ask(
            "POST",
            "/v1/describe",
            content=b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\nab',
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
        "422 no_photo: Attach a photo (field photos).",
    ),
    "no photo": (
        _ask("POST", "/v1/describe", files={"other": b"x"}),
        "422 no_photo: Attach a photo (field photos).",
    ),
    "photo as a text": (
        _ask("POST", "/v1/describe", data={"photos": "x"}),
        "415 not_multipart: Send photos as multipart/form-data (field photos).",
    ),
    "too many photos": (
        _ask("POST", "/v1/describe", files=[("photos", ("a.jpg", JPEG))] * 21),
        "413 too_many_photos: At most 20 photos at a time; send them in parts.",
    ),
    "no image": (
        _ask("POST", "/v1/describe", files={"photos": b"text"}),
        (
            "415 not_an_image: The file is not a photo; choose a JPEG, PNG, WebP, BMP, GIF "
            "or TIFF file."
        ),
    ),
    "alternatives beyond": (
        _describe({"alternatives": "999"}),
        (
            "422 invalid_request: The request does not fit the API: alternatives "
            "(less_than_equal: le 5). See /openapi.json."
        ),
    ),
    "alternatives a word": (
        _describe({"alternatives": "many"}),
        (
            "422 invalid_request: The request does not fit the API: alternatives "
            "(int_parsing). See /openapi.json."
        ),
    ),
    "a field that is none": (
        _describe({"doubt": "perhaps"}),
        (
            "422 invalid_request: The request does not fit the API: doubt "
            "(extra_forbidden). See /openapi.json."
        ),
    ),
    "chat without json": (
        _ask("POST", "/v1/chat/completions", content=b"{", **JSON),
        (
            "400 invalid_request: The request does not fit the API: 1 (json_invalid). See "
            "/openapi.json."
        ),
    ),
    "chat of a list": (
        _chat([]),
        (
            "400 invalid_request: The request does not fit the API: - "
            "(model_attributes_type). See /openapi.json."
        ),
    ),
    "chat without messages": (
        _chat({"model": MODEL}),
        (
            "400 invalid_request: The request does not fit the API: messages (missing). "
            "See /openapi.json."
        ),
    ),
    "chat without photo": (
        _chat(_content({"type": "text", "text": "hi"})),
        (
            "400 one_photo: A request holds exactly one photo, this one 0; for several "
            "there is /v1/describe."
        ),
    ),
    "chat of a remote photo": (
        _chat(_content({"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/a"}})),
        (
            "400 not_a_data_url: Give the photo as data:image/...;base64,...; the server "
            "fetches no address."
        ),
    ),
    "chat of a file": (
        _chat(_content({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})),
        (
            "400 not_a_data_url: Give the photo as data:image/...;base64,...; the server "
            "fetches no address."
        ),
    ),
    "chat of no base64": (
        _chat(_content({"type": "image_url", "image_url": {"url": "data:image/png;base64,#"}})),
        "400 bad_base64: The photo is not valid base64.",
    ),
    "chat of another model": (
        _chat({"model": "gpt", "messages": [{"role": "user", "content": "x"}]}),
        "404 model_not_found: There is no such model; this server's is ….",
    ),
    "chat temperature": (
        _chat({**_content(), "temperature": "hot"}),
        (
            "400 invalid_request: The request does not fit the API: temperature "
            "(float_parsing). See /openapi.json."
        ),
    ),
    "chat of unknown part": (
        _chat(_content({"type": "video"})),
        (
            "400 invalid_request: The request does not fit the API: messages.0.content.str "
            "(string_type), messages.0.content.0 (union_tag_invalid). See /openapi.json."
        ),
    ),
    "model unknown": (
        _ask("GET", "/v1/models/none"),
        "404 model_not_found: There is no such model; this server's is ….",
    ),
    "finding without json": (
        _finding("{"),
        (
            "422 invalid_request: The request does not fit the API: finding "
            "(json_invalid). See /openapi.json."
        ),
    ),
    "finding of a list": (
        _finding([]),
        (
            "422 invalid_request: The request does not fit the API: finding (model_type). "
            "See /openapi.json."
        ),
    ),
    "finding without text": (
        _finding({}),
        (
            "422 invalid_request: The request does not fit the API: finding.text "
            "(missing). See /openapi.json."
        ),
    ),
    "finding of spaces": (
        _finding({"text": "  "}),
        (
            "422 invalid_request: The request does not fit the API: finding.text "
            "(string_too_short: min_length 1). See /openapi.json."
        ),
    ),
    "finding too long": (
        _finding({"text": "x" * 100_000}),
        (
            "422 invalid_request: The request does not fit the API: finding.text "
            "(string_too_long: max_length 2000). See /openapi.json."
        ),
    ),
    "finding of a wrong date": (
        _finding(FINDING | {"due": "tomorrow"}),
        (
            "422 invalid_request: The request does not fit the API: finding.due "
            "(value_error). See /openapi.json."
        ),
    ),
    "finding of an unknown field": (
        _finding(FINDING | {"colour": "red"}),
        (
            "422 invalid_request: The request does not fit the API: finding.colour "
            "(extra_forbidden). See /openapi.json."
        ),
    ),
    "finding of a bad level": (
        _finding(FINDING | {"level": 7}),
        (
            "422 invalid_request: The request does not fit the API: finding.level "
            "(literal_error: expected '一般' or '重大'). See /openapi.json."
        ),
    ),
    "finding with a null character": (
        _finding({"text": "a\0b", "place": 3}),
        (
            "422 invalid_request: The request does not fit the API: finding.place "
            "(string_type). See /openapi.json."
        ),
    ),
    "finding of no image": (
        _finding(FINDING, photo=b"text"),
        (
            "415 not_an_image: The file is not a photo; choose a JPEG, PNG, WebP, BMP, GIF "
            "or TIFF file."
        ),
    ),
    "no such finding": (
        _ask("GET", "/v1/findings/none"),
        "404 not_found: There is no such record or photo; it may have been deleted.",
    ),
    "no such history": (
        _ask("GET", "/v1/findings/none/history"),
        "404 not_found: There is no such record or photo; it may have been deleted.",
    ),
    "no such photo": (
        _ask("GET", "/v1/photos/none"),
        "404 not_found: There is no such record or photo; it may have been deleted.",
    ),
    "delete nothing": (
        _ask("DELETE", "/v1/findings/none"),
        "404 not_found: There is no such record or photo; it may have been deleted.",
    ),
    "change nothing": (
        _ask("PATCH", "/v1/findings/none", json={"text": "x"}),
        ('428 version_required: Say which version you change, in the header If-Match: "3".'),
    ),
    "list beyond": (
        _ask("GET", "/v1/findings?limit=100000"),
        (
            "422 invalid_request: The request does not fit the API: limit "
            "(less_than_equal: le 200). See /openapi.json."
        ),
    ),
    "list of a word": (
        _ask("GET", "/v1/findings?limit=all"),
        (
            "422 invalid_request: The request does not fit the API: limit (int_parsing). "
            "See /openapi.json."
        ),
    ),
    "list with a wrong cursor": (
        _ask("GET", "/v1/findings?cursor=%00"),
        "422 bad_cursor: The cursor is not valid; begin again at the first page.",
    ),
    "list since a word": (
        _ask("GET", "/v1/findings?since=yesterday"),
        (
            "422 invalid_request: The request does not fit the API: since (value_error), "
            "since (literal_error). See /openapi.json."
        ),
    ),
    "export of an unknown form": (
        _ask("GET", "/v1/export?to=pdf"),
        (
            "422 invalid_request: The request does not fit the API: to "
            "(literal_error: expected 'xlsx' or 'pairs'). See /openapi.json."
        ),
    ),
    "export of nothing": (
        _ask("GET", "/v1/export?to=pairs"),
        ("404 nothing_to_export: None of these records has a photo and a text to learn from."),
    ),
    "a search without end": (
        _ask("GET", "/v1/findings?q=" + "x" * 5000),
        (
            "422 invalid_request: The request does not fit the API: q "
            "(string_too_long: max_length 200). See /openapi.json."
        ),
    ),
    "a foreign host": (
        _ask("GET", "/v1/session", headers={"Host": "evil.example"}),
        (
            "403 no_tokens: Without access tokens the server serves its own machine alone, under "
            "127.0.0.1 or localhost. For other names and machines its administrator starts it "
            "with --tokens."
        ),
    ),
    "a foreign origin": (
        _ask("POST", "/v1/describe", headers={"Origin": "http://evil.example"}, content=b""),
        "403 cross_site: Requests from another site's page are refused.",
    ),
    "a page that is none": (
        _ask("GET", "/page/none.js"),
        "404 not_found: There is nothing at this address.",
    ),
}
