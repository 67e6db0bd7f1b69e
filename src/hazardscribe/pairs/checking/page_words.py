"""The check's words in Chinese and English; those of its findings stand in `page_words.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from hazardscribe import pattern_file
from hazardscribe.pairs.checking.findings import Example, Finding
from hazardscribe.pairs.sentences import in_language


class Words(NamedTuple):
    """Of one finding in one language; `{name}` stands for one of its values."""

    title: str
    advice: str
    note: str = ""


LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "html_lang": "en",
        "title": "Check of {source}",
        "summary": "In short",
        "error": "Error",
        "warning": "Warning",
        "hint": "Hint",
        "findings": "Findings",
        "finding": "Finding",
        "number": "Number",
        "none": "Nothing was found that needs a look.",
        "rows": "Source rows",
        "more": "and {count} more",
        "splits": "Splits",
        "split": "Split",
        "pairs": "Pairs",
        "photos": "Photos",
        "hazards": "With a hazard",
        "share": "Share",
        "plots": "Distributions",
        "categories": "Categories",
        "category": "Category",
        "texts": "Most frequent descriptions",
        "text": "Description",
        "sample": "Sample: {count} random pairs",
        "sample_note": "Does each text say what the photo shows? "
        "A quarter of an hour here is worth more than any number above.",
        "no_photo": "photo not readable",
        "made": "How this was made",
        "version": "Version",
        "digest": "Hash of the pairs",
        "wording": "List of slips",
        "seed": "Seed of the sample",
        "read": "Rows read",
        "rejected": "Rows that gave no pair",
        "distinct_photos": "Different photos",
        "distinct_texts": "Different descriptions",
        "train": "train",
        "dev": "dev",
        "validation": "validation",
        "plot_length": "Length of descriptions ({unit})",
        "plot_side": "Longer side of photos (pixels)",
        "plot_sharpness": "Sharpness (at 256 pixels)",
        "plot_light": "Median brightness (0-255)",
        "plot_texts": "Descriptions a photo",
        "plot_photos": "Photos a description",
        "sizes": "{rows_read} rows gave {pairs} pairs: {photos} photos and {distinct_texts} "
        "different descriptions; {rows_rejected} rows gave none.",
        "kinds": "Kinds of findings: {error} errors, {warning} warnings, {hint} hints. ",
        "after_error": "Mend the errors before training.",
        "after_warning": "Fit for training; look at the warnings first.",
        "after_none": "Fit for training.",
        "first": " (first: {row})",
        "below": " row {rows} below the header",
        "colon": ": ",
        "comma": ", ",
        "and": ", ",
        "also": "; ",
        "unit_zh": "characters",
        "unit_en": "words",
    },
    "zh": {
        "html_lang": "zh-CN",
        "title": "数据检查：{source}",
        "summary": "概要",
        "error": "错误",
        "warning": "警告",
        "hint": "提示",
        "findings": "检查结果",
        "finding": "内容",
        "number": "数量",
        "none": "未发现需要处理的问题。",
        "rows": "来源行",
        "more": "另有 {count} 行",
        "splits": "数据划分",
        "split": "划分",
        "pairs": "样本",
        "photos": "照片",
        "hazards": "有隐患",
        "share": "占比",
        "plots": "分布",
        "categories": "类别",
        "category": "类别",
        "texts": "最常见的描述",
        "text": "描述",
        "sample": "随机抽查 {count} 条",
        "sample_note": "每段描述是否与照片相符？在这里花一刻钟，比上面任何数字都有用。",
        "no_photo": "照片无法读取",
        "made": "生成信息",
        "version": "版本",
        "digest": "样本哈希",
        "wording": "用词清单",
        "seed": "抽样种子",
        "read": "读取行数",
        "rejected": "未形成样本的行",
        "distinct_photos": "不同照片",
        "distinct_texts": "不同描述",
        "train": "训练集",
        "dev": "开发集",
        "validation": "验证集",
        "plot_length": "描述长度（{unit}）",
        "plot_side": "照片长边（像素）",
        "plot_sharpness": "清晰度（缩至 256 像素）",
        "plot_light": "亮度中位数（0-255）",
        "plot_texts": "每张照片的描述数",
        "plot_photos": "每条描述的照片数",
        "sizes": "读取 {rows_read} 行，得到 {pairs} 条样本、{photos} 张照片、"
        "{distinct_texts} 种描述；{rows_rejected} 行未形成样本。",
        "kinds": "共 {error} 类错误、{warning} 类警告、{hint} 类提示。",
        "after_error": "训练前请先处理错误。",
        "after_warning": "可以训练；警告处值得先看一看。",
        "after_none": "可以训练。",
        "first": "（首处：{row}）",
        "below": " 表头下第 {rows} 行",
        "colon": "：",
        "comma": "，",
        "and": "、",
        "also": "；",
        "unit_zh": "字",
        "unit_en": "词",
    },
}

UNITS: Mapping[str, Mapping[str, str]] = {
    "en": {name: name for name in ("photos", "pairs", "texts", "rows", "splits", "model")}
    | {"groups": "categories"},
    "zh": {
        "photos": "张照片",
        "pairs": "条样本",
        "texts": "种描述",
        "rows": "行",
        "splits": "个划分",
        "groups": "个类别",
        "model": "个模型",
    },
}

PERSONAL: Mapping[str, Mapping[str, str]] = {
    "en": {
        "mobile": "mobile number",
        "id_card": "identity card number",
        "email": "e-mail address",
        "plate": "number plate",
        "name": "a person's name",
    },
    "zh": {
        "mobile": "手机号",
        "id_card": "身份证号",
        "email": "邮箱",
        "plate": "车牌号",
        "name": "姓名",
    },
}


@cache
def _all() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Code of a finding -> language -> title, advice and note."""
    text = (resources.files(__package__) / "page_words.yaml").read_text(encoding="utf-8")
    return dict(pattern_file.parse(text, "page_words.yaml"))


def words_for(finding: Finding, language: str) -> Words:
    """Title and advice of a finding with its values filled in; the note still as a pattern."""
    known = _all()
    words = Words(**known.get(finding.code, known["rejected"])[language])
    values = {name: _shown(name, value, language) for name, value in finding.values.items()}
    values.setdefault("reason", finding.code)
    return Words(words.title.format_map(values), words.advice.format_map(values), words.note)


def note_for(words: Words, example: Example, language: str) -> str:
    """What was measured or found in an example."""
    values = {name: _shown(name, value, language) for name, value in example.values.items()}
    return words.note.format_map(values)


def _shown(name: str, value: Any, language: str) -> Any:
    if name in ("splits", "split"):
        splits = [value] if isinstance(value, str) else value
        return " / ".join(dict.fromkeys(LABELS[language][split] for split in splits))
    if name == "kinds":
        value = [PERSONAL[language][kind] for kind in value]
    if isinstance(value, list | tuple):
        return LABELS[language]["and"].join(map(str, value))
    return in_language(value, language) if isinstance(value, str) else value
