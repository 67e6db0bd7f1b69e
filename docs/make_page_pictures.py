"""Draws the pictures of docs/page.md again: the inspectors' page on a phone and at a desk.

    python docs/make_page_pictures.py [--out docs/pictures]

Photos and texts are those of the made-up ledger of make_pictures.py, and what "the model" says is
spoken by the test suite's own server: the pictures show the page, not what a model can do. Needed
besides hazardscribe[serve]: Playwright, Chromium, and a Chinese font (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import argparse
import io
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "serving" / "browser"))
from fake import TOKEN, Fake, Saying, serving
from make_pictures import AREAS, Line, made_up_rows

from conftest import DESK, FLAGS, PHONE, chromium

PEOPLE = ("王建国", "李敏", "赵强", "陈立新")
MEASURE = "立即停工整改，复查合格后方可恢复作业。"
RECORD = "f5"
GAP = 24  # pixels between two screens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    out: Path = parser.parse_args().out
    lines = [line for line in made_up_rows() if line.before is not None]
    fake = ledger_of(lines)
    with serving(fake), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)

        def page(**size: Any) -> Page:
            context = browser.new_context(locale="zh-CN", device_scale_factor=1, **size)
            context.add_init_script(f"localStorage.setItem('hazardscribe.token', '{TOKEN}')")
            opened = context.new_page()
            opened.goto(fake.url)
            opened.locator(".empty").wait_for()
            opened.evaluate("place => localStorage.setItem('hazardscribe.place', place)", AREAS[0])
            return opened

        save(phone_screens(page(**PHONE), fake, lines), out / "page-phone.png")
        save(desk_screen(page(**DESK), fake), out / "page-record.png")


def ledger_of(lines: list[Line]) -> Fake:
    """A ledger in which some texts stand as the model wrote them, and some are corrected."""
    fake = Fake()
    for i, line in enumerate(lines):
        edited = i % 3 == 1
        fake.add(
            text=line.text + ("，无人监护" if edited else ""),
            ai_text=line.text,
            outcome="edited" if edited else "accepted",
            place=AREAS[i % len(AREAS)],
            category=line.category,
            responsible=PEOPLE[i % len(PEOPLE)],
            measure=MEASURE,
            due=date.today() + timedelta(days=i % 9),
            status="done" if i % 3 == 2 else "open",
            photos=[fake.store_photo(jpeg_of(line.before))],
        )
    fake.change(RECORD, by="李敏", responsible="赵强", due=date.today() + timedelta(days=3))
    return fake


def jpeg_of(photo: Image.Image) -> bytes:
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def phone_screens(page: Page, fake: Fake, lines: list[Line]) -> list[Image.Image]:
    """A draft, a doubt, and a card that waits for the network."""
    first, second, third = lines[0], lines[3], lines[4]
    about = {"suggestions": ((first.category, 0.9), ("现场管理", 0.1)), "measure": MEASURE}
    fake.sayings = [
        Saying(text=first.text, alternatives=[f"现场{first.text}"], **about),
        Saying(text="无法判断，请人工核实", draft=second.text, doubt="unsure", **about),
    ]
    album = page.locator(".pick:not(.camera) input")
    screens = []
    for line in (first, second, third):
        if line is third:
            page.context.set_offline(True)
        before = page.locator(".card").count()
        file = {"name": "1.jpg", "mimeType": "image/jpeg", "buffer": jpeg_of(line.before)}
        album.set_input_files(file)
        page.locator(".card").nth(before).wait_for()
        state = "offline" if line is third else "ready"
        page.locator(f".card:first-child[data-state={state}]").wait_for()
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(300)
        screens.append(screen(page))
    return screens


def desk_screen(page: Page, fake: Fake) -> list[Image.Image]:
    """A record: both texts, what a person may change, and what was changed."""
    page.goto(f"{fake.url}/#/ledger/{RECORD}")
    page.locator(".past li").first.wait_for()
    page.wait_for_timeout(500)
    return [screen(page)]


def screen(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def save(screens: list[Image.Image], path: Path) -> None:
    """Side by side, in 160 colours: small enough for a repository."""
    width = sum(screen.width for screen in screens) + GAP * (len(screens) - 1)
    whole = Image.new("RGB", (width, screens[0].height), "white")
    left = 0
    for one in screens:
        whole.paste(one, (left, 0))
        left += one.width + GAP
    whole.quantize(160, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
