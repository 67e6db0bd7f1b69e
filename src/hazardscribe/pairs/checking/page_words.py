"""The check's words in Chinese and English: what each finding means and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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

_LOST = Words(
    "Rows left out: {reason}",
    "These rows give no pair. See the detail of each.",
    "{name} {detail}",
)

_EN: Mapping[str, Words] = {
    "rejected_photo_unreadable": Words(
        "Photos that cannot be read",
        "Damaged, in an unsupported format, or no photos at all. Copy them again from their origin "
        "or save them as JPEG; their rows are left out of training until then.",
        "{detail}",
    ),
    "rejected_photo_missing": Words(
        "Photos that are not there",
        "The table names them but no such file was found. Check the photo folder; their rows are "
        "left out of training.",
        "{name}: {detail}",
    ),
    "rejected_bad_row": Words(
        "Rows that cannot be read", "Mend these rows in the table.", "{detail}"
    ),
    "rejected_bad_split": Words(
        "Rows with an unknown split", "Write train, dev or validation.", "{detail}"
    ),
    "rejected_photo_url": Words(
        "Photos named by a network address",
        "Nothing is fetched from a network. Download the photos and name the files.",
        "{name}",
    ),
    "rejected_no_photo_named": Words(
        "Rows without a photo", "They give no pair; that may be as it should.", "{detail}"
    ),
    "rejected_empty_description": Words(
        "Rows without a description",
        "Blank, /, 无, 同上 and the like. Fill them in where the photo is worth it.",
        "{detail}",
    ),
    "rejected_blank": Words("Blank rows", "Nothing to do.", ""),
    "text_by_machine": Words(
        "Descriptions that a model wrote",
        "The column {column} holds what the program wrote, not what a person confirmed. A model "
        "that learns from itself repeats its own errors.",
    ),
    "split_missing": Words(
        "Missing split: {splits}",
        "Without dev nothing tells when to stop training; without validation nothing can be "
        "reported.",
    ),
    "split_small": Words(
        "Few photos in {split}",
        "With so few, a score of 0.8 is uncertain by ± {uncertainty}: smaller differences mean "
        "nothing. Give it 100 photos or more.",
    ),
    "split_one_class": Words(
        "{split} shows only one side",
        "All of its pairs say the same about hazard or no hazard, so missed hazards or false "
        "alarms cannot be measured there.",
    ),
    "hazard_only": Words(
        "No photo without a hazard",
        "False alarms can neither be measured nor unlearned. Photos after rectification make good "
        "safe examples.",
    ),
    "category_unseen": Words(
        "Categories that training never sees",
        "Column {column}: {names}. They occur in dev or validation only.",
    ),
    "category_rare": Words(
        "Categories with very few training pairs",
        "Column {column}: {names}. Fewer than 5 pairs each; little of them will be learned.",
    ),
    "leak_same_photo": Words(
        "The same photo in several splits",
        "Scores on it measure memory, not sight. Put all rows of a photo into one split.",
        "{splits}",
    ),
    "leak_near_duplicate": Words(
        "Nearly the same photo in several splits",
        "Taken twice from the same place, or stored in two sizes. Scores on them are too good: "
        "put both into one split.",
        "{splits}, likeness {likeness}",
    ),
    "photo_copies": Words(
        "The same photo under several names",
        "Harmless within a split, but such a photo counts several times.",
    ),
    "photo_contradicts": Words(
        "The same photo with and without a hazard",
        "The hazard column contradicts itself on these photos; one of the rows is wrong.",
    ),
    "photo_several_texts": Words(
        "The same photo with different descriptions",
        "Right where it shows several hazards (up to {most} texts here); wrong where a photo was "
        "attached to the wrong row.",
    ),
    "pair_repeated": Words(
        "The same photo with the same description again",
        "Repeated rows weigh more in training without saying more.",
    ),
    "near_duplicate": Words(
        "Nearly the same photo within a split",
        "Worth a look where their descriptions differ: is the difference to be seen?",
        "likeness {likeness}",
    ),
    "photo_tiny": Words(
        "Tiny photos",
        "The shorter side is below 128 pixels: previews rather than photos. Use the originals.",
        "{width} × {height}",
    ),
    "photo_even": Words(
        "Photos that show nothing",
        "One even colour: a failed shot or an empty picture.",
        "{width} × {height}",
    ),
    "photo_dark": Words(
        "Dark photos",
        "Nearly black all over. What cannot be seen cannot be learned.",
        "95 % of the area below {bright} of 255",
    ),
    "photo_bright": Words(
        "Over-exposed photos",
        "Nearly white all over; or a sheet of paper.",
        "90 % of the area above {low} of 255",
    ),
    "photo_blurred": Words(
        "Blurred photos",
        "Blurred even when scaled down to what a model sees. Leave them out unless the hazard can "
        "still be made out.",
        "sharpness {sharpness} (at least 100)",
    ),
    "photo_huge": Words(
        "Huge photos",
        "More than 36 megapixels or 15 MiB. They cost time on first reading and nothing after.",
        "{width} × {height}, {megabytes} MiB",
    ),
    "photo_after": Words(
        "Photos after rectification",
        "Their name, or their column's, says that they show the place after repair. Beside the "
        "text of the hazard they teach the wrong thing.",
        "{name}",
    ),
    "text_placeholder": Words(
        "Descriptions that say nothing",
        "Such as “see photo” or “test”. Write what is seen, or leave the row out.",
    ),
    "text_short": Words(
        "Very short descriptions", "Fewer than two words. Is the object or the defect missing?"
    ),
    "text_long": Words(
        "Very long descriptions",
        "More than 80 words; training cuts at --max_text_tokens. Several findings in one cell?",
    ),
    "text_garbled": Words(
        "Garbled descriptions",
        "Rests of another program or of a wrong encoding; the model would learn to write them.",
        "{found!r}",
    ),
    "text_other_language": Words(
        "Descriptions in another language",
        "A model that learns both at random writes both at random.",
    ),
    "text_numbered": Words(
        "Several numbered findings in one description",
        "One finding a row teaches more; the import can split them.",
    ),
    "text_full_width": Words(
        "Full-width digits and letters",
        "２ and 2 are different signs to a model. Use one form.",
        "{found}",
    ),
    "text_typo": Words(
        "Possible slips of the pen",
        "By an editable list (--wording). Judge for yourself; nothing is changed.",
        "{found} → {suggestion} ({times}): {why}",
    ),
    "text_personal": Words(
        "Personal data",
        "A model may learn it by heart and write it under another photo. Remove it. (Masked here.)",
        "{kinds}",
    ),
    "text_frequent": Words(
        "The same description on many photos",
        "These make up {share:.0%} of the pairs. Usual in ledgers, but a model is tempted to write "
        "them always; compare with the baseline “most frequent description”.",
        "{times} pairs",
    ),
    "hazard_contradicts": Words(
        "Marked as hazard, described as none",
        "The hazard column says yes, the text says that there is none; one of them is wrong.",
    ),
    "model_crops": Words(
        "The model's processor cuts off the edges of photos",
        "A hazard at the edge disappears while its text remains. Switch off do_center_crop in "
        "{model}/preprocessor_config.json, or let `hazardscribe init` write a model.",
    ),
    "model_cuts_text": Words(
        "Descriptions longer than the model learns",
        "More than {limit} tokens (the longest: {longest}); training cuts them there. Raise "
        "--max_text_tokens.",
    ),
}

_ZH: Mapping[str, Words] = {
    "rejected_photo_unreadable": Words(
        "无法读取的照片",
        "文件损坏、格式不支持，或根本不是照片。请从原处重新复制，或另存为 JPEG；"
        "在此之前这些行不参与训练。",
        "{detail}",
    ),
    "rejected_photo_missing": Words(
        "找不到的照片",
        "表格写了文件名，但没有找到文件。请检查照片文件夹；这些行不参与训练。",
        "{name}：{detail}",
    ),
    "rejected_bad_row": Words("无法读取的行", "请在表格中修正这些行。", "{detail}"),
    "rejected_bad_split": Words(
        "划分名称无法识别的行", "请填写 train、dev 或 validation。", "{detail}"
    ),
    "rejected_photo_url": Words(
        "以网址表示的照片", "程序不会从网络下载。请先下载照片，再填写文件名。", "{name}"
    ),
    "rejected_no_photo_named": Words("没有照片的行", "不形成样本；可能本来如此。", "{detail}"),
    "rejected_empty_description": Words(
        "没有描述的行", "空白、/、无、同上等。照片有价值的，请补写描述。", "{detail}"
    ),
    "rejected_blank": Words("空行", "无需处理。", ""),
    "text_by_machine": Words(
        "由模型写出的描述",
        "“{column}”列是程序写出的文字，未经人工确认。模型向自己学习，只会重复自己的错误。",
    ),
    "split_missing": Words(
        "缺少划分：{splits}", "没有开发集，就不知道何时停止训练；没有验证集，就没有可报告的成绩。"
    ),
    "split_small": Words(
        "{split}照片太少",
        "照片这么少时，0.8 的得分有 ± {uncertainty} 的误差，更小的差别没有意义。建议至少 100 张。",
    ),
    "split_one_class": Words(
        "{split}只有一类",
        "其中样本全部有隐患，或全部无隐患，因此无法衡量漏报或误报。",
    ),
    "hazard_only": Words(
        "没有一张无隐患的照片",
        "误报既无法衡量，也无法改正。整改后的照片可以作为无隐患样本。",
    ),
    "category_unseen": Words(
        "训练中没有的类别", "“{column}”列：{names}。只在开发集或验证集中出现。"
    ),
    "category_rare": Words(
        "训练样本极少的类别", "“{column}”列：{names}。每类不足 5 条，很难学会。"
    ),
    "leak_same_photo": Words(
        "同一张照片出现在多个划分中",
        "在这些照片上得分，考的是记忆而不是眼力。同一张照片的所有行应归入同一划分。",
        "{splits}",
    ),
    "leak_near_duplicate": Words(
        "几乎相同的照片出现在多个划分中",
        "同一处拍了两次，或同一张存了两种大小。得分会虚高，应归入同一划分。",
        "{splits}，相似度 {likeness}",
    ),
    "photo_copies": Words("同一张照片有多个文件名", "在同一划分内无害，但会被重复计算。"),
    "photo_contradicts": Words(
        "同一张照片既标为有隐患又标为无隐患", "这些照片的隐患标记自相矛盾，其中必有一行有误。"
    ),
    "photo_several_texts": Words(
        "同一张照片有不同的描述",
        "照片上有多处隐患时属正常（此处最多 {most} 条）；若照片贴错了行，则属错误。",
    ),
    "pair_repeated": Words(
        "照片和描述都相同的重复行", "重复的行在训练中占更大分量，却没有新内容。"
    ),
    "near_duplicate": Words(
        "同一划分中几乎相同的照片",
        "描述不同时值得一看：差别在照片上看得出来吗？",
        "相似度 {likeness}",
    ),
    "photo_tiny": Words(
        "过小的照片", "短边不足 128 像素，多为缩略图。请使用原图。", "{width} × {height}"
    ),
    "photo_even": Words(
        "没有内容的照片", "整张几乎只有一种颜色：拍摄失败或空白图片。", "{width} × {height}"
    ),
    "photo_dark": Words(
        "过暗的照片", "几乎全黑。看不见的东西学不会。", "95 % 的面积亮度低于 {bright}（满值 255）"
    ),
    "photo_bright": Words(
        "过曝的照片", "几乎全白，或是一张纸。", "90 % 的面积亮度高于 {low}（满值 255）"
    ),
    "photo_blurred": Words(
        "模糊的照片",
        "缩小到模型所见的大小仍然模糊。除非还能看清隐患，否则不要使用。",
        "清晰度 {sharpness}（至少 100）",
    ),
    "photo_huge": Words(
        "过大的照片",
        "超过 3600 万像素或 15 MiB。只在首次读取时费时间，不影响效果。",
        "{width} × {height}，{megabytes} MiB",
    ),
    "photo_after": Words(
        "整改后的照片",
        "文件名或列名表明拍的是整改之后。与隐患描述放在一起，会教错模型。",
        "{name}",
    ),
    "text_placeholder": Words("没有内容的描述", "例如“见照片”“测试”。请写出所见，或去掉该行。"),
    "text_short": Words("过短的描述", "不足 4 个字。是否缺少对象或缺陷？"),
    "text_long": Words(
        "过长的描述",
        "超过 120 个字；训练时会在 --max_text_tokens 处截断。是否把多条隐患写在了一格？",
    ),
    "text_garbled": Words(
        "含乱码的描述", "其他程序或错误编码留下的残余，模型会学着写出来。", "{found!r}"
    ),
    "text_other_language": Words("语言不一致的描述", "两种语言混着学，模型就会混着写。"),
    "text_numbered": Words("一条描述含多条编号的隐患", "一行一条隐患学得更好；导入时可以拆分。"),
    "text_full_width": Words(
        "全角数字和字母", "对模型来说“２”和“2”是两个字。请统一写法。", "{found}"
    ),
    "text_typo": Words(
        "可能的错别字",
        "依据可编辑的清单（--wording）。仅供参考，不会改动数据。",
        "{found} → {suggestion}（{times} 条）：{why}",
    ),
    "text_personal": Words(
        "个人信息",
        "模型可能记住并写到别的照片下面。请删除。（此处已遮盖。）",
        "{kinds}",
    ),
    "text_frequent": Words(
        "许多照片使用同一描述",
        "这些描述占样本的 {share:.0%}。台账中很常见，但模型容易总是写这几句；"
        "请与“最常见描述”基线比较。",
        "{times} 条",
    ),
    "hazard_contradicts": Words(
        "标为有隐患，描述却说没有", "隐患标记为“有”，文字却说没有隐患，其中必有一处有误。"
    ),
    "model_crops": Words(
        "模型的预处理会裁掉照片边缘",
        "边缘的隐患被裁掉，描述却还在。请在 {model}/preprocessor_config.json 中关闭 "
        "do_center_crop，或用 `hazardscribe init` 生成模型。",
    ),
    "model_cuts_text": Words(
        "比模型能学的更长的描述",
        "超过 {limit} 个词元（最长 {longest}），训练时会被截断。请调大 --max_text_tokens。",
    ),
}

_LOST_ZH = Words("未采用的行：{reason}", "这些行没有形成样本，原因见各行。", "{name} {detail}")


def words_for(finding: Finding, language: str) -> Words:
    """Title and advice of a finding with its values filled in; the note still as a pattern."""
    known, lost = (_ZH, _LOST_ZH) if language == "zh" else (_EN, _LOST)
    words = known.get(finding.code, lost)
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
        return ("、" if language == "zh" else ", ").join(PERSONAL[language][kind] for kind in value)
    if isinstance(value, list | tuple):
        return ("、" if language == "zh" else ", ").join(map(str, value))
    return in_language(value, language) if isinstance(value, str) else value
