"""No network, a slow one, a busy server, a closed page: no photo and no confirmation is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake import ADMIN, TEXT, TOKEN, Fake
from test_capture import TEXTBOX, in_state, wait_until

from hazardscribe.serving.engine import busy
from hazardscribe.serving.errors import ApiError

Visit = Callable[..., Any]
Album = Callable[..., None]


def cut(page: Any) -> None:
    """No way to the server's API any more, as a phone in a basement sees it."""
    page.context.route("**/v1/**", lambda route: route.abort("internetdisconnected"))


def mend(page: Any) -> None:
    page.context.unroute("**/v1/**")
    page.evaluate("window.dispatchEvent(new Event('online'))")


def test_what_is_confirmed_offline_survives_a_reload_and_is_sent_once(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("phone")
    page.get_by_text("还没有照片").wait_for()
    cut(page)
    album(page, photo)
    offline = in_state(page, "offline")
    assert "离线，已存本机" in offline.inner_text()
    assert "连不上服务器" in page.locator("#notice").inner_text()
    offline.get_by_role("textbox", **TEXTBOX).fill("基坑临边未设置防护栏杆")
    page.get_by_role("combobox", name="地点").fill("3号楼")
    page.reload()  # at once: what was typed is on the disk all the same
    offline = in_state(page, "offline")
    assert offline.get_by_role("textbox", **TEXTBOX).input_value() == "基坑临边未设置防护栏杆"
    page.get_by_role("button", name="确认入账").tap()
    page.get_by_text("你已确认").wait_for()
    page.reload()
    in_state(page, "offline")
    assert not fake.confirmed

    mend(page)
    page.get_by_role("link", name="在台账中查看 №1").wait_for()
    [(finding, photos, key)] = fake.confirmed
    assert photos == [photo.read_bytes()]
    assert (finding["text"], finding["place"]) == ("基坑临边未设置防护栏杆", "3号楼")
    assert key
    assert page.locator("#notice").inner_text() == ""


@pytest.mark.extended
@pytest.mark.parametrize("before", [True, False])
def test_on_a_device_without_space_the_newest_is_sent_from_memory(
    visit: Visit, fake: Fake, photo: Path, album: Album, before: bool
) -> None:
    page = visit()
    page.get_by_text("还没有照片").wait_for()
    page.evaluate(
        """() => {
            const put = IDBObjectStore.prototype.put;
            IDBObjectStore.prototype.put = function (...given) {
                if (window.full) throw new DOMException("no space", "QuotaExceededError");
                return put.apply(this, given);
            };
        }"""
    )
    page.evaluate(f"window.full = {str(before).lower()}")
    album(page, photo)
    in_state(page, "ready")
    page.evaluate("window.full = true")
    page.get_by_role("textbox", **TEXTBOX).fill("基坑临边未设置防护栏杆")
    page.get_by_role("combobox", name="地点").fill("3号楼")
    page.get_by_text("本机存储空间不足").wait_for()
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    [(finding, photos, _)] = fake.confirmed
    assert photos == [photo.read_bytes()]
    assert (finding["text"], finding["place"]) == ("基坑临边未设置防护栏杆", "3号楼")


@pytest.mark.extended
def test_a_description_that_waited_for_the_network_comes_by_itself(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    page.get_by_text("还没有照片").wait_for()
    cut(page)
    album(page, photo)
    in_state(page, "offline")
    page.context.unroute("**/v1/**")  # nobody tells the page: it tries again by itself
    in_state(page, "ready")
    assert page.get_by_role("textbox", **TEXTBOX).input_value() == TEXT


@pytest.mark.parametrize(
    ("language", "told"), [("zh", "服务器暂时停用或正在重启"), ("en", "down or restarting")]
)
def test_a_proxy_without_its_server_is_waited_for_without_end(
    visit: Visit, fake: Fake, photo: Path, album: Album, language: str, told: str
) -> None:
    page = visit()
    page.evaluate(f"localStorage.setItem('hazardscribe.language', '{language}')")
    page.reload()
    page.locator(".empty").wait_for()
    bad_gateway = "<html><h1>502 Bad Gateway</h1></html>"
    page.context.route(
        "**/v1/**",
        lambda route: route.fulfill(status=502, body=bad_gateway, content_type="text/html"),
    )
    album(page, photo)
    offline = in_state(page, "offline")
    for _ in range(8):  # more often than a description is tried that the server itself refuses
        offline.locator(".state-words button").tap()
        page.wait_for_timeout(60)
    assert in_state(page, "offline").count() == 1
    page.goto(f"{fake.url}/#/ledger")
    page.get_by_text(told).wait_for()
    page.goto(f"{fake.url}/#/capture")
    mend(page)
    in_state(page, "ready")


@pytest.mark.extended
def test_a_lost_answer_makes_no_second_record(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.lose_answers = 1
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="确认入账").tap()
    page.get_by_text("网关没有收到回答").wait_for()
    assert page.get_by_role("textbox", **TEXTBOX).is_disabled()
    page.get_by_role("link", name="在台账中查看 №1").wait_for()
    first, second = fake.confirmed
    assert first == second
    assert len(fake.findings) == 1


@pytest.mark.extended
def test_a_busy_server_is_asked_again_when_it_said(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.refusals["/v1/describe"] = [(429, {"Retry-After": "3"})]
    page = visit()
    album(page, photo)
    in_state(page, "waiting")
    page.get_by_text("服务器正忙，请稍候").wait_for()
    page.wait_for_timeout(2000)
    assert not fake.described
    in_state(page, "ready")


@pytest.mark.extended
def test_a_server_that_turns_out_busy_within_a_stream_is_asked_again_when_it_said(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.failures = [busy(5)]
    page = visit()
    album(page, photo)
    in_state(page, "waiting")
    page.get_by_text("服务器繁忙").wait_for()
    page.wait_for_timeout(3500)  # longer than the page would wait of its own accord
    assert len(fake.described) == 1
    in_state(page, "ready")
    assert len(fake.described) == 2


@pytest.mark.extended
def test_a_server_started_without_tokens_is_waited_for(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.failures = [ApiError(403, "no_tokens", "服务器未设置访问口令", "no tokens")]
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    assert len(fake.described) == 2


@pytest.mark.extended
def test_a_refused_photo_is_not_sent_again_and_again(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.refusals["/v1/describe"] = [(415, {})]
    page = visit()
    album(page, photo)
    in_state(page, "failed")
    page.wait_for_timeout(3000)
    assert fake.asked.count("POST /v1/describe") == 1
    page.get_by_role("button", name="重试").tap()
    in_state(page, "ready")


@pytest.mark.extended
def test_a_confirmation_that_the_server_refuses_can_be_mended(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.refusals["/v1/findings"] = [(422, {})]
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="确认入账").tap()
    failed = in_state(page, "failed")
    failed.get_by_role("textbox", **TEXTBOX).fill("改好了的描述")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert [finding["text"] for finding, _, _ in fake.confirmed] == ["改好了的描述"]


@pytest.mark.extended
def test_a_page_closed_while_describing_goes_on_where_it_was(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.hold = threading.Event()
    page = visit()
    album(page, photo)
    in_state(page, "describing")
    page.reload()
    fake.hold.set()
    in_state(page, "ready")
    assert page.get_by_role("textbox", **TEXTBOX).input_value() == TEXT


@pytest.mark.extended
def test_a_token_that_is_no_longer_known_is_asked_for_and_the_queue_waits(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.refusals["/v1/describe"] = [(401, {})]
    page = visit()
    album(page, photo)
    token = page.get_by_label("访问口令", exact=True)
    token.wait_for()
    token.fill("not a token that anybody has")
    page.get_by_role("button", name="进入").tap()
    page.get_by_text("口令不对").wait_for()
    token.fill(TOKEN)
    page.get_by_role("button", name="进入").tap()
    in_state(page, "ready")


def test_what_one_person_confirmed_is_not_sent_under_the_next_ones_name(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("phone")
    album(page, photo)
    in_state(page, "ready")
    cut(page)
    page.get_by_role("button", name="确认入账").tap()
    in_state(page, "offline")

    def next_person(token: str) -> None:
        page.evaluate(
            f"localStorage.removeItem('hazardscribe.session');"
            f"localStorage.setItem('hazardscribe.token', '{token}')"
        )
        page.reload()

    page.context.unroute("**/v1/**")
    next_person(ADMIN)
    page.get_by_text("由张三确认").wait_for()
    page.wait_for_timeout(3000)
    assert not fake.confirmed
    next_person(TOKEN)
    page.get_by_role("link", name="在台账中查看 №1").wait_for()
    assert len(fake.confirmed) == 1


@pytest.mark.extended
def test_the_tab_opened_last_works_on_the_queue(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("desk")
    album(page, photo)
    in_state(page, "ready")
    second = page.context.new_page()
    second.goto(fake.url)
    in_state(second, "ready")
    page.get_by_text("正在另一个标签页里处理").wait_for()
    second.get_by_role("button", name="确认入账").click()
    second.locator(".done li").wait_for()
    second.close(run_before_unload=True)
    page.locator(".done li").wait_for()  # the first tab reads anew what the second has done
    assert page.locator(".card").count() == 0
    assert len(fake.confirmed) == 1


@pytest.mark.extended
def test_a_tab_that_takes_the_queue_back_shows_what_the_other_wrote(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("desk")
    album(page, photo)
    in_state(page, "ready")
    second = page.context.new_page()
    second.goto(fake.url)
    in_state(second, "ready")
    second.get_by_role("combobox", name="地点").fill("5号楼")
    second.close(run_before_unload=True)
    page.locator(".cards:not([inert])").wait_for()
    place = page.get_by_role("combobox", name="地点")
    wait_until(lambda: place.input_value() == "5号楼", page)


@pytest.mark.extended
def test_what_another_tab_threw_away_is_gone_here_too(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("desk")
    album(page, photo)
    in_state(page, "ready")
    second = page.context.new_page()
    second.goto(fake.url)
    in_state(second, "ready")
    second.get_by_role("button", name="丢弃").click()
    second.get_by_role("dialog").get_by_role("button", name="丢弃").click()
    second.get_by_text("还没有照片").wait_for()
    second.close(run_before_unload=True)
    wait_until(lambda: page.locator(".card").count() == 0, page)
    wait_until(lambda: set(fake.rejected) == {"d1"}, page)  # by one of the two, or by both


@pytest.mark.extended
@pytest.mark.parametrize("claimed", ["still", "anew"])
def test_a_finding_on_its_way_is_sent_once_though_the_queue_is_claimed_again(
    visit: Visit, fake: Fake, photo: Path, album: Album, claimed: str
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    held: list[Any] = []
    page.context.route("**/v1/findings", lambda route: held.append(route))
    with page.expect_request("**/v1/findings"):
        page.get_by_role("button", name="确认入账").tap()
    # Word of a tab that left, which may be older than this tab's claim.
    page.evaluate(
        """(claimed) => {
            const key = "hazardscribe.worker";
            if (claimed === "anew") localStorage.removeItem(key);
            window.dispatchEvent(new StorageEvent("storage", { key, newValue: null }));
        }""",
        claimed,
    )
    held[0].continue_()
    page.locator(".done li").wait_for()
    page.wait_for_load_state("networkidle")
    assert len(held) == 1
    page.context.unroute("**/v1/findings")
    page.reload()
    page.locator(".done li").wait_for()
    assert len(fake.confirmed) == 1


@pytest.mark.extended
def test_without_storage_the_page_says_so_and_works(
    visit: Visit, fake: Fake, photo: Path, album: Album, browser: Any
) -> None:
    page = visit()
    page.context.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
    page.reload()
    page.get_by_text("这个浏览器不能在本机保存照片").wait_for()
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()


def drop_database(page: Any) -> None:
    """As the browser does under pressure, or while the phone sleeps."""
    page.evaluate(
        """async () => {
            const begin = IDBDatabase.prototype.transaction;
            const used = new Promise((resolve) => {
                IDBDatabase.prototype.transaction = function (...given) {
                    resolve(this);
                    return begin.apply(this, given);
                };
            });
            localStorage.removeItem("hazardscribe.worker"); // so that the queue is read
            window.dispatchEvent(new StorageEvent("storage", { key: "hazardscribe.worker" }));
            const database = await used;
            IDBDatabase.prototype.transaction = begin;
            database.close();
        }"""
    )


@pytest.mark.extended
def test_a_dropped_database_is_opened_again(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    drop_database(page)
    page.get_by_role("combobox", name="地点").fill("3号楼")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    drop_database(page)
    album(page, photo)
    in_state(page, "ready")
    page.reload()
    in_state(page, "ready")
    page.locator(".done li").wait_for()
    [(finding, photos, _)] = fake.confirmed
    assert (finding["place"], photos) == ("3号楼", [photo.read_bytes()])


@pytest.mark.extended
def test_where_no_database_can_be_had_any_more_nothing_is_sent_without_its_photo(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.evaluate(
        """() => {
            IDBFactory.prototype.open = () => { throw new DOMException("", "UnknownError"); };
        }"""
    )
    drop_database(page)
    page.get_by_role("button", name="确认入账").tap()
    assert "读不到存在本机的照片" in in_state(page, "failed").inner_text()
    album(page, photo)  # goes on from memory
    in_state(page, "ready").get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert [photos for _, photos, _ in fake.confirmed] == [[photo.read_bytes()]]


@pytest.mark.extended
def test_a_photo_that_the_browser_cannot_draw_holds_up_no_other(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    page.get_by_text("还没有照片").wait_for()
    page.evaluate("() => { HTMLCanvasElement.prototype.toBlob = (done) => done(null); }")
    album(page, photo, photo)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    assert fake.described == [[photo.read_bytes()]] * 2


@pytest.mark.extended
def test_it_works_on_plain_http_of_an_intranet(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit(url=fake.url.replace("127.0.0.1", "intranet.test"))
    assert page.evaluate("window.isSecureContext") is False
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert fake.confirmed[0][2]


@pytest.mark.extended
def test_once_seen_the_page_opens_without_a_network(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    """Browsers allow it on HTTPS and on the machine itself."""
    page = visit(service_workers="allow")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    album(page, photo)
    in_state(page, "offline").get_by_role("textbox", **TEXTBOX).fill("配电箱未上锁")
    page.get_by_role("button", name="确认入账").tap()
    page.reload()
    in_state(page, "offline")
    page.context.set_offline(False)
    page.locator(".done li").wait_for()
    assert [finding["text"] for finding, _, _ in fake.confirmed] == ["配电箱未上锁"]


@pytest.mark.extended
def test_a_silent_server_does_not_hold_up_the_page(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.context.route("**/v1/session", lambda route: None)  # never answered
    page.reload()
    in_state(page, "ready")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()


@pytest.mark.extended
def test_a_photo_whose_card_was_not_written_is_not_lost(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    """The page was closed between the two."""
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.evaluate(
        """() => new Promise((done) => {
            indexedDB.open("hazardscribe").onsuccess = ({ target }) => {
                const change = target.result.transaction("cards", "readwrite");
                change.objectStore("cards").clear();
                change.oncomplete = done;
            };
        })"""
    )
    page.reload()
    in_state(page, "ready")
    assert fake.described == [[photo.read_bytes()]] * 2
