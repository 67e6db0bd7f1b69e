"""`export` in Python and on the command line, and `describe --out ledger.xlsx`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from export_files import photo, see, turned

import hazardscribe as hs
from hazardscribe import cli
from hazardscribe.describing.description_files import is_described, read_records, write_records
from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import find_columns
from hazardscribe.pairs.read import Pairs, read_pairs

MakePairs = Callable[..., Pairs]


@pytest.fixture
def pairs(tmp_path: Path, make_pairs: MakePairs) -> Pairs:
    rows = []
    for i in range(4):
        photo(tmp_path / f"{i}.jpg", i)
        split = ("train", "validation")[i % 2]
        rows.append({"photo": f"{i}.jpg", "description": f"No guard {i}", "split": split})
    return make_pairs(rows)


def records(tmp_path: Path) -> list[dict[str, Any]]:
    blank = dict.fromkeys(("confidence", "doubt", "draft", "error"))
    blank |= {"ai_description": "", "alternatives": []}
    return [
        blank
        | {
            "photo": str(photo(tmp_path / "甲.jpg")),
            "ai_description": "=未戴安全帽",
            "confidence": 0.8731,
            "alternatives": ["未穿反光衣", "无"],
        },
        blank | {"photo": str(tmp_path / "乙.jpg"), "error": "missing: 乙.jpg: no such file"},
        blank
        | {
            "photo": str(turned(tmp_path / "丙.jpg")),
            **{"ai_description": "b", "confidence": 0.5, "doubt": "unsure", "draft": "一处未封闭"},
        },
    ]


def test_python(pairs: Pairs, tmp_path: Path) -> None:
    book = hs.export(pairs, to="xlsx", out=tmp_path / "o.xlsx", split="validation")
    [seen] = see(book)
    assert seen.header[:2] == ["Hazard photo", "Hazard description"]  # in the pairs' language
    assert [row[1] for row in seen.rows] == ["No guard 1", "No guard 3"]
    book = hs.export(pairs, to="xlsx", out=tmp_path / "zh.xlsx", language="zh")
    assert see(book)[0].header[0] == "隐患照片"
    folder = hs.export(pairs, to="pairs", out=tmp_path / "copy")
    assert read_pairs(folder).frame["description"].tolist() == [f"No guard {i}" for i in range(4)]
    review = hs.export(pairs, to="label-studio", out=tmp_path / "ls", photo_url="/p/")
    [first, *_] = json.loads((review / "tasks.json").read_text(encoding="utf-8"))
    assert first["data"]["image"].startswith("/p/photos/")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "pdf"}, "must be one of xlsx, label-studio, pairs"),
        ({"to": "xlsx", "split": "dev"}, "there is no split 'dev'"),
        ({"to": "xlsx", "photo_url": "/x"}, "is for --to label-studio"),
        ({"to": "xlsx", "language": "fr"}, "must be auto, zh or en"),
    ],
)
def test_wrong_options(pairs: Pairs, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        hs.export(pairs, out=tmp_path / "o.xlsx", **options)
    assert not (tmp_path / "o.xlsx").exists()


def test_command_line(pairs: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = str(tmp_path / "pairs.csv"), str(tmp_path / "o.xlsx")
    assert cli.main(["export", source, "--to", "xlsx", "--out", out]) == 0
    assert capsys.readouterr().out == f"xlsx: {out}\n"
    assert len(see(Path(out))[0].rows) == 4
    assert cli.main(["export", source, "--to", "xlsx", "--out", str(tmp_path / "o.csv")]) == 2
    assert "must end in .xlsx" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", source, "--to", "pdf", "--out", str(tmp_path / "o.pdf")])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("to", "name"), [("xlsx", "ledger.xlsx"), ("label-studio", "photos.zip"), ("pairs", "notes")]
)
def test_a_file_of_the_users_is_never_written_over(
    pairs: Pairs, tmp_path: Path, to: str, name: str
) -> None:
    (tmp_path / name).write_bytes(b"years of work")
    with pytest.raises(InputError, match=f"{name}: already exists and is left as it is"):
        hs.export(pairs, to=to, out=tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"years of work"


def test_a_described_ledger(tmp_path: Path) -> None:
    made = records(tmp_path)
    assert list(write_records(made, tmp_path / "o" / "l.xlsx")) == made
    [seen] = see(tmp_path / "o/l.xlsx")
    assert seen.header == [
        *("照片", "文件名", "AI描述", "置信度", "存疑（模型草稿）"),
        *("其他可能的描述", "未能识别的原因"),
    ]
    assert seen.rows == [
        [None, "甲.jpg", "=未戴安全帽", 0.8731, None, "未穿反光衣\n无", None],
        [None, "乙.jpg", None, None, None, None, "文件不存在或无法打开"],
        [None, "丙.jpg", "b", 0.5, "把握不足：\n一处未封闭", None, None],
    ]
    assert set(seen.pictures) == {(1, 0), (3, 0)}
    assert seen.pictures[1, 0] == (tmp_path / "甲.jpg").read_bytes()
    assert seen.sheet["D2"].number_format == "0%"
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["l.xlsx"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_program_wrote_is_no_description(tmp_path: Path, language: str) -> None:
    list(write_records(records(tmp_path), tmp_path / "l.xlsx", language=language))
    [seen] = see(tmp_path / "l.xlsx")
    with pytest.raises(InputError, match="no column for the description"):
        find_columns(seen.header, where="l")
    assert find_columns([*seen.header, "隐患描述"], where="l") == {"photo": 0, "description": 7}


def test_a_ledger_that_ends_early_holds_what_was_described(tmp_path: Path) -> None:
    made = records(tmp_path)

    def interrupted() -> Iterator[dict[str, Any]]:
        yield from made[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(write_records(interrupted(), tmp_path / "l.xlsx"))
    assert len(see(tmp_path / "l.xlsx")[0].rows) == 2
    with pytest.raises(InputError, match="people may have gone on"):
        list(write_records(made, tmp_path / "l.xlsx"))
    stream = write_records(made, tmp_path / "closed.xlsx", alternatives=False)
    next(stream)
    stream.close()
    [seen] = see(tmp_path / "closed.xlsx")
    assert (len(seen.rows), len(seen.header)) == (1, 6)

    def fails() -> Iterator[dict[str, Any]]:
        raise InputError("no model")
        yield

    with pytest.raises(InputError, match="no model"):
        list(write_records(fails(), tmp_path / "nothing.xlsx"))
    assert not (tmp_path / "nothing.xlsx").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_photo_that_went_meanwhile_is_told_in_its_row(tmp_path: Path) -> None:
    made = records(tmp_path)
    (tmp_path / "甲.jpg").unlink()
    list(write_records(made, tmp_path / "l.xlsx"))
    row = see(tmp_path / "l.xlsx")[0].rows[0]
    assert row[2] == "=未戴安全帽"
    assert row[6] == "文件不存在或无法打开"
    list(write_records(made, tmp_path / "en.xlsx", language="en"))
    assert see(tmp_path / "en.xlsx")[0].rows[0][6].startswith("missing: ")


def test_from_a_described_jsonl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: Pairs
) -> None:
    made = [one | {"photo": Path(one["photo"]).name} for one in records(tmp_path)]
    described = tmp_path / "d.jsonl"
    list(write_records(made, described))
    assert is_described(described)
    assert not is_described(tmp_path / "pairs.csv")
    monkeypatch.chdir("/")  # names as they were given elsewhere are found beside the file
    assert next(one["photo"] for one in read_records(described)) == str(tmp_path / "甲.jpg")
    book = hs.export(described, to="xlsx", out=tmp_path / "o.xlsx")
    assert [row[1] for row in see(book)[0].rows] == ["甲.jpg", "乙.jpg", "丙.jpg"]
    former = tmp_path / "former.jsonl"  # when the text was still called description
    text = described.read_text("utf-8").replace("ai_description", "description")
    former.write_text(text, encoding="utf-8")
    assert is_described(former)
    assert read_records(former) == read_records(described)
    review = hs.export(described, to="label-studio", out=tmp_path / "ls")
    assert len(json.loads((review / "tasks.json").read_text(encoding="utf-8"))) == 2
    with pytest.raises(InputError, match="not pairs"):
        hs.export(described, to="pairs", out=tmp_path / "p")
    with pytest.raises(InputError, match="have none"):
        hs.export(described, to="xlsx", out=tmp_path / "s.xlsx", split="train")
    described.write_text(described.read_text("utf-8") + '{"photo": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 4"):
        hs.export(described, to="xlsx", out=tmp_path / "t.xlsx")


def test_pairs_are_not_exported_over_others(pairs: Pairs, tmp_path: Path) -> None:
    folder = hs.export(pairs, to="pairs", out=tmp_path / "copy")
    before = (folder / "pairs.parquet").read_bytes()
    with pytest.raises(InputError, match="is not empty"):
        hs.export(folder, to="pairs", out=folder, split="train")
    assert (folder / "pairs.parquet").read_bytes() == before
