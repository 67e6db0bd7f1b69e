"""Dates, numbered hazards, what no photo shows, and the balance of splits."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import chain

import pytest

from hazardscribe.pairs.ledger.dates import iso_date
from hazardscribe.pairs.ledger.grid import CellRange, Row
from hazardscribe.pairs.ledger.header import find_header
from hazardscribe.pairs.ledger.mapping import Name, after_column, map_columns
from hazardscribe.pairs.ledger.numbered import split_numbered
from hazardscribe.pairs.ledger.rows import read_records
from hazardscribe.pairs.ledger.unseeable import load_unseeable
from hazardscribe.pairs.splits import divide


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2025.1.3", "2025-01-03"),
        ("2025年1月3日", "2025-01-03"),
        ("２０２５／１／３", "2025-01-03"),
        ("2025-01-03 00:00:00", "2025-01-03"),
        ("2025/1/3 14:30", "2025-01-03T14:30"),
        ("2025-01-03T14:30:05", "2025-01-03T14:30:05"),
        ("20250103", "2025-01-03"),
        ("45660", "2025-01-03"),
        ("45660.5", "2025-01-03T12:00"),
        ("2025年1月", "2025-01"),
        ("2025年1月3日（星期五）", "2025-01-03"),
        ("Jan 3, 2025", "2025-01-03"),
        ("3 March 2025", "2025-03-03"),
        ("二〇二五年十一月二十三日", "2025-11-23"),
        ("2025年1月3日 下午3点30分", "2025-01-03T15:30"),
        ("2025年1月3日 中午1点", "2025-01-03T13:00"),
        ("2025-01-03 中午11:40", "2025-01-03T11:40"),
        ("2025-01-03 上午", "2025-01-03"),
        ("2025-01-03 14时", "2025-01-03T14:00"),
        ("2025-01-03 2:30 PM", "2025-01-03T14:30"),
        ("2025-01-03 2:30:05 p.m.", "2025-01-03T14:30:05"),
        ("2025/1/3 12:05AM", "2025-01-03T00:05"),
        ("2025/1/3 12:05 PM", "2025-01-03T12:05"),
        ("2025-01-03 PM 2:30", "2025-01-03T14:30"),
        ("2025-01-03, 9 am", "2025-01-03T09:00"),
        ("Jan 3, 2025 2:30 PM", "2025-01-03T14:30"),
        ("3 January 2025 at 14:30", "2025-01-03T14:30"),
        ("03-Jan-2025 08:15", "2025-01-03T08:15"),
        ("2025-01-03 14:30 AM", "2025-01-03 14:30 AM"),
        ("2025年1月3日凌晨12点", "2025-01-03"),
        ("2025年1月3日凌晨2点半", "2025-01-03T02:30"),
        ("2025年1月3日 傍晚6点", "2025-01-03T18:00"),
        ("2025年1月3日晚上8点", "2025-01-03T20:00"),
        ("2025年1月3日 夜间22:10", "2025-01-03T22:10"),
        ("2025-01-03 下午12:30", "2025-01-03T12:30"),
        # Midnight after the day or before it? Noon or, as Windows writes it, midnight?
        ("2025年1月3日晚上12点", "2025年1月3日晚上12点"),
        ("2025年1月3日夜里12点", "2025年1月3日夜里12点"),
        ("2025年1月3日晚上1点", "2025年1月3日晚上1点"),
        ("2025-01-03 上午 12:00", "2025-01-03 上午 12:00"),
        ("2025-1", "2025-01"),
        ("2025.1", "2025.1"),
        ("24/5/6", "24/5/6"),
        ("1月3日", "1月3日"),
        ("1/3/2025", "1/3/2025"),
        ("03.02.2025", "2025-02-03"),
        ("3. 2. 2025 14:30", "2025-02-03T14:30"),
        ("3.13.2025", "3.13.2025"),
        ("2025.2.31", "2025.2.31"),
        ("2025.1.3-2025.1.5", "2025.1.3-2025.1.5"),
        ("立即整改", "立即整改"),
        ("", ""),
    ],
)
def test_dates(written: str, iso: str) -> None:
    assert iso_date(written) == iso


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1、护栏缺失；2、灯损坏。", ["护栏缺失", "灯损坏。"]),
        ("1.护栏缺失\n2.灯损坏", ["护栏缺失", "灯损坏"]),
        ("（1）护栏缺失（2）灯损坏", ["护栏缺失", "灯损坏"]),
        ("(1) no rail; (2) lamp broken", ["no rail", "lamp broken"]),
        ("①护栏缺失②灯损坏③线裸露", ["护栏缺失", "灯损坏", "线裸露"]),
        ("存在以下问题：1）护栏缺失，2）灯损坏", ["护栏缺失", "灯损坏"]),
        ("一、护栏缺失；二、灯损坏", ["护栏缺失", "灯损坏"]),
        ("1、护栏高1.2米，不足；2、灯损坏", ["护栏高1.2米，不足", "灯损坏"]),
        ("护栏高度1.2米", ["护栏高度1.2米"]),
        ("2、灯损坏；3、线裸露", ["2、灯损坏；3、线裸露"]),
        ("1、护栏缺失", ["1、护栏缺失"]),
        ("配电箱1、2号未上锁", ["配电箱1、2号未上锁"]),
        ("1、2、3号配电箱未上锁", ["1、2、3号配电箱未上锁"]),
        ("1、护栏缺失；2、；3、灯损坏；4、", ["护栏缺失", "", "灯损坏", ""]),
    ],
)
def test_numbered_hazards(text: str, parts: list[str]) -> None:
    assert split_numbered(text) == parts


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("电工无证作业", True),
        ("经查，动火作业未办理动火许可证", True),
        ("未建立隐患排查治理台账", True),
        ("灭火器检查记录缺失", True),
        ("新员工未进行三级安全教育培训", True),
        ("未制定应急预案", True),
        ("No work permit available", True),
        ("Inspection records missing for March", True),
        ("动火作业未办理动火证，现场未放置灭火器", False),
        ("未佩戴安全帽", False),
        ("配电箱门破损", False),
        ("临边无防护栏杆", False),
        ("灭火器压力不足", False),
        ("Guard rail missing at the edge", False),
        ("No fire extinguisher", False),
        ("警示标识缺失", False),
        ("未办理动火作业票，氧气瓶与乙炔瓶间距不足5米", False),
        ("钢丝绳未进行检查，断丝严重", False),
        ("电工无证操作，配电箱门未关", False),
        ("焊工无证作业，电焊机二次线过长", False),
        ("无证上岗；脚手板有探头板", False),
        ("无证上岗。电缆敷设不符合规范要求", False),
        ("1、焊工无证作业 2、氧气瓶卧放", False),
        ("no permit, scaffold has no toe boards", False),
        ("no plan view sign", False),
        ("Evacuation plan not displayed, no plan on the wall", False),
        ("未办理动火作业票，擅自动火作业", True),
        ("电工无证上岗，存在安全隐患。", True),
        ("特种作业人员无证上岗，违反《安全生产法》第三十条，易造成事故", True),
        ("A区三层，2025年3月1日检查，未建立台账，要求限期整改", True),
        ("1、未建立台账；2、未进行安全教育培训", True),
        ("现场3名焊工，无证作业", True),
        ("During the inspection, no work permit, in violation of the site rules", True),
        ("No work permit, which may lead to accidents", True),
        ("检测报告已过期，仍在使用", True),
        ("电工无证作业，两人站在叉车上作业", False),
        ("无检查记录，护栏断开三处", False),
        ("存在安全隐患，要求立即整改", False),
    ],
)
def test_what_no_photo_can_show(text: str, left_out: bool) -> None:
    assert (load_unseeable().find(text) is not None) == left_out


@pytest.mark.parametrize(
    ("names", "photo", "after"),
    [
        (["隐患描述", "照片"], [1], []),
        (["隐患描述", "隐患照片", "附件"], [1], []),
        (["隐患描述", "照片", "整改照片"], [1], [2]),
        (["隐患描述", "整改图片"], [], [1]),
        (["隐患描述", "整改前照片", "整改后照片"], [1], [2]),
        (["隐患描述", "整改前后对比照片"], [], []),
        (["隐患描述", "整改前/整改后照片"], [], []),
        (["隐患描述", "照片（整改前、后）"], [], []),
        (["隐患描述", "现场照片1", "现场照片2", "复查照片"], [1, 2], [3]),
        (["description", "photo", "after photo", "Photo after"], [1], [2, 3]),
        (["隐患描述", "照片", "整改情况", "照片"], [1], [3]),
        (["隐患描述", "照片", "照片", "整改情况"], [1, 2], []),
        (["隐患问题", "整改前", "整改后", "整改人"], [1], [2]),
        (["检查中发现的主要问题", "图 片", "整改完成情况及图片"], [1], [2]),
    ],
)
def test_photo_columns(names: list[str], photo: list[int], after: list[int]) -> None:
    roles = map_columns([Name("", name) for name in names], {}, where="t")
    assert list(roles.get("photo", ())) == photo
    assert list(roles.get("after_photo", ())) == after


AFTER = [
    *(
        "改善后照片",
        "消缺后照片",
        "处置后照片",
        "纠正后照片",
        "反馈照片",
        "回复照片",
        "销项照片",
        "完工照片",
    ),
    *(
        "治理照片",
        "处理结果图片",
        "恢复情况照片",
        "落实情况照片",
        "佐证照片",
        "整改附件",
        "照片（改善后）",
    ),
    *("照片消缺后", "验收通过后图片", "照片-整改情况", "Close-out photo", "Closeout picture"),
    *("Corrective action photo", "Follow-up photo", "Completion photo", "repair_photo"),
    *("Photo of repaired place", "Photo fixed", "Evidence photo", "followup_image", "afterPhoto"),
]
BEFORE = [
    *(
        "整改前照片",
        "改善前照片",
        "消缺前照片",
        "照片（处置前）",
        "隐患照片",
        "待整改照片",
        "未处理照片",
    ),
    *("后方照片", "背后照片", "事故后照片", "污水处理站照片", "隐患排查治理照片", "问题反馈照片"),
    *(
        "违章佐证照片",
        "不符合标准照片",
        "不正确做法图片",
        "标准化检查照片",
        "后勤照片",
        "发现后照片",
    ),
    *("Photo before repair", "Before corrective action photo", "Close-up photo", "Rafter photo"),
    "Hazard evidence photo",
]
NEITHER = [
    *("签名图片", "检查人签字照片", "标准图片", "正确做法图片", "参考图片", "Signature picture"),
    *("改善前后照片", "前后对比图", "检查后照片", "Standard photo", "Before and after photos"),
]


@pytest.mark.parametrize(
    ("name", "role"),
    [(name, "after_photo") for name in AFTER]
    + [(name, "photo") for name in BEFORE]
    + [(name, "") for name in NEITHER],
)
def test_what_a_photo_columns_name_says(name: str, role: str) -> None:
    roles = map_columns([Name("", "隐患描述"), Name("", name)], {}, where="t")
    assert [one for one in ("photo", "after_photo") if one in roles] == ([role] if role else [])


@pytest.mark.parametrize("text", ["后", "前", "照片"])
def test_a_long_text_among_the_names_is_read_once(text: str) -> None:
    """A pattern that tries it from each of its places on would not come to an end here."""
    name = text * (200_000 // len(text))
    assert "description" in map_columns([Name("", "隐患描述"), Name("", name)], {}, where="t")


def headed(
    rows: list[list[str]], merges: list[tuple[int, int, int, int]] | None = None
) -> tuple[int, dict[str, list[str]]]:
    """Last row of the header that is found, and role -> names of its columns."""
    header = find_header(
        [Row(number, tuple(cells), False) for number, cells in enumerate(rows, start=1)],
        [CellRange(*one) for one in merges or []],
        {},
        where="t",
    )
    assert header is not None
    roles = {
        role: [header.names[at].text for at in places] for role, places in header.roles.items()
    }
    return header.last, roles


THREE = [
    ["序号", "隐患情况", "", "", "整改情况", "", "", ""],
    ["", "隐患描述", "照片", "", "责任", "", "照片", ""],
    ["", "", "近景", "远景", "单位", "人", "1", "2"],
    ["1", "护栏缺失", "", "", "二队", "王五", "", ""],
]
THREE_ROLES = {
    "photo": ["隐患情况-照片-近景", "隐患情况-照片-远景"],
    "description": ["隐患情况-隐患描述"],
    "after_photo": ["整改情况-照片-1", "整改情况-照片-2"],
    "responsible": ["整改情况-责任-人"],
}


def test_empty_rows_that_bear_a_format_cost_next_to_nothing() -> None:
    top = Row(1, ("隐患描述", "照片"), False)
    header = find_header([top], [], {}, where="t")
    assert header is not None

    def records(last: Row) -> list[tuple[int, str]]:
        empty = (Row(number, ("", ""), False) for number in range(3, 30_003))
        rows = chain([top, Row(2, ("护栏缺失", ""), False)], empty, [last])
        read = read_records(rows, [], header, pictured=(), surplus_is_bad=False)
        return [(one.line, one.reason) for one in read]

    tracemalloc.start()
    assert records(Row(30_003, ("", ""), False)) == [(2, "")]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20
    # Between two records they are rows as any others.
    read = records(Row(30_003, ("灯损坏", ""), False))
    assert len(read) == 30_002
    assert (read[1], read[-2], read[-1]) == ((3, "blank"), (30_002, "blank"), (30_003, ""))


@pytest.mark.parametrize(
    ("cells", "reason", "said"),
    [
        ("序号|隐患描述|照片|地点", "header", ""),
        ("序号|隐患描述||三楼", "header", ""),
        ("序号|护栏缺失||", "", ""),  # half of it is not enough
        ("合计|3项||", "total", "合计"),
        ("合计|||", "total", "合计"),
        ("合计|护栏缺失||", "", ""),
        ("检查人：张三|||", "signature", "检查人：张三"),
        ("检查人：张三||2025.1.3|", "signature", "检查人：张三"),
        ("检查人：张三|护栏缺失||", "", ""),
        ("检查人：张三||a.png|", "", ""),
        ("备注：急|||", "note", "备注：急"),
        ("备注：急|||三楼", "note", "备注：急"),
        ("备注：急||a.png|", "", ""),
        ("备注：急|护栏缺失||", "", ""),
        ("一、办公区|||", "title", "一、办公区"),
        ("7|||", "", ""),
        ("|护栏缺失||", "", ""),
    ],
)
def test_what_a_row_below_the_header_is(cells: str, reason: str, said: str) -> None:
    top = Row(1, ("序号", "隐患描述", "照片", "地点"), False)
    header = find_header([top], [], {}, where="t")
    assert header is not None
    rows = iter([top, Row(2, tuple(cells.split("|")), False)])
    [record] = read_records(rows, [], header, pictured=(), surplus_is_bad=False)
    assert record.reason == reason
    assert said in record.detail
    assert record.cells == cells.split("|")


@pytest.mark.parametrize("titled", [False, True])
def test_a_header_of_three_merged_rows(titled: bool) -> None:
    merges = [(1, 1, 3, 1), (1, 2, 1, 4), (1, 5, 1, 8), (2, 2, 3, 2), (2, 3, 2, 4), (2, 5, 2, 6)]
    merges.append((2, 7, 2, 8))
    if titled:
        merges = [(1, 1, 1, 8), *((a + 1, b, c + 1, d) for a, b, c, d in merges)]
        assert headed([["隐患排查整改台账"], *THREE], merges) == (4, THREE_ROLES)
    else:
        assert headed(THREE, merges) == (3, THREE_ROLES)


def test_a_header_of_three_rows_in_a_text_file() -> None:
    rows = [[*row] for row in THREE]
    rows[2][6:] = ["近", "远"]
    last, roles = headed(rows)
    assert last == 3
    assert roles["after_photo"] == ["整改情况-照片-近", "整改情况-照片-远"]
    assert roles["photo"] == THREE_ROLES["photo"]


def test_the_lower_row_of_a_header_never_stands_alone() -> None:
    # On its own it would read 照片 for the hazard's photo, which shows the repair.
    rows = [["序号", "隐患描述", "整改", ""], ["", "", "期限", "照片"], ["1", "甲", "", ""]]
    last, roles = headed(rows, [(1, 1, 2, 1), (1, 2, 2, 2), (1, 3, 1, 4)])
    assert last == 2
    assert "photo" not in roles
    assert roles["after_photo"] == ["整改-照片"]


def test_groups_over_all_columns_are_no_title() -> None:
    rows = [
        ["基本情况", "", "隐患情况", "", "整改情况", ""],
        ["序号", "日期", "隐患描述", "照片", "期限", "照片"],
        ["1", "2025.1.3", "护栏缺失", "", "", ""],
    ]
    last, roles = headed(rows, [(1, 1, 1, 2), (1, 3, 1, 4), (1, 5, 1, 6)])
    assert last == 2
    assert roles["photo"] == ["隐患情况-照片"]
    assert roles["after_photo"] == ["整改情况-照片"]
    rows[0] = ["单位：甲公司", "", "", "日期：2025年", "", ""]
    rows[1][5] = "整改照片"
    last, roles = headed(rows, [(1, 1, 1, 3), (1, 4, 1, 6)])
    assert (last, roles["photo"]) == (2, ["照片"])


def test_a_line_of_remarks_over_the_header_is_no_part_of_it() -> None:
    rows = [
        ["填报单位：输配所", "", "", "2025年1月", ""],
        ["序号", "隐患描述", "照片", "责任人", "整改时间"],
    ]
    last, roles = headed([*rows, ["1", "法兰泄漏", "", "张三", ""]])
    assert (last, roles["description"], roles["responsible"]) == (2, ["隐患描述"], ["责任人"])


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("问题描述 Finding", "description"),
        ("Finding / Observation", "description"),
        ("Finding/发现问题", "description"),
        ("隐患描述HazardDescription", "description"),
        ("Description of the hazard", "description"),
        ("Non-conformity", "description"),
        ("Safety issue", "description"),
        ("Hazard identified", "description"),
        ("问题描述及照片", "description"),
        ("现场照片 Photo", "photo"),
        ("整改后 After", "after_photo"),
        ("整改责任人/Responsible", "responsible"),
        ("责任人/整改期限", ""),
        ("问题整改/描述", ""),
        ("Item / No.", ""),
    ],
)
def test_a_name_in_two_languages_is_known_by_either(name: str, role: str) -> None:
    roles = map_columns([Name("", "序号"), Name("", name)], {}, where="t")
    assert roles == ({role: (1,)} if role else {})


def test_what_stands_under_before_repair_is_the_hazard() -> None:
    names = [Name("", "隐患描述"), Name("整改前", "照片"), Name("整改后", "照片")]
    roles = map_columns(names, {}, where="t")
    assert (roles["photo"], roles["after_photo"]) == ((1,), (2,))
    both = "整改前后照片"
    names = [Name("", "隐患描述"), Name(both, "整改前"), Name(both, "整改后"), Name(both, "备注")]
    roles = map_columns(names, {}, where="t")
    assert (roles["photo"], roles["after_photo"]) == ((1,), (2,))


@pytest.mark.parametrize("group", ["整改", "Rectification", "Follow-up", "Corrective action"])
def test_what_stands_under_the_repair_is_not_what_the_hazard_is(group: str) -> None:
    names = [Name(group, "Description"), Name(group, "Location"), Name("Hazard", "Description")]
    assert map_columns(names, {}, where="t") == {"description": (2,)}


@pytest.mark.parametrize(
    ("names", "after"),
    [
        (["隐患描述", "照片", "整改后照片"], "整改后照片"),
        (["隐患描述", "前后对比图"], ""),  # of both, so of neither
        (["隐患描述", "Before", "After"], "After"),
        (["隐患描述", "照片"], ""),
    ],
)
def test_the_column_of_photos_after_repair(names: list[str], after: str) -> None:
    columns = [Name("", name) for name in names]
    assert after_column(columns, {}) == after
    assert after_column(columns, {"after_photo": (1,)}) == names[1]


def test_a_role_can_be_switched_off() -> None:
    names = [Name("", name) for name in ("隐患描述", "照片", "整改照片")]
    assert "after_photo" not in map_columns(names, {"after_photo": ""}, where="t")


def test_shares_are_balanced_by_category() -> None:
    strata = ["电气"] * 100 + ["消防"] * 50 + ["其他"] * 10
    groups = [index // 2 for index in range(160)]
    keys = [f"{index}" for index in range(160)]
    split = divide(groups, keys, {"validation": 0.1, "dev": 0.1}, seed=0, strata=strata)
    counts = Counter(zip(strata, split, strict=True))
    for name in ("validation", "dev"):
        assert counts["电气", name] == pytest.approx(10, abs=2)
        assert counts["消防", name] == pytest.approx(5, abs=2)
        assert sum(counts[stratum, name] for stratum in set(strata)) == pytest.approx(16, abs=2)
    assert all(len({split[i] for i in range(160) if groups[i] == g}) == 1 for g in set(groups))
