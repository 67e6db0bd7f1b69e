"""Reading pairs: an account for every row, whatever it lacks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_tables import NAMES, TEXTS, descriptions, reasons, write_csv

from hazardscribe.errors import InputError
from hazardscribe.pairs.read import Pairs, read_pairs

MakePhoto = Callable[..., Path]


class TestAccount:
    def test_each_problem_has_its_reason(self, folder: Path) -> None:
        (folder / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
        empty = ["", "/", "无", "同上", "-", "N/A", "nan", "　", "／", "ＮＡ"]
        rows = [
            "照片,隐患描述,划分",
            f"{NAMES[0]},电缆拖地,train",
            *(f"{NAMES[1]},{text},train" for text in empty),
            "photos/none.png,电缆拖地,train",
            "photos/broken.jpg,电缆拖地,train",
            "无,电缆拖地,train",
            f"{NAMES[1]},电缆拖地,第三组",
            f"{NAMES[1]},电缆拖地,",
            "https://example.org/a.jpg,电缆拖地,train",
            '"=DISPIMG(""ID_1"",1)",电缆拖地,train',
            f"{NAMES[1]},电缆,拖地,train",
            ",,",
            f"{NAMES[2]},  电缆\u3000 拖地 ,验证",
        ]
        pairs = read_pairs(write_csv(folder, *rows))
        expected = [
            *["empty_description"] * len(empty),
            *("photo_missing", "photo_unreadable", "no_photo_named", "bad_split", "bad_split"),
            *("photo_url", "no_photo_named", "bad_row", "blank"),
        ]
        assert reasons(pairs) == list(enumerate(expected, start=2))
        assert descriptions(pairs) == ["电缆拖地", "电缆 拖地"]
        assert pairs.rows_read == 21
        assert pairs.rows_imported + pairs.rows_rejected == pairs.rows_read
        assert pairs.rows_rejected == len(expected)
        broken = next(one for one in pairs.rejected if one.reason == "photo_unreadable")
        assert broken.photo == "photos/broken.jpg"
        assert broken.detail.startswith("damaged: ")
        assert str(folder) not in broken.detail  # the row names the photo already
        assert broken.file == "pairs.csv"

    def test_inner_line_breaks_become_spaces(self, folder: Path) -> None:
        path = write_csv(folder, "photo,description", f'{NAMES[0]},"第一行\n\n 第二行；１２３"')
        assert descriptions(read_pairs(path)) == ["第一行 第二行；１２３"]  # written form stays

    def test_several_photos_in_a_row(self, folder: Path) -> None:
        rows = [
            "photo,description",
            f'"{NAMES[0]};{NAMES[1]}；{NAMES[0]}",未戴安全帽',
            f'"{NAMES[2]}\nphotos/gone.png|{NAMES[3]}",通道堵塞',
            '"photos/gone.png，photos/away.png",锈蚀',
            f'"{NAMES[0]},{NAMES[1]}",裸露',
        ]
        pairs = read_pairs(write_csv(folder, *rows))
        assert list(pairs.frame["row_number"]) == [1, 1, 2, 2, 4, 4]
        assert reasons(pairs) == [(2, "photo_missing"), (3, "photo_missing"), (3, "photo_missing")]
        assert (pairs.rows_read, pairs.rows_imported, pairs.rows_rejected) == (4, 3, 1)

    def test_separator_within_a_file_name(self, folder: Path, make_photo: MakePhoto) -> None:
        make_photo("a;b，c.png")
        path = write_csv(folder, "photo;description", '"a;b，c.png";锈蚀', name="x.csv")
        assert list(read_pairs(path).frame["photo"]) == [str(folder / "a;b，c.png")]

    def test_lists_of_photos(self, folder: Path) -> None:
        import pandas as pd

        pd.DataFrame({"images": [NAMES[:2], NAMES[2:]], "text": ["锈蚀", "裸露"]}).to_parquet(
            folder / "x.parquet"
        )
        assert len(read_pairs(folder / "x.parquet")) == 4

    def test_bad_json_lines(self, folder: Path) -> None:
        path = folder / "x.jsonl"
        good = json.dumps({"photo": NAMES[0], "description": "锈蚀\ud800"})
        path.write_text(f'{good}\n\n{{"photo":\n[1]\n{good}\n')
        pairs = read_pairs(path)
        assert reasons(pairs) == [(2, "bad_row"), (3, "bad_row")]
        assert list(pairs.frame["row_number"]) == [1, 4]
        assert descriptions(pairs) == ["锈蚀?", "锈蚀?"]

    def test_nothing_left(self, folder: Path) -> None:
        path = write_csv(folder, "photo,description", "a.png,锈蚀", "b.png,锈蚀", "c.png,/")
        with pytest.raises(InputError, match=r"none of 3 rows.*photo_missing 2.*row 1: a.png"):
            read_pairs(path)

    def test_without_checking(self, folder: Path) -> None:
        (folder / "photos/broken.jpg").write_bytes(b"no photo")
        path = write_csv(folder, "photo,description", "photos/broken.jpg,锈蚀", "gone.jpg,锈蚀")
        pairs = read_pairs(path, check_photos=False)
        assert len(pairs) == 1
        assert reasons(pairs) == [(2, "photo_missing")]


class TestFindingPhotos:
    def test_ways_of_naming(self, folder: Path, make_photo: MakePhoto) -> None:
        make_photo("elsewhere/deep/IMG_1.JPG")
        names = [
            "photos\\0.png",
            "PHOTOS/1.png" if (folder / "PHOTOS").exists() else "photos/1.PNG",
            str(folder / NAMES[2]),
            "./photos/../photos/3.png",
            r"C:\Users\x\img_1.jpg",
            "img_1.jpg",
        ]
        path = write_csv(folder, "photo,description", *(f"{name},锈蚀" for name in names))
        pairs = read_pairs(path, photos=folder / "elsewhere")
        found = [str(Path(photo).relative_to(folder)) for photo in pairs.frame["photo"]]
        assert found == [*NAMES, *["elsewhere/deep/IMG_1.JPG"] * 2]
        assert len(read_pairs(path)) == 4  # no search without a photo folder

    def test_one_name_for_two_files(self, folder: Path, make_photo: MakePhoto) -> None:
        make_photo("all/a/x.png")
        make_photo("all/b/x.png")
        path = write_csv(folder, "photo,description", "x.png,锈蚀", "b/x.png,锈蚀")
        pairs = read_pairs(path, photos=folder / "all")
        assert list(pairs.frame["photo"]) == [str(folder / "all/b/x.png")]
        assert "fits 2 files" in pairs.rejected[0].detail

    def test_photo_folder_must_exist(self, folder: Path) -> None:
        path = write_csv(folder, "photo,description", f"{NAMES[0]},锈蚀")
        with pytest.raises(InputError, match="not a folder"):
            read_pairs(path, photos=folder / "none")


class TestColumnsAndFrame:
    def test_other_columns_are_kept(self, folder: Path) -> None:
        rows = ["序号,现场照片,问题描述,整改后照片,hazard,facts,split,序号"]
        rows += [f'7,{NAMES[0]},锈蚀,{NAMES[1]},1,"{{""people"": 0}}",train,8']
        pairs = read_pairs(write_csv(folder, *rows))
        assert list(pairs.frame) == [
            *("photo", "description", "split", "row_file", "row_sheet", "row_number"),
            *("序号", "整改后照片", "hazard", "facts", "序号_2"),
        ]
        row = pairs.frame.iloc[0]
        assert (row["hazard"], row["facts"]) == ("1", '{"people": 0}')
        assert pairs.columns == {"photo": "现场照片", "description": "问题描述", "split": "split"}

    def test_named_by_the_user(self, folder: Path) -> None:
        rows = ["photo,description,description_en,row_file", f"{NAMES[0]},锈蚀,Rust,me"]
        pairs = read_pairs(write_csv(folder, *rows), columns={"description": "Description EN"})
        assert descriptions(pairs) == ["Rust"]
        assert list(pairs.frame)[6:] == ["source_description", "source_row_file"]

    def test_strange_names(self, folder: Path) -> None:
        rows = ["\ufeff 图 片 （必填）,,隐患\u3000描述*,", f"{NAMES[0]},x,锈蚀,"]
        pairs = read_pairs(write_csv(folder, *rows))
        assert list(pairs.frame)[6:] == ["column_2"]

    def test_arguments(self, folder: Path) -> None:
        path = write_csv(folder, "photo,description", f"{NAMES[0]},锈蚀")
        with pytest.raises(InputError, match="'text' is not a role"):
            read_pairs(path, columns={"text": "description"})
        with pytest.raises(InputError, match=r"no column 'b'.*'photo', 'description'"):
            read_pairs(path, columns={"photo": "b"})
        with pytest.raises(InputError, match="two roles"):
            read_pairs(path, columns={"photo": "photo", "description": "photo"})
        with pytest.raises(InputError, match="dev_share"):
            read_pairs(path, dev_share=1)


class TestPairs:
    @pytest.fixture
    def pairs(self, folder: Path) -> Pairs:
        marks = ["train", "train", "验证集", "dev"]
        rows = [f'{n},"{t}",{m}' for n, t, m in zip(NAMES, TEXTS, marks, strict=True)]
        return read_pairs(write_csv(folder, "photo,description,split", *rows))

    def test_splits_are_datasets(self, pairs: Pairs, folder: Path) -> None:
        assert list(pairs.splits) == ["train", "dev", "validation"]
        validation = pairs["validation"]
        assert validation.column_names == list(pairs.frame)
        assert validation["photo"][0] == str(folder / NAMES[2])
        assert validation["row_number"][0] == 3
        assert "validation" in pairs
        assert "test" not in pairs
        with pytest.raises(InputError, match=r"no split 'test'.*train, dev, validation"):
            pairs["test"]

    def test_says_what_it_is(self, pairs: Pairs) -> None:
        assert len(pairs) == 4
        assert repr(pairs) == "Pairs(4 pairs: train 2, dev 1, validation 1; 0 rows rejected)"

    def test_digest(self, pairs: Pairs, folder: Path) -> None:
        import shutil

        shutil.copytree(folder, folder.parent / "moved", symlinks=True)
        assert read_pairs(folder.parent / "moved").digest() == pairs.digest()
        for column, value in (("description", "x"), ("split", "dev"), ("photo", "gone")):
            frame = pairs.frame.copy()
            frame.loc[0, column] = value
            assert Pairs(frame, folder=folder).digest() != pairs.digest()
        before = pairs.digest()
        with (folder / NAMES[0]).open("ab") as stream:
            stream.write(b"more")
        assert pairs.digest() != before
