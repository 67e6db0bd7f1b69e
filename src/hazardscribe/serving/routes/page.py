"""The inspectors' page: fixed files of this package, each with its type and a strong ETag.

Names are looked up in a table that is read once; no path is ever made of what a client sends. The
page itself needs no token: it asks for one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, HTTPException, Request, Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",  # iPhones take no SVG for the home screen
    ".webmanifest": "application/manifest+json",
}

WORKER = "sw.js"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent."""

    content: bytes
    kind: str
    etag: str


@cache
def page_files() -> dict[str, PageFile]:
    """All files of the page by name."""
    files = {}
    for entry in (resources.files("hazardscribe.serving") / "page").iterdir():
        kind = TYPES.get("." + entry.name.rpartition(".")[2])
        if kind is None:
            continue
        content = entry.read_bytes()
        files[entry.name] = PageFile(content, kind, _etag(content))
    worker = _worker(files)
    files[WORKER] = PageFile(worker, TYPES[".js"], _etag(worker))
    return files


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _worker(files: dict[str, PageFile]) -> bytes:
    """The service worker, told which files make up the page and what version they are."""
    listed = sorted(name for name in files if name not in (WORKER, "index.html"))
    version = hashlib.sha256("".join(files[name].etag for name in sorted(files)).encode())
    paths = json.dumps(["/", *(f"/page/{name}" for name in listed)])
    text = files[WORKER].content.decode()
    text = text.replace("{{version}}", version.hexdigest()[:16]).replace('["{{files}}"]', paths)
    return text.encode()


def _send(name: str, request: Request) -> Response:
    file = page_files().get(name)
    if file is None:
        raise HTTPException(404)
    # Asked for anew on each visit, so that all files are of one version; the answer is mostly 304.
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if name == WORKER:
        headers["Service-Worker-Allowed"] = "/"  # it answers for `/`, not only for `/page/`
    known = request.headers.get("if-none-match", "")
    # A proxy that compresses marks the tag as weak; for a 304 that makes no difference.
    if known == "*" or file.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)


@router.api_route("/", methods=["GET", "HEAD"])
def index(request: Request) -> Response:
    """The page."""
    return _send("index.html", request)


@router.api_route("/page/{name}", methods=["GET", "HEAD"])
def page_file(name: str, request: Request) -> Response:
    """A file of the page."""
    return _send(name, request)
