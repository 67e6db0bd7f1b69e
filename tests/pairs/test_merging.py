"""Old pairs and corrections as one folder: splits stay, nothing is held twice or silently lost."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hazardscribe import merge, read_pairs
from hazardscribe.cli import main
from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.folder import read_safe
from hazardscribe.pairs.merging import merge_pairs
from hazardscribe.pairs.write import write_columns

PROVENANCE = ("row_file", "row_sheet", "row_number")


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)


def source(folder, rows, **columns):
    """Pairs of (photo, text, split); a photo is the seed of a picture, or a picture."""
    folder.mkdir()
    names = []
    for at, (photo, *_) in enumerate(rows):
        image = picture(photo) if isinstance(photo, int) else photo
        name = f"{photo if isinstance(photo, int) else f'other{at}'}.png"
        image.save(folder / name)
        names.append(name)
    frame = pd.DataFrame(
        {
            "photo": names,
            "description": [text for _, text, _ in rows],
            "split": [split for *_, split in rows],
            **columns,
        }
    )
    frame.to_csv(folder / "pairs.csv", index=False)
    return folder


def splits(folder) -> dict[str, str]:
    frame = read_pairs(folder).frame
    return dict(zip(frame["description"], frame["split"], strict=True))


OLD = [(1, "甲", "train"), (2, "乙", "dev"), (3, "丙", "validation"), (4, "丁", "train")]


def test_rows_and_columns_of_both_are_there(tmp_path):
    old = source(tmp_path / "old", OLD, place=["一", "二", "三", "四"])
    new = source(
        tmp_path / "new", [(5, "戊", "train"), (6, "己", "validation")], ai_description=["x", ""]
    )
    merged = merge([old, new], tmp_path / "out")
    frame = read_pairs(tmp_path / "out").frame
    assert frame["description"].tolist() == ["甲", "乙", "丙", "丁", "戊", "己"]
    assert frame["split"].tolist() == [
        *("train", "dev", "validation", "train"),
        *("train", "validation"),
    ]
    assert frame["place"].tolist() == ["一", "二", "三", "四", "", ""]
    assert frame["ai_description"].tolist() == ["", "", "", "", "x", ""]
    assert frame["row_file"].tolist() == ["pairs.csv"] * 6
    assert [(one.pairs, one.equal, one.replaced, one.moved) for one in merged.sources] == [
        (4, 0, 0, 0),
        (2, 0, 0, 0),
    ]


def test_a_near_duplicate_of_an_earlier_photo_goes_to_its_split(tmp_path):
    """Else a twin of a photo that measures would be trained on, or one of train would measure."""
    old = source(tmp_path / "old", OLD)
    new = source(
        tmp_path / "new",
        [
            (picture(3).resize((64, 48)), "如丙", "train"),
            (picture(1).resize((64, 48)), "如甲", "validation"),
            (7, "新", "validation"),
        ],
    )
    merged = merge([old, new], tmp_path / "out")
    found = splits(tmp_path / "out")
    assert (found["如丙"], found["如甲"], found["新"]) == ("validation", "train", "validation")
    assert merged.sources[1].moved == 2


def test_where_earlier_twins_are_in_several_splits_the_new_one_is_not_trained_on(tmp_path):
    twins = [
        (1, "甲", "train"),
        (picture(1).resize((64, 48)), "又甲", "validation"),
        (2, "乙", "dev"),
    ]
    old = source(tmp_path / "old", twins)
    new = source(tmp_path / "new", [(picture(1).resize((80, 60)), "再甲", "train")])
    merge([old, new], tmp_path / "out")
    found = splits(tmp_path / "out")
    assert (found["甲"], found["又甲"], found["再甲"]) == ("train", "validation", "validation")


def test_the_order_of_folders_decides_and_a_third_follows_the_second(tmp_path):
    first = source(tmp_path / "a", [(1, "甲", "train"), (2, "乙", "train")])
    second = source(tmp_path / "b", [(3, "丙", "validation"), (4, "丁", "train")])
    third = source(tmp_path / "c", [(picture(3).resize((64, 48)), "如丙", "train")])
    merge([first, second, third], tmp_path / "out")
    assert splits(tmp_path / "out")["如丙"] == "validation"


def test_all_photos_of_a_row_stay_together(tmp_path):
    old = source(tmp_path / "old", OLD)
    new = tmp_path / "new"
    new.mkdir()
    picture(3).resize((64, 48)).save(new / "a.png")
    picture(8).save(new / "b.png")
    (new / "pairs.csv").write_text(
        "photo,description,split\na.png;b.png,两张,train\n", encoding="utf-8"
    )
    merge([old, new], tmp_path / "out")
    frame = read_pairs(tmp_path / "out").frame
    assert frame.loc[frame["description"] == "两张", "split"].tolist() == ["validation"] * 2


def test_what_an_earlier_folder_holds_already_is_taken_once_and_told(tmp_path):
    old = source(tmp_path / "old", OLD)
    new = source(tmp_path / "new", [(9, "新", "train"), (1, "甲", "train"), (1, "另一处", "train")])
    merged = merge([old, new], tmp_path / "out")
    frame = read_pairs(tmp_path / "out").frame
    assert sorted(frame["description"]) == sorted(["甲", "乙", "丙", "丁", "新", "另一处"])
    assert (merged.sources[1].equal, merged.sources[1].replaced) == (1, 0)
    with (tmp_path / "out" / "rejected.csv").open(encoding="utf-8-sig") as stream:
        [left] = csv.DictReader(stream)
    assert (left["file"], left["row"], left["reason"]) == ("pairs.csv", "2", "equal")


def test_of_a_row_in_two_states_the_later_one_counts(tmp_path):
    """A record that was exported again after somebody had gone on in it."""
    ledger = {"row_file": "hazardscribe serve", "row_sheet": ""}
    rows = [(1, "甲", "validation"), (2, "乙", "train"), (5, "戊", "train")]
    old = source(tmp_path / "old", rows, **ledger, row_number=[11, 12, 13], status=["open"] * 3)
    later = [(1, "甲，已补充", "train"), (2, "乙", "train"), (6, "己", "train")]
    new = source(tmp_path / "new", later, **ledger, row_number=[11, 12, 14], status=["done"] * 3)
    merged = merge([old, new], tmp_path / "out")
    frame = read_pairs(tmp_path / "out").frame.set_index("row_number")
    assert frame["description"].to_dict() == {11: "甲，已补充", 12: "乙", 13: "戊", 14: "己"}
    assert frame["status"].to_dict() == {11: "done", 12: "done", 13: "open", 14: "done"}
    assert frame["split"][11] == "validation"
    one = merged.sources[1]
    assert (one.replaced, one.equal, one.moved) == (2, 0, 1)


def test_an_equal_number_with_another_photo_is_another_row(tmp_path):
    """Two servers number their records alike."""
    ledger = {"row_file": "hazardscribe serve", "row_sheet": "", "row_number": [1]}
    old = source(tmp_path / "old", [(1, "甲", "train")], **ledger)
    new = source(tmp_path / "new", [(2, "乙", "train")], **ledger)
    merge([old, new], tmp_path / "out")
    assert sorted(read_pairs(tmp_path / "out").frame["description"]) == ["乙", "甲"]


def test_photos_after_rectification_come_along_in_the_split_of_their_row(tmp_path):
    old = source(tmp_path / "old", OLD)
    new = source(tmp_path / "new", [(picture(3).resize((64, 48)), "如丙", "train")])
    for folder, seed, row, split in ((old, 21, 1, "train"), (new, 22, 1, "train")):
        picture(seed).save(folder / "after.png")
        columns = [["after.png"], [split], ["pairs.csv"], [""], [row]]
        write_columns(folder / "safe.parquet", ["photo", "split", *PROVENANCE], columns)
    merge([old, new], tmp_path / "out")
    safe = read_safe(tmp_path / "out")
    assert safe["split"].tolist() == ["train", "validation"]
    assert [Image.open(photo).size for photo in safe["photo"]] == [(96, 72)] * 2


def test_the_command_tells_the_account(tmp_path, capsys):
    old = source(tmp_path / "old", OLD)
    new = source(
        tmp_path / "new", [(picture(3).resize((64, 48)), "如丙", "train"), (1, "甲", "dev")]
    )
    assert main(["merge", str(old), str(new), "--out", str(tmp_path / "out")]) == 0
    first, second, total, where = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{old}: 4 pairs; 0 that an earlier folder holds already")
    assert second == (
        f"{new}: 2 pairs; 1 that an earlier folder holds already, 0 in place of their earlier "
        "state, 1 moved to the split of an earlier photo that shows nearly the same"
    )
    assert total == "together: 5 pairs (train 2, dev 1, validation 2)"
    assert where == f"pairs: {tmp_path / 'out'}"


def test_what_cannot_be_merged_is_refused_and_nothing_written(tmp_path):
    old = source(tmp_path / "old", OLD)
    new = source(tmp_path / "new", [(5, "戊", "train")])
    with pytest.raises(InputError, match="at least two"):
        merge([old], tmp_path / "out")
    with pytest.raises(InputError, match="named twice"):
        merge([old, new, old / ".." / "old"], tmp_path / "out")
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        merge([old, tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(InputError, match="not empty"):
        merge([old, new], old)
    shards = tmp_path / "shards"
    shards.mkdir()
    frame = read_pairs(old).frame[["photo", "description", "split"]]
    for at in range(2):
        frame.to_parquet(shards / f"{at}.parquet")
    with pytest.raises(InputError, match=r"shards: holds several Parquet files"):
        merge_pairs([old, shards])
    assert not (tmp_path / "out").exists()
