"""Everybody can use it: axe, the keyboard, the thumb, a narrow screen, dark rooms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake import ADMIN, TEXT, Fake, Saying, jpeg
from test_capture import TEXTBOX, in_state, wait_until

pytestmark = pytest.mark.extended
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
Visit = Callable[..., Any]
Album = Callable[..., None]

SMALL = """() => {
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 2 && box.height > 2 && getComputedStyle(element).visibility !== "hidden";
  };
  const target = (element) => element.closest("label") ?? element;
  const all = "a, button, input, select, textarea, summary, label.button";
  return [...document.querySelectorAll(all)]
    .filter((element) => shown(element) && shown(target(element)))
    .map((element) => [target(element).getBoundingClientRect(), element.outerHTML.slice(0, 120)])
    .filter(([box]) => box.width < 43.5 || box.height < 43.5)
    .map(([box, html]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`);
}"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def looked_over(page: Any, view: str) -> None:
    """No serious fault by axe, no small target, nothing that sticks out sideways."""
    results = axe_module.Axe().run(page).response
    assert len(results["passes"]) > 5, view  # it did look
    serious = [
        (fault["id"], [node["target"] for node in fault["nodes"]])
        for fault in results["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert not serious, view
    assert not page.evaluate(SMALL), view
    assert page.evaluate(WIDE) <= 0, view


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("size", "scheme"), [("phone", "light"), ("phone", "dark"), ("desk", "light")]
)
def test_every_view(
    visit: Visit, fake: Fake, tmp_path: Path, album: Album, size: str, scheme: str, language: str
) -> None:
    fake.sayings = [
        Saying(draft="工人戴安全帽"),
        Saying(text="无法判断，请人工核实", draft="气瓶未固定", doubt="unsure"),
        Saying(problem="damaged"),
        Saying(),
    ]
    for i in range(5):
        fake.add(
            text=TEXT + "，且未系安全带",
            outcome="edited",
            level="重大" if i == 2 else "一般",
            due="2026-01-01",
            photos=[fake.store_photo(jpeg())],
        )
    fake.change("f5", text=TEXT, responsible="王建国")
    page = visit(size, token=None, color_scheme=scheme)
    page.context.set_default_timeout(15_000)
    page.locator("input[name=token]").wait_for()
    if language == "en":
        page.locator("button.bare").click()
    looked_over(page, "sign in")
    page.fill("input[name=token]", ADMIN)
    page.keyboard.press("Enter")
    page.locator(".empty").wait_for()
    looked_over(page, "no photos")

    photos = [tmp_path / f"{i}.jpg" for i in range(3)]
    for i, photo in enumerate(photos):
        photo.write_bytes(jpeg(shade=60 * i))
        album(page, photo)
        wait_until(lambda i=i: page.locator(".card").count() == i + 1, page)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    in_state(page, "failed")
    for summary in page.locator("details.more summary").all():
        summary.click()
    page.locator(".card .select input").first.check()
    looked_over(page, "cards")
    page.locator(".selection .plain").click()
    page.locator(".actions .quiet").last.click()
    page.locator("dialog").wait_for()
    looked_over(page, "question")
    page.keyboard.press("Escape")
    page.locator(".shot").first.click()
    page.locator("dialog.viewer").wait_for()
    looked_over(page, "photo")
    page.keyboard.press("Escape")
    page.locator(".card[data-state=ready] .actions .primary").last.click()
    page.locator(".done li").wait_for()
    page.context.route("**/v1/**", lambda route: route.abort())
    album(page, photos[0])
    in_state(page, "offline")
    page.locator(".account summary").click()
    looked_over(page, "offline, menu open")
    page.context.unroute("**/v1/**")

    page.goto(f"{fake.url}/#/ledger")
    page.locator(".rows li").first.wait_for()
    page.locator(".filters summary").click()
    looked_over(page, "ledger")
    page.goto(f"{fake.url}/#/ledger/f5")
    page.locator(".past").wait_for()
    looked_over(page, "record")
    page.locator("textarea[name=text]").fill("another text")
    fake.change("f5", text="yet another")
    page.locator(".edit .primary").click()
    page.locator(".conflict").wait_for()
    looked_over(page, "conflict")
    page.goto(f"{fake.url}/#/dashboard")
    page.locator("table").first.wait_for()
    looked_over(page, "counts")


def test_a_finding_is_confirmed_by_keyboard_alone(visit: Visit, fake: Fake, photo: Path) -> None:
    page = visit("desk")
    page.on("filechooser", lambda chooser: chooser.set_files(str(photo)))
    page.get_by_text("还没有照片").wait_for()

    def focus_on(words: str) -> None:
        """Tab until what has the focus is called so."""
        for _ in range(40):
            page.keyboard.press("Tab")
            name = page.evaluate(
                "() => { const e = document.activeElement; return e.ariaLabel"
                " || e.labels?.[0]?.innerText || e.innerText || ''; }"
            )
            if words in name:
                return
        raise AssertionError(f"no way to {words} by keyboard")

    focus_on("添加照片")
    page.keyboard.press("Enter")
    in_state(page, "ready")
    focus_on("隐患描述")
    page.keyboard.press("End")
    page.keyboard.type("，须整改")
    focus_on("个体防护 90%")
    page.keyboard.press("Space")
    focus_on("等级、整改要求与期限")
    page.keyboard.press("Enter")
    focus_on("一般")
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    wait_until(page.get_by_role("radio", name="一般").is_checked, page)
    focus_on("确认入账")
    page.keyboard.press("Enter")
    page.locator(".done li").wait_for()
    assert page.evaluate("document.activeElement.type") == "file"  # on to the next photo
    finding = fake.confirmed[0][0]
    assert finding["text"] == TEXT + "，须整改"
    assert (finding["category"], finding["level"]) == ("个体防护", "一般")


def test_turns_are_said_and_drafts_are_not(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    page.get_by_text("还没有照片").wait_for()
    spoken: list[str] = []
    page.expose_function("spoken", lambda words: spoken.append(words))
    page.evaluate(
        "() => new MutationObserver((changes) => changes.forEach((change) => change.addedNodes"
        ".forEach((node) => window.spoken(node.textContent))))"
        ".observe(document.getElementById('announce'), { childList: true })"
    )
    fake.steps = 0.01
    album(page, photo)
    in_state(page, "ready")
    wait_until(lambda: len(spoken) == 2, page)
    assert spoken == ["已添加 1 张照片", f"隐患 1 已写好：{TEXT}"]
    field = page.get_by_role("textbox", **TEXTBOX)
    assert field.evaluate("element => element.closest('[aria-live]')") is None


def test_nothing_sticks_out_of_a_phone_that_shows_all_at_twice_its_size(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    """Which leaves 195 of an iPhone's 390 pixels."""
    fake.add(text=TEXT, level="重大", due="2026-01-01", photos=[fake.store_photo(jpeg())])
    page = visit(token=None, viewport={"width": 195, "height": 422})
    page.locator("input[name=token]").fill(ADMIN)
    assert page.evaluate(WIDE) <= 0, "sign in"
    page.keyboard.press("Enter")
    page.locator(".empty").wait_for()
    album(page, photo)
    in_state(page, "ready")
    page.locator(".words > details summary").click()
    assert page.evaluate(WIDE) <= 0, "cards"
    for address, there in {
        "ledger": ".rows li",
        "ledger/f1": ".past",
        "dashboard": "table",
    }.items():
        page.goto(f"{fake.url}/#/{address}")
        page.locator(there).first.wait_for()
        if page.locator(".filters").count():
            page.locator(".filters summary").click()
        assert page.evaluate(WIDE) <= 0, address
