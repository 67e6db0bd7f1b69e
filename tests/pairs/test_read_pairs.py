"""Reading pairs: every kind of table, and an account for every row."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hazardscribe.errors import InputError
from hazardscribe.pairs.read import Pairs, read_pairs

MakePhoto = Callable[..., Path]
NAMES = [f"photos/{index}.png" for index in range(4)]
TEXTS = ["配电箱未上锁", "临边未设置防护栏杆", "灭火器超期，压力不足", "No guard rail, north side"]


@pytest.fixture
def folder(tmp_path: Path, make_photo: MakePhoto) -> Path:
    for name in NAMES:
        make_photo(name)
    return tmp_path


def csv_text(separator: str = ",", head: tuple[str, ...] = ("photo", "description")) -> str:
    rows = [head, *zip(NAMES, TEXTS, strict=True)]
    quote = "{}" if separator == "\t" else '"{}"'
    return "\n".join(separator.join(quote.format(c) for c in row) for row in rows) + "\n"


def descriptions(pairs: Pairs) -> list[str]:
    return list(pairs.frame["description"])


def reasons(pairs: Pairs) -> list[tuple[int | None, str]]:
    return [(one.row, one.reason) for one in pairs.rejected]


def write_csv(folder: Path, *rows: str, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


class TestKinds:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_csv(self, folder: Path, encoding: str, separator: str) -> None:
        path = folder / "台账.csv"
        path.write_bytes(csv_text(separator).encode(encoding))
        pairs = read_pairs(path)
        assert descriptions(pairs) == TEXTS
        assert list(pairs.frame["photo"]) == [str(folder / name) for name in NAMES]
        assert list(pairs.frame["row_number"]) == [1, 2, 3, 4]
        assert set(pairs.frame["row_file"]) == {"台账.csv"}
        assert (pairs.rows_read, pairs.rows_imported, pairs.rejected) == (4, 4, [])
        assert descriptions(read_pairs(folder)) == TEXTS  # the only table in the folder

    def test_tsv_jsonl_and_imagefolder(self, folder: Path) -> None:
        (folder / "t.tsv").write_text(csv_text("\t"), encoding="utf-8")
        lines = [
            json.dumps({"file_name": name, "caption": text})
            for name, text in zip(NAMES, TEXTS, strict=True)
        ]
        (folder / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
        (folder / "metadata.csv").write_text(csv_text(head=("file_name", "text")), encoding="utf-8")
        for source in (folder / "t.tsv", folder / "t.jsonl", folder):
            assert descriptions(read_pairs(str(source))) == TEXTS

    def test_parquet_with_types(self, folder: Path) -> None:
        import pandas as pd

        frame = pd.DataFrame(
            {
                "image": NAMES,
                "text": TEXTS,
                "hazard": [True, False, True, None],
                "score": [1.0, 0.5, None, 3.0],
                "facts": [{"people": 1}] * 4,
            }
        )
        frame.to_parquet(folder / "p.parquet")
        read = read_pairs(folder / "p.parquet").frame
        assert list(read["hazard"]) == ["1", "0", "1", ""]
        assert list(read["score"]) == ["1", "0.5", "", "3"]
        assert json.loads(read["facts"][0]) == {"people": 1}

    def test_parquet_with_a_name_twice(self, folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [["a"] * 4, NAMES, ["b"] * 4, TEXTS]
        arrays = [pa.array(column) for column in columns]
        names = ["note", "photo", "note", "description"]
        pq.write_table(pa.Table.from_arrays(arrays, names=names), folder / "p.parquet")
        frame = read_pairs(folder / "p.parquet").frame
        assert list(frame["description"]) == TEXTS
        assert (frame["note"][0], frame["note_2"][0]) == ("a", "b")

    def test_split_folders(self, folder: Path, make_photo: MakePhoto) -> None:
        for split, count in (("train", 3), ("val", 2), ("test", 1)):
            for index in range(count):
                make_photo(f"set/{split}/{index}.png")
            rows = [f"{index}.png,描述{index}" for index in range(count)]
            write_csv(folder / "set" / split, "file_name,text", *rows, name="metadata.csv")
        pairs = read_pairs(folder / "set")
        assert dict(pairs.frame["split"].value_counts()) == {"train": 3, "dev": 2, "validation": 1}
        assert set(pairs.frame["row_file"]) == {
            f"{s}/metadata.csv" for s in ("train", "val", "test")
        }

    def test_hugging_face_folder(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import datasets

        monkeypatch.setenv("HAZARDSCRIBE_CACHE", str(tmp_path / "cache"))
        records = {"image": [str(folder / name) for name in NAMES], "text": TEXTS}
        as_paths = datasets.Dataset.from_dict(records)
        as_images = as_paths.cast_column("image", datasets.Image())
        as_paths.save_to_disk(str(folder / "paths"))
        parts = {"train": as_images.select([0, 1, 3]), "test": as_images.select([2])}
        datasets.DatasetDict(parts).save_to_disk(str(folder / "images"))

        assert list(read_pairs(folder / "paths").frame["photo"]) == records["image"]
        pairs = read_pairs(folder / "images", dev_share=0)
        assert len(pairs) == 4
        assert pairs["validation"]["description"][:] == [TEXTS[2]]
        kept = pairs["validation"]["photo"][0]
        assert kept.startswith(str(tmp_path / "cache"))
        assert Path(kept).read_bytes() == (folder / NAMES[2]).read_bytes()
        again = read_pairs(folder / "images", dev_share=0)
        assert list(again.frame["photo"]) == list(pairs.frame["photo"])
        assert again.digest() == pairs.digest()

    def test_title_above_the_header(self, folder: Path) -> None:
        rows = [
            "某公司隐患台账,,",
            "2025.1.3,,",
            "序号,隐患照片,隐患描述",
            f"1,{NAMES[0]},未系安全带",
        ]
        pairs = read_pairs(write_csv(folder, *rows))
        assert descriptions(pairs) == ["未系安全带"]
        assert list(pairs.frame["row_number"]) == [1]
        assert list(pairs.frame["序号"]) == ["1"]

    @pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.zip", "A.XLSX", "a.csv"])
    def test_excel_says_what_works_today(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"PK\x03\x04")
        for source in (folder / name, folder):
            with pytest.raises(InputError, match=r"hazardscribe import .* --out pairs"):
                read_pairs(source)

    def test_what_is_not_supported(self, folder: Path) -> None:
        (folder / "a.docx").touch()
        with pytest.raises(InputError, match=r"docx.*\.csv"):
            read_pairs(folder / "a.docx")
        with pytest.raises(InputError, match="no such file"):
            read_pairs(folder / "no.csv")
        with pytest.raises(InputError, match=r"no table.*a.docx"):
            read_pairs(folder)
        write_csv(folder, "a,b", name="x.csv")
        write_csv(folder, "a,b", name="y.csv")
        with pytest.raises(InputError, match=r"several tables.*x.csv, y.csv"):
            read_pairs(folder)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.csv", b""),
            ("a.csv", b"\n\n"),
            ("a.csv", b"photo,description\n"),
            ("a.csv", b"\x00\x01\x02\x03"),
            ("a.csv", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff"),
            ("a.csv", b'photo,description\n"never closed,' + b"x" * 200_000),
            ("a.jsonl", b""),
            ("a.jsonl", b"[]"),
            ("a.jsonl", b"not json"),
            ("a.parquet", b""),
            ("a.parquet", b"PAR1 nonsense PAR1"),
        ],
    )
    def test_unusable_files_name_themselves(self, folder: Path, name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}"):
            read_pairs(folder / name)

    def test_damaged_dataset_folder(self, folder: Path) -> None:
        (folder / "state.json").write_text("{}")
        with pytest.raises(InputError, match="cannot be loaded"):
            read_pairs(folder)


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
