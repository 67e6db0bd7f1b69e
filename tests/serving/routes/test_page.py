"""The page's files come with fixed types and tags, and nothing else comes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from hazardscribe.serving.routes.page import page_files, router


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(router)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
        ("/page/icon-180.png", "image/png"),
        ("/page/manifest.webmanifest", "application/manifest+json"),
    ],
)
def test_a_file_has_its_type_and_is_not_sent_twice(
    client: TestClient, path: str, kind: str
) -> None:
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["content-type"] == kind
    tag = first.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/missing.js",
        "/page/..%2fschemas.py",
        "/page/%2e%2e/schemas.py",
        "/page/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/page/__init__.py",
        "/page/page.py",
        "/page/main.js%00.css",
        "/page/MAIN.JS",
    ],
)
def test_nothing_else_is_sent(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_is_whole_and_asks_nobody_else() -> None:
    files = {name: file.content.decode("latin-1") for name, file in page_files().items()}
    asked = set()
    for name, text in files.items():
        if name.endswith(".js"):
            asked |= set(re.findall(r'from "\./([^"]+)"', text))
        asked |= set(re.findall(r'"/page/([^"]+)"', text))
        # The namespace of SVG is a name, not an address.
        foreign = re.findall(r"https?://[^\s\"']+", text.replace("http://www.w3.org/2000/svg", ""))
        assert not foreign, (name, foreign)
    assert asked <= set(files)
    unused = set(files) - asked - {"index.html"}
    assert not unused


def test_no_script_and_no_style_stands_in_the_page() -> None:
    """The content security policy of the server would block it."""
    html = page_files()["index.html"].content.decode()
    assert not re.findall(r"<script(?![^>]*\bsrc=)", html)
    assert not re.findall(r"<style|\bstyle=|\bon\w+=", html)


def test_the_service_worker_keeps_one_whole_version(client: TestClient) -> None:
    answer = client.get("/page/sw.js")
    assert answer.headers["service-worker-allowed"] == "/"
    assert "{{" not in answer.text
    [listed] = re.findall(r"const FILES = (\[.*\]);", answer.text)
    kept = set(json.loads(listed))
    others = {f"/page/{name}" for name in page_files() if name not in ("sw.js", "index.html")}
    assert kept == others | {"/"}
    for path in kept:
        assert client.get(path).status_code == 200


# What Chromium 86, Safari 15.4 or Firefox 98 does not know (docs/page.md): syntax that would leave
# the page blank, interfaces that it might be tempted to use, and styles without which it would not
# be legible. No list of all that is new: what is not named here is not found.
NEWER = {
    ".js": [
        r"\.at\(",
        r"\b(hasOwn|groupBy|structuredClone|randomUUID|withResolvers|fromAsync)\b",
        r"\.(findLast|findLastIndex|toSorted|toReversed|toSpliced|isWellFormed|throwIfAborted)\(",
        r"\bAbortSignal\.(any|timeout|abort)\b|\.reason\.|throw [\w.]+\.reason",
        r"\bPromise\.try\b|\bURL\.(canParse|parse)\b|\bResponse\.json\b|\.checkVisibility\(",
        r"^await\b|^\s*static \{|#\w+ in \w|\(\?<[=!]|/[dgimsuy]*[dv][dgimsuy]*[,;)]",
        r"\.inert = (?!on;)",  # by `shut` of dom.js
    ],
    ".css": [
        r"color-mix\(|@layer|@container|@scope|^\s*&|light-dark\(|:(is|where)\(|:not\([^()]*,",
        r"\b(inset|(padding|margin)-(inline|block)): ",
        r"(?<!vh; )height: \S*\d[dsl]v[hw]",  # after one that all know
    ],
}


def without_comments(name: str) -> str:
    text = page_files()[name].content.decode()
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("suffix", NEWER)
def test_nothing_newer_than_the_oldest_browser_named_in_the_manual(suffix: str) -> None:
    found = [
        (name, match.group())
        for name in page_files()
        if name.endswith(suffix)
        for pattern in NEWER[suffix]
        for match in re.finditer(pattern, without_comments(name), re.MULTILINE)
    ]
    assert not found


def test_the_words_for_browsers_that_cannot_run_it_can_be_read_by_them() -> None:
    newer = r"=>|`|\b(let|const|class|async|import|export)\b|\?\.|\?\?"
    assert not re.findall(newer, without_comments("unable.js"))
