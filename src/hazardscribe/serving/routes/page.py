"""The inspectors' page: fixed files of this package, each with its type and a strong ETag.

Names are looked up in a table that is read once; no path is ever made of what a client sends. The
page itself needs no token: it asks for one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, HTTPException, Request, Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

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
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        files[entry.name] = PageFile(content, kind, etag)
    return files


def _send(name: str, request: Request) -> Response:
    file = page_files().get(name)
    if file is None:
        raise HTTPException(404)
    # Asked for anew on each visit, so that all files are of one version; the answer is mostly 304.
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
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
