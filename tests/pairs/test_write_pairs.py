"""Writing pairs and reading them again gives the same records, and the same bytes."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.read import Pairs, read_pairs
from hazardscribe.pairs.write import write_pairs

MakePhoto = Callable[..., Path]


@pytest.fixture
def pairs(tmp_path: Path, make_photo: MakePhoto) -> Pairs:
    source = tmp_path / "source"
    for n in range(20):
        make_photo(f"source/{n}.png")
    make_photo("source/same.PNG", seed=7)
    make_photo("source/same2.png", seed=7)
    rows = [
        "照片,隐患描述,description,photo,hazard,row_number",
        *(f"{n}.png;same.PNG,描述{n},Text {n},,1,x" for n in range(20)),
        "same2.png,锈蚀,,,0,",
        "gone.png,=1+1,,,0,",
        "0.png,/,,,,",
    ]
    (source / "台账.csv").write_text("\n".join(rows), encoding="utf-8")
    return read_pairs(source, columns={"photo": "照片", "description": "隐患描述"}, dev_share=0.3)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_round_trip(pairs: Pairs, tmp_path: Path) -> None:
    target = write_pairs(pairs, tmp_path / "out")
    again = read_pairs(target)
    assert_frame_equal(again.frame.drop(columns="photo"), pairs.frame.drop(columns="photo"))
    for old, new in zip(pairs.frame["photo"], again.frame["photo"], strict=True):
        assert Path(old).read_bytes() == Path(new).read_bytes()
    assert set(again.frame["row_file"]) == {"台账.csv"}
    assert again.columns == {"photo": "photo", "description": "description", "split": "split"}
    assert again.rejected == []


def test_equal_pairs_give_equal_bytes(pairs: Pairs, tmp_path: Path) -> None:
    first = contents(write_pairs(pairs, tmp_path / "a"))
    assert contents(write_pairs(pairs, tmp_path / "b")) == first
    assert contents(write_pairs(pairs, tmp_path / "b")) == first
    again = contents(write_pairs(read_pairs(tmp_path / "a"), tmp_path / "c"))
    assert again["pairs.parquet"] == first["pairs.parquet"]
    assert len([name for name in first if name.startswith("photos/")]) == 21  # same2 is same


def test_moved_folder_is_the_same_data(pairs: Pairs, tmp_path: Path) -> None:
    write_pairs(pairs, tmp_path / "a")
    digest = read_pairs(tmp_path / "a").digest()
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_pairs(tmp_path / "b").digest() == digest


def test_written_splits_are_final(tmp_path: Path, make_photo: MakePhoto) -> None:
    rows = [f"{make_photo(f'{n}.png').name},描述,{'train' if n < 8 else 'test'}" for n in range(10)]
    (tmp_path / "p.csv").write_text("\n".join(["photo,text,split", *rows]), encoding="utf-8")
    without_dev = read_pairs(tmp_path / "p.csv", dev_share=0)
    again = read_pairs(write_pairs(without_dev, tmp_path / "out"))
    assert list(again.frame["split"]) == list(without_dev.frame["split"])


def test_rejected_are_listed_and_harmless_in_a_spreadsheet(pairs: Pairs, tmp_path: Path) -> None:
    pairs.rejected[0] = type(pairs.rejected[0])("台账.csv", None, "=cmd", "photo_missing", "-x")
    write_pairs(pairs, tmp_path / "out")
    with (tmp_path / "out/rejected.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["file", "row", "photo", "reason", "detail"]
    assert rows[1] == ["台账.csv", "", "'=cmd", "photo_missing", "'-x"]
    assert rows[2][1:4] == ["23", "", "empty_description"]


def test_no_half_written_table(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(pairs.frame["photo"].iloc[-1]).unlink()
    with pytest.raises(PhotoError, match="no such file"):
        write_pairs(pairs, tmp_path / "out")
    assert not (tmp_path / "out/pairs.parquet").exists()
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_folder_that_cannot_be_written(pairs: Pairs, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written here"):
        write_pairs(pairs, tmp_path / "file" / "out")
