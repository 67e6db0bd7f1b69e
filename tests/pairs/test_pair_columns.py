"""Which column is taken for what."""

import pytest

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import find_columns, ledger_columns, normal_name, unique_names


@pytest.mark.parametrize(
    "name",
    [
        *(
            "隐患照片",
            "照片",
            "问题图片",
            "整改前照片",
            "现场照片",
            "图片",
            "附件",
            "photo",
            "image",
        ),
        *(
            "file_name",
            "File Name",
            "PHOTO",
            " 隐患 照片 ",
            "隐患照片（必填）",
            "Ｐｈｏｔｏ",
            "照片*",
        ),
    ],
)
def test_usual_photo_columns(name: str) -> None:
    assert find_columns([name, "隐患描述"], where="t") == {"photo": 0, "description": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("隐患描述", "隐患问题描述", "问题描述", "隐患内容", "存在的隐患及问题", "存在问题"),
        *("隐患情况", "检查发现问题", "description", "Finding", "observation", "caption", "text"),
    ],
)
def test_usual_description_columns(name: str) -> None:
    assert find_columns(["照片", name], where="t") == {"photo": 0, "description": 1}


@pytest.mark.parametrize("after", ["整改后照片", "整改图片", "整改照片", "整改后图片", "复查照片"])
def test_photos_after_repair_are_never_taken(after: str) -> None:
    names = [after, "隐患照片", "隐患描述", "整改情况"]
    assert find_columns(names, where="t")["photo"] == 1
    with pytest.raises(InputError, match="no column for the photo"):
        find_columns([after, "隐患描述"], where="t")


def test_not_found_lists_what_was_seen() -> None:
    with pytest.raises(
        InputError, match=r"t\.csv: no column for the description.*'照片', '备注'.*columns="
    ):
        find_columns(["照片", "备注"], where="t.csv")


def test_several_are_not_guessed() -> None:
    with pytest.raises(InputError, match=r"several columns could be the photo: '照片', '现场照片'"):
        find_columns(["照片", "现场照片", "隐患描述"], where="t")
    with pytest.raises(InputError, match="several columns"):
        find_columns(["照片", "照片", "隐患描述"], where="t")
    chosen = {"photo": "现场照片"}
    assert find_columns(["照片", "现场照片", "隐患描述"], chosen, where="t")["photo"] == 1


def test_the_formats_own_names_go_first() -> None:
    names = ["图片", "photo", "隐患描述", "description", "split"]
    assert find_columns(names, where="t") == {"photo": 1, "description": 3, "split": 4}


def test_choice_frees_the_usual_name_for_another_role() -> None:
    found = find_columns(["text", "caption"], {"photo": "text"}, where="t")
    assert found == {"photo": 0, "description": 1}


def test_chosen_name_must_be_one_column() -> None:
    with pytest.raises(InputError, match="2 columns are called 'a'"):
        find_columns(["a", "a", "text"], {"photo": "a"}, where="t")


def test_normal_name() -> None:
    assert normal_name(" File_Name ") == normal_name("ＦＩＬＥ－name") == "filename"
    assert normal_name("（照片）") == "照片"


def test_column_names_become_unique() -> None:
    names = ["a", "", "photo", "a", "a", "a_2", "photo"]
    assert unique_names(names, taken=("photo",)) == [
        *("a", "column_2", "source_photo", "a_2", "a_3", "a_2_2", "source_photo_2"),
    ]


def test_of_a_ledgers_usual_names_the_roles_own_goes_first_and_then_the_commonest() -> None:
    assert ledger_columns(["现场照片", "隐患照片", "问题描述", "隐患描述"]) == {
        "photo": "隐患照片",
        "description": "隐患描述",
    }
    assert ledger_columns(["隐患描述", "description"]) == {"description": "description"}
    assert ledger_columns(["AI描述", "备注"]) == {}
