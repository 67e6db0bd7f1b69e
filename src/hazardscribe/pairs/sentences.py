"""Sentences about single rows and pictures, in English and Chinese.

What is left out of a ledger is told to the person who keeps it, in the ledger's language; logs and
errors stay English. So the place that finds something out says *what*, as a code with values, and
whoever shows it says *how*:

    said = say("photo_missing", where="D:/台账")
    str(said)               # no such file in D:/台账
    in_language(said, "zh") # 在 D:/台账 中找不到该文件
"""

from __future__ import annotations

from collections.abc import Mapping

from hazardscribe.names import readable


class Sentence(str):
    """An English sentence that can also be said in another language.

    Attributes:
        code: of the sentence in `SENTENCES`.
        values: what stands in its gaps; may be sentences themselves.
    """

    __slots__ = ("code", "values")

    code: str
    values: Mapping[str, object]


def say(code: str, **values: object) -> Sentence:
    """The sentence of that code; `values` fill its gaps, file names among them as text."""
    values = {
        name: readable(value) if isinstance(value, str) else value for name, value in values.items()
    }
    said = Sentence(SENTENCES["en"][code].format(**values))
    said.code, said.values = code, values
    return said


def in_language(text: str, language: str) -> str:
    """A text in `zh` or `en`; what is no `Sentence` stays as it is."""
    if not isinstance(text, Sentence) or language == "en":
        return str(text)
    values = {
        name: in_language(value, language) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    return SENTENCES[language][text.code].format(**values)


SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        # rows
        "blank": "the row is blank",
        "continued": "all of its cells are merged with the row above",
        "hidden_row": "the row is hidden or filtered out in the sheet",
        "hidden_sheet": "the sheet is hidden; name it with --sheets to read it",
        "bad_row": "{cells} cells under {columns} columns: is a separator in a text not within "
        "quotes?",
        "header": "repeats the header",
        "total": "is a total: {text}",
        "signature": "is a line for signatures: {text}",
        "note": "is a note: {text}",
        "title": "is a heading: {text}",
        "no_description": "the description is empty",
        "empty_description": "the description is {text!r}",
        "only_pictures": "the row holds pictures and no text; if they belong to the row above, "
        "move them into its cells",
        "not_visible": "no photo can show {word!r}: {text}",
        "no_photo_column": "the sheet has no column of photos, and no picture lies in the row",
        "no_photo": "the photo cell is empty, and no picture lies over it",
        "no_photo_named": "photo cell is {text!r}",
        "bad_split": "{text!r} is not a split; use train, dev or validation",
        "no_split": "the split is empty while other rows have one",
        "because": "{name}: {detail}",
        # pictures
        "unplaced": "lies in no cell of any sheet",
        "title_row": "lies above the rows of the ledger",
        "other_column": "lies in the column {name!r}, which is not one of photos",
        "nameless_column": "lies in a column without a name, which is not one of photos",
        "only_after": "{detail}; the sheet has {after!r} for photos after repair and no column of "
        "hazard photos, so that it may show the repair: name theirs with --columns.photo",
        "no_row": "lies beside no row of the ledger",
        "no_header": "the sheet has no header that names a description",
        "no_such_column": "the sheet has a header, but not the column that was named; import it by "
        "itself with --sheets",
        "sheet_not_chosen": "the sheet was not named with --sheets",
        "copy_of_original": "is a copy of {name}, which is taken instead",
        "not_rectified": "the row says it is not yet done",
        "also_hazard_photo": "is the same picture as a photo of a hazard",
        "duplicate": "is in this row already",
        "rejected_row": "{reason}: {detail}",
        "picture_linked": "it is only a link to {address}; insert the picture itself",
        "picture_gone": "{part} is not in the workbook any more; insert the picture again",
        "picture_empty": "{part} is empty (0 bytes); insert the picture again",
        "picture_too_large": "{part} has {size} MiB; the limit is {limit} MiB",
        "picture_damaged": "{cause}",
        "picture_format": "{part} is {kind}, which is no photo; insert it as one of {supported}",
        "drawing_broken": "the drawing refers to {name!r}, which it does not define",
        "wps_lost": "the WPS picture {name} is not in the workbook: a program other than WPS "
        "saved it without its pictures; take the file as WPS saved it",
        "cell_picture_lost": "the workbook does not hold the picture of this cell; insert it again",
        "picture_web": "IMAGE shows a picture from {address} that is not in the workbook; insert "
        "the picture itself",
        "an_address": "an address",
        "kind_wmf": "a WMF drawing",
        "kind_emf": "an EMF drawing",
        "kind_packed": "a compressed EMF or WMF drawing",
        "kind_svg": "an SVG drawing",
        "kind_ole": "an embedded Office object",
        "kind_office": "an embedded Office file",
        "kind_pdf": "a PDF",
        "kind_psd": "a Photoshop file",
        "kind_jp2": "a JPEG 2000 picture",
        "kind_jxr": "a JPEG XR picture",
        "kind_jxl": "a JPEG XL picture",
        "kind_icon": "an icon",
        "kind_page": "a web page",
        "kind_heic": "a HEIC photo",
        "kind_avif": "an AVIF picture",
        "kind_video": "a video",
        "kind_unknown": "unknown",
        # files that a ledger names
        "photo_url": "is a network address; nothing is fetched: download the photo first",
        "photo_embedded": "stands for a picture inside a cell, which is not in this file: CSV has "
        "none, and programs other than Excel and WPS lose it when they save; take the file as "
        "Excel or WPS saved it, or save the pictures as files",
        "photo_bad_name": "is not a valid file name",
        "photo_several": "fits {count} files ({names}); name its folder too",
        "photo_missing": "no such file in {where}",
        "photo_missing_folder": "no such file in {where}; name the photo folder: --photos FOLDER, "
        "in Python photos=...",
        # files that cannot be used; the cause in English says more
        "unreadable_missing": "{cause}",
        "unreadable_not_an_image": "{cause}",
        "unreadable_format": "{cause}",
        "unreadable_too_large": "{cause}",
        "unreadable_aspect": "{cause}",
        "unreadable_too_small": "{cause}",
        "unreadable_damaged": "{cause}",
        # warnings
        "outside": "{file}: {count} files are left out, since their names point outside of the "
        "archive: {names}",
        "unnamed_photos": "{count} photos of those given are named by no row, and are not used: "
        "{names}",
        "foreign": "{file}: {count} ledgers are not read, since they are no .xlsx: {names}; save "
        "them as .xlsx in Excel or WPS and import again",
        "lost_originals": "{file}: {count} originals such as {name} were not found, so the copies "
        "in the cells are taken; put their folder beside the workbook, or name it with --photos",
        "altered_pictures": "{file}: {count} pictures are cropped or turned in the sheet; they are "
        "taken as they were before. Where that matters, save the picture as it is shown and insert "
        "it anew",
        "split_unused": "the ledger's split column is not used, since --split names a group",
        "one_group": "one group holds {count} of {total} rows, which cannot be divided; choose "
        "another column to group by, or --split random",
        "torn_groups": "the ledger's own splits part {count} groups of rows with the same or "
        "nearly the same photo; scores on validation will flatter",
        "empty_split": "{split} is empty: the rows form too few groups",
    },
    "zh": {
        "blank": "空行",
        "continued": "整行均与上一行合并",
        "hidden_row": "该行在表中被隐藏或筛选掉",
        "hidden_sheet": "该工作表已隐藏；如需读取，请用 --sheets 指明",
        "bad_row": "表头 {columns} 列，该行却有 {cells} 个单元格：文字中的分隔符是否未加引号？",
        "header": "重复的表头",
        "total": "合计行：{text}",
        "signature": "签字行：{text}",
        "note": "备注行：{text}",
        "title": "标题行：{text}",
        "no_description": "隐患描述为空",
        "empty_description": "隐患描述为“{text}”，等于没有内容",
        "only_pictures": "该行只有图片没有文字；如属于上一行，请把图片移到上一行的单元格中",
        "not_visible": "照片无法体现“{word}”：{text}",
        "no_photo_column": "该表没有照片列，行中也没有图片",
        "no_photo": "照片单元格为空，上面也没有图片",
        "no_photo_named": "照片单元格写的是“{text}”",
        "bad_split": "“{text}”不是数据划分；请用 train、dev 或 validation（训练、开发、验证）",
        "no_split": "其他行有数据划分，该行为空",
        "because": "{name}：{detail}",
        "unplaced": "不在任何工作表的单元格中（背景、页眉或已删除的图片）",
        "title_row": "位于表头或标题区，不属于任何一行",
        "other_column": "位于“{name}”列，不是照片列",
        "nameless_column": "位于没有列名的列，不是照片列",
        "only_after": "{detail}；该表有整改后照片列“{after}”而没有隐患照片列，图片可能是整改后的："
        "请用 --columns.photo 指定隐患照片列",
        "no_row": "旁边没有数据行",
        "no_header": "该工作表没有含隐患描述的表头",
        "no_such_column": "该工作表有表头，但没有指定的列；可用 --sheets 单独导入",
        "sheet_not_chosen": "未用 --sheets 选择该工作表",
        "copy_of_original": "是 {name} 的副本，已取原件",
        "not_rectified": "该行写明尚未整改完成",
        "also_hazard_photo": "与某张隐患照片是同一张图片",
        "duplicate": "同一行中已有相同的图片",
        "rejected_row": "所在行被剔除：{detail}",
        "picture_linked": "只是指向 {address} 的链接；请插入图片本身",
        "picture_gone": "工作簿中已没有 {part}；请重新插入图片",
        "picture_empty": "{part} 是空文件（0 字节）；请重新插入图片",
        "picture_too_large": "{part} 有 {size} MiB，上限为 {limit} MiB；请插入较小的图片",
        "picture_damaged": "图片数据已损坏；请重新插入图片，或用 Excel、WPS 修复后另存为 .xlsx",
        "picture_format": "{part} 是{kind}，不是照片；请改为插入 JPEG 或 PNG 照片",
        "drawing_broken": "绘图引用了不存在的 {name}；请重新插入图片",
        "wps_lost": "工作簿中没有 WPS 图片 {name}：其他程序保存时丢掉了图片；"
        "请使用 WPS 保存的原文件",
        "cell_picture_lost": "工作簿中没有该单元格的图片；请重新插入",
        "picture_web": "IMAGE 函数显示的是 {address} 的图片，不在工作簿中；请插入图片本身",
        "an_address": "某网址",
        "kind_wmf": " WMF 图形",
        "kind_emf": " EMF 图形",
        "kind_packed": "压缩的 EMF 或 WMF 图形",
        "kind_svg": " SVG 图形",
        "kind_ole": "嵌入的 Office 对象",
        "kind_office": "嵌入的 Office 文件",
        "kind_pdf": " PDF 文件",
        "kind_psd": " Photoshop 文件",
        "kind_jp2": " JPEG 2000 图片",
        "kind_jxr": " JPEG XR 图片",
        "kind_jxl": " JPEG XL 图片",
        "kind_icon": "图标文件",
        "kind_page": "网页文件",
        "kind_heic": " HEIC 照片",
        "kind_avif": " AVIF 图片",
        "kind_video": "视频文件",
        "kind_unknown": "无法识别的文件",
        "photo_url": "是网址，程序不会联网下载；请先把照片下载下来",
        "photo_embedded": "是单元格内的图片，不在本文件中：CSV 存不下，Excel、WPS "
        "以外的程序保存时会丢掉；请使用 Excel 或 WPS 保存的原文件，或把图片另存为文件",
        "photo_bad_name": "不是有效的文件名",
        "photo_several": "有 {count} 个文件与之相符（{names}）；请写明所在文件夹",
        "photo_missing": "在 {where} 中找不到该文件",
        "photo_missing_folder": "在 {where} 中找不到该文件；请用 --photos 指明照片所在文件夹",
        "unreadable_missing": "文件不存在或无法打开",
        "unreadable_not_an_image": "不是照片文件；请核对文件内容与文件名是否相符",
        "unreadable_format": "不支持的图片格式；请转换为 JPEG 或 PNG",
        "unreadable_too_large": "图片过大（字节数或像素数超出上限）；请另存为较小的图片",
        "unreadable_aspect": "图片过于狭长；请裁剪到要表现的部分",
        "unreadable_too_small": "图片过小，看不清内容；请使用原图",
        "unreadable_damaged": "图片数据损坏或不完整；请从原处重新复制",
        "outside": "{file}：有 {count} 个文件的名称指向压缩包之外，未予读取：{names}",
        "unnamed_photos": "所给照片中有 {count} 张未被任何一行提到，没有使用：{names}",
        "foreign": "{file}：有 {count} 个台账不是 .xlsx，未读取：{names}；"
        "请用 Excel 或 WPS 另存为 .xlsx 后重新导入",
        "lost_originals": "{file}：有 {count} 张原图（如 {name}）未找到，改用单元格中的副本；"
        "请把原图文件夹放在工作簿旁边，或用 --photos 指明",
        "altered_pictures": "{file}：有 {count} 张图片在表中被裁剪或旋转，导入的是原图；"
        "如有影响，请把图片按所见另存后重新插入",
        "split_unused": "--split 指定了分组，因此未采用台账自带的数据划分列",
        "one_group": "{total} 行中有 {count} 行同属一组，无法划分；请换一列分组，"
        "或用 --split random",
        "torn_groups": "台账自带的数据划分把 {count} 组照片相同或近似的行分在了两边；"
        "验证得分会偏高",
        "empty_split": "{split} 为空：可供划分的组太少",
    },
}
"""language -> code -> sentence with gaps."""
