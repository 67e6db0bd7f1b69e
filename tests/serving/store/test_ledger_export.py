"""The ledger out and in again: as a workbook, and as pairs that a model learns from."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest

import hazardscribe as hs
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.read import read_pairs
from hazardscribe.serving.schemas import NewFinding
from hazardscribe.serving.store import export
from hazardscribe.serving.store.errors import NothingToExportError
from hazardscribe.serving.store.export import write_pairs_zip, write_workbook
from hazardscribe.serving.store.store import Store

FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", '=HYPERLINK("http://x","y")']


@pytest.fixture
def ledger(store: Store, say, picture) -> Store:
    """Eleven records: accepted and edited texts, two photos, none, and formulas."""
    for i in range(7):
        new = NewFinding(
            text=f"第{i}处临边未防护" if i % 2 else "未戴安全帽",
            description_ids=[say("未戴安全帽")],
            place=f"{i}号楼",
            category="高处",
            measure="设置护栏",
            responsible="李四",
            due=date(2026, 3, i + 1),
            found_on=date(2026, 2, i + 1),
        )
        store.confirm(new, [picture(10 * i + j, (96, 64)) for j in range(1 + i % 2)], "张三")
    store.confirm(NewFinding(text="没有照片的记录"), [], "张三")
    store.confirm(NewFinding(text="焊机未接地", place=FORMULAS[0]), [picture(90)], "张三")
    store.confirm(NewFinding(text=FORMULAS[0]), [picture(92)], "张三")
    store.confirm(NewFinding(text="无"), [picture(91)], "张三")  # nothing to learn from
    return store


def unzipped(store: Store, tmp_path: Path) -> Path:
    out = write_pairs_zip(store.each(), store.folder, tmp_path / "pairs.zip")
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "pairs")
    return tmp_path / "pairs"


def test_pairs_hold_what_people_confirmed(ledger, tmp_path):
    pairs = read_pairs(unzipped(ledger, tmp_path))
    records = {one.number: one for one in ledger.each()}
    seen: dict[int, int] = {}
    for row in pairs.frame.to_dict("records"):
        record = records[row["row_number"]]
        seen[record.number] = seen.get(record.number, 0) + 1
        assert row["description"] == record.text
        assert row["ai_description"] == (record.ai_text or "")
        assert (row["outcome"], row["model"]) == (record.outcome, record.model or "")
        assert (row["place"], row["category"], row["level"]) == (
            record.place,
            record.category,
            record.level,
        )
        assert row["date"] == record.found_on.isoformat()
        stored = {ledger.photo(photo).read_bytes() for photo in record.photos}
        assert Path(row["photo"]).read_bytes() in stored
    assert seen == {
        number: len(one.photos)
        for number, one in records.items()
        if one.photos and one.text != "无"
    }
    rejected = (tmp_path / "pairs" / "rejected.csv").read_text(encoding="utf-8-sig")
    assert "no_photo_named" in rejected
    assert "empty_description" in rejected


def test_all_photos_of_a_record_are_in_one_split(ledger, picture, tmp_path):
    again = NewFinding(text="同一处又拍一次")
    ledger.confirm(again, [picture(0, (96, 64), quality=60)], "李四")  # the first record's scene
    frame = read_pairs(unzipped(ledger, tmp_path)).frame
    assert set(frame["split"]) == {"train", "dev", "validation"}
    splits = frame.groupby("row_number")["split"].nunique()
    assert (splits == 1).all()
    assert frame[frame["row_number"].isin([1, 12])]["split"].nunique() == 1


def test_training_takes_the_export_as_it_is(ledger, start, tmp_path):
    folder = unzipped(ledger, tmp_path)
    recipe = hs.Recipe(start=str(start), steps=2, batch_size=2, max_text_tokens=12)
    run = hs.train(folder, recipe, tmp_path / "run")
    assert (run.model / "config.json").is_file()


def test_nothing_to_learn_from(store, picture, tmp_path):
    store.confirm(NewFinding(text="没有照片"), [], "a")
    store.confirm(NewFinding(text="无"), [picture()], "a")
    with pytest.raises(NothingToExportError):
        write_pairs_zip(store.each(), store.folder, tmp_path / "pairs.zip")
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_imported_workbook_holds_the_same_records(language, ledger, tmp_path):
    book = write_workbook(ledger.each(), ledger.folder, tmp_path / "l.xlsx", language=language)
    import_ledger(book, out=tmp_path / "imported")
    frame = read_pairs(tmp_path / "imported").frame
    number = {"zh": "编号", "en": "number"}[language]
    records = {str(one.number): one for one in ledger.each()}
    for row in frame.to_dict("records"):
        record = records[row[number]]
        assert row["description"] == record.text
        for name in ("place", "category", "level", "measure", "responsible"):
            assert row[name] == getattr(record, name)
        assert (row["date"], row["inspector"]) == (record.found_on.isoformat(), "张三")
        assert row["due"] == (record.due.isoformat() if record.due else "")
        stored = {ledger.photo(photo).read_bytes() for photo in record.photos}
        assert Path(row["photo"]).read_bytes() in stored
    counts = frame[number].value_counts().to_dict()
    assert counts == {
        number: len(one.photos)
        for number, one in records.items()
        if one.photos and one.text != "无"
    }


def test_a_workbook_with_the_former_header_is_imported_as_well(ledger, tmp_path, monkeypatch):
    frames = []
    for name in ("采用情况", "采纳情况"):
        monkeypatch.setitem(export._OWN, "outcome", name)
        book = write_workbook(
            ledger.each(), ledger.folder, tmp_path / f"{name}.xlsx", language="zh"
        )
        import_ledger(book, out=tmp_path / name)
        frames.append(read_pairs(tmp_path / name).frame.drop(columns=["row_file", "photo"]))
    assert frames[0].equals(frames[1].rename(columns={"采纳情况": "采用情况"}))


def test_a_workbook_for_people(ledger, tmp_path):
    book = write_workbook(ledger.each(), ledger.folder, tmp_path / "l.xlsx", language="zh")
    sheet = openpyxl.load_workbook(book).active
    header = [cell.value for cell in sheet[1]]
    assert header[:3] == ["编号", "隐患照片", "隐患描述"]
    assert {"AI描述", "采用情况", "AI模型", "整改期限", "检查人"} <= set(header)
    rows = [dict(zip(header, row, strict=True)) for row in sheet.iter_rows(2, values_only=True)]
    assert len(rows) == 3 + 7 + 4  # a row for each photo, one for a record without
    by_text = {row["隐患描述"]: row for row in rows}
    assert by_text["未戴安全帽"]["采用情况"] == "原样采用"
    assert by_text["没有照片的记录"]["采用情况"] == "人工填写"
    assert by_text["未戴安全帽"]["整改情况"] == "待整改"
    assert len(sheet._images) == 13


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_is_a_formula(formula, store, picture, say, tmp_path):
    fields = dict.fromkeys(("text", "place", "category", "measure", "responsible"), formula)
    new = NewFinding(**fields, description_ids=[say(formula, model=formula)])
    store.confirm(new, [picture()], formula)
    book = write_workbook(store.each(), store.folder, tmp_path / "l.xlsx", language="zh")
    for row in openpyxl.load_workbook(book).active.iter_rows(min_row=2):
        for cell in row:
            assert cell.data_type in ("s", "n")
            assert cell.hyperlink is None
    with zipfile.ZipFile(book) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        assert sheets
        assert all(b"<f" not in archive.read(name) for name in sheets)


def test_a_photo_that_a_disk_lost_does_not_lose_the_row(ledger, tmp_path):
    record = next(one for one in ledger.each() if one.photos)
    ledger.photo(record.photos[0]).unlink()
    book = write_workbook(ledger.each(), ledger.folder, tmp_path / "l.xlsx", language="en")
    sheet = openpyxl.load_workbook(book).active
    assert record.number in [row[0] for row in sheet.iter_rows(2, values_only=True)]
    assert len(sheet._images) == 12
    assert len(read_pairs(unzipped(ledger, tmp_path))) > 0
