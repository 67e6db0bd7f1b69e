"""The shipped rules read ledgers rightly, and a user's own file is checked."""

from __future__ import annotations

import random

import pytest

from hazardscribe.errors import InputError
from hazardscribe.evaluation import Rules

HAZARD, SAFE, UNSURE = "hazard", "safe", "unsure"

ZH = [
    ("配电箱未设置接地", HAZARD),
    ("电线私拉乱接", HAZARD),
    ("无证作业", HAZARD),
    ("临边防护缺失，存在重大安全隐患", HAZARD),
    ("灭火器压力不足，其余未见隐患", HAZARD),
    ("消防通道堵塞，未发现其他安全隐患", HAZARD),
    ("无隐患排查记录", HAZARD),
    ("无风险告知牌", HAZARD),
    ("未见危险源告知牌", HAZARD),
    ("未见安全警示标志", HAZARD),
    ("氧气瓶与乙炔瓶间距不符合要求", HAZARD),
    ("工人未戴安全帽，无法判断是否系安全带", HAZARD),
    ("压力表损坏，无法判断压力", HAZARD),
    ("警示牌字迹模糊无法辨认", HAZARD),
    ("作业现场光线昏暗", HAZARD),
    ("未对隐患进行整改", HAZARD),
    ("未发现明显隐患，三名工人均佩戴安全帽", SAFE),
    ("现场未见异常", SAFE),
    ("不存在安全隐患", SAFE),
    ("未发现未戴安全帽、未系安全带等隐患", SAFE),
    ("护栏完好，无破损，未发现明显隐患", SAFE),
    ("临边防护设置符合要求", SAFE),
    ("隐患：无", SAFE),
    ("无", SAFE),
    ("", SAFE),
    ("　", SAFE),
    ("照片模糊，无法判断是否佩戴安全帽", UNSURE),
    ("画面过暗无法确认有无隐患", UNSURE),
    ("无法判断", UNSURE),
]
EN = [
    ("The cable is exposed", HAZARD),
    ("No hazard sign is posted", HAZARD),
    ("Guard rail missing, otherwise no hazards.", HAZARD),
    ("No other hazards; worker without hard hat", HAZARD),
    ("One worker isn't wearing a hard hat, but no other hazards are visible.", HAZARD),
    ("Not compliant with the requirements", HAZARD),
    ("No visible hazard: two workers wearing hard hats.", SAFE),
    ("There are no visible safety hazards or violations.", SAFE),
    ("The scene appears safe.", SAFE),
    ("None", SAFE),
    ("", SAFE),
    ("The image is too dark; cannot tell whether helmets are worn.", UNSURE),
    ("It is unclear whether the rope is secured", UNSURE),
]

# "Complies" and "in place" speak for no hazard only where nothing denies them before.
ZH_DENIED = [
    ("未使用符合规范要求的电缆", HAZARD),
    ("未设置符合规范的防护栏杆", HAZARD),
    ("未配备符合要求的灭火器", HAZARD),
    ("未能符合要求", HAZARD),
    ("洞口没有防护到位", HAZARD),
    ("危废间无危险废物标识牌", HAZARD),
    ("未见危险警戒线", HAZARD),
    ("灭火器无检查记录，无法判断是否有效", HAZARD),
    ("监控画面模糊", HAZARD),
    ("缺少符合要求的灭火器", HAZARD),
    ("难以符合要求", HAZARD),
    ("不能完全符合规范", HAZARD),
    ("无符合要求的灭火器", HAZARD),
    ("防护未做到防护到位", HAZARD),
    ("脚手板缺失其余未见隐患", HAZARD),
    ("灭火器失效无法判断压力", HAZARD),
    ("未见危险隔离带", HAZARD),
    ("电缆应符合规范要求", HAZARD),
    ("未采取措施使现场管理到位", HAZARD),
    ("未设置警示标志、符合规范的护栏", HAZARD),
    ("符合要求", SAFE),
    ("防护到位", SAFE),
    ("未发现明显隐患", SAFE),
    ("无安全隐患", SAFE),
    ("不锈钢护栏符合要求", SAFE),
    ("护栏高度不低于1.2米符合规范要求", SAFE),
    ("护栏无破损且符合要求", SAFE),
    ("地面无积水、通道符合要求", SAFE),
    ("临边防护设置符合要求", SAFE),
    ("现场管理到位", SAFE),
    ("护栏完好，现场防护均到位", SAFE),
    ("作业人员均佩戴安全帽且符合安全要求", SAFE),
    ("设备状态良好", SAFE),
    ("无明显破损符合规范要求", SAFE),
    ("应急通道符合要求", SAFE),
    ("无缝钢管符合要求", SAFE),
    ("现场情况正常", SAFE),
    ("是否佩戴安全帽无法判断", UNSURE),
    ("安全带未系挂情况无法判断", UNSURE),
    ("线路老化程度难以判断", UNSURE),
    ("人员被遮挡无法判断是否戴帽", UNSURE),
    ("画面模糊，无法判断", UNSURE),
    ("无法判断护栏是否缺失", UNSURE),
    ("照片中监控室画面不清", UNSURE),
]
EN_DENIED = [
    ("Scaffold fails to comply with the code", HAZARD),
    ("Guardrail doesn’t comply with code", HAZARD),
    ("Non compliant with rules", HAZARD),
    ("Lacks guardrail compliant with OSHA", HAZARD),
    ("No danger zone barrier", HAZARD),
    ("Fingers are crushed if the guard cannot close", HAZARD),
    ("It matters whether the guard could not close", HAZARD),
    ("Non-compliant with rules", HAZARD),
    ("Ladder must comply with the code", HAZARD),
    ("Never complies with the rules", HAZARD),
    ("Refuses to comply with rules", HAZARD),
    ("No guardrail compliant with OSHA", HAZARD),
    ("Scaffold not yet in compliance with code", HAZARD),
    ("Without a ladder compliant with code", HAZARD),
    ("Extinguisher is damaged and it is unclear whether it works", HAZARD),
    ("Guard rail missing and otherwise no hazards", HAZARD),
    ("no hazard", SAFE),
    ("Scaffold complies with the code", SAFE),
    ("Guard rails are compliant with OSHA", SAFE),
    ("Ladder without visible damage complies with code", SAFE),
    ("No damage, in compliance with the code", SAFE),
    ("Non-slip mats comply with code", SAFE),
    ("Guard rail 1.2 m high complies with code", SAFE),
    ("It’s fully compliant with the rules", SAFE),
    ("The photo doesn’t show any hazard", SAFE),
    ("No defects and compliant with code", SAFE),
    ("Whether the cable is damaged cannot be determined", UNSURE),
    ("I can’t tell whether the hard hat is missing", UNSURE),
    ("Whether the exit is blocked is unclear", UNSURE),
]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [("zh", *row) for row in ZH + ZH_DENIED] + [("en", *row) for row in EN + EN_DENIED],
)
def test_statements(language, text, expected):
    rules = Rules.load(language)
    assert rules.hazard(text) is (expected == HAZARD)
    assert rules.cannot_judge(text) is (expected == UNSURE)


@pytest.mark.parametrize(
    ("language", "text", "elements"),
    [
        ("zh", "一名工人未佩戴安全帽且未穿反光背心", {"helmet_missing", "vest_missing"}),
        ("zh", "画面左侧一名戴黄色安全帽的工人未穿戴反光背心", {"vest_missing"}),
        ("zh", "未戴安全帽的工人穿反光背心", {"helmet_missing"}),
        ("zh", "两名工人未佩戴安全帽、反光衣", {"helmet_missing", "vest_missing"}),
        ("zh", "三名工人均佩戴安全帽、穿反光背心，未见隐患", set()),
        ("zh", "无法判断是否未戴安全帽", set()),
        ("zh", "高处作业人员安全带未系挂", {"harness_missing"}),
        ("zh", "消防通道堆放杂物；灭火器超期", {"exit_blocked", "extinguisher_expired"}),
        ("zh", "疏散门前无遮挡，货物码放整齐", set()),
        ("zh", "防锈蚀涂层完好", set()),
        ("en", "A worker in yellow hard hat is without a hi-vis vest", {"vest_missing"}),
        (
            "en",
            "Two workers are wearing neither a hard hat nor a high-visibility vest.",
            {"helmet_missing", "vest_missing"},
        ),
        (
            "en",
            "one worker is without hard hat and hi-vis vest",
            {"helmet_missing", "vest_missing"},
        ),
        ("en", "No smoking sign on the wall", set()),
        ("en", "Cannot tell whether workers are without a hard hat", set()),
        ("en", "Rusted pipe, exit blocked by pallets", {"corrosion", "exit_blocked"}),
    ],
)
def test_elements(language, text, elements):
    assert Rules.load(language).elements(text) == elements


def test_rules_can_be_told_the_programs_own_sentences(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("no_hazard: ['all quiet']", encoding="utf-8")
    rules = Rules.load(path)
    safe, unsure = "Nothing seen (so far).", "Ask somebody."
    assert rules.hazard(safe)
    assert rules.hazard(unsure)
    knowing = rules.knowing(no_hazard=safe, cannot_judge=unsure)
    assert (knowing.hazard(safe), knowing.cannot_judge(safe)) == (False, False)
    assert (knowing.hazard(unsure), knowing.cannot_judge(unsure)) == (False, True)
    assert not knowing.hazard("all quiet")
    assert knowing.hazard("Nothing seen so far.")  # as written, not as a pattern


def test_both_languages_name_the_same_elements():
    zh, en = Rules.load("zh"), Rules.load("en")
    assert set(zh.elements_by_name) == set(en.elements_by_name)
    for name, element in zh.elements_by_name.items():
        assert dict(element.labels) == dict(en.elements_by_name[name].labels)
        assert set(element.labels) == {"zh", "en"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rules_recover_what_procedural_scenes_say(language):
    from hazardscribe.pairs.scenes import KINDS, wording
    from hazardscribe.pairs.scenes.compose import compose

    rules = Rules.load(language)
    describe = getattr(wording, f"describe_{language}")
    assert set(KINDS) <= set(rules.elements_by_name)
    seen = set()
    for seed in range(1500):
        generator = random.Random(seed)
        items = compose(generator, unseen=bool(seed % 2))
        truth = {item.kind for item in items if item.hazard}
        text = describe(items, generator)
        assert rules.elements(text) == truth, text
        assert rules.hazard(text) is bool(truth), text
        seen |= truth
    assert seen == set(KINDS)


def site_sentences() -> list[tuple[str, str, bool, set[str]]]:
    """Sentences of the forms that construction-site ledgers use: zh, en, hazard, elements."""
    rows: list[tuple[str, str, bool, set[str]]] = []
    for who_zh, who_en in (
        ("一名工人", "One worker"),
        ("两名戴蓝色安全帽的作业人员", "Two workers"),
    ):
        for vest in ("反光背心", "反光衣"):
            for tail in ("", "，易造成人身伤害", "，存在安全隐患"):
                rows.append(
                    (
                        f"画面右侧{who_zh}未穿{vest}{tail}",
                        f"{who_en} on the right not wearing a high-visibility vest.",
                        True,
                        {"vest_missing"},
                    )
                )
    for zh in ("{}，未见明显隐患", "未发现明显隐患，{}", "现场{}，未发现隐患"):
        rows.append(
            (
                zh.format("四名施工人员均佩戴安全帽、穿反光背心"),
                "No visible hazard: four workers wearing hard hats and hi-vis vests.",
                False,
                set(),
            )
        )
    return rows


@pytest.mark.parametrize(("zh", "en", "hazard", "elements"), site_sentences())
def test_site_sentences(zh, en, hazard, elements):
    for language, text in (("zh", zh), ("en", en)):
        rules = Rules.load(language)
        assert rules.hazard(text) is hazard
        assert rules.elements(text) == elements


def own(tmp_path, text: str):
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_ones_own(tmp_path):
    path = own(
        tmp_path,
        """
        no_hazard: ['\\bok\\b']
        elements:
          leak: {label: a leak, patterns: ['leak'], unless: ['leak test'], facts_keys: [drips]}
          crack: {patterns: ['crack']}
        """,
    )
    rules = Rules.load(path)
    assert rules.elements("Leak at the valve, crack in the wall") == {"leak", "crack"}
    assert rules.elements("leak test passed") == set()
    assert rules.elements("leak test passed, leak at the flange") == {"leak"}
    assert not rules.hazard("all OK")
    assert rules.hazard("all ok, but a crack")
    assert not rules.cannot_judge("cannot judge")  # the list may be left out
    assert rules.elements_by_name["leak"].facts_keys == ("leak", "drips")
    assert rules.elements_by_name["leak"].label("zh") == "a leak"
    assert rules.elements_by_name["crack"].label("en") == "crack"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML: line 1: "),
        ("- a", "expected the keys"),
        ("no_hazard: ['(']", r"no_hazard, entry 1: '\(' is not a regular expression"),
        ("no_hazard: []", "no_hazard: at least one pattern"),
        ("no_hazard: ['']", "entry 1: the pattern is empty"),
        ("no_hazard: ok", "no_hazard: expected a list"),
        ("no_hazard: [ok]\nelement: {}", "unknown key element; known are"),
        ("no_hazard: [ok]\nelements: [a]", "elements: expected names"),
        ("no_hazard: [ok]\nelements: {a: [b]}", "elements.a: expected the key patterns"),
        ("no_hazard: [ok]\nelements: {a: {}}", "elements.a.patterns: at least one"),
        ("no_hazard: [ok]\nelements: {a: {patterns: ['[']}}", "elements.a.patterns, entry 1"),
        ("no_hazard: [ok]\nelements: {a: {patterns: [b], x: 1}}", "elements.a: unknown key x"),
        ("no_hazard: [ok]\nelements: {a: {patterns: [b], label: [1]}}", "elements.a.label"),
        ("no_hazard: ['无，好']", "can never match.*write '无,好'"),
        ("no_hazard: [don’t]", "can never match.*write .don't"),
    ],
)
def test_a_bad_file_is_refused_with_file_and_key(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        Rules.load(own(tmp_path, text))
    assert "own.yaml" in str(caught.value)


def test_a_missing_file_says_what_to_give(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml cannot be read.*zh or en"):
        Rules.load(tmp_path / "none.yaml")
    (tmp_path / "gbk.yaml").write_bytes("无隐患".encode("gbk"))
    with pytest.raises(InputError, match="UTF-8"):
        Rules.load(tmp_path / "gbk.yaml")
