"""What is said of descriptions, in Chinese and English."""

from __future__ import annotations

import pytest
from made_photos import text

from hazardscribe.errors import InputError
from hazardscribe.pairs.checking.personal import find_personal, mask_personal
from hazardscribe.pairs.checking.wording import load_wording

ENGLISH = (
    "Worker on the left is without a hard hat.",
    "The electrical box is open and unlocked.",
    "Gas cylinders stand upright without a chain.",
    "No visible hazard: the ladder is sound.",
    "The guard rail of the platform is missing.",
    "The fire exit is blocked by cardboard boxes.",
)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("见照片", "text_placeholder"),
        ("详见附件", "text_placeholder"),
        ("同上条", "text_placeholder"),
        ("123", "text_placeholder"),
        ("隐患", "text_placeholder"),
        ("未戴", "text_short"),
        ("未接地线", None),
        ("气瓶未固定，" * 21, "text_long"),
        ("气瓶未固定，" * 20, None),
        ("配电箱未上锁_x000D_", "text_garbled"),
        ("配电箱<br>未上锁", "text_garbled"),
        ("配电箱未上锁锟斤拷", "text_garbled"),
        ("配电箱\u202e未上锁", "text_garbled"),
        ("The electrical box is open", "text_other_language"),
        ("工人未穿PPE，LPG 气瓶未固定", None),
        ("1、配电箱未上锁；2、气瓶未固定", "text_numbered"),
        ("①配电箱未上锁②气瓶未固定", "text_numbered"),
        ("现场存在以下问题：1．配电箱未上锁 2．气瓶未固定", "text_numbered"),
        ("1.5 m 高处作业无护栏，2.0 m 以上须设", None),
        ("２号配电箱未上锁", "text_full_width"),
        ("两名工人未带安全帽", "text_typo"),
        ("工人未佩带安全帽", "text_typo"),
        ("消火拴箱内缺水带", "text_typo"),
        ("高处做业无防护", "text_typo"),
        ("灭火器压力表未效验", "text_typo"),
        ("工人未佩戴安全帽，安全带未系", None),
        ("携带安全帽而未戴", None),
        ("消火栓系统无水，螺栓松动", None),
        ("保护气瓶未固定，堆方木无序", None),
        ("工人未穿戴安全带，下颌带未系", None),
        ("施工做法不符，员工做好防护", None),
        ("联系人：张三，配电箱未上锁", "text_personal"),
        ("电话 13812345678，配电箱未上锁", "text_personal"),
        ("责任人未到场，设备编号 20231234567890", None),
    ],
)
def test_a_chinese_description(written, code, lines, find):
    lines[2]["description"] = written
    found = find(lines)
    assert list(found) == ([code] if code else [])
    if code:
        assert [place.row for place in found[code].places] == [3]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("See photo.", "text_placeholder"),
        ("TBD", "text_placeholder"),
        ("Unsafe", "text_short"),
        ("Open box", None),
        ("The box is open. " * 21, "text_long"),
        ("The box 未上锁", "text_other_language"),
        ("Worker wering no vest on the left", "text_typo"),
        ("The the box is open", "text_typo"),
        ("Fire extinguishers and scaffolding are sound", None),
        ("Ask foreman@site.example about the open box", "text_personal"),
    ],
)
def test_an_english_description(written, code, lines, find):
    for line, good in zip(lines, ENGLISH * 2, strict=True):
        line["description"] = good
    lines[2]["description"] = written
    assert list(find(lines)) == ([code] if code else [])


def test_a_frequent_text(lines, find, monkeypatch):
    monkeypatch.setattr("hazardscribe.pairs.checking.text_findings.FREQUENT_LEAST", 4)
    for line in lines[:4]:
        line["description"] = text(1)
    (found,) = find(lines).values()
    assert (found.code, found.severity, found.count) == ("text_frequent", "hint", 1)
    assert found.values == {"share": 0.333, "pairs": 4}
    lines[0]["description"] = text(2)
    assert find(lines) == {}


@pytest.mark.parametrize(
    ("written", "contradicts"),
    [
        ("未发现明显隐患，灭火器完好", True),
        ("左侧未见隐患；右侧护栏缺失", False),
        ("现场无隐患排查台账", False),
        ("配电箱未上锁，存在安全隐患", False),
    ],
)
def test_marked_as_hazard_but_described_as_none(written, contradicts, lines, find):
    for number, line in enumerate(lines):
        line["hazard"] = str(number % 2)
    lines[3]["description"] = written
    assert list(find(lines)) == (["hazard_contradicts"] if contradicts else [])


def test_the_text_to_learn_is_what_is_checked(lines, find):
    for line in lines:
        line["部位"] = "一层"
    lines[0]["部位"] = "见照片"
    assert find(lines) == {}
    assert list(find(lines, target="{部位}")) == ["text_placeholder", "text_short"]
    with pytest.raises(InputError, match="no column"):
        find(lines, target="{place}")


def test_personal_data_by_form_and_check_digit():
    assert find_personal("身份证 11010519491231002X 过期") == ["id_card"]
    assert find_personal("批号 110105194912310021 过期") == []
    assert find_personal("京A12345 货车未熄火") == ["plate"]
    assert find_personal("订单 91381234567812") == []
    assert mask_personal("电话 13812345678 联系人：王五") == "电话 13********* 联系人：**"
    assert mask_personal("批号 110105194912310021") == "批号 110105194912310021"
    assert mask_personal("检查人：    审核人：") == "检查人：    审核人："


def test_an_own_list_of_slips(lines, find, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("zh:\n  typos:\n    - {find: 上锁, write: 关闭, why: 本单位用语}\n", "utf-8")
    lines[2]["description"] = "配电箱门未上锁"
    lines[3]["description"] = "两名工人未带安全帽"
    (found,) = find(lines, wording=own).values()
    assert found.examples[0].values["suggestion"] == "关闭"
    assert found.examples[0].values["why"] == "本单位用语"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("zh: [", "not valid YAML"),
        ("de: {}", "keys zh and en"),
        ("zh: {slips: []}", "typos, placeholders, no_hazard"),
        ("zh: {typos: [{find: a}]}", "entry 1 must be find, write and why"),
        ("zh: {placeholders: [3]}", "placeholders: expected a list of texts"),
        ("zh: {placeholders: 护栏}", "placeholders: expected a list of texts"),
        ("zh: {no_hazard: ['']}", "no_hazard, entry 1: the pattern is empty"),
        ("zh: {placeholders: ['(']}", "not a regular expression"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used(content, message, tmp_path):
    own = tmp_path / "own.yaml"
    if content is not None:
        own.write_text(content, "utf-8")
    with pytest.raises(InputError, match=message):
        load_wording("zh", own)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_packaged_list_is_sound(language):
    words = load_wording(language)
    assert len(words.typos) > 10
    assert words.placeholders
    assert words.no_hazard
