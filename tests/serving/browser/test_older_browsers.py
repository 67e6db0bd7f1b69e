"""What the page does in browsers older than the Chromium at hand, and in those of other makers.

The page is stated to work from Chromium 86, Safari 15.4 and Firefox 98 on (docs/page.md). Here the
interfaces that came later are taken away from the browser. A real Chromium of that age can be named
by HAZARDSCRIBE_CHROMIUM for all tests of this folder, with a playwright that still drives it.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake import TEXT, Fake, jpeg
from PIL import Image, features
from test_capture import TEXTBOX, in_state, wait_until

Visit = Callable[..., Any]
Album = Callable[..., None]

# What at least one of the three lacks and a page like this might use. Aborting gave no reason, and
# createImageBitmap knew no "from-image" (Chromium 112, Safari 16).
OLDER = """(() => {
  const later = [
    [Array.prototype, "at findLast findLastIndex toReversed toSorted toSpliced with"],
    [String.prototype, "at isWellFormed toWellFormed"],
    [Set.prototype, "union intersection difference isSubsetOf isSupersetOf isDisjointFrom"],
    [Array, "fromAsync"], [Object, "hasOwn groupBy"], [Map, "groupBy"],
    [Promise, "withResolvers try"], [URL, "canParse parse"], [Response, "json"],
    [AbortSignal, "abort any timeout"], [AbortSignal.prototype, "reason throwIfAborted"],
    [Blob.prototype, "bytes"], [Element.prototype, "checkVisibility setHTML role"],
    [HTMLElement.prototype, "inert showPopover hidePopover togglePopover"],
    [HTMLInputElement.prototype, "showPicker"], [Crypto.prototype, "randomUUID"],
    [window, "structuredClone navigation scheduler reportError"],
  ];
  for (const [owner, names] of later) for (const name of names.split(" ")) delete owner[name];
  const abort = AbortController.prototype.abort;
  AbortController.prototype.abort = function () { abort.call(this); };
  const bitmap = window.createImageBitmap;
  window.createImageBitmap = async (source, options) => {
    if (options?.imageOrientation === "from-image") throw new TypeError("not an ImageOrientation");
    return bitmap(source, options);
  };
  const supports = CSS.supports;
  CSS.supports = (name, ...value) => name !== "field-sizing" && supports.call(CSS, name, ...value);
})()"""


def turned(path: Path) -> Path:
    """A large photo that its camera held sideways."""
    image = Image.new("RGB", (3000, 1500), (90, 120, 150))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    return path


def older(visit: Visit, size: str = "phone") -> Any:
    page = visit(size)
    page.context.add_init_script(OLDER)
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    return page


def test_the_round_in_an_older_browser(
    visit: Visit, fake: Fake, tmp_path: Path, photo: Path, album: Album
) -> None:
    fake.hold = threading.Event()
    page = older(visit)
    album(page, turned(tmp_path / "large.jpg"))
    in_state(page, "describing")
    page.get_by_role("link", name="台账", exact=True).tap()
    page.get_by_role("link", name="拍照", exact=True).tap()
    album(page, photo)
    wait_until(lambda: page.locator(".card[data-state=describing]").count() == 2, page)
    for box in page.locator(".card .select input").all():
        box.check()
    page.get_by_role("button", name="合并为一条隐患").tap()  # what was under way is given up
    wait_until(lambda: len(fake.described) == 3, page)
    fake.hold.set()
    in_state(page, "ready")
    large, small = fake.described[-1]
    assert small == photo.read_bytes()
    with Image.open(io.BytesIO(large)) as sent:
        assert (sent.format, sent.size) == ("JPEG", (1024, 2048))
    assert page.locator(".shot img").count() == 2
    page.get_by_role("textbox", **TEXTBOX).fill(TEXT + "，且未系安全带")
    page.get_by_role("button", name="确认入账").tap()
    page.get_by_role("link", name="在台账中查看 №1").tap()
    page.locator(".texts ins").wait_for()
    page.get_by_role("button", name="标记为已整改").tap()
    page.get_by_text("已保存").wait_for()


@pytest.mark.extended
def test_a_tab_of_an_older_browser_that_another_has_taken_over(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    fake.hold = threading.Event()
    page = older(visit, "desk")
    album(page, photo)
    in_state(page, "describing")
    place = page.locator(".card input[name=place]")
    place.focus()
    newer = page.context.new_page()
    newer.goto(fake.url)
    page.locator(".cards.shut").wait_for()
    fake.hold.set()
    in_state(newer, "ready")
    page.bring_to_front()
    place.evaluate("(input) => input.focus()")
    page.keyboard.type("lost")
    assert place.input_value() == ""
    with pytest.raises(Exception, match="intercepts pointer events"):
        place.click(timeout=500)
    newer.close(run_before_unload=True)
    in_state(page, "ready")
    place.fill("5号楼")
    page.get_by_role("button", name="确认入账").click()
    page.locator(".done li").wait_for()
    assert [finding["place"] for finding, _, _ in fake.confirmed] == ["5号楼"]


@pytest.mark.extended
@pytest.mark.parametrize("way", ["back from the ledger", "another language", "a reload"])
def test_a_text_is_shown_whole_where_the_browser_does_not_fit_its_box(
    visit: Visit, fake: Fake, photo: Path, album: Album, way: str
) -> None:
    fake.sayings[0].text = "；".join([TEXT] * 8)
    page = older(visit)
    album(page, photo)
    in_state(page, "ready")
    if way == "a reload":
        page.reload()
    elif way == "another language":
        page.locator("button.bare").tap()
    else:
        page.get_by_role("link", name="台账", exact=True).tap()
        page.get_by_role("link", name="拍照", exact=True).tap()
    in_state(page, "ready")
    text = page.locator(".card textarea[name=text]")
    hidden = "(area) => area.scrollHeight - area.clientHeight"
    wait_until(lambda: text.evaluate(hidden) <= 0, page)


def test_a_browser_that_cannot_run_it_is_told_so(visit: Visit, fake: Fake) -> None:
    page = visit(token=None)
    page.context.add_init_script("delete HTMLDialogElement.prototype.showModal")
    page.reload()
    words = page.get_by_role("alert").first.inner_text()
    assert "这个浏览器太旧" in words
    assert "This browser is too old" in words


@pytest.mark.extended
def test_a_page_that_did_not_load_whole_says_so(visit: Visit, fake: Fake) -> None:
    page = visit(token=None)
    page.context.route("**/page/queue.js", lambda route: route.abort())
    page.reload()
    assert "页面没有载入完整" in page.get_by_role("alert").inner_text()


@pytest.mark.extended
@pytest.mark.skipif(not features.check("avif"), reason="Pillow writes no AVIF here")
def test_what_only_the_browser_can_read_is_sent_as_jpeg(
    visit: Visit, fake: Fake, tmp_path: Path, album: Album
) -> None:
    """As Safari reads HEIC; a Chromium reads AVIF."""
    path = tmp_path / "IMG_2041.avif"
    Image.new("RGB", (640, 480), (90, 120, 150)).save(path)
    page = visit()
    album(page, path)
    in_state(page, "ready")
    with Image.open(io.BytesIO(fake.described[0][0])) as sent:
        assert (sent.format, sent.size) == ("JPEG", (640, 480))


@pytest.mark.extended
def test_no_blobs_are_kept(visit: Visit, fake: Fake, photo: Path, album: Album) -> None:
    """Safari keeps none in a private window."""
    page = visit()
    page.context.add_init_script(
        """(() => {
            const put = IDBObjectStore.prototype.put;
            IDBObjectStore.prototype.put = function (value) {
                for (const part of Object.values(value))
                    if (part instanceof Blob) throw new DOMException("no blobs", "DataCloneError");
                return put.call(this, value);
            };
        })()"""
    )
    page.reload()
    page.get_by_text("还没有照片").wait_for()
    album(page, photo)
    in_state(page, "ready")
    assert page.locator(".toast").count() == 0
    page.reload()
    in_state(page, "ready")
    page.locator(".shot img").wait_for()
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert fake.confirmed[0][1] == [photo.read_bytes()]


@pytest.mark.extended
def test_photos_that_were_kept_as_blobs_are_still_read(
    visit: Visit, fake: Fake, photo: Path, album: Album
) -> None:
    page = visit()
    album(page, photo)
    in_state(page, "ready")
    page.evaluate(
        """() => new Promise((done) => {
            indexedDB.open("hazardscribe").onsuccess = ({ target }) => {
                const change = target.result.transaction("photos", "readwrite");
                const photos = change.objectStore("photos");
                photos.getAll().onsuccess = ({ target: { result } }) => {
                    for (const { id, name, blob, thumb } of result) {
                        const [whole, small] = [blob, thumb].map((kept) => new Blob([kept.bytes]));
                        photos.put({ id, name, blob: whole, thumb: small });
                    }
                };
                change.oncomplete = done;
            };
        })"""
    )
    page.reload()
    in_state(page, "ready")
    page.locator(".shot img").wait_for()
    page.get_by_role("button", name="确认入账").tap()
    page.locator(".done li").wait_for()
    assert fake.confirmed[0][1] == [photo.read_bytes()]


@pytest.mark.extended
def test_a_file_that_is_gone_holds_up_no_other(
    visit: Visit, fake: Fake, tmp_path: Path, photo: Path, album: Album
) -> None:
    page = visit()
    page.evaluate(
        """() => {
            const read = Blob.prototype.arrayBuffer;
            Blob.prototype.arrayBuffer = function () {
                if (this.name === "gone.jpg") throw new DOMException("", "NotFoundError");
                return read.call(this);
            };
        }"""
    )
    gone = tmp_path / "gone.jpg"
    gone.write_bytes(jpeg())
    album(page, gone, photo)
    page.get_by_text("照片文件无法读取，请重新选择").wait_for()
    in_state(page, "ready")
    assert "已添加 1 张照片" in page.locator("#announce").inner_text()
    assert page.locator(".card").count() == 1
    assert fake.described == [[photo.read_bytes()]]
