"""The ledger: found, corrected, closed, exported, and two people at one record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fake import ADMIN, CATEGORIES, MODEL, TEXT, Fake, jpeg
from test_capture import wait_until

pytestmark = pytest.mark.extended
Visit = Callable[..., Any]


def rows(page: Any) -> Any:
    return page.locator(".rows > li")


def test_records_are_searched_filtered_and_paged(visit: Visit, fake: Fake) -> None:
    photo = fake.store_photo(jpeg())
    for i in range(45):
        fake.add(
            text=f"配电箱第{i}处未上锁" if i % 15 == 0 else f"{TEXT}第{i}处",
            category=CATEGORIES[i % 3],
            status="done" if i % 2 else "open",
            photos=[photo],
        )
    page = visit("phone", "#/ledger")
    page.get_by_text("显示 20 条，共 45 条").wait_for()
    page.get_by_role("button", name="加载更多").tap()
    page.get_by_text("显示 40 条，共 45 条").wait_for()
    page.get_by_role("button", name="加载更多").tap()
    page.get_by_text("显示 45 条，共 45 条").wait_for()
    assert rows(page).count() == 45
    assert page.get_by_role("button", name="加载更多").count() == 0

    page.get_by_label("搜索").fill("配电箱")
    page.get_by_text("显示 3 条，共 3 条").wait_for()
    page.get_by_text("筛选", exact=True).tap()
    page.get_by_label("状态").select_option("已整改")
    page.get_by_text("显示 1 条，共 1 条").wait_for()
    rows(page).get_by_role("link").tap()
    page.get_by_role("heading", name="№16").wait_for()
    page.get_by_role("link", name="返回台账").tap()
    page.get_by_text("显示 1 条，共 1 条").wait_for()  # still as it was filtered
    assert page.get_by_label("搜索").input_value() == "配电箱"
    page.reload()
    page.get_by_text("显示 1 条，共 1 条").wait_for()
    page.get_by_role("button", name="清除筛选").tap()
    page.get_by_text("显示 20 条，共 45 条").wait_for()
    page.get_by_label("搜索").fill("没有这样的话")
    page.get_by_text("没有符合条件的记录").wait_for()


@pytest.mark.parametrize(("to", "words"), [("xlsx", "导出 Excel"), ("pairs", "导出训练数据")])
def test_what_is_filtered_is_exported(visit: Visit, fake: Fake, to: str, words: str) -> None:
    fake.add()
    page = visit("desk", "#/ledger?status=open&category=电气")
    page.get_by_text("没有符合条件的记录").wait_for()
    with page.expect_request("**/v1/export*") as request, page.expect_download() as download:
        page.get_by_role("button", name=words).click()
    asked = parse_qs(urlsplit(request.value.url).query)
    assert asked == {"to": [to], "status": ["open"], "category": ["电气"]}
    name = {"xlsx": "ledger.xlsx", "pairs": "pairs.zip"}[to]
    assert download.value.suggested_filename == name
    assert Path(download.value.path()).read_bytes() == b"exported"


def test_a_record_shows_both_texts_and_is_corrected(visit: Visit, fake: Fake) -> None:
    fake.add(text=TEXT.replace("一名", "两名"), outcome="edited", photos=[fake.store_photo(jpeg())])
    page = visit("phone", "#/ledger/f1")
    said = page.locator(".texts > div").nth(0)
    confirmed = page.locator(".texts > div").nth(1)
    said.wait_for()
    assert said.locator("del").inner_text().endswith("一")
    assert confirmed.locator("ins").inner_text().endswith("两")
    assert MODEL in page.locator("dl").last.inner_text()

    save = page.get_by_role("button", name="保存修改")
    assert save.is_disabled()
    page.get_by_role("textbox", name="确认文本").fill("两名工人未戴安全帽")
    page.get_by_role("combobox", name="责任人").fill("王建国")
    save.tap()
    page.get_by_text("已保存").wait_for()
    after = fake.findings["f1"]
    assert (after.text, after.responsible, after.version) == ("两名工人未戴安全帽", "王建国", 2)
    assert set(fake.changes["f1"][-1].fields) == {"text", "responsible"}  # nothing else was sent
    page.locator(".past").get_by_text("责任人").wait_for()

    page.get_by_role("button", name="标记为已整改").tap()
    page.get_by_role("button", name="重新打开").wait_for()
    assert fake.findings["f1"].status == "done"


def test_two_people_change_one_record_and_nothing_is_lost(visit: Visit, fake: Fake) -> None:
    fake.add(text="甲", place="东区", responsible="")
    page = visit("desk", "#/ledger/f1")
    page.get_by_role("textbox", name="确认文本").fill("我的描述")
    page.get_by_role("combobox", name="责任人").fill("王建国")
    fake.change("f1", text="别人的描述", place="西区")
    page.get_by_role("button", name="保存修改").click()
    conflict = page.get_by_role("region", name="这条记录已被别人修改")
    conflict.wait_for()
    text = conflict.get_by_role("group", name="隐患描述")
    assert "我的描述" in text.inner_text()
    assert "别人的描述" in text.inner_text()
    assert conflict.get_by_role("group", name="地点").count() == 0  # only theirs: taken as it is
    keep = conflict.get_by_role("button", name="保存所选")
    assert keep.is_disabled()  # both changed the text: the person decides
    text.get_by_role("radio", name="你的").check()
    keep.click()
    page.get_by_text("已保存").wait_for()
    after = fake.findings["f1"]
    assert (after.text, after.place, after.responsible) == ("我的描述", "西区", "王建国")

    page.get_by_role("textbox", name="确认文本").fill("又一次")
    fake.change("f1", text="别人又一次")
    page.get_by_role("button", name="保存修改").click()
    page.get_by_role("button", name="放弃我的修改").click()
    wait_until(
        lambda: page.get_by_role("textbox", name="确认文本").input_value() == "别人又一次", page
    )
    assert fake.findings["f1"].text == "别人又一次"


def test_only_administrators_delete_and_are_asked_first(visit: Visit, fake: Fake) -> None:
    fake.add()
    page = visit("desk", "#/ledger/f1")
    page.locator(".past").wait_for()
    assert page.get_by_role("button", name="删除记录").count() == 0
    page = visit("desk", "#/ledger/f1", token=ADMIN)
    page.get_by_role("button", name="删除记录").click()
    page.get_by_role("dialog").get_by_role("button", name="取消").click()
    assert fake.findings
    page.get_by_role("button", name="删除记录").click()
    page.get_by_role("button", name="彻底删除").click()
    page.get_by_text("台账还是空的").wait_for()
    assert not fake.findings


def test_the_ledger_s_words_never_become_markup(visit: Visit, fake: Fake) -> None:
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    fake.add(text=evil, ai_text=f"{evil}!", place=evil, category=evil, model=evil)
    page = visit("desk", "#/ledger")
    rows(page).first.wait_for()
    assert evil in rows(page).first.inner_text()
    page.goto(f"{fake.url}/#/ledger/f1")
    page.locator(".past").wait_for()
    assert page.locator("main script, main img[src=x]").count() == 0
    assert page.title() != "1"


def test_the_counts_stand_in_a_table(visit: Visit, fake: Fake) -> None:
    page = visit("desk", "#/dashboard")
    weeks = page.get_by_role("region", name="按周").get_by_role("row")
    weeks.nth(1).wait_for()
    assert weeks.nth(1).get_by_role("cell").all_inner_texts()[1:] == [
        *("37", "9", "1", "2", "49", "76%")
    ]
    assert page.get_by_role("region", name="按类别").get_by_role("row").count() == 7
    assert MODEL in page.get_by_role("region", name="按模型").inner_text()


@pytest.mark.parametrize("address", ["#/__proto__", "#/constructor/x", "#/ledger/%E0%A4%A"])
def test_an_address_that_means_nothing_shows_a_view(visit: Visit, address: str) -> None:
    page = visit("phone", address)
    page.locator("main h1").wait_for()


def test_a_word_without_end_does_not_widen_a_phone(visit: Visit, fake: Fake) -> None:
    word = "KKS-" + "0123456789" * 19
    fake.add(text=word, place=word, category=word, responsible=word)
    page = visit("phone", "#/ledger")
    page.get_by_text("显示 1 条，共 1 条").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    rows(page).get_by_role("link").tap()
    page.get_by_role("heading", name="№1").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_large_export_is_waited_for(visit: Visit, fake: Fake) -> None:
    """Of ten thousand records it takes minutes, and not a byte comes before."""
    fake.add()
    page = visit("desk", "#/ledger")
    page.clock.install()
    page.reload()
    rows(page).wait_for()
    asked: list[Any] = []
    page.context.route("**/v1/export**", lambda route: asked.append(route))
    page.get_by_role("button", name="导出 Excel").click()
    while not asked:
        page.wait_for_timeout(20)
    page.clock.fast_forward(600_000)
    with page.expect_download():
        asked[0].continue_()


def test_a_server_without_tokens_asks_for_none(visit: Visit, fake: Fake) -> None:
    fake.open = True
    page = visit("desk", token=None)
    page.get_by_text("还没有照片").wait_for()


def test_what_was_typed_is_saved_with_the_new_status(visit: Visit, fake: Fake) -> None:
    record = fake.add()
    page = visit("phone", f"#/ledger/{record.id}")
    page.get_by_label("整改措施").fill("加固")
    page.get_by_role("button", name="标记为已整改").tap()
    page.get_by_role("button", name="重新打开").wait_for()
    assert (fake.findings[record.id].measure, fake.findings[record.id].status) == ("加固", "done")


def test_english_is_punctuated_in_english(visit: Visit, fake: Fake) -> None:
    fake.add(text="Worker without a helmet", ai_text="Worker without a hard hat", due="2031-05-01")
    page = visit("desk", "#/ledger/f1")
    page.get_by_role("button", name="Switch to English").click()
    page.get_by_text("Status: Open · due").wait_for()
    assert page.locator(".texts del").first.inner_text().startswith("(removed)")


def test_what_was_typed_outlives_another_language_and_a_step_back(visit: Visit, fake: Fake) -> None:
    fake.add(text="甲", place="东区")
    page = visit("desk", "#/ledger/f1")
    page.get_by_role("textbox", name="确认文本").fill("我的描述")
    page.get_by_role("button", name="Switch to English").click()
    text = page.get_by_role("textbox", name="Confirmed text")
    text.wait_for()
    assert text.input_value() == "我的描述"
    page.get_by_role("link", name="Back to the ledger").click()
    page.go_back()
    text.wait_for()
    assert text.input_value() == "我的描述"
    page.get_by_role("button", name="Save changes").click()
    page.get_by_text("Saved").wait_for()
    assert fake.findings["f1"].text == "我的描述"
    page.reload()
    text.wait_for()
    assert page.get_by_role("button", name="Save changes").is_disabled()  # nothing is left over


def test_what_was_typed_outlives_a_view_that_was_left_while_it_loaded(
    visit: Visit, fake: Fake
) -> None:
    fake.add(text="甲")
    page = visit("desk", "#/ledger/f1")
    text = page.get_by_role("textbox", name="确认文本")
    text.fill("我的描述")
    held: list[Any] = []
    page.route("**/v1/findings/f1", lambda route: held.append(route))
    for count in (1, 2):  # left again before the record has come, and entered once more
        back = page.get_by_role("link", name="返回台账")
        back.click()
        back.wait_for(state="detached")
        page.go_back()
        wait_until(lambda count=count: len(held) == count, page)
    for route in held:
        route.continue_()
    text.wait_for()
    assert text.input_value() == "我的描述"


def test_what_was_typed_before_somebody_else_s_change_is_settled(visit: Visit, fake: Fake) -> None:
    fake.add(text="甲")
    page = visit("desk", "#/ledger/f1")
    page.get_by_role("textbox", name="确认文本").fill("我的描述")
    page.get_by_role("link", name="返回台账").click()
    fake.change("f1", text="别人的描述")
    page.go_back()
    conflict = page.get_by_role("region", name="这条记录已被别人修改")
    conflict.get_by_role("radio", name="你的").check()
    conflict.get_by_role("button", name="保存所选").click()
    page.get_by_text("已保存").wait_for()
    assert fake.findings["f1"].text == "我的描述"


def test_a_second_tap_is_no_conflict_with_oneself(visit: Visit, fake: Fake) -> None:
    fake.add(text="甲")
    page = visit("desk", "#/ledger/f1")
    held: list[Any] = []
    page.route(
        "**/v1/findings/f1",
        lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_(),
    )
    page.get_by_role("textbox", name="确认文本").fill("乙")
    twice = "b => { b.click(); b.click(); }"
    page.get_by_role("button", name="保存修改").evaluate(twice)
    wait_until(lambda: held, page)
    page.keyboard.type("丙")  # goes nowhere: the answer would have wiped it
    for route in held:
        route.continue_()
    page.get_by_text("已保存").wait_for()
    assert len(held) == 1
    assert fake.findings["f1"].text == "乙"


def test_what_was_saved_while_the_person_left_is_not_typed_any_more(
    visit: Visit, fake: Fake
) -> None:
    fake.add(text="甲")
    page = visit("desk", "#/ledger/f1")
    held: list[Any] = []
    page.route(
        "**/v1/findings/f1",
        lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_(),
    )
    page.get_by_role("textbox", name="确认文本").fill("乙")
    page.get_by_role("button", name="保存修改").click()
    wait_until(lambda: held, page)
    page.get_by_role("link", name="返回台账").click()
    held[0].continue_()
    page.get_by_text("已保存").wait_for()
    page.go_back()
    text = page.get_by_role("textbox", name="确认文本")
    text.wait_for()
    assert text.input_value() == "乙"
    assert page.get_by_role("button", name="保存修改").is_disabled()
    assert page.get_by_role("region", name="这条记录已被别人修改").count() == 0


@pytest.mark.extended
def test_a_record_s_text_that_is_too_long_is_not_sent(visit: Visit, fake: Fake) -> None:
    fake.add()
    page = visit("desk", "#/ledger/f1")
    text = page.locator("textarea[name=text]")
    text.fill("长" * 2001)
    page.get_by_role("button", name="保存修改").click()
    page.get_by_role("button", name="标记为已整改").click()
    page.get_by_text("请删去 1 字").wait_for()
    page.wait_for_timeout(300)
    assert fake.findings["f1"].version == 1
    text.fill("长" * 2000)
    page.get_by_role("button", name="保存修改").click()
    page.get_by_text("已保存").wait_for()
    assert fake.findings["f1"].text == "长" * 2000
