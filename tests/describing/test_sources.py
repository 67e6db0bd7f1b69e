"""Which photos are found, and files that hold whatever they are called."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from hazardscribe.describing.describer import Description
from hazardscribe.describing.journal import Journal
from hazardscribe.describing.sources import (
    check_out,
    find_photos,
    is_described,
    read_records,
    record,
    write_records,
)


@pytest.mark.parametrize("suffix", ["JPG", "jfif", "jpe", "heic", "HEIF", "avif"])
def test_no_photo_of_a_folder_is_passed_over(tmp_path, suffix):
    photo = tmp_path / f"a.{suffix}"
    photo.write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert find_photos([tmp_path]) == [str(photo)]


@pytest.fixture
def gbk(photos, tmp_path):
    """A photo whose name is GBK, as a zip from a Chinese Windows leaves it on Linux."""
    if sys.platform != "linux":
        pytest.skip("names are bytes on Linux alone")
    folder = tmp_path / "photos"
    folder.mkdir()
    name = folder / os.fsdecode("照片.png".encode("gbk"))
    shutil.copyfile(photos[0], name)
    return find_photos([folder])


@pytest.mark.parametrize("resume", [False, True])
def test_a_name_that_is_not_utf8_comes_back_from_jsonl(gbk, tmp_path, resume):
    out = tmp_path / "described.jsonl"
    rows = [record(photo, Description("未佩戴安全帽")) for photo in (*gbk, "b.png")]
    if resume:
        written = Journal(out, [*gbk, "b.png"], 0, 1, resume=True).write(rows)
    else:
        written = write_records(rows, out)
    assert list(written) == rows
    check_out(out)  # it is ours, and may be written over
    assert is_described(out)
    assert Journal(out, [*gbk, "b.png"], 0, 1, resume=True).todo == []
    read = read_records(out)
    assert (read[0]["photo"], read[0]["error"]) == (gbk[0], None)


def test_a_name_that_is_not_utf8_is_escaped_in_csv(gbk, tmp_path):
    out = tmp_path / "described.csv"
    rows = [record(photo, Description("未佩戴安全帽")) for photo in (*gbk, "b.png")]
    assert list(write_records(rows, out)) == rows
    lines = out.read_text(encoding="utf-8-sig").splitlines()
    assert r"\udcd5\udcd5Ƭ.png,未佩戴安全帽" in lines[1]
    assert lines[2].startswith("b.png,")
    check_out(out)


def test_a_name_that_is_not_utf8_is_escaped_in_a_workbook(gbk, tmp_path):
    import openpyxl

    out = tmp_path / "described.xlsx"
    list(write_records([record(gbk[0], Description("未佩戴安全帽"))], out, language="zh"))
    [sheet] = openpyxl.load_workbook(out).worksheets
    assert r"\udcd5\udcd5Ƭ.png" in {cell.value for row in sheet for cell in row}
