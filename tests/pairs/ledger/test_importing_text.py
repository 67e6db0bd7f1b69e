"""Importing text ledgers, zips and folders: every layout, encoding and name, all accounted for."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from string import Formatter

import pytest
from ledger_files import photo_bytes

import hazardscribe
from hazardscribe import cli
from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.folder import read_safe
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.ledger.result import Imported
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.sentences import SENTENCES, in_language
from hazardscribe.pairs.targets import detect_language

Write = Callable[..., Path]
PHOTOS = tuple(f"{n}.png" for n in range(12))


def pairs_of(folder: Path) -> list[tuple[str, bytes]]:
    frame = read_pairs(folder).frame
    return [
        (text, Path(photo).read_bytes())
        for text, photo in zip(frame["description"], frame["photo"], strict=True)
    ]


def texts(imported: Imported) -> list[str]:
    return [text for row in imported.rows if row.photos for text in row.draft.texts]


def reasons(imported: Imported, kind: str = "row") -> list[tuple[int | None, str]]:
    return [(one.row, one.reason) for one in imported.account.left if one.kind == kind]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def dry(path: Path, **options: object) -> Imported:
    return import_ledger(path, dry_run=True, **options)  # type: ignore[arg-type]


PLAIN = "序号,检查地点,隐患描述,隐患照片\n1,A区,配电箱未上锁,0.png\n2,B区,护栏缺失,1.png\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators(ledger: Write, encoding: str, separator: str) -> None:
    path = ledger(PLAIN.replace(",", separator), encoding=encoding, photos=PHOTOS[:2])
    imported = dry(path)
    assert texts(imported) == ["配电箱未上锁", "护栏缺失"]
    assert imported.account.rows_read == imported.account.rows_imported == 2
    assert [row.draft.value("place") for row in imported.rows] == ["A区", "B区"]


def test_a_quotation_mark_that_is_never_closed_is_named(ledger: Write) -> None:
    text = '隐患描述,照片\n"甲\n隐患",0.png\n乙,1.png\n"丙,2.png\n丁,3.png\n'
    with pytest.raises(InputError, match="line 5: a quotation mark"):
        dry(ledger(text, photos=PHOTOS[:4]))
    whole = ledger(text.replace('"丙', "丙").rstrip("\n"), photos=PHOTOS[:4])
    assert texts(dry(whole)) == ["甲 隐患", "乙", "丙", "丁"]


def test_the_folder_that_is_written(ledger: Write, tmp_path: Path) -> None:
    path = ledger(PLAIN + "3,C区,/,2.png\n4,D区,通道堵塞,gone.png\n", photos=PHOTOS[:3])
    imported = hazardscribe.import_ledger(path, out=tmp_path / "out")
    assert imported.folder == tmp_path / "out"
    assert pairs_of(tmp_path / "out") == [
        ("配电箱未上锁", photo_bytes(0)),
        ("护栏缺失", photo_bytes(1)),
    ]
    frame = read_pairs(tmp_path / "out").frame
    assert list(frame.columns[3:]) == ["row_file", "row_sheet", "row_number", "place", "序号"]
    assert list(frame["row_number"]) == [1, 2]
    record = json.loads((tmp_path / "out/import.json").read_text(encoding="utf-8"))
    assert record["rows"]["read"] == 4 == record["rows"]["imported"] + record["rows"]["rejected"]
    assert record["pictures"] == {
        "found": 4,
        "used": 2,
        "unused": 2,
        "reasons": {"photo_missing": 1, "rejected_row": 1},
    }
    with (tmp_path / "out/rejected.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["row"], row["reason"]) for row in rows] == [
        ("row", "3", "empty_description"),
        ("picture", "3", "rejected_row"),
        ("row", "4", "photo_missing"),
        ("picture", "4", "photo_missing"),
    ]
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "导入 2 ＋ 剔除 2 ＝ 读入 4" in page
    assert "data:image/jpeg" in page
    assert "http" not in page.replace("http-equiv", "")


def test_same_input_same_bytes(ledger: Write, tmp_path: Path) -> None:
    rows = "".join(f"{n},D{n},描述{n},{n}.png\n" for n in range(12))
    path = ledger("序号,地点,隐患描述,照片\n" + rows, photos=PHOTOS)
    import_ledger(path, out=tmp_path / "a")
    import_ledger(path, out=tmp_path / "b")
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    import_ledger(path, out=tmp_path / "a")  # the same import is replaced
    assert first == contents(tmp_path / "a")


def test_a_folder_with_other_things_is_left_alone(ledger: Write, tmp_path: Path) -> None:
    path = ledger(PLAIN, photos=PHOTOS[:2])
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("my work")
    with pytest.raises(InputError, match="not empty"):
        import_ledger(path, out=out)
    (out / "thesis.txt").unlink()
    import_ledger(path, out=out)
    (out / "thesis.txt").write_text("my work")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        import_ledger(path, out=out)
    (out / "thesis.txt").unlink()
    (out / "rejected.csv").write_text("corrected by hand")
    with pytest.raises(InputError, match="was changed"):
        import_ledger(path, out=out)


def test_of_two_imports_into_one_folder_the_second_is_refused(
    ledger: Write, tmp_path: Path
) -> None:
    path = ledger(PLAIN, photos=PHOTOS[:2])
    out = tmp_path / "out"

    def meanwhile(_: str) -> None:
        with pytest.raises(InputError, match="out: another process is writing this folder"):
            import_ledger(path, out=out)

    import_ledger(path, out=out, say=meanwhile)
    assert len(pairs_of(out)) == 2
    import_ledger(path, out=out)


@pytest.mark.parametrize("whole", [False, True], ids=["--photos", "folder"])
def test_what_an_import_writes_is_no_photo_of_the_user(
    ledger: Write, tmp_path: Path, whole: bool
) -> None:
    path = ledger(PLAIN, photos=["pictures/0.png", "pictures/1.png", "pictures/left.png"])
    out = path.parent / "pictures" / "pairs"
    (tmp_path / "link").symlink_to(out.parent)
    source = path.parent if whole else path
    photos = None if whole else out.parent
    for target in (out, out, tmp_path / "link" / "pairs"):
        for dry_run in (False, True):
            imported = import_ledger(source, photos=photos, out=target, dry_run=dry_run)
            assert imported.warnings[0].startswith("1 photos of those given are named by no row")
            assert "left.png" in imported.warnings[0]


def test_a_failed_import_leaves_nothing(ledger: Write, tmp_path: Path) -> None:
    path = ledger("隐患描述,照片\n锈蚀,gone.png\n")
    with pytest.raises(InputError, match=r"none of 1 rows.*photo_missing 1"):
        import_ledger(path, out=tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ledger"]


def test_a_folder_or_a_dry_run_must_be_asked_for(ledger: Write) -> None:
    with pytest.raises(InputError, match="--out FOLDER, or --dry-run"):
        import_ledger(ledger(PLAIN))


def test_what_the_program_wrote_is_refused_with_the_way_to_learn_from_it(ledger: Write) -> None:
    with pytest.raises(InputError, match=r"'AI描述' is what a program wrote.*label-studio"):
        dry(ledger("照片,AI描述,置信度\n0.png,护栏缺失,0.9\n"))


def test_dry_run_writes_nothing(ledger: Write, tmp_path: Path) -> None:
    path = ledger(PLAIN, photos=PHOTOS[:2])
    said: list[str] = []
    before = contents(tmp_path)
    import_ledger(path, out=tmp_path / "out", dry_run=True, say=said.append)
    assert contents(tmp_path) == before
    assert "description <- 隐患描述" in said[0]
    assert "行：导入 2 ＋ 剔除 0 ＝ 读入 2" in said[0]
    assert "图片：使用 2 ＋ 未用 0 ＝ 发现 2" in said[0]


class TestLayout:
    def test_titles_totals_signatures_and_notes(self, ledger: Write) -> None:
        path = ledger(
            "XX公司隐患台账,,,\n2025年1月,,,\n序号,隐患描述,照片,备注\n"
            "一、电气,,,\n1,配电箱未上锁,0.png,\n,,,\n2,电线裸露,1.png,急\n"
            "序号,隐患描述,照片,备注\n3,护栏缺失,2.png,\n合计,3项,,\n"
            "检查人签名：张三,,审核：李四,\n备注：以上问题限期整改,,,\n,,,\n,,,\n",
            photos=PHOTOS[:3],
        )
        imported = dry(path)
        assert texts(imported) == ["配电箱未上锁", "电线裸露", "护栏缺失"]
        assert [reason for _, reason in reasons(imported)] == [
            *("title", "blank", "header", "total", "signature", "note")
        ]
        assert imported.account.rows_read == 9
        assert imported.findings == 0

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("合计,共3项,1张,0张", "total"),
            ("合计,,共43项,", "total"),
            ("合计,,12张,", "total"),
            ("制表人：李四,,审核人：王五,2026年3月31日", "signature"),
            ("审核：李四,,,2026-03-31", "signature"),
        ],
    )
    def test_totals_and_signatures_that_reach_into_the_photo_columns(
        self, row: str, reason: str, ledger: Write
    ) -> None:
        head = "序号,隐患描述,隐患照片,整改后照片\n1,护栏缺失,0.png,\n"
        imported = dry(ledger(head + row + "\n", photos=PHOTOS[:1]))
        assert [reason for _, reason in reasons(imported)] == [reason]
        assert imported.account.pictures_found == 1
        assert imported.findings == 0

    def test_a_lower_name_may_say_again_what_it_stands_under(self, ledger: Write) -> None:
        path = ledger(
            "序号,隐患描述,隐患照片,整改要求,,,\n,,,整改措施,整改期限,整改责任人,整改后照片\n"
            "1,护栏缺失,0.png,加固,46100,王五,1.png\n",
            photos=PHOTOS[:2],
        )
        columns = dry(path).sheets[0].columns
        assert columns["measure"] == ("整改要求-整改措施",)
        assert columns["due"] == ("整改要求-整改期限",)
        assert columns["responsible"] == ("整改要求-整改责任人",)
        assert columns["after_photo"] == ("整改要求-整改后照片",)

    def test_a_column_that_is_not_there_is_told_beside_those_that_are(self, ledger: Write) -> None:
        path = ledger(
            "隐患台账,,,,\n序号,隐患描述,隐患照片,,\n1,多名作业人员未戴安全帽,0.png,立即,2026-03-01\n",
            photos=PHOTOS[:1],
        )
        with pytest.raises(InputError, match="'序号', '隐患描述', '隐患照片'") as caught:
            import_ledger(path, columns={"description": "隐患说明"}, dry_run=True)
        assert "多名" not in str(caught.value)

    def test_two_row_header(self, ledger: Write) -> None:
        path = ledger(
            "序号,隐患描述,照片,,整改,\n,,整改前,整改后,期限,责任人\n"
            "1,护栏缺失,0.png,1.png,2025.3.1,王五\n",
            photos=PHOTOS[:2],
        )
        imported = dry(path)
        note = imported.sheets[0]
        assert note.columns["photo"] == ("照片-整改前",)
        assert note.columns["after_photo"] == ("照片-整改后",)
        assert note.columns["due"] == ("整改-期限",)
        assert note.columns["responsible"] == ("整改-责任人",)
        assert (imported.pairs, imported.safe) == (1, 1)
        assert imported.rows[0].draft.value("due") == "2025-03-01"

    def test_renamed_reordered_and_repeated_columns(self, ledger: Write) -> None:
        path = ledger(
            "照片1,照片2,备注,检查发现的问题（必填）,备注,photo\n0.png,1.png,甲,护栏缺失,乙,\n",
            photos=PHOTOS[:2],
        )
        imported = dry(path, columns={"photo": "照片1"})
        assert imported.sheets[0].columns["description"] == ("检查发现的问题（必填）",)
        assert imported.sheets[0].others == ("照片2", "备注", "备注_2", "source_photo")
        path = ledger("照片1,照片2,隐患描述\n0.png,1.png,护栏缺失\n", photos=PHOTOS[:2])
        assert dry(path).pairs == 2

    def test_the_second_plain_photo_column_behind_the_repair_is_after(self, ledger: Write) -> None:
        path = ledger(
            "隐患描述,照片,整改措施,整改情况,照片\n护栏缺失,0.png,补装,已整改,1.png\n",
            photos=PHOTOS[:2],
        )
        imported = dry(path)
        assert [photo.digest for row in imported.rows for photo in row.photos] != []
        assert (imported.pairs, imported.safe) == (1, 1)

    def test_same_as_above(self, ledger: Write) -> None:
        path = ledger(
            "地点,隐患描述,照片\nA区,护栏缺失,0.png\n同上,灯损坏,1.png\n〃,同上,2.png\n",
            photos=PHOTOS[:3],
        )
        imported = dry(path)
        assert [row.draft.value("place") for row in imported.rows] == ["A区", "A区"]
        assert reasons(imported) == [(3, "empty_description")]

    def test_a_shifted_row_is_named(self, ledger: Write) -> None:
        path = ledger("隐患描述,照片\n护栏缺失,0.png\n灯,坏,1.png\n", photos=PHOTOS[:2])
        assert reasons(dry(path)) == [(2, "bad_row")]

    def test_dates_are_iso_in_the_mapped_columns_alone(self, ledger: Write) -> None:
        path = ledger(
            "检查日期,隐患描述,照片,编号\n2025.1.3,甲,0.png,45660\n45660,乙,1.png,2025.1.3\n"
            "1月3日,丙,2.png,\n",
            photos=PHOTOS[:3],
        )
        rows = dry(path).rows
        assert [row.draft.value("date") for row in rows] == ["2025-01-03", "2025-01-03", "1月3日"]
        assert [row.draft.value("编号") for row in rows] == ["45660", "2025.1.3", ""]


class TestTexts:
    NUMBERED = '隐患描述,照片\n"1、护栏缺失；2、无证上岗。3、灯损坏",0.png;1.png\n'

    def test_numbered_hazards_stay_together_until_asked(self, ledger: Write) -> None:
        path = ledger(self.NUMBERED, photos=PHOTOS[:2])
        imported = dry(path)
        assert texts(imported) == ["1、护栏缺失；2、无证上岗。3、灯损坏"]
        assert "有 1 行在一个单元格里编号列出多条隐患" in imported.summary()
        imported = dry(path, split_numbered=True)
        assert texts(imported) == ["护栏缺失", "灯损坏"]
        assert imported.pairs == 4  # each hazard with each photo
        assert imported.account.rows_read == imported.account.rows_imported == 1
        assert reasons(imported, "text") == [(1, "not_visible")]

    def test_numbers_behind_which_nothing_stands_make_no_pair(self, ledger: Write) -> None:
        path = ledger(
            "隐患描述,照片\n1、护栏缺失；2、无,0.png\n1、线裸露 2、/,1.png\n"
            "1、灯损坏；2、；3、见照片,2.png\n1、无；2、/,0.png\n1、无；2、无证上岗,1.png\n",
            photos=PHOTOS[:3],
        )
        imported = dry(path, split_numbered=True)
        assert texts(imported) == ["护栏缺失", "线裸露", "灯损坏"]
        assert reasons(imported, "text") == [
            *((1, "empty_description"), (2, "empty_description")),
            *((3, "empty_description"), (3, "empty_description")),
        ]
        assert reasons(imported) == [(4, "empty_description"), (5, "not_visible")]
        assert "编号列出多条隐患" not in imported.summary()
        assert reasons(dry(path)) == [(4, "empty_description"), (5, "not_visible")]

    def test_rows_that_no_photo_can_show(self, ledger: Write, tmp_path: Path) -> None:
        path = ledger(
            "隐患描述,照片\n电工无证上岗,0.png\n未建立隐患排查台账,1.png\n未佩戴安全帽,2.png\n",
            photos=PHOTOS[:3],
        )
        imported = dry(path)
        assert texts(imported) == ["未佩戴安全帽"]
        assert reasons(imported) == [(1, "not_visible"), (2, "not_visible")]
        assert len(texts(dry(path, keep_unseeable=True))) == 3
        own = tmp_path / "own.yaml"
        own.write_text("zh:\n  unseeable: ['安全帽']\n", encoding="utf-8")
        assert reasons(dry(path, unseeable=own)) == [(3, "not_visible")]
        own.write_text("zh:\n  unseeable: ['(']\n", encoding="utf-8")
        with pytest.raises(InputError, match="regular expression"):
            dry(path, unseeable=own)

    def test_what_the_program_wrote_is_no_truth(self, ledger: Write) -> None:
        path = ledger("AI描述,照片\n护栏缺失,0.png\n", photos=PHOTOS[:1])
        with pytest.raises(InputError, match="AI描述"):
            dry(path)
        assert texts(dry(path, columns={"description": "AI描述"})) == ["护栏缺失"]
        path = ledger("描述（AI）,隐患描述,照片\n假,真,0.png\n", photos=PHOTOS[:1])
        assert texts(dry(path)) == ["真"]


class TestColumns:
    def test_named_columns_win(self, ledger: Write) -> None:
        path = ledger("隐患描述,备注,照片\n甲,乙,0.png\n", photos=PHOTOS[:1])
        imported = dry(path, columns={"description": "备注"})
        assert texts(imported) == ["乙"]
        with pytest.raises(InputError, match="没有的列"):
            dry(path, columns={"category": "没有的列"})
        with pytest.raises(InputError, match="not a role"):
            dry(path, columns={"colour": "备注"})

    def test_after_photos_never_meet_hazard_text(self, ledger: Write, tmp_path: Path) -> None:
        path = ledger(
            "隐患描述,隐患照片,整改后照片,检查地点,整改情况\n"
            "护栏缺失,0.png,1.png,A区,已完成\n灯损坏,2.png,2.png,B区,\n线裸露,3.png,4.png,,未整改\n",
            photos=PHOTOS[:5],
        )
        imported = import_ledger(path, out=tmp_path / "out")
        assert (imported.pairs, imported.safe) == (3, 1)
        assert {one.reason for one in imported.account.left} == {"not_rectified"}
        safe = read_safe(tmp_path / "out")
        assert list(safe.columns[:5]) == ["photo", "split", "row_file", "row_sheet", "row_number"]
        assert "description" not in safe.columns
        assert list(safe["place"]) == ["A区"]
        assert Path(safe["photo"][0]).read_bytes() == photo_bytes(1)
        frame = read_pairs(tmp_path / "out").frame
        assert list(safe["split"]) == list(frame["split"][:1])

    def test_the_same_picture_before_and_after_is_not_safe(self, ledger: Write) -> None:
        path = ledger(
            "隐患描述,隐患照片,整改后照片\n护栏缺失,0.png,1.png\n灯损坏,1.png,2.png\n",
            photos=PHOTOS[:3],
        )
        (path.parent / "copy.png").write_bytes(photo_bytes(1))
        path.write_text(path.read_text("utf-8").replace("0.png,1.png", "0.png,copy.png"), "utf-8")
        imported = dry(path)
        assert imported.safe == 1
        assert reasons(imported, "picture") == [(1, "also_hazard_photo")]


class TestPhotos:
    @pytest.mark.parametrize("packed", [False, True])
    def test_photos_that_no_row_names_are_told_of(
        self, packed: bool, ledger: Write, tmp_path: Path
    ) -> None:
        path = ledger("隐患描述,照片\n护栏缺失,0.png\n", photos=[])
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        for name in ("0.png", "1.png", "IMG_9.JPG", "notes.txt"):
            (folder / name).write_bytes(photo_bytes(int(name[0]) if name[0].isdigit() else 5))
        photos = folder
        if packed:
            photos = tmp_path / "photos.zip"
            with zipfile.ZipFile(photos, "w") as archive:
                for one in sorted(folder.iterdir()):
                    archive.write(one, f"照片/{one.name}")
        [told] = [one for one in dry(path, photos=photos).warnings if "named by no row" in one]
        assert told.startswith("2 photos")
        assert "1.png, IMG_9.JPG" in told
        assert "2 张未被任何一行提到" in in_language(told, "zh")
        (folder / "1.png").unlink()
        (folder / "IMG_9.JPG").unlink()
        assert not any("no row" in one for one in dry(path, photos=folder).warnings)

    def test_names_in_every_dress(self, ledger: Write) -> None:
        path = ledger(
            "隐患描述,照片\n甲,D:\\旧\\0.PNG\n乙,Cafe\u0301.png\n丙,https://x/1.png\n丁,ｎ.png\n",
            photos=["0.png", "Café.png", "n.png"],
        )
        imported = dry(path, photos=path.parent)
        assert texts(imported) == ["甲", "乙", "丁"]
        assert reasons(imported) == [(3, "photo_url")]

    def test_names_without_a_suffix(self, ledger: Write, tmp_path: Path) -> None:
        photos = ["two.png", "IMG_1.png", "2.5.png", "sub/two.jpg", "sub/x.png"]
        path = ledger("隐患描述,照片\n甲,img_1\n乙,2.5\n丙,two\n丁,X\n", photos=photos)
        (path.parent / "IMG_1.txt").write_text("not a photo")
        assert texts(dry(path)) == ["甲", "乙", "丙"]
        assert reasons(dry(path)) == [(4, "photo_missing")]
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            for photo in photos:
                archive.write(path.parent / photo, f"all/{photo}")
        alone = tmp_path / "台账.csv"
        alone.write_text("隐患描述,照片\n甲,IMG_1\n乙,old/two\n丁,X\n", encoding="utf-8")
        for where in (path.parent, tmp_path / "p.zip"):
            imported = dry(alone, photos=where)
            assert texts(imported) == ["甲", "丁"]  # anywhere, where exactly one fits
            assert "fits 2 files" in imported.account.left[0].detail

    def test_unreadable_photos(self, ledger: Write) -> None:
        path = ledger("隐患描述,照片\n甲,0.png\n乙,bad.png\n", photos=PHOTOS[:1])
        (path.parent / "bad.png").write_bytes(b"GIF89a nothing")
        imported = dry(path)
        assert reasons(imported) == [(2, "photo_unreadable")]
        assert reasons(imported, "picture") == [(2, "photo_unreadable")]

    def test_one_photo_for_two_rows_is_one_picture(self, ledger: Write) -> None:
        path = ledger("隐患描述,照片\n甲,0.png\n乙,0.png;0.png\n", photos=PHOTOS[:1])
        account = dry(path).account
        assert (account.pictures_found, account.pictures_used) == (1, 1)

    def test_a_copy_in_the_same_row_is_a_duplicate(self, ledger: Write) -> None:
        path = ledger("隐患描述,照片\n甲,0.png;copy.png\n", photos=PHOTOS[:1])
        (path.parent / "copy.png").write_bytes(photo_bytes(0))
        imported = dry(path)
        assert imported.pairs == 1
        assert reasons(imported, "picture") == [(1, "duplicate")]


class TestZips:
    def zipped(self, path: Path, members: dict[str, bytes], **names: str) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    def test_ledgers_and_photos_in_one_zip(self, tmp_path: Path) -> None:
        path = self.zipped(
            tmp_path / "all.zip",
            {
                "2024/台账.csv": "隐患描述,照片\n甲,0.PNG\n".encode("gb18030"),
                "2024/照片/0.png": photo_bytes(0),
                "2023/ledger.csv": "隐患描述,照片\n乙,pics/1.png\n".encode(),
                "2023/pics/1.png": photo_bytes(1),
                "__MACOSX/2023/._ledger.csv": b"x",
                "2023/.DS_Store": b"x",
                "2023/~$ledger.csv": b"x",
            },
        )
        imported = import_ledger(path, out=tmp_path / "out")
        assert pairs_of(tmp_path / "out") == [("乙", photo_bytes(1)), ("甲", photo_bytes(0))]
        assert list(imported.digests) == ["2023/ledger.csv", "2024/台账.csv"]

    def test_gbk_names(self, tmp_path: Path) -> None:
        raw = "隐患描述,照片\n甲,照片一.png\n".encode("gb18030")
        path = self.zipped(tmp_path / "g.zip", {"AAAA.csv": raw, "BBBBBB.png": photo_bytes(0)})
        content = path.read_bytes().replace(b"AAAA", "台账".encode("gbk"))
        path.write_bytes(content.replace(b"BBBBBB", "照片一".encode("gbk")))
        imported = dry(path)
        assert texts(imported) == ["甲"]
        assert list(imported.digests) == ["台账.csv"]

    def test_photos_in_a_zip_beside_the_ledger(self, ledger: Write, tmp_path: Path) -> None:
        path = ledger(PLAIN)
        photos = self.zipped(
            tmp_path / "p.zip", {"a/0.png": photo_bytes(0), "b/1.PNG": photo_bytes(1)}
        )
        assert dry(path, photos=photos).pairs == 2
        again = self.zipped(
            tmp_path / "q.zip", {"a/0.png": photo_bytes(0), "b/0.png": photo_bytes(1)}
        )
        imported = dry(path, photos=again)
        assert "fits 2 files" in imported.account.left[0].detail

    def test_a_photo_missing_from_the_zip_is_told_of_the_zip(
        self, ledger: Write, tmp_path: Path
    ) -> None:
        photos = self.zipped(tmp_path / "p.zip", {"0.png": photo_bytes(0)})
        detail = dry(ledger(PLAIN), photos=photos).account.left[0].detail
        assert str(photos) in detail
        assert "--photos" not in detail  # it was named

    def test_members_that_point_outside_are_refused(self, tmp_path: Path) -> None:
        table = "隐患描述,照片\n甲,../../evil.png\n乙,0.png\n".encode()
        path = self.zipped(
            tmp_path / "in/e.zip" if (tmp_path / "in").mkdir() is None else tmp_path,
            {"t.csv": table, "../../evil.png": photo_bytes(3), "0.png": photo_bytes(0)},
        )
        imported = import_ledger(path, out=tmp_path / "out")
        assert texts(imported) == ["乙"]
        assert any("point" in warning for warning in imported.warnings)
        assert not list(tmp_path.rglob("evil*"))

    def test_a_bomb_is_no_ledger(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from hazardscribe.pairs.ledger import zipped

        monkeypatch.setattr(zipped, "_SMALL", 1000)
        path = self.zipped(tmp_path / "b.zip", {"t.csv": b"a" * 10_000_000})
        with pytest.raises(InputError, match="would unpack"):
            dry(path)

    def test_ledgers_are_bounded_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from hazardscribe.pairs.ledger import zipped

        monkeypatch.setattr(zipped, "MAX_LEDGER_BYTES", 2 * len(PLAIN.encode()) - 1)
        path = self.zipped(tmp_path / "two.zip", dict.fromkeys(("a.csv", "b.csv"), PLAIN.encode()))
        with pytest.raises(InputError, match=r"b\.csv would unpack .* with those before it"):
            dry(path)

    def test_locked_damaged_and_empty_zips(self, tmp_path: Path) -> None:
        path = self.zipped(tmp_path / "l.zip", {"t.csv": PLAIN.encode()})
        content = bytearray(path.read_bytes())
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(mark) + at] |= 1
        path.write_bytes(content)
        with pytest.raises(InputError, match="password"):
            dry(path)
        path.write_bytes(bytes(content[:60]))
        with pytest.raises(InputError, match="not a readable zip"):
            dry(path)
        with pytest.raises(InputError, match="holds no ledger"):
            dry(self.zipped(tmp_path / "n.zip", {"0.png": photo_bytes(0)}))


class TestFolders:
    OLD = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "Workbook\0".encode("utf-16-le")

    def test_old_workbooks_in_a_folder_are_named(self, ledger: Write) -> None:
        path = ledger(PLAIN, photos=PHOTOS[:2])
        (path.parent / "2019").mkdir()
        (path.parent / "2019/台账.xls").write_bytes(self.OLD)
        imported = dry(path.parent)
        assert texts(imported) == ["配电箱未上锁", "护栏缺失"]
        [warning] = [one for one in imported.warnings if "xls" in one]
        assert "2019/台账.xls" in warning
        path.unlink()
        with pytest.raises(InputError, match="另存为"):
            dry(path.parent)

    def test_text_files_count_where_there_is_nothing_else(self, ledger: Write) -> None:
        path = ledger(PLAIN.replace(",", "\t"), name="台账.txt", photos=PHOTOS[:2])
        assert len(texts(dry(path.parent))) == 2
        (path.parent / "台账.csv").write_text("隐患描述,照片\n灯损坏,0.png\n", encoding="utf-8")
        assert texts(dry(path.parent)) == ["灯损坏"]
        for file in path.parent.glob("台账.*"):
            file.unlink()
        with pytest.raises(InputError, match=r"holds no ledger \(seen: 0\.png"):
            dry(path.parent)


class TestSplit:
    def rows(self, count: int) -> str:
        return "".join(
            f"描述{n},{n}.png,区{n % 4},{'甲' if n % 3 else '乙'}\n" for n in range(count)
        )

    def test_groups_stay_together(self, ledger: Write) -> None:
        head = "隐患描述,照片,检查地点,隐患类别\n"
        path = ledger(head + self.rows(40), photos=[f"{n}.png" for n in range(40)])
        for name in ("group=检查地点", "group=place"):
            imported = dry(path, split=name)
            seen: dict[str, set[str]] = {}
            for row in imported.rows:
                seen.setdefault(row.draft.value("place"), set()).add(row.split)
            assert all(len(splits) == 1 for splits in seen.values())
            assert set(imported.splits) == {"train", "dev", "validation"}
        with pytest.raises(InputError, match=r"颜色.*place \(检查地点\)"):
            dry(path, split="group=颜色")
        with pytest.raises(InputError, match="group=COLUMN"):
            dry(path, split="by luck")

    def test_the_same_photo_never_stands_in_two_splits(self, ledger: Write) -> None:
        rows = "".join(f"描述{n},{n // 3}.png\n" for n in range(36))
        path = ledger("隐患描述,照片\n" + rows, photos=PHOTOS)
        seen: dict[str, set[str]] = {}
        imported = dry(path)
        for row in imported.rows:
            seen.setdefault(row.photos[0].digest, set()).add(row.split)
        assert all(len(splits) == 1 for splits in seen.values())
        assert imported.splits["train"] > imported.splits["validation"] > 0

    def test_a_split_column_is_honoured(self, ledger: Write) -> None:
        path = ledger(
            "隐患描述,照片,划分\n甲,0.png,训练\n乙,1.png,test\n丙,2.png,\n丁,3.png,dev\n",
            photos=PHOTOS[:4],
        )
        imported = dry(path)
        assert [row.split for row in imported.rows] == ["train", "validation", "dev"]
        assert reasons(imported) == [(3, "bad_split")]
        assert reasons(imported, "picture") == [(3, "rejected_row")]

    def test_the_hash_tells_splits_apart(self, ledger: Write) -> None:
        head = "隐患描述,照片,检查地点,隐患类别\n"
        path = ledger(head + self.rows(12), photos=PHOTOS)
        assert dry(path).split_hash == dry(path).split_hash != dry(path, seed=5).split_hash


class TestLanguage:
    def told(self, path: Path, out: Path) -> tuple[Imported, list[str], str, str]:
        """What an import says: its result, the sentences of its list, its page, its summary."""
        imported = import_ledger(path, out=out, photos=path.parent)
        with (out / "rejected.csv").open(encoding="utf-8-sig", newline="") as stream:
            details = [line["detail"] for line in csv.DictReader(stream)]
        return imported, details, (out / "report.html").read_text("utf-8"), imported.summary()

    def test_a_chinese_ledger_is_answered_in_chinese(self, ledger: Write, tmp_path: Path) -> None:
        path = ledger(
            "隐患描述,照片\n护栏缺失,0.png\n护栏松动,0.png\n灯损坏,坏.png\n/,1.png\n线裸露,无此图.png\n电工无证上岗,2.png\n"
            "通道堵塞,https://host/a.png\n门未关,\n合计,3项\n",
            photos=PHOTOS[:3],
        )
        (path.parent / "坏.png").write_bytes(b"GIF89a nothing")
        imported, details, page, summary = self.told(path, tmp_path / "out")
        assert {one.reason for one in imported.account.left if one.kind == "row"} == {
            *("photo_unreadable", "empty_description", "photo_missing", "not_visible"),
            *("photo_url", "no_photo_named", "total"),
        }
        for detail in details:
            assert detect_language([detail.replace(str(path.parent), "")]) == "zh", detail
        assert "照片无法体现“无证”：电工无证上岗" in details
        for said in ("图片数据损坏或不完整", "中找不到该文件", "程序不会联网下载", "第 4 行"):
            assert said in page
        assert "empty_description (描述为空或占位（/、无、同上、见照片）)：1" in summary
        assert "dev 为空" in summary

    def test_an_english_ledger_is_answered_in_english(self, ledger: Write, tmp_path: Path) -> None:
        path = ledger(
            "finding,photo\nguard rail missing,0.png\nlamp broken,gone.png\n", photos=PHOTOS[:1]
        )
        _, details, page, summary = self.told(path, tmp_path / "out")
        assert all(detail.isascii() for detail in details)
        assert "no such file in" in page
        assert "Rows: 1 imported + 1 rejected = 2 read" in summary
        assert "photo_missing (photo file not found): 1" in summary

    def test_every_sentence_is_there_in_both_languages(self) -> None:
        def gaps(text: str) -> set[str]:
            return {name for _, name, _, _ in Formatter().parse(text) if name}

        assert SENTENCES["en"].keys() == SENTENCES["zh"].keys()
        for code, english in SENTENCES["en"].items():
            assert gaps(SENTENCES["zh"][code]) <= gaps(english), code


class TestCommandLine:
    def test_import(self, ledger: Write, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        path = ledger(PLAIN + "合计,,,\n", photos=PHOTOS[:2])
        out = tmp_path / "out"
        assert cli.main(["import", str(path), "--out", str(out), "--strict"]) == 0
        shown = capsys.readouterr().out
        assert "place <- 检查地点" in shown
        assert f"report: {out / 'report.html'}" in shown

    def test_strict_and_columns(
        self, ledger: Write, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        path = ledger(PLAIN + "3,C区,灯损坏,gone.png\n", photos=PHOTOS[:2])
        given = ["import", str(path), "--out", str(tmp_path / "out")]
        assert cli.main(given) == 0
        assert cli.main([*given, "--strict"]) == 3
        assert cli.main([*given, "--dry-run", "--columns.description", "检查地点"]) == 0
        assert "description <- 检查地点" in capsys.readouterr().out
        assert cli.main([*given, "--columns.description", "无此列"]) == 2
        assert "无此列" in capsys.readouterr().err
        assert cli.main(["import", str(path)]) == 2
        assert cli.main(["import", str(tmp_path / "none.csv"), "--dry-run"]) == 2


@pytest.mark.parametrize("touched", ["added", "retouched"])
def test_what_people_put_among_the_photos_is_not_lost(
    touched: str, ledger: Write, tmp_path: Path
) -> None:
    path, out = ledger(PLAIN, photos=PHOTOS[:2]), tmp_path / "pairs"
    import_ledger(path, out=out)
    import_ledger(path, out=out)  # untouched, it may be written anew
    photo = out / "photos" / "note.txt" if touched == "added" else next((out / "photos").iterdir())
    photo.write_bytes(b"of people")
    with pytest.raises(InputError, match=f"was changed since it was imported.*{photo.name}"):
        import_ledger(path, out=out)
    assert photo.read_bytes() == b"of people"
