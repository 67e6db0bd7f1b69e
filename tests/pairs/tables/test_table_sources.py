"""Every kind of table is read into the same pairs, and what cannot be read says so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_tables import NAMES, TEXTS, descriptions, write_csv

from hazardscribe.errors import InputError
from hazardscribe.pairs.read import read_pairs

MakePhoto = Callable[..., Path]


def csv_text(separator: str = ",", head: tuple[str, ...] = ("photo", "description")) -> str:
    rows = [head, *zip(NAMES, TEXTS, strict=True)]
    quote = "{}" if separator == "\t" else '"{}"'
    return "\n".join(separator.join(quote.format(c) for c in row) for row in rows) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(folder: Path, encoding: str, separator: str) -> None:
    path = folder / "台账.csv"
    path.write_bytes(csv_text(separator).encode(encoding))
    pairs = read_pairs(path)
    assert descriptions(pairs) == TEXTS
    assert list(pairs.frame["photo"]) == [str(folder / name) for name in NAMES]
    assert list(pairs.frame["row_number"]) == [1, 2, 3, 4]
    assert set(pairs.frame["row_file"]) == {"台账.csv"}
    assert (pairs.rows_read, pairs.rows_imported, pairs.rejected) == (4, 4, [])
    assert descriptions(read_pairs(folder)) == TEXTS  # the only table in the folder


def test_tsv_jsonl_and_imagefolder(folder: Path) -> None:
    (folder / "t.tsv").write_text(csv_text("\t"), encoding="utf-8")
    lines = [
        json.dumps({"file_name": name, "caption": text})
        for name, text in zip(NAMES, TEXTS, strict=True)
    ]
    (folder / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "metadata.csv").write_text(csv_text(head=("file_name", "text")), encoding="utf-8")
    for source in (folder / "t.tsv", folder / "t.jsonl", folder):
        assert descriptions(read_pairs(str(source))) == TEXTS


def test_parquet_with_types(folder: Path) -> None:
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


def test_parquet_with_a_name_twice(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [["a"] * 4, NAMES, ["b"] * 4, TEXTS]
    arrays = [pa.array(column) for column in columns]
    names = ["note", "photo", "note", "description"]
    pq.write_table(pa.Table.from_arrays(arrays, names=names), folder / "p.parquet")
    frame = read_pairs(folder / "p.parquet").frame
    assert list(frame["description"]) == TEXTS
    assert (frame["note"][0], frame["note_2"][0]) == ("a", "b")


def test_split_folders(folder: Path, make_photo: MakePhoto) -> None:
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for index in range(count):
            make_photo(f"set/{split}/{index}.png")
        rows = [f"{index}.png,描述{index}" for index in range(count)]
        write_csv(folder / "set" / split, "file_name,text", *rows, name="metadata.csv")
    pairs = read_pairs(folder / "set")
    assert dict(pairs.frame["split"].value_counts()) == {"train": 3, "dev": 2, "validation": 1}
    assert set(pairs.frame["row_file"]) == {f"{s}/metadata.csv" for s in ("train", "val", "test")}


def test_hugging_face_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_title_above_the_header(folder: Path) -> None:
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
def test_excel_says_what_works_today(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"PK\x03\x04")
    for source in (folder / name, folder):
        with pytest.raises(InputError, match=r"hazardscribe import .* --out pairs"):
            read_pairs(source)


def test_what_is_not_supported(folder: Path) -> None:
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
def test_unusable_files_name_themselves(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}"):
        read_pairs(folder / name)


def test_an_open_quotation_mark_loses_no_rows_unsaid(folder: Path) -> None:
    rows = 'photo,description\n0.jpg,a rail\n1.jpg,"a drum\n2.jpg,a ladder\n3.jpg,a lamp\n'
    write_csv(folder, rows, name="a.csv")
    with pytest.raises(InputError, match=r"a\.csv: line 3: a quotation mark is opened"):
        read_pairs(folder / "a.csv")


def test_damaged_dataset_folder(folder: Path) -> None:
    (folder / "state.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        read_pairs(folder)
