"""Taking photos: what the model says, what the person makes of it, and what is sent."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake import TEXT, Fake, Saying, jpeg

from hazardscribe.serving.errors import INTERNAL

Visit = Callable[..., Any]
Album = Callable[..., None]
TEXTBOX = {"name": "隐患描述"}


def card(page: Any, at: int = 0) -> Any:
    return page.locator(".card").nth(at)


def in_state(page: Any, state: str) -> Any:
    found = page.locator(f".card[data-state={state}]")
    found.first.wait_for()
    return found


def wait_until(true: Callable[[], Any], page: Any) -> None:
    for _ in range(500):
        if true():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it did not come about")


def test_from_the_shutter_to_the_ledger(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.hold = threading.Event()
    page = visit("phone")
    camera = page.locator(".pick.camera input")
    assert camera.get_attribute("capture") == "environment"
    camera.set_input_files(str(photo))

    in_state(page, "describing")
    text = page.get_by_role("textbox", **TEXTBOX)
    half = TEXT[: len(TEXT) // 2]
    wait_until(lambda: text.input_value().startswith(half), page)
    assert text.input_value() != TEXT
    assert page.get_by_role("button", name="确认入账").is_disabled()
    fake.hold.set()
    in_state(page, "ready")
    assert text.input_value() == TEXT

    text.fill(TEXT + "，且未系安全带")
    page.get_by_role("combobox", name="地点").fill("2号楼")
    page.get_by_role("button", name="个体防护 90%").tap()
    assert page.get_by_role("combobox", name="类别").input_value() == "个体防护"
    assert not fake.confirmed  # nothing is in the ledger before the person says so
    page.get_by_role("button", name="确认入账").tap()
    page.get_by_role("link", name="在台账中查看 №1").wait_for()

    [(finding, photos, key)] = fake.confirmed
    assert photos == [photo.read_bytes()]
    assert key
    assert finding["text"] == TEXT + "，且未系安全带"
    assert finding["description_ids"] == ["d1"]
    assert (finding["place"], finding["category"], finding["level"]) == (
        "2号楼",
        "个体防护",
        "一般",
    )

    page.get_by_role("link", name="台账", exact=True).tap()
    page.get_by_role("link", name=TEXT).wait_for()
    page.get_by_role("link", name="拍照", exact=True).tap()
    album(page, photo)
    in_state(page, "ready")
    assert page.get_by_role("combobox", name="地点").input_value() == "2号楼"  # remembered


@pytest.mark.extended
def test_only_large_photos_are_scaled_down(
    visit: Visit, fake: Fake, tmp_path: Path, album: Album
) -> None:
    import io

    from PIL import Image

    large, small = tmp_path / "large.jpg", tmp_path / "small.jpg"
    image = Image.new("RGB", (3000, 1500), (90, 120, 150))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif[0x010F] = "a phone"
    image.save(large, exif=exif)
    small.write_bytes(jpeg(2048, 1024))
    page = visit()
    for photo in (large, small):
        album(page, photo)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    sent = {len(photo): photo for [photo] in fake.described}
    assert small.read_bytes() in sent.values()
    [scaled] = [photo for photo in sent.values() if photo != small.read_bytes()]
    with Image.open(io.BytesIO(scaled)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (1024, 2048))
        assert not seen.getexif()


@pytest.mark.extended
def test_a_changed_text_shows_what_it_replaced(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.sayings = [Saying(text="工人未戴安全帽", draft="工人戴安全帽")]
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    text = page.get_by_role("textbox", **TEXTBOX)
    assert text.input_value() == "工人未戴安全帽"
    note = page.locator(".note.replaced")
    assert "模型复核后换了说法" in note.inner_text()
    note.get_by_role("button", name="工人戴安全帽").tap()
    assert text.input_value() == "工人戴安全帽"


@pytest.mark.extended
def test_doubt_is_said_and_its_draft_held_back(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.sayings = [Saying(text="无法判断，请人工核实", draft="气瓶未固定", doubt="unsure")]
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    text = page.get_by_role("textbox", **TEXTBOX)
    assert text.input_value() == ""
    note = page.locator(".note.doubt").inner_text()
    assert "模型没有把握" in note
    assert "已撤回" in note  # the draft had been seen to arrive
    page.get_by_role("button", name="确认入账").tap()
    assert text.get_attribute("aria-invalid") == "true"
    assert not fake.confirmed
    page.get_by_role("button", name="气瓶未固定").tap()
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert fake.confirmed[0][0]["text"] == "气瓶未固定"


@pytest.mark.extended
def test_what_the_person_types_is_never_overwritten(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.hold = threading.Event()
    page = visit()
    album(page, photo)
    in_state(page, "describing")
    text = page.get_by_role("textbox", **TEXTBOX)
    wait_until(text.input_value, page)
    text.fill("临边无防护栏杆")
    fake.hold.set()
    in_state(page, "ready")
    assert text.input_value() == "临边无防护栏杆"
    assert "模型写的是" in page.locator(".note").inner_text()
    page.get_by_role("button", name=TEXT).tap()
    assert text.input_value() == TEXT


@pytest.mark.extended
def test_one_can_confirm_without_waiting_for_the_model(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.hold = threading.Event()
    page = visit()
    album(page, photo)
    in_state(page, "describing").get_by_role("textbox", **TEXTBOX).fill("临边无防护栏杆")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    [(finding, _, _)] = fake.confirmed
    assert (finding["text"], finding["description_ids"]) == ("临边无防护栏杆", [])


@pytest.mark.extended
def test_several_photos_become_one_finding_and_several_again(
    visit: Visit, fake: Fake, tmp_path: Path, album: Album
) -> None:
    paths = [tmp_path / f"{i}.jpg" for i in range(2)]
    for i, path in enumerate(paths):
        path.write_bytes(jpeg(shade=40 * i))
    fake.sayings = [Saying(text=f"隐患描述之{i}") for i in "甲乙丙丁戊"]
    page = visit()
    album(page, *paths)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    for i in (1, 2):
        page.get_by_role("checkbox", name=f"选中 隐患 {i} 以便合并").check()
    page.get_by_role("button", name="合并为一条隐患").tap()
    wait_until(lambda: len(fake.described) == 3, page)
    in_state(page, "ready")
    assert page.locator(".card").count() == 1
    assert fake.described[2] == [path.read_bytes() for path in paths]
    text = page.get_by_role("textbox", **TEXTBOX)
    assert text.input_value() == "隐患描述之丙；隐患描述之丁"
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    [(finding, photos, _)] = fake.confirmed
    assert len(photos) == 2
    assert finding["description_ids"] == ["d3", "d4"]

    album(page, *paths)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="合并为一条隐患").tap()
    page.get_by_role("button", name="拆开").tap()
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)


@pytest.mark.extended
def test_a_joined_card_shows_what_it_sends(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit("desk")
    album(page, photo, photo)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    second = card(page)  # the newest stands first
    second.get_by_role("combobox", name="地点").fill("5号楼")
    second.get_by_role("combobox", name="类别").fill("电气")
    second.get_by_text("等级、整改要求与期限").click()
    second.get_by_role("radio", name="重大").click()
    page.get_by_role("button", name="已对照，定为重大").click()
    second.get_by_role("textbox", name="整改措施").fill("停工整改")
    second.get_by_role("combobox", name="责任人").fill("王建国")
    second.get_by_label("整改期限").fill("2031-05-01")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="合并为一条隐患").click()
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 1, page)
    joined = card(page)
    joined.get_by_text("等级、整改要求与期限").click()
    shown = {
        "place": joined.get_by_role("combobox", name="地点").input_value(),
        "category": joined.get_by_role("combobox", name="类别").input_value(),
        "level": joined.locator("input[type=radio]:checked").input_value(),
        "measure": joined.get_by_role("textbox", name="整改措施").input_value(),
        "responsible": joined.get_by_role("combobox", name="责任人").input_value(),
        "due": joined.get_by_label("整改期限").input_value(),
    }
    page.get_by_role("button", name="确认入账").click()
    page.locator(".done li").wait_for()
    sent = {name: fake.confirmed[0][0][name] for name in shown}
    assert shown == sent
    assert (sent["place"], sent["level"], sent["due"]) == ("5号楼", "重大", "2031-05-01")


@pytest.mark.extended
@pytest.mark.parametrize("language", ["zh", "en"])
def test_joined_texts_are_punctuated_as_the_model_writes(
    visit: Visit, fake: Fake, photo: Path, album: Album, language: str
) -> None:
    between = {"zh": "；", "en": "; "}[language]
    fake.language = language
    page = visit("desk")
    album(page, photo, photo)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    fake.steps = 0.1
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="合并为一条隐患").click()
    wait_until(lambda: page.locator(".card").count() == 1, page)
    text = page.get_by_role("textbox", **TEXTBOX)
    wait_until(lambda: between in text.input_value(), page)  # while the drafts arrive
    in_state(page, "ready")
    page.get_by_role("button", name="拆开").click()
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    text.nth(0).fill("乙")
    text.nth(1).fill("甲")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="合并为一条隐患").click()
    wait_until(lambda: page.locator(".card").count() == 1, page)
    in_state(page, "ready")
    assert text.input_value() == f"甲{between}乙"


@pytest.mark.extended
def test_a_photo_added_to_a_card_belongs_to_its_finding(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    page.on("filechooser", lambda chooser: chooser.set_files(str(photo)))
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="给 隐患 1 加照片").tap()
    wait_until(lambda: len(fake.described) == 2, page)
    assert len(fake.described[1]) == 2
    assert page.locator(".card").count() == 1


@pytest.mark.extended
@pytest.mark.parametrize("way", ["drop", "paste"])
def test_photos_come_by_drop_and_paste_at_a_desk(visit: Visit, fake: Fake, way: str) -> None:
    page = visit("desk")
    page.get_by_role("heading", name="隐患拍照").wait_for()
    content = base64.b64encode(jpeg()).decode()
    page.evaluate(
        """([way, content]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "现场.jpg", { type: "image/jpeg" }));
            data.items.add(new File(["text"], "notes.txt", { type: "text/plain" }));
            const event = way === "drop"
                ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
            document.body.dispatchEvent(event);
        }""",
        [way, content],
    )
    in_state(page, "ready")
    assert fake.described == [[jpeg()]]
    assert "“notes.txt”不是照片" in page.locator(".toasts").inner_text()


@pytest.mark.extended
def test_text_copied_from_a_spreadsheet_is_pasted_as_text(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    """Office programs put a picture of the cells beside it."""
    page = visit("desk")
    album(page, photo)
    in_state(page, "ready")
    content = base64.b64encode(jpeg(shade=40)).decode()
    left_to_browser = """([selector, content]) => {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "image.png", { type: "image/png" }));
        data.items.add("配电箱未上锁", "text/plain");
        const options = { clipboardData: data, bubbles: true, cancelable: true };
        return document.querySelector(selector).dispatchEvent(new ClipboardEvent("paste", options));
    }"""
    assert page.evaluate(left_to_browser, [".card textarea", content])
    assert page.evaluate(left_to_browser, [".card input[name=place]", content])
    page.wait_for_timeout(200)
    assert page.locator(".card").count() == 1
    assert not page.evaluate(left_to_browser, ["main", content])  # nowhere to write: a photo
    wait_until(lambda: page.locator(".card").count() == 2, page)


@pytest.mark.extended
def test_a_person_alone_rates_a_hazard_as_major(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.get_by_text("等级、整改要求与期限").tap()
    assert page.get_by_role("radio", name="一般").is_checked()
    page.get_by_role("radio", name="重大").tap()
    page.get_by_role("dialog").get_by_role("button", name="取消").tap()
    wait_until(page.get_by_role("radio", name="一般").is_checked, page)
    page.get_by_role("radio", name="重大").tap()
    page.get_by_role("button", name="已对照，定为重大").tap()
    page.get_by_role("textbox", name="整改措施").fill("停工整改")
    page.get_by_role("combobox", name="责任人").fill("王建国")
    page.get_by_role("button", name="3 天内").tap()
    due = page.get_by_label("整改期限").input_value()
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    finding = fake.confirmed[0][0]
    assert (finding["level"], finding["measure"]) == ("重大", "停工整改")
    assert (finding["responsible"], finding["due"]) == ("王建国", due)


@pytest.mark.extended
def test_thrown_away_counts_as_rejected(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.get_by_role("button", name="丢弃").tap()
    page.get_by_role("dialog").get_by_role("button", name="取消").tap()
    assert page.locator(".card").count() == 1
    page.get_by_role("button", name="丢弃").tap()
    page.get_by_role("dialog").get_by_role("button", name="丢弃").tap()
    wait_until(lambda: fake.rejected == ["d1"], page)
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    assert not fake.confirmed


@pytest.mark.extended
@pytest.mark.parametrize("cut", ["before the card is kept", "before the photo is gone"])
def test_what_is_thrown_away_does_not_come_back_where_the_page_is_closed_at_once(
    visit: Visit, fake: Fake, photo: Path, album: Album, cut: str
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    # What the browser does not live to write.
    lost = {"before the card is kept": ("put", "cards"), "before the photo is gone": ("delete", "")}
    page.evaluate(
        """([name, store]) => {
            const write = IDBObjectStore.prototype[name];
            IDBObjectStore.prototype[name] = function (...given) {
                if (!store || this.name === store) return this.count();
                return write.apply(this, given);
            };
        }""",
        list(lost[cut]),
    )
    page.get_by_role("button", name="丢弃").tap()
    page.get_by_role("dialog").get_by_role("button", name="丢弃").tap()
    wait_until(lambda: page.locator(".card").count() == 0, page)
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    wait_until(lambda: set(fake.rejected) == {"d1"}, page)  # the server counts it once
    kept = """() => new Promise((done) => {
        indexedDB.open("hazardscribe").onsuccess = ({ target: { result } }) => {
            const count = result.transaction("photos").objectStore("photos").count();
            count.onsuccess = () => done(count.result);
        };
    })"""
    wait_until(lambda: page.evaluate(kept) == 0, page)
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    assert len(fake.described) == 1


@pytest.mark.parametrize(("language", "told"), [("zh", "请删去 3 字"), ("en", "Remove 3")])
def test_a_text_that_is_too_long_is_told_and_nothing_of_it_is_cut(
    visit: Visit, fake: Fake, photo: Path, album: Album, language: str, told: str
) -> None:
    page = visit()
    page.evaluate(f"localStorage.setItem('hazardscribe.language', '{language}')")
    page.reload()
    album(page, photo)
    in_state(page, "ready")
    text = page.locator(".card textarea[name=text]")
    long = "一二三四五六七八九𠮷" * 200  # the last one is two units of UTF-16
    text.fill(long[:1850])
    assert "1850" in page.locator(".card .field.text .count").inner_text()
    text.fill("")
    text.focus()
    page.keyboard.insert_text(f" {long}壹贰叁 ")  # as a paste does
    assert text.input_value() == f" {long}壹贰叁 "
    note = page.locator(".card .field.text .count")
    assert told in note.inner_text()
    confirm = page.locator(".card .button.primary")
    confirm.tap()
    page.wait_for_timeout(300)
    assert not fake.confirmed
    assert text.get_attribute("aria-invalid") == "true"

    text.fill(long)
    assert told not in note.inner_text()
    page.locator(".card details.more summary").last.tap()
    measure = page.locator(".card textarea[name=measure]")
    measure.fill(long + "壹贰叁")
    page.locator(".card details.more summary").last.tap()
    confirm.tap()
    page.wait_for_timeout(300)
    assert not fake.confirmed
    assert measure.is_visible()  # folded away before
    measure.fill("")
    place = page.locator(".card input[name=place]")
    place.fill("楼" * 203)
    confirm.tap()
    page.wait_for_timeout(300)
    assert not fake.confirmed
    assert told in page.locator(".card .count.complaint").inner_text()
    place.fill("楼" * 200)
    confirm.tap()
    page.locator(".done li").wait_for()
    [(finding, _, _)] = fake.confirmed
    assert (finding["text"], finding["place"]) == (long, "楼" * 200)


@pytest.mark.extended
def test_a_photo_that_cannot_be_read_says_so_and_can_be_described_by_hand(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.sayings = [Saying(problem="damaged")]
    page = visit()
    album(page, photo)
    failed = in_state(page, "failed")
    assert "照片文件已损坏或不完整" in failed.inner_text()
    page.get_by_role("button", name="Switch to English").tap()
    assert "The photo file is damaged or cut off" in failed.inner_text()
    assert "confirm it without a photo" in failed.inner_text()
    page.get_by_role("button", name="切换到中文").tap()
    failed.get_by_role("textbox", **TEXTBOX).fill("配电箱未上锁")
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    [(finding, photos, _)] = fake.confirmed
    assert (finding["description_ids"], photos) == ([], [])  # the ledger would refuse it


@pytest.mark.extended
def test_of_several_photos_those_that_cannot_be_read_stay_behind(
    visit: Visit, fake: Fake, photo: Path, tmp_path: Path, album: Album
) -> None:
    fake.sayings = [Saying(problem="damaged"), Saying(problem="damaged"), Saying()]
    page = visit()
    album(page, photo)
    in_state(page, "failed")
    other = tmp_path / "other.jpg"
    other.write_bytes(jpeg(640, 480))
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="给 隐患 1 加照片").tap()
    chosen.value.set_files(other)
    ready = in_state(page, "ready")
    assert "照片 1 无法识别，入账时不含这张" in ready.inner_text()
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert fake.confirmed[0][1] == [other.read_bytes()]


@pytest.mark.extended
def test_past_cases_stay_unfolded_while_a_person_writes(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    ready = in_state(page, "ready")
    ready.get_by_text("相似的过往案例").tap()
    past = ready.get_by_text("现场一名作业人员未戴安全帽").first
    past.wait_for()
    ready.get_by_role("textbox", **TEXTBOX).press_sequentially("，")
    ready.get_by_text("模型写的是").wait_for()
    assert past.is_visible()


@pytest.mark.extended
def test_everything_is_said_in_english_too(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    page.get_by_role("button", name="Switch to English").tap()
    assert page.locator("html").get_attribute("lang") == "en"
    album(page, photo)
    in_state(page, "ready")
    page.reload()
    page.get_by_role("button", name="Confirm").tap()
    page.get_by_role("link", name="See no. 1 in the ledger").tap()
    page.get_by_role("heading", name="No. 1").wait_for()
    chrome = page.locator("header, main h2, main label, main legend, main dt, main button")
    words = [words for words in chrome.all_inner_texts() if words.strip()]
    assert words
    foreign = [one for one in words if any("一" <= letter <= "鿿" for letter in one)]
    assert foreign == [] or all("中文" in one for one in foreign)


@pytest.mark.extended
def test_a_photo_that_is_refused_after_it_was_confirmed_is_told_and_left_behind(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    """Confirmed before it was described: only then the server says that it cannot read it."""
    fake.sayings = [Saying(), Saying(problem="format")]
    fake.unusable = [photo.read_bytes()]
    fake.hold = threading.Event()  # the first description never comes to its end
    page = visit()
    album(page, photo)
    card = in_state(page, "describing")
    card.get_by_role("textbox", **TEXTBOX).fill("配电箱未上锁")
    page.get_by_role("button", name="确认入账").tap()
    failed = in_state(page, "failed")
    assert "不支持这种文件格式" in failed.inner_text()
    assert failed.get_by_role("textbox", **TEXTBOX).input_value() == "配电箱未上锁"
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert fake.confirmed[-1][1] == []
    assert len(fake.findings) == 1


@pytest.mark.extended
def test_a_finding_on_its_way_takes_no_further_photo_and_is_not_joined(
    visit: Visit, fake: Fake, photo: Path, tmp_path: Path, album: Album
) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(jpeg(640, 480))
    page = visit()
    for one in (photo, other):
        album(page, one)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    for i in (1, 2):
        page.get_by_role("checkbox", name=f"选中 隐患 {i} 以便合并").check()
    fake.refusals["/v1/findings"] = [(503, {"Retry-After": "2"})]
    first = page.locator(".card", has_text="隐患 1")
    with page.expect_file_chooser() as chosen:
        first.get_by_role("button", name="给 隐患 1 加照片").tap()
    first.get_by_role("button", name="确认入账").tap()
    wait_until(lambda: not fake.refusals["/v1/findings"], page)
    assert page.get_by_role("button", name="合并为一条隐患").is_disabled()
    third = tmp_path / "third.jpg"
    third.write_bytes(jpeg(320, 240))
    chosen.value.set_files(third)  # the album was open when it was confirmed
    page.get_by_role("link", name="在台账中查看 №1").wait_for()
    assert fake.confirmed[-1][1] == [photo.read_bytes()]
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)


@pytest.mark.extended
def test_a_tab_that_another_has_taken_over_changes_nothing(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    newer = page.context.new_page()
    newer.goto(fake.url)
    in_state(newer, "ready")
    page.locator(".cards[inert]").wait_for()
    newer.get_by_role("button", name="确认入账").tap()
    newer.locator(".done li").wait_for()
    page.get_by_role("button", name="在这里继续").tap()
    page.locator(".done li").wait_for()
    assert page.locator(".card").count() == 0
    assert len(fake.confirmed) == 1


def covered(page: Any, selectors: str) -> list[str]:
    """Which of the elements the message lies on."""
    return page.evaluate(
        """(selectors) => {
            const toast = document.querySelector(".toast").getBoundingClientRect();
            return [...document.querySelectorAll(selectors)].filter((element) => {
                const box = element.getBoundingClientRect();
                return box.height && box.top < toast.bottom && box.bottom > toast.top
                    && box.left < toast.right && box.right > toast.left;
            }).map((element) => element.textContent);
        }""",
        selectors,
    )


@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_message_covers_nothing_that_is_pressed(
    size: str, language: str, visit: Visit, tmp_path: Path, album: Album
) -> None:
    page = visit(size)
    if language == "en":
        page.get_by_role("button", name="Switch to English").click()
    notes, photos = tmp_path / "a rather long name of some notes.txt", []
    notes.write_text("no photo")
    fixed = ".bar, .bar *, h1, .take-bar, .selection:not([hidden])"
    album(page, notes)
    page.locator(".toast.bad").wait_for()
    assert covered(page, fixed) == []
    page.locator(".toast").click()
    assert page.locator(".toast").count() == 0  # what lies below it is not pressed
    for shade in (60, 90):
        photos.append(tmp_path / f"{shade}.jpg")
        photos[-1].write_bytes(jpeg(shade=shade))
    album(page, *photos)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    for i in range(2):
        card(page, i).get_by_role("checkbox").check()
    album(page, notes)
    page.locator(".toast.bad").wait_for()
    assert covered(page, fixed) == []


@pytest.mark.extended
def test_the_browser_is_asked_to_keep_photos_once_there_are_some(
    visit: Visit, photo: Path, album: Album
) -> None:
    """Firefox passes the question on to the person, who must have done something first."""
    page = visit()
    page.add_init_script(
        "window.asked = 0; StorageManager.prototype.persist = async () => { window.asked += 1; }"
    )
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    assert page.evaluate("window.asked") == 0
    for _ in range(2):
        album(page, photo)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == 2, page)
    assert page.evaluate("window.asked") == 1


@pytest.mark.extended
def test_an_error_that_only_the_log_explains_says_where_in_it(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.failures = [INTERNAL]
    page = visit()
    album(page, photo)
    page.get_by_text("请求编号：r-fake").wait_for()
