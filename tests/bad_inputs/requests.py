"""Requests that a server must answer with a sentence and never with 5xx."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bad_inputs.world import Case, World
from serving.running_server import picture

JPEG = picture()
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
    return _ask("POST", "/v1/chat/completions", json=body)


def _content(*parts: Any) -> dict[str, Any]:
    return {"model": "x", "messages": [{"role": "user", "content": list(parts)}]}


JSON = {"headers": {"Content-Type": "application/json"}}
CASES: dict[str, Case] = {
    "no such path": (_ask("GET", "/nothing"), ""),
    "a climb": (_ask("GET", "/page/..%2f..%2fetc%2fpasswd"), ""),
    "wrong method": (_ask("DELETE", "/v1/describe"), ""),
    "no body": (_ask("POST", "/v1/describe"), ""),
    "no form": (_ask("POST", "/v1/describe", content=b"{}", **JSON), ""),
    "form without boundary": (
        _ask("POST", "/v1/describe", content=b"x", headers={"Content-Type": "multipart/form-data"}),
        "",
    ),
    "form cut off": (
        _ask(
            "POST",
            "/v1/describe",
            content=b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\nab',
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
        "",
    ),
    "no photo": (_ask("POST", "/v1/describe", files={"other": b"x"}), ""),
    "photo as a text": (_ask("POST", "/v1/describe", data={"photos": "x"}), ""),
    "too many photos": (
        _ask("POST", "/v1/describe", files=[("photos", ("a.jpg", JPEG))] * 21),
        "",
    ),
    "no image": (_ask("POST", "/v1/describe", files={"photos": b"text"}), ""),
    "alternatives beyond": (_describe({"alternatives": "999"}), ""),
    "alternatives a word": (_describe({"alternatives": "many"}), ""),
    "boolean a word": (_describe({"doubt": "perhaps"}), ""),
    "grouping unknown": (_describe({"group": "{"}), ""),
    "chat without json": (
        _ask("POST", "/v1/chat/completions", content=b"{", **JSON),
        "",
    ),
    "chat of a list": (_chat([]), ""),
    "chat without messages": (_chat({"model": "x"}), ""),
    "chat without photo": (_chat(_content({"type": "text", "text": "hi"})), ""),
    "chat of a remote photo": (
        _chat(_content({"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/a"}})),
        "",
    ),
    "chat of a file": (
        _chat(_content({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})),
        "",
    ),
    "chat of no base64": (
        _chat(_content({"type": "image_url", "image_url": {"url": "data:image/png;base64,#"}})),
        "",
    ),
    "chat of another model": (
        _chat({"model": "gpt", "messages": [{"role": "user", "content": "x"}]}),
        "",
    ),
    "chat temperature": (_chat({**_content(), "temperature": "hot"}), ""),
    "chat of unknown part": (_chat(_content({"type": "video"})), ""),
    "model unknown": (_ask("GET", "/v1/models/none"), ""),
    "finding without json": (_finding("{"), ""),
    "finding of a list": (_finding([]), ""),
    "finding without text": (_finding({}), ""),
    "finding of spaces": (_finding({"text": "  "}), ""),
    "finding too long": (_finding({"text": "x" * 100_000}), ""),
    "finding of a wrong date": (_finding(FINDING | {"due": "tomorrow"}), ""),
    "finding of an unknown field": (_finding(FINDING | {"colour": "red"}), ""),
    "finding of an unknown draft": (_finding(FINDING | {"description_ids": ["none"]}), ""),
    "finding of a bad level": (_finding(FINDING | {"level": 7}), ""),
    "finding with a null character": (_finding({"text": "a\0b", "place": 3}), ""),
    "finding of no image": (_finding(FINDING, photo=b"text"), ""),
    "no such finding": (_ask("GET", "/v1/findings/none"), ""),
    "no such history": (_ask("GET", "/v1/findings/none/history"), ""),
    "no such photo": (_ask("GET", "/v1/photos/none"), ""),
    "delete nothing": (_ask("DELETE", "/v1/findings/none"), ""),
    "change nothing": (_ask("PATCH", "/v1/findings/none", json={"text": "x"}), ""),
    "list beyond": (_ask("GET", "/v1/findings?limit=100000"), ""),
    "list of a word": (_ask("GET", "/v1/findings?limit=all"), ""),
    "list with a wrong cursor": (_ask("GET", "/v1/findings?after=%00"), ""),
    "list since a word": (_ask("GET", "/v1/findings?found_from=yesterday"), ""),
    "export of an unknown form": (_ask("GET", "/v1/export?form=pdf"), ""),
    "export of nothing": (_ask("GET", "/v1/export?form=pairs"), ""),
    "a search without end": (_ask("GET", "/v1/findings?q=" + "x" * 5000), ""),
    "a foreign host": (_ask("GET", "/v1/session", headers={"Host": "evil.example"}), ""),
    "a foreign origin": (
        _ask("POST", "/v1/describe", headers={"Origin": "http://evil.example"}, content=b""),
        "",
    ),
    "a page that is none": (_ask("GET", "/page/none.js"), ""),
}
