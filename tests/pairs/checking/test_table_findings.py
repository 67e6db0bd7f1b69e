"""Rows that were left out, splits, classes and categories."""

from __future__ import annotations

import pytest

from hazardscribe.pairs.checking.page_words import Words, note_for
from hazardscribe.pairs.checking.table_findings import uncertainty


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"photo": "photos/none.png"}, "rejected_photo_missing", "error"),
        ({"photo": "photos/bad.png"}, "rejected_photo_unreadable", "error"),
        ({"split": "somewhere"}, "rejected_bad_split", "error"),
        ({"photo": "https://example.com/1.jpg"}, "rejected_photo_url", "warning"),
        ({"photo": ""}, "rejected_no_photo_named", "warning"),
        ({"description": "同上"}, "rejected_empty_description", "warning"),
        ({"photo": "", "description": "", "split": ""}, "rejected_blank", "hint"),
    ],
)
def test_rows_that_reading_rejects(change, code, severity, lines, find, tmp_path):
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    lines[3] |= change
    (found,) = find(lines).values()
    assert (found.code, found.severity, found.count) == (code, severity, 1)
    assert [place.row for place in found.places] == [4]
    assert found.examples[0].values["detail"]


def test_a_missing_split(lines, find):
    for line in lines:
        line["split"] = "validation"
    found = find(lines)
    assert found["split_missing"].values == {"splits": ["train", "dev"]}


def test_small_splits_say_how_uncertain_scores_are(lines, report):
    small = [one for one in report(lines).findings if one.code == "split_small"]
    assert [(one.values["split"], one.count, one.severity) for one in small] == [
        ("dev", 2, "warning"),
        ("validation", 2, "warning"),
    ]
    assert uncertainty(100) == pytest.approx(0.0784)


def test_a_split_of_one_class_and_data_of_one_class(lines, find):
    for number, line in enumerate(lines):
        line["是否隐患"] = "是" if number % 2 else "否"
    assert find(lines) == {}
    lines[10]["是否隐患"] = "是"
    (found,) = find(lines).values()
    assert found.code == "split_one_class"
    assert found.values == {"split": "validation", "hazard": True}
    for line in lines:
        line["是否隐患"] = "是"
    assert list(find(lines)) == ["hazard_only"]


def test_categories_that_are_rare_or_never_trained(lines, find):
    for number, line in enumerate(lines):
        line["隐患类别"] = "消防" if number % 2 else "电气"
    assert set(find(lines)) == {"category_rare"}  # four of each in train
    lines[11]["隐患类别"] = "动火"
    found = find(lines)
    assert found["category_unseen"].values["names"] == ["动火"]
    assert found["category_unseen"].severity == "warning"


def test_text_that_a_model_wrote(lines, find):
    rows = [
        {"photo": line["photo"], "AI描述": line["description"], "split": line["split"]}
        for line in lines
    ]
    assert list(find(rows, columns={"description": "AI描述"})) == ["text_by_machine"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"split": "somewhere"}, "不是数据划分"),
        ({"photo": ""}, "照片单元格写的是"),
        ({"description": "同上"}, "隐患描述为“同上”"),
    ],
)
def test_why_a_row_was_left_out_is_said_in_chinese_too(change, said, lines, find):
    lines[3] |= change
    (found,) = find(lines).values()
    assert said in note_for(Words("", "", "{detail}"), found.examples[0], "zh")
