"""Several people at one device, and one person in several tabs: each under their own name."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake import ADMIN, TOKEN, Fake
from test_capture import in_state, wait_until

pytestmark = pytest.mark.extended
Visit = Callable[..., Any]
Album = Callable[..., None]


def sign_in(page: Any, token: str) -> None:
    page.get_by_label("访问口令", exact=True).fill(token)
    page.get_by_role("button", name="进入").click()


def sign_out(page: Any) -> None:
    page.locator("summary[aria-label=账户]").click()
    page.get_by_role("button", name="退出登录").click()
    page.get_by_role("dialog").get_by_role("button", name="退出登录").click()


def test_a_tab_of_before_does_not_send_under_the_next_person_s_name(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("desk", token=None)
    sign_in(page, TOKEN)
    album(page, photo)
    in_state(page, "ready")
    fake.refusals["/v1/findings"] = [(503, {})] * 100
    page.get_by_role("button", name="确认入账").click()
    in_state(page, "sending")
    second = page.context.new_page()
    second.goto(fake.url)
    in_state(second, "sending")
    sign_out(second)
    sign_in(second, ADMIN)
    second.get_by_text("由张三确认").wait_for()
    fake.refusals.clear()
    second.close(run_before_unload=True)
    page.get_by_text("由张三确认").wait_for()  # the first tab knows who is here now
    page.wait_for_timeout(3000)
    assert not fake.confirmed


def test_while_the_next_person_signs_in_nothing_is_sent_with_their_token(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("desk", token=None)
    sign_in(page, TOKEN)
    album(page, photo)
    in_state(page, "ready")
    page.context.route("**/v1/findings", lambda route: route.abort("internetdisconnected"))
    page.get_by_role("button", name="确认入账").click()
    in_state(page, "offline")
    fake.refusals["/v1/describe"] = [(401, {})]
    album(page, photo)
    page.get_by_label("访问口令", exact=True).wait_for()
    held: list[Any] = []
    page.context.route("**/v1/session", lambda route: held.append(route))
    sign_in(page, ADMIN)
    wait_until(lambda: held, page)
    page.context.unroute("**/v1/findings")
    with page.expect_request("**/v1/findings") as sent:
        page.evaluate("window.dispatchEvent(new Event('online'))")
    assert sent.value.headers["authorization"] == f"Bearer {TOKEN}"
    held[0].continue_()
    page.locator(".done li").wait_for()
    assert len(fake.confirmed) == 1


def confirm_one(page: Any, album: Album, photo: Path) -> None:
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="确认入账").click()
    page.locator(".done li").wait_for()


def test_who_signs_out_leaves_no_confirmed_finding_behind(
    visit: Visit, photo: Path, album: Album
) -> None:
    page = visit("desk", token=None)
    sign_in(page, TOKEN)
    confirm_one(page, album, photo)
    album(page, photo)  # not confirmed: it stays, for the one who took it
    in_state(page, "ready")
    sign_out(page)
    sign_in(page, ADMIN)
    in_state(page, "ready")
    assert page.locator(".done li").count() == 0


def test_confirmed_findings_leave_the_device_after_a_week(
    visit: Visit, photo: Path, album: Album
) -> None:
    page = visit("desk", token=None)
    sign_in(page, TOKEN)
    confirm_one(page, album, photo)
    album(page, photo)
    in_state(page, "ready")
    page.reload()
    page.locator(".done li").wait_for()
    page.clock.set_system_time(time.time() + 8 * 24 * 3600)
    page.reload()
    in_state(page, "ready")
    assert page.locator(".done li").count() == 0
