"""Pairs in several Parquet files: the same pairs, but the rows stay on the disk."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hazardscribe.errors import InputError
from hazardscribe.pairs import shards as reading
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.shards import ShardedPairs, find_shards

SPLITS = ("train", "train", "train", "dev", "validation")


def picture(seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    buffer = io.BytesIO()
    Image.fromarray(draw.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def rows(n: int, first: int = 0) -> pd.DataFrame:
    numbers = range(first, first + n)
    return pd.DataFrame(
        {
            "图片": [picture(i) for i in numbers],
            "description": [f"隐患{i}" if i % 7 else "/" for i in numbers],
            "split": [SPLITS[i % 5] for i in numbers],
            "level": [None if i % 2 else "一般" for i in numbers],
        }
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three shards of 20 rows, each photo as bytes."""
    made = tmp_path / "pairs"
    made.mkdir()
    for i in range(3):
        rows(20, 20 * i).to_parquet(made / f"part-{i}.parquet")
    return made


def same(sharded, whole) -> None:
    for split in ("train", "dev", "validation"):
        ours, theirs = (list(pairs[split]) for pairs in (sharded, whole))
        kept = ("photo", "description", "level")
        assert [[row[name] for name in kept] for row in ours] == [
            [row[name] for name in kept] for row in theirs
        ]


def test_shards_give_the_pairs_that_one_table_gives(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 7)
    sharded = read_pairs(folder)
    assert isinstance(sharded, ShardedPairs)
    one = tmp_path / "one.parquet"
    pd.concat([pd.read_parquet(path) for path in sorted(folder.iterdir())]).to_parquet(one)
    whole = read_pairs(one)
    same(sharded, whole)
    assert (sharded.rows_read, sharded.rows_imported) == (whole.rows_read, whole.rows_imported)
    assert len(sharded) == len(whole) == len(sharded.frame)
    assert repr(sharded) == repr(whole)
    assert [(one.file, one.row, one.reason) for one in sharded.rejected] == [
        (f"part-{(row - 1) // 20}.parquet", (row - 1) % 20 + 1, "empty_description")
        for row in (one.row for one in whole.rejected)
    ]
    first = sharded["train"][0]
    assert (first["row_file"], first["row_number"]) == ("part-0.parquet", 2)


def test_a_second_start_reads_no_shard(folder, monkeypatch):
    first = read_pairs(folder)
    monkeypatch.setattr(reading._Reading, "write", lambda *_: pytest.fail("read again"))
    again = read_pairs(folder)
    assert again.digest() == first.digest()
    same(again, first)
    assert again.rejected == first.rejected


def test_a_missing_photo_that_has_come_is_taken(tmp_path):
    for at, split in enumerate(("train", "dev")):
        named_rows(tmp_path / split, 3, 10 * at).to_parquet(tmp_path / split / "0.parquet")
    late = tmp_path / "train" / "photos" / "1.png"
    late.unlink()
    before = read_pairs(tmp_path)
    assert [one.reason for one in before.rejected] == ["photo_missing"]
    assert read_pairs(tmp_path).digest() == before.digest()
    late.write_bytes(picture(1))
    after = read_pairs(tmp_path)
    assert str(late) in after["train"]["photo"]
    assert not after.rejected


def test_photos_that_were_cleared_from_the_cache_are_written_again(folder):
    before = read_pairs(folder)
    gone = Path(before["train"][0]["photo"])
    gone.unlink()
    after = read_pairs(folder)
    assert after.digest() == before.digest()
    assert gone.is_file()


def test_a_changed_shard_is_read_again(folder):
    before = read_pairs(folder)
    rows(20, 100).to_parquet(folder / "part-1.parquet")
    after = read_pairs(folder)
    assert after.digest() != before.digest()
    assert "隐患101" in after.frame["description"].tolist()


def test_names_and_folders_may_give_the_split(tmp_path):
    plain = rows(10).drop(columns="split")
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation/0", "test/0"):
        path = tmp_path / "pairs" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True, parents=True)
        plain.to_parquet(path)
    pairs = read_pairs(tmp_path / "pairs")
    # As anywhere: beside a test set, validation is what choices are made on.
    assert {split: len(pairs[split]) for split in pairs.splits} == {
        "train": 16,
        "dev": 8,
        "validation": 8,
    }


def test_a_shards_own_name_comes_before_that_of_the_folder_of_all(tmp_path):
    folder = tmp_path / "train"
    for at, split in enumerate(("train", "dev", "validation")):
        named_rows(folder, 3, 10 * at).to_parquet(folder / f"{split}-00000.parquet")
    named_rows(folder, 2, 30).to_parquet(folder / "more.parquet")
    pairs = read_pairs(folder)
    assert {split: len(pairs[split]) for split in pairs.splits} == {
        "train": 5,
        "dev": 3,
        "validation": 3,
    }


def test_a_shard_whose_splits_are_all_empty_is_rejected_and_counted(folder):
    rows(4, 60).assign(split=["", " ", None, ""]).to_parquet(folder / "part-3.parquet")
    pairs = read_pairs(folder)
    found = [(one.row, one.reason) for one in pairs.rejected if one.file == "part-3.parquet"]
    assert found == [(row, "bad_split") for row in (1, 2, 3, 4)]
    assert pairs.rows_read == 64


def test_a_split_column_that_is_empty_everywhere_is_refused(tmp_path):
    for i in range(2):
        rows(3, 10 * i).assign(split="").to_parquet(tmp_path / f"{i}.parquet")
    with pytest.raises(InputError, match="rows have no split"):
        read_pairs(tmp_path)


def test_what_cannot_be_read_as_shards_is_refused(folder, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for i in range(2):
        rows(3).drop(columns="split").to_parquet(bare / f"{i}.parquet")
    with pytest.raises(InputError, match="rows have no split"):
        read_pairs(bare)
    rows(3).rename(columns={"level": "等级"}).to_parquet(folder / "part-9.parquet")
    with pytest.raises(InputError, match=r"part-9\.parquet: has other columns .*level.*等级"):
        read_pairs(folder)
    (folder / "part-9.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"part-9\.parquet: is not a readable Parquet file"):
        read_pairs(folder)


@pytest.mark.parametrize("column", ["description", "split"])
@pytest.mark.parametrize("compression", ["snappy", "none"])
def test_a_damaged_page_is_told_with_its_shard(tmp_path, column, compression):
    for i in range(2):
        path = tmp_path / f"part-{i}.parquet"
        rows(30, 30 * i).to_parquet(path, compression=compression, use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(0)
    [chunk] = [one for i in range(4) if (one := group.column(i)).path_in_schema == column]
    content = bytearray(path.read_bytes())
    end = chunk.data_page_offset + chunk.total_compressed_size
    content[end - 60 : end] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"part-1\.parquet: is not a readable Parquet file"):
        read_pairs(tmp_path)
    with pytest.raises(InputError, match=r"part-1\.parquet: is not a readable Parquet file"):
        read_pairs(path)


def test_one_file_and_other_folders_are_what_they_were(folder, pairs_folder):
    assert find_shards(pairs_folder) == []
    assert find_shards(folder / "part-0.parquet") == []
    for i in (1, 2):
        (folder / f"part-{i}.parquet").unlink()
    assert find_shards(folder) == []


def named_rows(folder: Path, n: int, first: int = 0) -> pd.DataFrame:
    """Rows without a split whose photos lie in `photos/` of a folder."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    names = [f"photos/{first + i}.png" for i in range(n)]
    for i, name in enumerate(names, start=first):
        (folder / name).write_bytes(picture(i))
    return pd.DataFrame({"photo": names, "description": [f"隐患{first + i}" for i in range(n)]})


def test_a_folders_own_table_is_read_alone(tmp_path):
    table = named_rows(tmp_path, 6).assign(split="train")
    table.to_parquet(tmp_path / "pairs.parquet")
    table.assign(description="旧").to_parquet(tmp_path / "pairs_old.parquet")
    pairs = read_pairs(tmp_path, dev_share=0)
    assert pairs["train"]["description"] == [f"隐患{i}" for i in range(6)]


def test_a_table_in_each_splits_folder_is_no_shard(tmp_path):
    for at, split in enumerate(("train", "validation")):
        rows_there = named_rows(tmp_path / split, 8, 10 * at)
        rows_there.to_parquet(tmp_path / split / "pairs.parquet")
    pairs = read_pairs(tmp_path)
    assert len(pairs) == 16
    assert len(pairs["dev"]) >= 1  # cut from train, as of any other table


def test_photos_start_from_the_shards_own_folder_then_from_the_one_above(tmp_path):
    own = named_rows(tmp_path / "train", 3)
    above = named_rows(tmp_path, 3, 10)
    twice = named_rows(tmp_path, 1)
    own.to_parquet(tmp_path / "train" / "0.parquet")
    above.to_parquet(tmp_path / "train" / "1.parquet")
    found = read_pairs(tmp_path)["train"]["photo"]
    assert found == [
        *(str(tmp_path / "train" / name) for name in own["photo"]),
        *(str(tmp_path / name) for name in above["photo"]),
    ]
    assert str(tmp_path / twice["photo"][0]) not in found


def test_a_missing_dev_is_told_before_reading_and_when_it_is_asked_for(tmp_path, caplog):
    named_rows(tmp_path, 3).to_parquet(tmp_path / "train-0.parquet")
    named_rows(tmp_path, 2, 10).to_parquet(tmp_path / "validation-0.parquet")
    pairs = read_pairs(tmp_path)
    assert "no row has the split dev" in caplog.text
    with pytest.raises(InputError, match=r"no split 'dev'.*not divided here: give some rows"):
        pairs["dev"]


def test_memory_does_not_grow_with_the_photos_of_a_shard(tmp_path, monkeypatch):
    """The peak of Python's memory, which takes a block's photos, and what Arrow holds at each."""
    size, n = 20_000, 1500
    draw = np.random.default_rng(0)
    for i, count in enumerate((n, 1)):
        table = {"photo": [draw.bytes(size) for _ in range(count)], "description": ["隐患"] * count}
        path = tmp_path / f"train-{i}.parquet"
        pd.DataFrame(table).to_parquet(path, row_group_size=100, compression="none")
    del table
    before, held = pa.total_allocated_bytes(), []
    cells = reading.table_rows

    def watched(*given):
        held.append(pa.total_allocated_bytes() - before)
        return cells(*given)

    monkeypatch.setattr(reading, "table_rows", watched)
    tracemalloc.start()
    assert len(read_pairs(tmp_path)["train"]) == n + 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < size * n / 3
    assert max(held) < size * n / 3


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    """The peak of Python's and numpy's memory, for one block's rows and for sixteen times as many.

    Photos as paths to one file, so that the rows are all there is.
    """
    monkeypatch.setattr(reading, "BLOCK", 256)
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture(0))

    def peak(shards: int) -> int:
        folder = tmp_path / str(shards)
        folder.mkdir()
        for i in range(shards):
            frame = pd.DataFrame(
                {
                    "photo": [str(photo)] * reading.BLOCK,
                    "description": [f"第{i}处第{j}个隐患" * 4 for j in range(reading.BLOCK)],
                    "split": [SPLITS[j % 5] for j in range(reading.BLOCK)],
                }
            )
            frame.to_parquet(folder / f"{i:03}.parquet")
        tracemalloc.start()
        pairs = read_pairs(folder)
        rows_seen = sum(1 for split in pairs.splits for _ in pairs[split])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert rows_seen == shards * reading.BLOCK
        return most

    peak(2)  # what is imported and cached once
    few, many = peak(3), peak(24)
    assert many < 1.3 * few
