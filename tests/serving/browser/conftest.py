"""A browser on a phone and at a desk, and a server that does what a test wants.

Skipped, with the reason, where Playwright or Chromium is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")
pytest.importorskip("uvicorn", reason="needs the extra `serve`")
playwright_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

from fake import TOKEN, Fake, jpeg, serving  # noqa: E402

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 860}}
# The second name is an intranet to the browser: plain HTTP, not a secure context.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--lang=zh-CN",
    "--host-resolver-rules=MAP intranet.test 127.0.0.1",
]
SIZES = {"phone": PHONE, "desk": DESK}


def chromium() -> str | None:
    """Path of the browser."""
    named = os.environ.get("HAZARDSCRIBE_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


# No longer than a module: while playwright runs, no other test of this process can run a loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = chromium()
    if path is None:
        pytest.skip("no chromium here; apt install chromium, or name one by HAZARDSCRIBE_CHROMIUM")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving(Fake()) as running:
        yield running


@pytest.fixture
def visit(browser: Any, fake: Fake) -> Iterator[Callable[..., Any]]:
    """Opens the page of the fake server: `visit("phone")`, signed in unless told otherwise.

    Whatever the page throws or the policy blocks fails the test.
    """
    contexts, faults = [], []

    def open_page(
        size: str = "phone",
        address: str = "#/capture",
        *,
        token: str | None = TOKEN,
        url: str | None = None,
        **options: Any,
    ) -> Any:
        context = browser.new_context(
            locale="zh-CN",
            accept_downloads=True,
            **{"service_workers": "block"} | SIZES[size] | options,
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        if token:
            context.add_init_script(
                f"localStorage.getItem('hazardscribe.token') ?? "
                f"localStorage.setItem('hazardscribe.token', '{token}')"
            )
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda line: (
                faults.append(line.text) if "Content Security Policy" in line.text else None
            ),
        )
        page.goto(f"{url or fake.url}/{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_2041.jpg"
    path.write_bytes(jpeg())
    return path


def take(page: Any, *photos: Path) -> None:
    """Choose photos from the album."""
    page.locator(".pick:not(.camera) input").set_input_files([str(photo) for photo in photos])


@pytest.fixture
def album() -> Callable[..., None]:
    return take
