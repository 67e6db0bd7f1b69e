"""The check as a whole: what it writes, what it leaves alone, its exit codes."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from made_photos import picture

import hazardscribe
from hazardscribe import cli
from hazardscribe.errors import InputError
from hazardscribe.pairs.checking import page_words
from hazardscribe.pairs.checking.check import check
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.write import write_pairs


class Page(HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset")]


@pytest.fixture
def messy(lines, tmp_path):
    """One error, some warnings and hints."""
    (tmp_path / lines[10]["photo"]).write_bytes((tmp_path / lines[0]["photo"]).read_bytes())
    (tmp_path / lines[4]["photo"]).write_bytes(b"no photo")
    lines[2]["description"] = "<script>alert(1)</script> 电话 13812345678"
    lines[3]["description"] = "见照片"
    lines[5]["description"] = "两名工人未带安全帽"
    return lines


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_shards_are_checked_as_one_table_is(lines, tmp_path):
    lines[2]["photo"] += ";" + lines[5]["photo"]
    table = pd.DataFrame(lines)
    for at in (2, 4):
        (tmp_path / lines[at]["photo"].split(";")[0]).write_bytes(b"no photo")
    table.to_parquet(tmp_path / "one.parquet")
    whole = check(tmp_path / "one.parquet").to_json()
    (tmp_path / "one.parquet").unlink()
    table[:6].to_parquet(tmp_path / "part-0.parquet")
    table[6:].to_parquet(tmp_path / "part-1.parquet")
    ours = check(tmp_path).to_json()
    assert ours["counts"] == whole["counts"]
    assert ours["counts"]["rows_rejected"] == 1
    assert ours["splits"] == whole["splits"]
    found = [[(f["code"], f["count"]) for f in report["findings"]] for report in (ours, whole)]
    assert found[0] == found[1]
    assert ("rejected_photo_unreadable", 2) in found[0]


def test_a_photo_that_was_damaged_after_reading_is_a_finding(lines, write, tmp_path):
    pairs = read_pairs(write(lines))
    (tmp_path / lines[0]["photo"]).write_bytes(b"no photo")
    report = check(pairs)
    assert report.rows_rejected == 1
    assert report.digest == pairs.digest()
    assert "rejected_photo_unreadable" in {finding.code for finding in report.findings}


def test_nothing_that_is_checked_changes(messy, write, tmp_path, tmp_path_factory):
    table = write(messy)
    before = state(tmp_path)
    out = tmp_path_factory.mktemp("out") / "new" / "report.html"
    check(table).write(out)
    assert state(tmp_path) == before
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_the_page_holds_everything_and_asks_for_nothing(messy, report, tmp_path):
    html = report(messy).write(tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.links
    assert all(link.startswith(("data:", "#finding-")) for link in page.links)
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import", html)
    assert "default-src 'none'" in html
    assert html.startswith("<!DOCTYPE html>")
    assert '<html lang="zh-CN">' in html
    assert "两名工人未带安全帽" in html
    assert "表头下第 6 行" in html  # not the number that a spreadsheet shows
    assert "带安全帽 → 戴" in html
    assert "13812345678" not in html  # personal data does not travel with the report
    assert str(tmp_path) not in html  # nor does it tell where the photos lay


def test_an_english_page(lines, report, tmp_path):
    for number, line in enumerate(lines):
        line["description"] = f"Worker number {number} is without a hard hat."
    html = report(lines).write(tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in html
    assert not re.search(r"[\u4e00-\u9fff]", html)


def test_every_finding_has_words_in_both_languages():
    codes = set(page_words._all()) - {"rejected"}
    for of in page_words._all().values():
        assert {*of} == {"en", "zh"}
        assert {*of["en"]} == {*of["zh"]} >= {"title", "advice"}
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("pairs/checking", "model")
        for path in (Path(hazardscribe.__file__).parent / folder).glob("*.py")
        if path.name != "page_words.py"
    )
    assert [
        code for code in codes if not code.startswith("rejected_") and f'"{code}"' not in source
    ] == []


def test_equal_pairs_give_equal_reports(messy, write, tmp_path, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    table = write(messy)
    for name in ("a", "b"):
        found = check(table)
        for suffix in ("html", "json"):
            found.write(out / f"{name}.{suffix}", sample=5, seed=1)
    assert (out / "a.html").read_bytes() == (out / "b.html").read_bytes()
    assert (out / "a.json").read_bytes() == (out / "b.json").read_bytes()
    check(table).write(out / "c.html", sample=5, seed=2)
    assert (out / "a.html").read_bytes() != (out / "c.html").read_bytes()


def test_json_for_machines(messy, report, tmp_path):
    data = json.loads(report(messy).write(tmp_path / "r.json").read_text(encoding="utf-8"))
    assert data["counts"]["rows_read"] == 12
    assert data["counts"]["rows_rejected"] == 1
    by_code = {one["code"]: one for one in data["findings"]}
    assert by_code["rejected_photo_unreadable"]["rows"] == [["pairs.csv", "", 5]]
    assert by_code["text_placeholder"]["severity"] == "warning"
    order = [one["severity"] for one in data["findings"]]
    assert order == sorted(order, key=["error", "warning", "hint"].index)


def test_pairs_that_were_read_or_written_before(messy, write, tmp_path_factory):
    pairs = read_pairs(write(messy))
    codes = [one.code for one in check(pairs).findings]
    assert codes == [one.code for one in hazardscribe.check(pairs).findings]
    folder = write_pairs(pairs, tmp_path_factory.mktemp("written"))
    again = check(folder).findings
    assert "leak_same_photo" in {one.code for one in again}
    # The source rows are still those of the ledger.
    leak = next(one for one in again if one.code == "leak_same_photo")
    assert [(place.file, place.row) for place in leak.places] == [
        ("pairs.csv", 1),
        ("pairs.csv", 11),
    ]


def test_a_report_of_another_kind(lines, report, tmp_path):
    with pytest.raises(InputError, match=r"\.html"):
        report(lines).write(tmp_path / "report.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        report(lines).write(tmp_path / "file" / "report.html")


@pytest.mark.parametrize(
    ("clean", "fail_on", "code"),
    [
        (False, None, 1),
        (False, "never", 0),
        (True, None, 0),
        (True, "error", 0),
        (True, "warning", 1),
        (True, "hint", 1),
    ],
)
def test_exit_codes(clean, fail_on, code, lines, write, tmp_path, capsys):
    if clean:
        lines[3]["description"] = "见照片"
    else:
        (tmp_path / lines[10]["photo"]).write_bytes((tmp_path / lines[0]["photo"]).read_bytes())
    options = [] if fail_on is None else ["--fail-on", fail_on]
    assert cli.main(["check", str(write(lines)), *options]) == code
    shown = capsys.readouterr().out
    assert ("text_placeholder" if clean else "leak_same_photo") in shown
    assert "首处：pairs.csv 表头下第" in shown
    assert "共 0 类错误" in shown if clean else "共 1 类错误" in shown
    assert ("可以训练" in shown) is clean


def test_the_terminal_speaks_the_language_of_the_descriptions(lines, write, capsys):
    for number, line in enumerate(lines):
        line["description"] = f"worker {number} without a hard hat near the open edge"
    lines[3]["description"] = "see photo"
    cli.main(["check", str(write(lines))])
    shown = capsys.readouterr().out
    assert "12 rows gave 12 pairs" in shown
    assert "Splits: train 8, dev 2, validation 2" in shown
    assert "row 4 below the header" in shown
    assert not re.search("[\u4e00-\u9fff]", shown)


def test_the_command_writes_the_report(lines, write, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert cli.main(["check", str(write(lines)), "--out", str(out), "--sample", "3"]) == 0
    assert f"report: {out}" in capsys.readouterr().out
    assert out.stat().st_size > 10_000


def test_a_model_that_crops(lines, write, start, tmp_path, capsys):
    import shutil

    model = Path(shutil.copytree(start, tmp_path / "model"))
    assert cli.main(["check", str(write(lines)), "--model", str(model)]) == 0
    assert "model_crops" not in capsys.readouterr().out
    place = next(
        path
        for path in (model / "processor_config.json", model / "preprocessor_config.json")
        if path.is_file()
    )
    config = json.loads(place.read_text())
    part = config.get("image_processor", config)
    part |= {"do_center_crop": True, "do_pad": False, "crop_size": {"height": 8, "width": 8}}
    place.write_text(json.dumps(config))
    lines[0]["description"] = "配电箱未上锁，" * 16
    assert cli.main(["check", str(write(lines)), "--model", str(model)]) == 0
    assert "model_crops" in capsys.readouterr().out


def test_no_pairs_at_all(write, tmp_path, capsys):
    table = write([{"photo": "none.png", "description": "无照片"}])
    assert cli.main(["check", str(table)]) == 2
    assert "none of 1 rows" in capsys.readouterr().err
    picture(0).save(tmp_path / "none.png")
    assert cli.main(["check", str(table)]) in (0, 1)
