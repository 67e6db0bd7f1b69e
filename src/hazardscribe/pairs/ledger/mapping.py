"""Which column of a ledger plays which role.

The names are those of `pairs/columns.py`; here they meet what ledgers do with them: headers of
several rows (`整改` over `期限`), several photo columns, the same name twice, names nobody thought
of. The rule above all others: a column that could show the place after repair is never taken for
the hazard photo.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import LEDGER_ROLES, normal_name, usual_rank, written_by_program
from hazardscribe.pairs.ledger.photo_names import (
    PICTURE,
    names_after,
    names_before,
    names_both,
    names_other,
    names_pictures,
    plain_name,
    side,
)

SEVERAL = ("photo", "after_photo")
"""Roles that several columns of one sheet can play at once."""

_ENDS = re.compile(rf"{PICTURE}[\d一二三四五六七八九十]*$")
_VIEW = re.compile(
    r"(?:近景|远景|全景|局部|细部|细节|特写|正面|侧面|背面|第?[\d一二三四五六七八九十]+张?|图\d+)"
)
_ISSUE = (
    r"(?:finding|observation|hazard|issue|problem|nonconformity|deficiency|unsafeact"
    r"|unsafecondition)s?"
)
_TEXT = re.compile(
    r"(?:隐患|问题|违章|违规|不符合项?|缺陷).*(?:描述|内容|情况|说明|详情|概述|简述)$"
    r"|(?:发现|存在|检查出|查出|主要).*(?:隐患|问题|缺陷)$|^(?:安全)?(?:隐患|问题)(?:隐患|问题)$"
    rf"|^{_ISSUE}(?:description|details?|identified|observed|found|noted)$"
    rf"|^(?:identified|observed){_ISSUE}$|^(?:detailed)?descriptionof(?:the)?{_ISSUE}$"
    r"|^(?:safety)?(?:issue|problem|nonconformity|nonconformance|deficiency)s?$"
)
_PARTS = re.compile(
    r"[/|\n]+|(?<=[\u4e00-\u9fff)）])[ -]*(?=[a-z])|(?<=[a-z.)])[ -]*(?=[\u4e00-\u9fff])",
    re.IGNORECASE,
)
_WITH_PICTURE = re.compile(rf"(?:[及和与、+]|以及|附|并附){PICTURE}$")
_NOT_TEXT = re.compile(r"整改|复查|数量?|编号|序号|类别|类型|等级|级别|来源|是否|部位|地点|位置")
_REPAIR = re.compile(r"整改|整治|治理|复查|验收|销号|闭环|rectif|after|corrective|follow")
_ATTACHED = frozenset(map(normal_name, ("附件", "attachment", "attachments")))
_PLAIN = frozenset(
    map(
        normal_name, ("照片", "图片", "附件", "图", "photo", "photos", "image", "images", "picture")
    )
)
_OF_PART, _GUESSED = 500.0, 1000.0
"""How well a name fits of which one part is usual, and one that only sounds like it."""

_RESULT = ("status", "after_photo", "due", "measure", "responsible")


@dataclass(frozen=True, slots=True)
class Name:
    """A column's name, of one to three header rows; `above` is the uppermost of three."""

    parent: str
    child: str
    above: str = ""

    @property
    def text(self) -> str:
        """`整改-期限`; the one name where there is one, or rows that say the same."""
        parts = [part for part in (self.above, self.parent, self.child) if part]
        return "-".join(part for at, part in enumerate(parts) if part not in parts[:at])


def map_columns(
    names: Sequence[Name], chosen: Mapping[str, str], *, where: str, strict: bool = True
) -> dict[str, tuple[int, ...]]:
    """The columns of each role.

    Args:
        names: of the columns in order.
        chosen: role -> column as named by the user, before everything else; "" for no column.
        where: for messages.
        strict: a chosen column must be there.

    Returns:
        role -> positions (0-based); several only for the photos.

    Raises:
        InputError: a chosen column is not there, or there twice.
    """
    roles: dict[str, tuple[int, ...]] = {}
    for role, wanted in chosen.items():
        if wanted:
            found = _chosen(names, role, wanted)
            if found:
                roles[role] = found
            elif strict:
                seen = ", ".join(repr(name.text) for name in names if name.text) or "none"
                raise InputError(
                    f"{where}: there is no single column {wanted!r}, named for the {role}. "
                    f"Columns seen: {seen}"
                )
    open_roles = [role for role in LEDGER_ROLES if role not in chosen]
    fits = [_fit(name) for name in names]

    def fitting(role: str) -> list[int]:
        taken = {at for positions in roles.values() for at in positions}
        return [at for at, fit in enumerate(fits) if role in fit and at not in taken]

    # After-photos first: what could be one must not be left for `photo`.
    if "after_photo" in open_roles:
        _add(roles, "after_photo", fitting("after_photo"))
    for role in open_roles:
        if role not in SEVERAL and (places := fitting(role)):
            best = min(places, key=lambda at: (names[at].text != role, fits[at][role], at))
            roles[role] = (best,)
    if "photo" in open_roles:
        before, after = _sort_plain(names, fitting("photo"), roles)
        if any(normal_name(names[at].text) not in _ATTACHED for at in before):
            before = [at for at in before if normal_name(names[at].text) not in _ATTACHED]
        exact = [at for at in before if names[at].text == "photo"]
        _add(roles, "photo", exact or before)
        if after and "after_photo" in open_roles:
            _add(roles, "after_photo", sorted({*roles.get("after_photo", ()), *after}))
    return {role: roles[role] for role in LEDGER_ROLES if role in roles}


def add_sides(
    names: Sequence[Name],
    roles: Mapping[str, tuple[int, ...]],
    chosen: Collection[str],
    pictured: Collection[int],
) -> dict[str, tuple[int, ...]]:
    """The roles with those of Before and After, 改善前 and 改善后, where pictures lie over them.

    Args:
        names: of the columns in order.
        roles: role -> positions, as `map_columns` finds them.
        chosen: roles for which the user named a column; they stay as they are.
        pictured: positions of columns over which pictures lie.
    """
    result = dict(roles)
    taken = {at for positions in roles.values() for at in positions}
    for at, name in enumerate(names):
        role = side(normal_name(name.child))
        if role and role not in chosen and at in pictured and at not in taken:
            result[role] = tuple(sorted({*result.get(role, ()), at}))
    return {role: result[role] for role in LEDGER_ROLES if role in result}


def after_column(names: Sequence[Name], roles: Mapping[str, tuple[int, ...]]) -> str:
    """The name of a column for photos after repair, "" where there is none."""
    for at in roles.get("after_photo", ()):
        return names[at].text
    for name in names:
        after = names_after(plain_name(name.text)) and not names_both(plain_name(name.text))
        if after or side(normal_name(name.child)) == "after_photo":
            return name.text
    return ""


def _add(roles: dict[str, tuple[int, ...]], role: str, positions: Sequence[int]) -> None:
    if positions:
        roles[role] = tuple(positions)


def _chosen(names: Sequence[Name], role: str, wanted: str) -> tuple[int, ...]:
    for same in (
        [at for at, name in enumerate(names) if name.text == wanted],
        [at for at, name in enumerate(names) if wanted and name.child == wanted],
        [at for at, n in enumerate(names) if normal_name(n.text) == normal_name(wanted)],
    ):
        if len(same) == 1 or (same and role in SEVERAL):
            return tuple(same)
        if same:
            return ()
    return ()


def _fit(name: Name) -> dict[str, float]:
    """role -> how well the name fits it, smaller is better."""
    if not name.text or written_by_program(name.text):
        return {}
    fit: dict[str, float] = {}
    for role in LEDGER_ROLES:
        ranks = [usual_rank(text, role) for text in _forms(name)]
        known = [rank for rank in ranks if rank is not None]
        if known:
            fit[role] = min(known)
    plain = plain_name(name.text)
    bare = normal_name(name.text)
    if names_both(plain) and names_pictures(plain):
        before, after = "前" in name.child, "后" in name.child
        if before == after or not names_both(plain_name(name.parent)):
            return {}  # one picture of both is neither
        return {"photo" if before else "after_photo": _GUESSED}
    if names_other(plain) and names_pictures(plain):
        return {role: rank for role, rank in fit.items() if role not in SEVERAL}
    if names_after(plain):
        return {"after_photo": fit.get("after_photo", _GUESSED)}
    view = _VIEW.fullmatch(normal_name(name.child)) and _ENDS.search(normal_name(name.parent))
    before_repair = names_before(plain)
    if before_repair:
        fit.pop("after_photo", None)
    if not fit and (role := _role_of_part(name)):
        fit[role] = _OF_PART
    if not fit and (view or _ENDS.search(bare) or (before_repair and names_pictures(plain))):
        fit["photo"] = _GUESSED
    if not fit and _TEXT.search(bare) and not _NOT_TEXT.search(bare):
        fit["description"] = _GUESSED
    return fit


def _role_of_part(name: Name) -> str:
    """The role of a name that says it twice, 问题描述 Finding or Finding / Observation, else "".

    Its parts must agree: 责任人/期限 is neither.
    """
    if _REPAIR.search(f"{name.above} {name.parent}".casefold()):
        return ""  # 整改 over Location / 地点 is about the repair
    roles = {
        role
        for part in _PARTS.split(name.child or name.parent)
        for role in LEDGER_ROLES
        if usual_rank(part, role) is not None
    }
    role = roles.pop() if len(roles) == 1 else ""
    return "" if role in ("photo", "description") and _REPAIR.search(name.text.casefold()) else role


def is_guess(name: Name) -> bool:
    """Whether a description's name is none of the usual ones, but sounds like them.

    So do sentences: 存在燃气泄漏安全隐患.
    """
    return _fit(name).get("description") == _GUESSED


def _forms(name: Name) -> list[str]:
    """The names that a header of several rows could stand for."""
    # A lower name may say again what it stands under: 整改要求 over 整改期限.
    repaired = name.child if _REPAIR.search(name.child.casefold()) else f"整改{name.child}"
    if _REPAIR.search(name.above.casefold()) and not _REPAIR.search(name.parent.casefold()):
        return [f"整改{name.parent}{name.child}", repaired, name.child + name.parent]
    if not name.parent or name.parent == name.child:
        return [name.child, _WITH_PICTURE.sub("", name.child)]
    if not name.child:
        return [name.parent]
    alone = repaired if _REPAIR.search(name.parent.casefold()) else name.child
    return [name.parent + name.child, name.child + name.parent, alone]


def _sort_plain(
    names: Sequence[Name], positions: Sequence[int], roles: Mapping[str, tuple[int, ...]]
) -> tuple[list[int], list[int]]:
    """Photo columns before and after repair, where a plain name such as 照片 occurs twice.

    The second 照片, behind the columns about the repair, shows its result.
    """
    plain = [at for at in positions if normal_name(names[at].child or names[at].text) in _PLAIN]
    repair = [at for role in _RESULT for at in roles.get(role, ())]
    after = [
        at for at in plain if any(plain[0] < other < at for other in repair) and at != positions[0]
    ]
    return [at for at in positions if at not in after], after
