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
from hazardscribe.evaluation import Case, Rules, Score, evaluate_texts, write_report
from hazardscribe.evaluation.baselines import BASELINES
from hazardscribe.evaluation.notices import _ZH, reason_in
from hazardscribe.evaluation.plots import element_plot, score_plot
from hazardscribe.evaluation.report import difference
from hazardscribe.evaluation.report_words import COUNTS, METRICS, WORDS, percent, summary
from hazardscribe.evaluation.selective import Answer
from hazardscribe.evaluation.trust_plots import trust_plots
from hazardscribe.evaluation.trust_words import compared_scores, trust_rows, trust_sentences
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


@pytest.fixture
def doubting(cases):
    """Of seven drafts three are wrong; five are given as the answer, of which two are."""
    held = Answer("无法判断，请人工核实", "unsure")
    given = {"confidences": [0.5] * 7, "answers": [held, *[None] * 6]}
    return lambda language: evaluation(cases[:7], language, rules=Rules.load("zh"), **given)


@pytest.mark.parametrize(
    ("language", "answered", "held"),
    [
        (
            "en",
            "Of 7 photos it answers 5, of which 40% are not acceptable; of the other 2 it says "
            "that it cannot judge. Were every draft given as the answer, 43% would not be "
            "acceptable.",
            "Drafts held back: not sure enough 1.",
        ),
        (
            "zh",
            "7 张照片中作答 5 张，其中不可用 40%；其余 2 张答“无法判断”。"
            "若全部作答，不可用为 43%。",
            "未按草稿作答的照片：把握不足 1。",
        ),
    ],
)
def test_confidence_and_doubt_are_told_in_words(doubting, language, answered, held):
    found = doubting(language)
    assert trust_sentences(found)[1:] == [answered, held]
    nothing = replace(found.trust, coverage=Score(0.0), risk=Score(None), reasons={})
    told = trust_sentences(replace(found, trust=nothing))
    assert "–" in told[1]
    assert len(told) == 2


@pytest.mark.parametrize(("language", "told"), [("en", "not calibrated"), ("zh", "未经校准")])
def test_a_confidence_that_was_never_fitted_is_called_so(cases, language, told):
    found = evaluation(cases, language, confidences=[0.5] * 8)
    assert told in trust_sentences(found)[-1]
    assert len(trust_rows(found)) == 4  # neither coverage nor risk


def test_the_scores_of_the_answers_stand_beside_those_of_the_drafts(doubting):
    found = doubting("en")
    label, drafts, answers = compared_scores(found)[0]
    assert label == "Hazard named or not: F1"
    assert (drafts.value, answers.value) == (6 / 8, 4 / 7)
    [(_, drafts, answers)] = [row for row in compared_scores(found) if "(recall)" in row[0]]
    assert (drafts.value, answers.value) == (3 / 4, 2 / 4)


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Of 3 photos with a hazard, the model said there was some hazard in 2 (67%) and "
                "missed 1; named the right kind in 1 of 3.",
                "Of 2 safe photos, it raised a false alarm in 1 (50%).",
                "Of 4 hazards of known kinds it named 1 rightly; 3 that it named were not there.",
                "Photos that it said it could not judge: 1; photos for which it wrote nothing: 0.",
            ],
        ),
        (
            "zh",
            [
                "在 3 张有隐患的照片中，模型在 2 张上说有隐患（67%），漏报 1 张；"
                "类别已知的 3 张中，说对类别的 1 张。",
                "在 2 张无隐患的照片中，误报 1 张（50%）。",
                "照片中的 4 处已知类别隐患，指出 1 处，另有 3 处属无中生有。",
                "模型对 1 张表示无法判断，0 张没有输出。",
            ],
        ),
    ],
)
def test_the_summary_counts_photos_and_kinds(language, sentences):
    no_hat, no_vest, safe = "一名工人未戴安全帽", "工人未穿反光背心", "未发现明显隐患"
    cases = [
        Case("0.jpg", [f"{no_hat}，{no_vest}"], no_hat, True),  # one of two kinds
        Case("1.jpg", [no_hat], f"{no_vest}，配电箱门敞开", True),  # two that are not there
        Case("2.jpg", [no_vest], safe, True),
        Case("3.jpg", [safe], no_hat, False),
        Case("4.jpg", [safe], "照片模糊，无法判断", False),
    ]
    assert summary(evaluation(cases, language, rules=Rules.load("zh"))) == sentences
    silent = [replace(case, prediction="") for case in cases[3:]]
    told = summary(evaluation(silent, language, rules=Rules.load("zh")))
    assert len(told) == 2  # of no hazard, of no kind
    assert ("nothing: 2." if language == "en" else "2 张没有输出") in told[1]


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


def test_bars_are_the_scores_of_model_and_baselines_with_their_intervals(cases, monkeypatch):
    monkeypatch.setattr("hazardscribe.evaluation.plots.svg_text", lambda figure: figure)
    found = evaluation(cases, train_texts=["未戴安全帽"], nearest=[c.references[0] for c in cases])
    axis = score_plot(found).axes[0]
    systems = [found.metrics, *(found.baselines[name] for name in BASELINES)]
    names = ("hazard_f1", "balanced_accuracy", "element_f1", "rouge_l", "bleu_4")
    for bars, scores in zip(axis.containers, systems, strict=True):
        assert [bar.get_width() for bar in bars] == [scores[name].value for name in names]
    scores = [system[name] for system in systems for name in names]
    spans = [tuple(line.get_xdata()) for line in axis.lines]
    assert spans == [(score.low, score.high) for score in scores]
    assert axis.yaxis_inverted()
    heights = [bars[0].get_y() for bars in axis.containers]
    assert heights == sorted(heights)  # the model above the baselines


def test_kinds_that_some_photo_shows_are_plotted_the_most_frequent_first(cases, monkeypatch):
    monkeypatch.setattr("hazardscribe.evaluation.plots.svg_text", lambda figure: figure)
    more = [Case("8.jpg", ["气瓶未固定"], "气瓶未固定", True)] * 4
    invented = Case("9.jpg", ["未发现隐患"], "配电箱门敞开", False)
    [axis] = element_plot(evaluation([*cases, *more, invented], "en", rules=Rules.load("zh"))).axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == [
        "gas cylinder not chained (4)",
        "no hard hat (3)",
        "no high-visibility vest (2)",
    ]
    assert [bar.get_width() for bar in axis.patches] == [1, pytest.approx(4 / 5), 2 / 4]
    assert axis.yaxis_inverted()
    assert not axis.texts
    [axis] = element_plot(evaluation([replace(case, prediction="") for case in cases])).axes
    assert len(axis.texts) == 1  # no kind was named rightly


def test_plots_of_confidence_show_its_figures(cases, monkeypatch):
    monkeypatch.setattr("hazardscribe.evaluation.trust_plots.svg_text", lambda figure: figure)
    held = Answer("无法判断，请人工核实", "unsure")
    given = {"confidences": np.linspace(0.9, 0.1, 40), "answers": [held, *[None] * 39]}
    found = evaluation(cases * 5, **given)
    trust = found.trust
    reliability, risk = (figure.axes[0] for figure in trust_plots(found))
    points = reliability.lines[-1]
    assert points.get_xdata().tolist() == [one.confidence for one in trust.bins]
    assert points.get_ydata().tolist() == [one.acceptable for one in trust.bins]
    assert "20" in points.get_label()  # photos in each of two
    spans = [tuple(line.get_ydata()) for line in reliability.lines[1:-1]]
    assert spans == [(one.low, one.high) for one in trust.bins]
    curve, chosen, span = risk.lines
    assert list(zip(curve.get_xdata(), curve.get_ydata(), strict=True)) == list(trust.curve)
    assert (chosen.get_xdata()[0], chosen.get_ydata()[0]) == (
        trust.coverage.value,
        trust.risk.value,
    )
    assert tuple(span.get_ydata()) == (trust.risk.low, trust.risk.high)
    assert risk.get_ylim()[1] >= max(trust.risk.high, *(one for _, one in trust.curve[4:]))


def test_a_risk_curve_of_one_point_is_seen(cases, monkeypatch):
    monkeypatch.setattr("hazardscribe.evaluation.trust_plots.svg_text", lambda figure: figure)
    for confidences, marker in (([0.5] * 8, "o"), (np.linspace(0.1, 0.9, 8).tolist(), "None")):
        _, risk = trust_plots(evaluation(cases, confidences=confidences))
        assert risk.axes[0].lines[0].get_marker() == marker


def test_equal_evaluations_give_equal_pages(cases, tmp_path):
    _, first = write(cases, tmp_path / "a")
    _, second = write(cases, tmp_path / "b")
    assert first == second
