"""The report is whole, offline, safe to open, and tells the truth in both languages."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from hazardscribe.errors import InputError
from hazardscribe.evaluation import Case, Rules, evaluate_texts, write_report
from hazardscribe.evaluation.notices import _ZH, reason_in
from hazardscribe.evaluation.plots import element_plot, score_plot
from hazardscribe.evaluation.report import difference
from hazardscribe.evaluation.report_words import COUNTS, METRICS, WORDS, percent, summary
from hazardscribe.evaluation.trust_plots import trust_plots
from hazardscribe.evaluation.trust_words import trust_sentences
from hazardscribe.pages import plot_language

VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and attributes, and checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def evaluation(cases, language="zh", **options):
    given = {"train_texts": ["未发现隐患"], "train_hazards": None, "nearest": None, "embed": None}
    return evaluate_texts(cases, language=language, resamples=50, **{**given, **options})


@pytest.fixture
def photographed(cases, tmp_path):
    """The cases with one large photo, a position in its metadata, and one damaged file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    Image.new("RGB", (900, 600), (200, 60, 40)).save(folder / "0.jpg", exif=exif)
    (folder / "1.jpg").write_bytes(b"\xff\xd8 not a photo")
    return [replace(case, photo=str(folder / case.photo)) for case in cases]


def write(cases, folder, language="zh", **options) -> tuple[Page, str]:
    path = write_report(
        evaluation(cases, language), folder, title=options.pop("title", "T"), **options
    )
    text = path.read_text(encoding="utf-8")
    return Page(text), text


def test_page_in_chinese(photographed, tmp_path):
    page, text = write(photographed, tmp_path / "new" / "out", title="评估 <1>")
    assert page.all("html")[0]["lang"] == "zh-CN"
    assert "在 4 张有隐患的照片中，模型在 3 张上说有隐患（75%），漏报 1 张" in page.text
    assert "；类别已知的 4 张中，说对类别的 3 张。" in page.text
    assert "在 4 张无隐患的照片中，误报 1 张（25%）。" in page.text
    assert "评估 <1>" in page.text
    assert "未指出: 未穿反光衣" in page.text
    assert "无中生有: 未穿反光衣" in page.text
    assert "只有 8 张照片" in page.text  # the warning, in the reader's language
    assert "未提供文本编码器" in page.text  # and the reason for a null
    assert page.text.count("照片无法读取") == 7
    assert len(page.all("article")) == 8
    # worst first: the missed hazard and the false alarm lead
    order = re.findall(r'<span class="file">(\d)\.jpg', text)
    assert set(order[:2]) == {"1", "5"}
    assert order[2] == "3"
    badges = re.findall(r'<span class="badge (\w+)">', text)
    assert badges.count("unsaid") == 2  # the empty answer and the "cannot judge" on safe photos
    assert badges.count("right") == 3


@pytest.mark.parametrize("language", ["zh", "en"])
def test_warnings_name_scores_and_baselines_as_the_report_does(language, cases, tmp_path):
    wrong = [replace(case, prediction="墙面潮湿") for case in cases]
    page, _ = write(wrong, tmp_path, language=language)
    told = "隐患类别：F1（微平均）——模型" if language == "zh" else "not: F1: the model"
    assert told in page.text
    stored = json.loads((tmp_path / "metrics.json").read_text("utf-8"))["warnings"]
    for text in (page.text, *stored):
        assert not re.search("hazard_f1|element_f1|cider_d|most_frequent|always_hazard", text)


def test_rounded_shares_do_not_contradict_the_counts():
    hazards = [Case(f"{i}.jpg", ["未戴安全帽"], "未戴安全帽", True) for i in range(300)]
    safe = [Case(f"s{i}.jpg", ["未发现隐患"], "未发现隐患", False) for i in range(300)]
    hazards[0] = replace(hazards[0], prediction="未发现隐患")
    safe[0] = replace(safe[0], prediction="未戴安全帽")
    given = {"confidences": [0.9] * 600, "answers": [None] * 600}
    for language, told in (("zh", "（>99%），漏报 1 张"), ("en", "(>99%) and missed 1")):
        found = evaluation(hazards + safe, language, rules=Rules.load("zh"), **given)
        text = " ".join(summary(found) + trust_sentences(found))
        assert told in text
        assert "<1%" in text
        assert "100%" not in text
        assert re.search(r"\b0%", text) is None
    assert [percent(share) for share in (0, 0.25, 1)] == ["0%", "25%", "100%"]


def test_page_in_english(tmp_path):
    cases = [
        Case("a.jpg", ["One worker without a hard hat.", "No hard hat."], "A worker in a hard hat"),
        Case("b.jpg", ["No visible hazard: one worker."], "No visible hazard: one worker."),
    ]
    page, _ = write(cases, tmp_path, language="en")
    assert page.all("html")[0]["lang"] == "en"
    assert "Of 1 photo with a hazard, the model said there was some hazard in 1" in page.text
    assert "Also written" in page.text


def test_the_worst_photos_show_what_the_model_looked_at(cases, tmp_path):
    asked = []

    def look(case):
        asked.append(case.photo)
        return [("未戴安全帽", "data:image/jpeg;base64,AAAA")]

    page, text = write(cases, tmp_path / "few", look=look, looks=2)
    assert len(asked) == 2
    assert [figure["alt"] for figure in page.all("img") if "AAAA" in figure["src"]] == [
        "照片中支持“未戴安全帽”的部位"
    ] * 2
    assert text.index("AAAA") < text.index('class="card other"')
    assert "只表示看了哪里" in page.text
    asked.clear()
    page, _ = write(cases, tmp_path / "none", look=look)
    assert not asked
    assert "只表示看了哪里" not in page.text


def test_telephone_numbers_are_masked(tmp_path):
    number = "13812345678"
    cases = [
        Case("a.jpg", [f"电话{number}，气瓶未固定", f"气瓶未固定，联系{number}"], f"电话{number}"),
        Case("b.jpg", ["未发现明显隐患"], "未发现明显隐患", False),
    ]
    page, text = write(cases, tmp_path, look=lambda case: [(number, "data:,")], looks=1)
    assert number not in text
    assert page.text.count("13*********") == 4


def test_a_model_that_does_not_look_is_told_of_first(cases, tmp_path):
    same = [
        Case(case.photo, case.references, "配电箱门敞开", case.hazard)
        for case in cases
        if case.hazard
    ]
    alike = {"embed": lambda texts: np.ones((len(texts), 1), dtype=np.float32)}
    result = evaluation(same, **alike)
    page = write_report(result, tmp_path / "bad", title="T").read_text(encoding="utf-8")
    assert page.index('class="beware"') < page.index('class="lead"')
    assert "类别已知的 4 张中，说对类别的 0 张" in page
    [row] = re.findall(r'<td title="text_similarity">.*?</tr>', page, re.DOTALL)
    assert '<td class="model">1.000' in row
    assert "<b>1.000</b>" in row  # the baseline's
    Page(page)
    texts = ["一名工人未戴安全帽", "消防通道被杂物堵塞", "配电箱门敞开", "气瓶未固定", "墙面潮湿"]
    right = [Case(f"{i}.jpg", [text], text, True) for i, text in enumerate(texts * 3)]
    looking = write_report(evaluation(right), tmp_path / "good", title="T").read_text("utf-8")
    assert looking.index('class="lead"') < looking.index('class="beware"')


def test_page_needs_nothing_from_outside(photographed, tmp_path):
    page, text = write(photographed, tmp_path / "out")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            if name in attributes:
                assert attributes[name].startswith("data:"), (tag, name)
    assert not page.all("script")
    assert "url(" not in text
    assert "@import" not in text
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy


def test_photos_are_small_and_tell_neither_place_nor_folder(photographed, tmp_path):
    page, text = write(photographed, tmp_path / "out")
    sources = [image["src"] for image in page.all("img") if "jpeg" in image["src"]]
    assert len(sources) == 1
    content = base64.b64decode(sources[0].split(",")[1])
    assert b"SECRET-PLACE" not in content
    (tmp_path / "small.jpg").write_bytes(content)
    with Image.open(tmp_path / "small.jpg") as image:
        assert max(image.size) == 320
    assert str(tmp_path) not in text


def test_texts_cannot_inject_markup(tmp_path):
    evil = "<script>alert(1)</script>\"'<img src=x onerror=y>"
    cases = [Case(f"{evil}.jpg", [evil], evil + "1"), Case("b.jpg", ["未戴安全帽"], "未戴安全帽")]
    page, text = write(cases, tmp_path, title=evil, run={evil: evil})
    assert not page.all("script")
    assert "<script" not in text
    assert not [image for image in page.all("img") if image["src"] == "x"]


def test_metrics_file_holds_the_scores_and_the_run(cases, tmp_path):
    write(cases, tmp_path, run={"model": "m", "recipe": {"lr": 1e-4, "folder": tmp_path}})
    data = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert data["hazard_f1"]["value"] == pytest.approx(0.75)
    assert data["run"]["recipe"]["lr"] == 1e-4
    assert "未戴安全帽" in (tmp_path / "metrics.json").read_text(encoding="utf-8")


def test_run_and_counts_are_told(cases, tmp_path):
    page, _ = write(cases, tmp_path, run={"model": "m", "recipe": {"lr": 0.25}})
    assert "recipe.lr" in page.text
    assert "0.25" in page.text
    assert evaluation(cases).split_hash in page.text
    assert "sacrebleu" in page.text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_report_states_what_its_numbers_rest_on(language, cases, tmp_path):
    page, _ = write(cases, tmp_path, language=language)
    result = evaluation(cases, language)
    stored = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    for name in ("tokenizer", "split_hash"):
        assert WORDS[language][name] in page.text
        assert str(getattr(result, name)) in page.text
        assert stored[name] == getattr(result, name)
    for name, count in result.counts.items():
        assert COUNTS[name][language == "zh"] in page.text
        assert stored["counts"][name] == count
    for package, version in result.versions.items():
        assert f"{package} {version}" in page.text
    assert stored["versions"] == dict(result.versions)
    score = result.metrics["hazard_f1"]
    assert score.low is not None
    assert f"[{score.low:.2f}, {score.high:.2f}]" in page.text
    assert set(stored["baselines"]) == {"most_frequent", "always_hazard", "nearest"}
    found = {name: scores for name, scores in stored["baselines"].items() if scores is not None}
    assert found
    for scores in found.values():
        assert scores["hazard_f1"]["low"] is not None


def test_only_the_worst_are_shown(tmp_path):
    right = [Case(f"{i}.jpg", ["一名工人未戴安全帽"], "一名工人未戴安全帽") for i in range(200)]
    page, _ = write([*right, Case("bad.jpg", ["气瓶未固定"], "墙面潮湿")], tmp_path)
    assert len(page.all("article")) == 200
    assert "共 201 张照片，显示 200 张" in page.text
    assert page.text.count("bad.jpg") == 1


def test_a_folder_that_cannot_be_written_is_named(cases, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"file.*Name another folder"):
        write(cases, tmp_path / "file")


def test_one_photo_and_no_elements_still_make_a_page(tmp_path):
    page, _ = write([Case("a.jpg", ["墙面潮湿"], "")], tmp_path)
    assert "（空）" in page.text


def test_difference_marks_what_only_one_side_has():
    first, second = difference(["One ", "worker ", "sits."], ["one ", "dog ", "sits."])
    assert first == [("One", False), (" ", False), ("worker", True), (" ", False), ("sits.", False)]
    assert second[2] == ("dog", True)
    assert difference([], ["x"]) == ([], [("x", True)])


def test_every_word_is_there_in_both_languages(cases):
    assert set(WORDS["zh"]) == set(WORDS["en"])
    result = evaluation(cases)
    assert set(result.counts) == set(COUNTS)
    assert {name for name in result.metrics if not name.startswith("element_f1.")} == set(METRICS)
    assert all(reason_in("zh", reason) != reason for reason in _ZH)
    assert all(reason in _ZH for reason in result.nulls.values())


def test_plots_have_no_chinese_without_a_font(cases, monkeypatch, recwarn):
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    assert plot_language("zh") == ("en", ["DejaVu Sans"])
    monkeypatch.undo()
    monkeypatch.setattr("hazardscribe.pages._CJK_FONTS", ())
    result = evaluation(cases)
    for svg in (score_plot(result), element_plot(result)):
        assert svg.lstrip().startswith("<?xml")
        assert "<text" not in svg  # outlines: no font needed by the reader
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def test_bars_go_from_0_to_1_with_or_without_a_plot_of_cider(cases, monkeypatch):
    monkeypatch.setattr("hazardscribe.evaluation.plots.svg_text", lambda figure: figure)
    for given in (cases, cases[:1]):  # of one photo CIDEr-D is not defined
        assert score_plot(evaluation(given)).axes[0].get_xlim() == (0, 1)


def test_a_risk_curve_of_one_point_is_seen(cases, monkeypatch):
    monkeypatch.setattr("hazardscribe.evaluation.trust_plots.svg_text", lambda figure: figure)
    for confidences, marker in (([0.5] * 8, "o"), (np.linspace(0.1, 0.9, 8).tolist(), "None")):
        _, risk = trust_plots(evaluation(cases, confidences=confidences))
        assert risk.axes[0].lines[0].get_marker() == marker


def test_equal_evaluations_give_equal_pages(cases, tmp_path):
    _, first = write(cases, tmp_path / "a")
    _, second = write(cases, tmp_path / "b")
    assert first == second
