"""The whole round with the real server: photo, text, correction, ledger, export, training."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_accessible import looked_over
from test_capture import TEXTBOX, wait_until

from hazardscribe import verbs
from hazardscribe.pairs.columns import AI_KEY
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training.recipe import Recipe
from tiny import TEXTS

pytestmark = pytest.mark.extended
pytest.importorskip("hazardscribe.serving.app", reason="needs the extra `serve`")

TOKEN = "a-token-of-an-inspector-1234"
Visit = Callable[..., Any]
Album = Callable[..., None]


@pytest.fixture(scope="module")
def server(talkative: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`hazardscribe serve` with a tiny model, as a process of its own."""
    folder = tmp_path_factory.mktemp("serve")
    tokens = folder / "tokens"
    tokens.write_text(f"inspector 张三 {TOKEN}\n", encoding="utf-8")
    command = [sys.executable, "-m", "hazardscribe.cli", "serve", "--model", str(talkative)]
    command += ["--max_new_tokens", "24"]
    command += ["--port", "0", "--store", str(folder / "store"), "--tokens", str(tokens)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUTF8": "1"}
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        assert "http://" in line, line
        yield line[line.index("http://") :].split()[0].rstrip("/")
    finally:
        process.terminate()
        code = process.wait(60)
    assert code == 0  # drained, not killed


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_from_a_photo_to_a_model_that_learned_from_it(
    visit: Visit,
    album: Album,
    server: str,
    talkative: Path,
    photos: list[str],
    start: Path,
    tmp_path: Path,
    size: str,
) -> None:
    page = visit(size, url=server, token=None)
    page.get_by_label("访问口令", exact=True).fill(TOKEN)
    page.get_by_role("button", name="进入").click()
    page.get_by_text("还没有照片").wait_for()

    # Each text that a card was given, also those that no frame of the screen ever showed.
    page.evaluate(
        """() => {
            window.seen = [];
            const kind = HTMLTextAreaElement.prototype;
            const own = Object.getOwnPropertyDescriptor(kind, "value");
            const set = function (text) { window.seen.push(text); own.set.call(this, text); };
            Object.defineProperty(kind, "value", { ...own, set });
        }"""
    )
    if size == "phone":
        page.locator(".pick.camera input").set_input_files(photos[0])
    else:
        album(page, Path(photos[0]))
    page.locator(".card[data-state=ready]").wait_for(timeout=60_000)
    drafts = [text for text in page.evaluate("window.seen") if text]
    assert len(drafts) >= 2, "the text did not arrive bit by bit"
    assert drafts[1].startswith(drafts[0])
    described = verbs.describe([photos[0]], talkative, max_new_tokens=24, device="cpu")
    assert drafts[-1] == next(iter(described))[AI_KEY]  # as anywhere else
    album(page, *(Path(photo) for photo in photos[1:]))
    count = len(photos)
    wait_until(lambda: page.locator(".card[data-state=ready]").count() == count, page)
    looked_over(page, "cards")

    # The first as the model wrote it, all others in the inspector's own words.
    before = number_of_records(page)
    for i in range(count):
        card = page.locator(".card").last  # the oldest
        text = card.get_by_role("textbox", **TEXTBOX)
        if i > 0:
            text.fill(f"{TEXTS['zh'][i % 6]}，第{i}处")
        card.get_by_role("combobox", name="地点").fill(f"{i % 3 + 1}号楼")
        card.get_by_role("combobox", name="类别").fill("个体防护")
        card.get_by_role("button", name="确认入账").click()
        wait_until(lambda i=i: page.locator(".done li").count() == i + 1, page)
    assert page.locator(".card").count() == 0
    assert number_of_records(page) == before + count

    page.get_by_role("link", name="台账", exact=True).click()
    page.locator(".rows li").first.wait_for()
    looked_over(page, "ledger")
    page.locator(".rows li .tag.edited").first.wait_for()
    with page.expect_download() as workbook:
        page.get_by_role("button", name="导出 Excel").click()
    assert zipfile.is_zipfile(workbook.value.path())
    with page.expect_download() as download:
        page.get_by_role("button", name="导出训练数据").click()
    page.locator(".rows li a").first.click()
    page.locator(".past").wait_for()
    page.locator(".shot img[src^='blob:']").wait_for()
    assert page.locator(".texts del, .texts ins").count() > 0
    looked_over(page, "record")
    page.get_by_role("textbox", name="确认文本").fill("基坑临边未设置防护栏杆")
    page.get_by_role("button", name="保存修改").click()
    page.get_by_text("已保存").wait_for()
    page.get_by_role("link", name="统计", exact=True).click()
    page.get_by_role("region", name="按模型").wait_for()
    looked_over(page, "counts")

    folder = tmp_path / "pairs"
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(folder)
    pairs = read_pairs(folder)
    descriptions = [text for split in pairs.splits.values() for text in split["description"]]
    assert f"{TEXTS['zh'][1]}，第1处" in descriptions
    recipe = Recipe(start=str(start), steps=2, batch_size=4, max_text_tokens=12)
    run = verbs.train(pairs, recipe, tmp_path / "run")
    assert (run.model / "model.safetensors").is_file()


def number_of_records(page: Any) -> int:
    token = page.evaluate("localStorage.getItem('hazardscribe.token')")
    answer = page.context.request.get(
        f"{page.url.split('#')[0]}v1/findings", headers={"Authorization": f"Bearer {token}"}
    )
    return int(answer.json()["total"])
