"""What went out comes home: exports of pairs, and reviews that people have corrected."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hazardscribe import cli
from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import TRANSLATED
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.photo_file import photo_digest
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.records import Pairs
from pairs.exporting.export_files import photo, turned
from pairs.workbook.build import replace, rewrite

SPLITS = ("train", "dev", "validation")
TEXTS = (
    "=1+1",
    "_x000D_ 不是回车",
    "合计",
    "备注：护栏缺失",
    "电工无证上岗",
    "1、护栏缺失；2、灯损坏",
    "审核人：张三",
    "隐患描述",
    "护栏缺失",
    "护栏缺失",
)


def records(pairs: Pairs) -> list[tuple[str, tuple[tuple[str, object], ...]]]:
    """(photo digest, all other columns by name), in order."""
    lines = pairs.frame.to_dict("records")
    return [(photo_digest(Path(line.pop("photo"))), tuple(sorted(line.items()))) for line in lines]


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Ten pairs whose texts and columns an importer could mistake, with photos of every kind."""
    folder = tmp_path / "first"
    photo(folder / "0.jpg", 0)
    photo(folder / "1.png", 1)
    photo(folder / "2.webp", 2)
    turned(folder / "3.jpg", 3)
    photo(folder / "4.gif", 4)
    names = ["0.jpg", "1.png", "2.webp", "3.jpg", "4.gif", "0.jpg", "2.webp", "1.png", "3.jpg"]
    rows = [
        {
            "photo": name,
            "description": text,
            "split": SPLITS[at % 3],
            "检查 地点": "同上" if at else " A区 ",
            "category": ("电气", "消防")[at % 2],
            "检查日期": "2025.1.3",
            "整改后照片": "4.gif",
            "细节照片": "1.png",
            "备注": ("=A1", "_x000D_", "a\nb", "@x", "'", "+1", "", "0012", "-", "1e5")[at],
            "row_file": "台账.xlsx",
            "row_sheet": ("一月", "二月")[at % 2],
            "row_number": str(at + 7),
        }
        for at, (name, text) in enumerate(zip([*names, "4.gif"], TEXTS, strict=True))
    ]
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return read_pairs(folder / "pairs.csv", dev_share=0)


def run(*arguments: str | Path) -> None:
    assert cli.main([str(argument) for argument in arguments]) == 0


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_export_of_pairs_gives_the_same_records(
    pairs: Pairs, tmp_path: Path, language: str
) -> None:
    book = tmp_path / "sent" / "台账.xlsx"
    export = ("export", tmp_path / "first/pairs.csv", "--to", "xlsx", "--language", language)
    run(*export, "--out", book)
    run("import", book, "--out", tmp_path / "again", "--strict")
    assert records(read_pairs(tmp_path / "again")) == records(pairs)
    record = json.loads((tmp_path / "again/import.json").read_text(encoding="utf-8"))
    assert record["rows"] == {"read": 10, "imported": 10, "rejected": 0, "reasons": {}}
    assert record["pictures"]["reasons"] == {"copy_of_original": 4}


def test_an_export_in_a_zip_gives_the_same_records(pairs: Pairs, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    run("export", tmp_path / "first/pairs.csv", "--to", "xlsx", "--out", sent / "2025/台账.xlsx")
    archive = shutil.make_archive(str(tmp_path / "all"), "zip", sent)
    import_ledger(archive, out=tmp_path / "again")
    assert records(read_pairs(tmp_path / "again")) == records(pairs)


def test_settled_splits_are_final(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    lines = ["photo,description,split"]
    for at in range(20):
        photo(folder / f"{at}.jpg", at)
        lines.append(f"{at}.jpg,描述{at},{'validation' if at < 3 else 'train'}")
    (folder / "pairs.csv").write_text("\n".join(lines), "utf-8")
    pairs = read_pairs(folder / "pairs.csv", dev_share=0)
    from hazardscribe.pairs.exporting.xlsx import write_ledger

    book = write_ledger(pairs, tmp_path / "o.xlsx", language="zh")
    assert import_ledger(book, dry_run=True).splits == {"train": 17, "validation": 3}
    # The same sheet by anybody else: dev is cut from train.
    rewrite(book, {"docProps/custom.xml": replace((f">{TRANSLATED}<".encode(), b">others<"))})
    assert import_ledger(book, dry_run=True).splits.keys() == set(SPLITS)


def test_without_the_originals_the_copies_must_do(pairs: Pairs, tmp_path: Path) -> None:
    book = tmp_path / "sent" / "台账.xlsx"
    run("export", tmp_path / "first/pairs.csv", "--to", "xlsx", "--out", book)
    with_them = import_ledger(book, dry_run=True)
    moved = tmp_path / "alone"
    moved.mkdir()
    shutil.copy(book, moved)
    imported = import_ledger(moved / "台账.xlsx", dry_run=True)
    assert imported.pairs == with_them.pairs == 10
    assert imported.account.reasons("picture") == {"photo_missing": 2}  # two files, four rows
    assert any("2 originals" in warning for warning in imported.warnings)
    originals = next((tmp_path / "sent").glob("*_photos"))
    again = import_ledger(moved / "台账.xlsx", dry_run=True, photos=originals)
    assert again.split_hash == with_them.split_hash != imported.split_hash


def test_an_export_that_was_edited(pairs: Pairs, tmp_path: Path) -> None:
    import openpyxl

    book = tmp_path / "台账.xlsx"
    run("export", tmp_path / "first/pairs.csv", "--to", "xlsx", "--out", book)
    opened = openpyxl.load_workbook(book)
    sheet = opened.active
    sheet["B2"] = "改正后的描述"
    for cell in sheet[3]:
        cell.value = None
    opened.save(book)
    imported = import_ledger(book, dry_run=True)
    assert imported.rows[0].draft.texts == ["改正后的描述"]
    left = [(one.line, one.kind, one.reason) for one in imported.account.left]
    assert [one for one in left if one[2] != "copy_of_original"] == [
        (3, "row", "empty_description"),
        (3, "picture", "rejected_row"),
    ]
    with pytest.raises(InputError, match="没有的列"):
        import_ledger(book, dry_run=True, columns={"category": "没有的列"})
    chosen = import_ledger(book, dry_run=True, columns={"category": "备注"})
    assert chosen.sheets[0].columns["category"] == ("备注",)


class TestReview:
    def reviewed(self, folder: Path, edit: Callable[[list[Any]], None] | None = None) -> Path:
        """What Label Studio exports once somebody has submitted each task as it was."""
        tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
        for task in tasks:
            result = copy.deepcopy(task["predictions"][0]["result"])
            task["annotations"] = [
                {"was_cancelled": False, "result": result, "updated_at": "2026-01-01T00:00:00Z"}
            ]
        if edit is not None:
            edit(tasks)
        path = folder.parent / "project.json"
        path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
        return path

    def without_before(self, pairs: Pairs) -> list[tuple[str, dict[str, object]]]:
        return [
            (digest, {n: v for n, v in cells if n != "description_before"})
            for digest, cells in records(pairs)
        ]

    def test_corrected_texts_come_home(self, pairs: Pairs, tmp_path: Path) -> None:
        review = tmp_path / "review"
        run("export", tmp_path / "first/pairs.csv", "--to", "label-studio", "--out", review)

        def edit(tasks: list[Any]) -> None:
            tasks[0]["annotations"][0]["result"][0]["value"]["text"] = ["改正后的描述"]
            tasks[1]["annotations"] = []
            tasks[2]["annotations"][0]["was_cancelled"] = True

        done = self.reviewed(review, edit)
        run("import", done, "--photos", review, "--out", tmp_path / "again")
        again = read_pairs(tmp_path / "again")
        assert again.frame["description"][0] == "改正后的描述"
        assert list(again.frame["description_before"]) == [TEXTS[0], *TEXTS[3:]]
        assert self.without_before(again)[1:] == self.without_before(pairs)[3:]
        record = json.loads((tmp_path / "again/import.json").read_text(encoding="utf-8"))
        assert record["rows"]["reasons"] == {"not_annotated": 1, "skipped": 1}
        assert record["splits"] == {"train": 4, "dev": 2, "validation": 2}

    def test_what_was_left_out_names_its_photo(self, pairs: Pairs, tmp_path: Path) -> None:
        photo(tmp_path / "first/5.tif", 5)
        table = tmp_path / "first/pairs.csv"
        table.write_text(table.read_text("utf-8").replace("0.jpg", "5.tif"), "utf-8")
        review = tmp_path / "review"
        run("export", table, "--to", "label-studio", "--out", review)
        assert list(review.glob("photos/*_view.jpg"))

        def edit(tasks: list[Any]) -> None:
            tasks[3]["annotations"] = []
            tasks[4]["annotations"][0]["was_cancelled"] = True
            del tasks[8:]

        done = self.reviewed(review, edit)
        imported = import_ledger(done, photos=review, dry_run=True)
        names = [Path(task["data"]["photo"]).name for task in json.loads(done.read_text("utf-8"))]
        left = [(one.line, one.reason, Path(one.photo).name) for one in imported.account.left]
        assert left == [
            (5, "not_annotated", ""),
            (5, "rejected_row", names[3]),
            (6, "skipped", ""),
            (6, "rejected_row", names[4]),
        ]
        assert not any("_view" in warning for warning in imported.warnings)

    def test_photos_in_a_zip(self, pairs: Pairs, tmp_path: Path) -> None:
        review = tmp_path / "review"
        run("export", tmp_path / "first/pairs.csv", "--to", "label-studio", "--out", review)
        done = self.reviewed(review)
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            for path in (review / "photos").iterdir():
                archive.write(path, f"photos/{path.name}")
        import_ledger(done, out=tmp_path / "again", photos=tmp_path / "p.zip")
        again = read_pairs(tmp_path / "again")
        assert self.without_before(again) == self.without_before(pairs)

    @pytest.mark.parametrize("content", ["{}", "[", '[{"annotation_id": 1}]'])
    def test_what_is_no_review_is_refused(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "p.json"
        path.write_text(content)
        with pytest.raises(InputError, match=r"p\.json"):
            import_ledger(path, dry_run=True)
