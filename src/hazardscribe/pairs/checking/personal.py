"""Personal data in descriptions: found by form and check digit, and masked wherever it is shown.

A model may learn a phone number by heart and write it under another photo. Names alone cannot be
told from other words by form; they are found after a label such as 责任人：.
"""

from __future__ import annotations

import re

_MOBILE = re.compile(r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)")
_ID_CARD = re.compile(
    r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)"
)
# Bounded as RFC 5321 (4.5.3.1) bounds them: a long word must not be gone over from each letter.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9.+-])[A-Za-z0-9][\w.+-]{0,63}@"
    r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,63}"
)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·• ]?"
    r"[A-HJ-NP-Z0-9]{5,6}(?![A-Za-z0-9])"
)
_NAME = re.compile(
    r"(?:责任人|联系人|负责人|检查人|当事人|违章人|姓名)(?:员)?[:：]\s*[\u4e00-\u9fff]{2,3}"
    r"(?![\u4e00-\u9fff]|\s*[:：])"  # "检查人： 审核人：" is an empty form
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

_KINDS = {"id_card": _ID_CARD, "mobile": _MOBILE, "email": _EMAIL, "plate": _PLATE, "name": _NAME}


def find_personal(text: str) -> list[str]:
    """Kinds of personal data in a text: `mobile`, `id_card`, `email`, `plate`, `name`."""
    return [
        kind
        for kind, pattern in _KINDS.items()
        if any(_real(kind, m) for m in pattern.finditer(text))
    ]


def mask_personal(text: str) -> str:
    """The text with all but the first two signs of personal data replaced by stars."""
    for kind, pattern in _KINDS.items():
        text = pattern.sub(lambda m, kind=kind: _masked(kind, m), text)  # type: ignore[misc]
    return text


def _masked(kind: str, match: re.Match[str]) -> str:
    found = match.group()
    if not _real(kind, match):
        return found
    if kind == "name":
        label, sign, name = re.split(r"([:：]\s*)", found, maxsplit=1)
        return label + sign + "*" * len(name)
    return found[:2] + "*" * (len(found) - 2)


def _real(kind: str, match: re.Match[str]) -> bool:
    """Whether the check digit of an identity card fits (ISO 7064, mod 11-2)."""
    if kind != "id_card":
        return True
    digits = match.group()
    rest = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False)) % 11
    return digits[-1].upper() == "10X98765432"[rest]
