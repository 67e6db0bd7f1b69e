"""What a column's name says of the pictures in it: before repair, after it, or something else.

Ledgers have no end of words for the repair, so the words here are taken widely: a picture that is
missed costs a row, one of the repaired place beside a hazard's text teaches the wrong thing.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 200

PICTURE = r"(?:照片|相片|图片|影像|图像|附图|图|photos?|images?|pictures?|pics?)"

# 待整改 and 未整改 stand before the repair, as does 整改前; 污水处理 is a plant, 专项整治 a
# campaign, and 问题佐证 proves the hazard.
_REPAIR = (
    r"(?<![待未需])(?:整改|改善|消缺|销项|销号|闭环|回复|纠正|处置|恢复|完工|完成|落实|修复|复查|复验|验收"
    r"|(?<!水)处理|(?<!排查)(?<!专项)(?<!综合)(?:治理|整治)|(?<!问题)(?<!隐患)反馈"
    r"|(?<!问题)(?<!隐患)(?<!违章)(?<!违规)(?<!缺陷)佐证)(?![之以]?前)"
)
# Behind something, or behind its discovery, is not after its repair.
_LATER = (
    r"(?<![背身屋门柜车机墙最午])(?<!发现)(?<!事故)(?<!事发)(?<!检查)(?<!排查)(?<!巡查)"
    r"后(?![方面侧视续勤门台墙排端轮桥座备盖街院厨山])"
)
_EARLIER = r"(?<![当目])前(?![方面侧门台墙排端轮])"
_ENGLISH = (
    r"(?<![a-z])after|\b(?:rectif\w*|remed\w*|clos(?:ing|ed|ure|e[ -]?out)"
    r"|correct(?:ive|ed|ion)|complet(?:ed|ion)|fixed|repair(?:s|ed)?|follow[ -]?up"
    r"|re-?inspect\w*)\b"
    r"|(?<!hazard )(?<!finding )(?<!issue )(?<!violation )\bevidence\b"
)
_WORDS = re.compile(f"{_REPAIR}|{_LATER}|{_ENGLISH}")
_AFTER = re.compile(
    rf"(?:{_REPAIR}|{_LATER}).*(?:{PICTURE}|附件)|{PICTURE}.*{_LATER}"
    rf"|{PICTURE}[-(\s]*{_REPAIR}(?:情况|结果|完成)*[)\s]*$"
    rf"|(?:{_ENGLISH}).*{PICTURE}|{PICTURE}.*(?:{_ENGLISH})"
)
_BEFORE = re.compile(
    r"(?:整改|改善|消缺|销项|销号|闭环|反馈|回复|纠正|处置|恢复|完工|完成|落实|修复|处理|治理|整治|验收)[之以]?前"
    r"|\bbefore\b|\bprior to\b"
)
_BOTH = re.compile(
    rf"{_EARLIER}.*{_LATER}|{_LATER}.*{_EARLIER}|前后|对比|before.*after|after.*before"
)
# Who signed, how it should look; 检查后 may lie on either side of the repair.
_OTHER = re.compile(
    r"签[名字章]|盖章|(?<!不)(?<!不符合)(?<!违反)(?<!不达)标准(?!化)|(?<!不)正确|参考|示范"
    r"|(?:检查|排查|巡查)后(?![方面侧])"
    r"|\bsignatures?\b|\breference\b|(?<!non )(?<!non-)\bstandard\b|\bcorrect\b"
)
_SIDE = re.compile(
    r"(?:整改|改善|整治|治理|处理|处置|修复|消缺|纠正)?[之以]?(?P<side>前|后)"
    r"|(?P<english>before|after)(?:rectification|repair|correction|improvement|action)?"
)


def plain_name(text: str) -> str:
    """A name as the patterns see it; a longer text would keep them busy for seconds."""
    return unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().replace("_", " ")


def names_pictures(plain: str) -> bool:
    """Whether a plain name speaks of pictures."""
    return bool(re.search(PICTURE, plain))


def names_both(plain: str) -> bool:
    """Whether a plain name speaks of before and after repair."""
    return bool(_BOTH.search(plain))


def names_after(plain: str) -> bool:
    """Whether a plain name is one of pictures that could show the place repaired."""
    return bool(_AFTER.search(plain)) and not _BEFORE.search(plain)


def names_before(plain: str) -> bool:
    """Whether a plain name speaks of the time before repair."""
    return bool(_BEFORE.search(plain))


def names_other(plain: str) -> bool:
    """Whether a plain name speaks of signatures, standards and the like."""
    return bool(_OTHER.search(plain))


def side(bare: str) -> str:
    """`photo` for a normal name such as 改善前 or Before, `after_photo` for 改善后, else "".

    Such a name may as well stand over texts; it is for pictures only where some lie over it.
    """
    match = _SIDE.fullmatch(bare)
    if not match:
        return ""
    return "photo" if (match["side"] or match["english"]) in ("前", "before") else "after_photo"


def may_show_hazard(text: str) -> bool:
    """Whether a picture over a column of that name, one of no role, could show the hazard."""
    plain = plain_name(text)
    if names_both(plain) or names_other(plain):
        return False
    return names_before(plain) or not _WORDS.search(plain)
