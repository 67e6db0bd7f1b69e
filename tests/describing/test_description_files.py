"""Files of descriptions hold whatever photos are called, and outlive what befalls them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from hazardscribe.describing import description_files
from hazardscribe.describing.describer import Description
from hazardscribe.describing.description_files import (
    check_out,
    is_described,
    read_records,
    record,
    write_records,
)
from hazardscribe.describing.journal import Journal
from hazardscribe.describing.sources import find_photos
from hazardscribe.pairs.columns import AI_KEY


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


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_stood_there_before_outlives_a_full_disk(ending, tmp_path):
    out = tmp_path / f"described.{ending}"
    row = dict.fromkeys(description_files._COLUMNS) | {"photo": "a.jpg", AI_KEY: "护栏缺失"}
    row |= {"alternatives": []}
    list(write_records([row], out))
    before = out.read_bytes()
    job = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from hazardscribe.describing.description_files import write_records\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"row = {row!r}\n"
        f"list(write_records([row] * 1000, Path({str(out)!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", job], capture_output=True, text=True, check=False)
    assert "InputError: --out" in done.stderr
    assert "could not be written: File too large" in done.stderr
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_former_file_outlives_a_run_that_fails(tmp_path, caplog):
    out, former = tmp_path / "described.csv", tmp_path / ".described.csv.former"
    row = dict.fromkeys(description_files._COLUMNS) | {"photo": "a.jpg", AI_KEY: "护栏缺失"}
    row |= {"alternatives": []}
    list(write_records([row] * 9, out))
    before = out.read_bytes()

    def fails(rows):
        yield from rows
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        list(write_records(fails([]), out))
    assert out.read_bytes() == before
    assert not former.exists()
    for _ in range(2):  # the second time, what lies in the file's place ended early
        with pytest.raises(RuntimeError):
            list(write_records(fails([row]), out))
        assert len(out.read_text(encoding="utf-8-sig").splitlines()) == 2
        assert former.read_bytes() == before
    assert "the former file is kept as .described.csv.former" in caplog.text
    list(write_records([row], out))
    assert not former.exists()


def test_what_was_described_until_then_is_kept(tmp_path):
    out = tmp_path / "described.csv"
    row = dict.fromkeys(description_files._COLUMNS) | {"photo": "a.jpg", AI_KEY: "护栏缺失"}
    row |= {"alternatives": []}

    def stopped():
        yield row
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(write_records(stopped(), out))
    assert "护栏缺失" in out.read_text(encoding="utf-8-sig")
