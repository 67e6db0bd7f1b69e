"""Files and folders whose names are GBK, as they come from a Chinese Windows, on Linux."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazardscribe import cli, verbs
from hazardscribe.describing.similar import PastCase
from hazardscribe.describing.similar_page import write_page
from hazardscribe.errors import InputError
from hazardscribe.files import write_json
from hazardscribe.names import is_text, readable
from hazardscribe.pairs.finder import PhotoFinder
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.read import read_pairs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")

TABLE = "隐患描述,隐患照片\n配电箱未上锁,照片甲.png\n护栏缺失,照片乙.png\n通道堵塞,没有.png\n"


def gbk(name: str) -> str:
    return os.fsdecode(name.encode("gbk"))


@pytest.fixture
def folder(tmp_path, make_photo):
    """A folder, a ledger and two photos; the names of all but one photo are GBK."""
    folder = tmp_path / gbk("三月台账")
    folder.mkdir()
    (folder / gbk("台账.csv")).write_text(TABLE, encoding="gbk")
    make_photo("a.png").rename(folder / gbk("照片甲.png"))
    make_photo("b.png").rename(folder / "照片乙.png")
    return folder


def test_a_name_is_read_as_gbk_only_where_it_is_not_utf8():
    mixed = f"照片/{gbk('三月')}/é.png"
    assert readable(mixed) == "照片/三月/é.png"
    assert readable("照片/é.png") == "照片/é.png"
    assert readable(gbk("联通")) == "联通"


@given(st.binary(max_size=12), st.text(st.characters(codec=None), max_size=6))
def test_whatever_a_name_is_it_becomes_text(raw, text):
    for name in (os.fsdecode(raw), text):
        assert is_text(readable(name))
        assert not is_text(name) or readable(name) == name


@pytest.mark.parametrize("whole", [False, True], ids=["file", "folder"])
def test_a_ledger_is_imported_whatever_it_is_called(folder, tmp_path, whole):
    out = tmp_path / "out"
    imported = import_ledger(folder if whole else folder / gbk("台账.csv"), out=out)
    assert (imported.pairs, imported.account.rows_rejected) == (2, 1)
    assert imported.source == ("三月台账" if whole else "台账.csv")
    frame = read_pairs(out).frame
    assert set(frame["row_file"]) == {"台账.csv"}
    rejected = (out / "rejected.csv").read_text(encoding="utf-8-sig")
    [missing] = [row for row in csv.DictReader(rejected.splitlines()) if row["kind"] == "row"]
    assert missing["file"] == "台账.csv"
    assert "三月台账" in missing["detail"]
    assert list(json.loads((out / "import.json").read_text("utf-8"))["ledgers"]) == ["台账.csv"]
    import_ledger(folder if whole else folder / gbk("台账.csv"), out=out)  # it is the same


def test_an_unreadable_photo_is_told_by_its_name(folder, tmp_path):
    (folder / gbk("照片甲.png")).write_bytes(b"no photo")
    (folder / gbk("多余.png")).write_bytes(b"named by no row")
    import_ledger(folder, out=tmp_path / "out")
    assert "照片甲.png" in (tmp_path / "out" / "rejected.csv").read_text(encoding="utf-8")
    assert "多余.png" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_folder_is_written_whatever_it_is_called(folder, tmp_path):
    out = tmp_path / gbk("结果")
    assert import_ledger(folder, out=out).pairs == 2
    with pytest.raises(InputError, match=r"结果.*is not UTF-8"):
        read_pairs(out)
    out.rename(tmp_path / "结果")
    assert len(read_pairs(tmp_path / "结果")) == 2


def test_photos_are_found_by_their_names_in_text(folder):
    for finder in (PhotoFinder(folder), PhotoFinder(None, folder.parent)):
        for name in ("照片甲.png", "照片甲", "elsewhere/照片甲.PNG"):
            found = finder.find(name if finder._photos else Path(name).name)
            assert found == str(folder / gbk("照片甲.png"))


def test_pairs_that_no_table_can_name_are_left_out_with_the_way_on(folder, tmp_path, capsys):
    with pytest.raises(InputError, match=r"none of 3 rows .*三月台账.*is not UTF-8.*convmv"):
        read_pairs(folder / gbk("台账.csv"))
    assert cli.main(["check", str(folder / gbk("台账.csv"))]) == 2
    assert "convmv" in capsys.readouterr().err
    folder = folder.rename(tmp_path / "三月台账")
    pairs = read_pairs(folder / gbk("台账.csv"))
    assert list(pairs.frame["description"]) == ["护栏缺失"]
    assert [(one.file, one.photo, one.reason) for one in pairs.rejected] == [
        ("台账.csv", "照片甲.png", "photo_unreadable"),
        ("台账.csv", "没有.png", "photo_missing"),
    ]
    verbs.check(folder / gbk("台账.csv"), out=tmp_path / "check.html")


def test_shards_that_no_table_can_name_are_refused(folder, tmp_path):
    import_ledger(folder, out=tmp_path / "out")
    parts = tmp_path / gbk("分片")
    (tmp_path / "out").rename(parts)
    for name in ("train-0.parquet", "validation-0.parquet"):
        (parts / name).write_bytes((parts / "pairs.parquet").read_bytes())
    (parts / "pairs.parquet").unlink()
    with pytest.raises(InputError, match=r"分片.*is not UTF-8"):
        read_pairs(parts)


def test_a_page_of_past_cases_is_written(folder, tmp_path):
    photo = folder / gbk("照片甲.png")
    cases = [PastCase(str(photo), ("配电箱未上锁",), 0.9, "台账.csv 1")]
    write_page(tmp_path / "page.html", photo, cases, "zh")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("照片甲.png") == 4  # heading and picture, of the photo and of the case


def test_json_keeps_the_name(tmp_path):
    write_json(tmp_path / "run.json", {"data": gbk("台账.csv")})
    read = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert read == {"data": gbk("台账.csv")}
