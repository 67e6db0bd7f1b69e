"""Which column holds what: the names that Chinese and English ledgers use.

Names are compared without regard to spaces, full-width forms, case, punctuation and remarks in
brackets such as （必填）. A column that shows the place *after* rectification is never taken for
the hazard photo: text about a hazard beside a picture without it would teach the wrong thing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from hazardscribe.errors import InputError

ROLES = ("photo", "description", "split")
"""The columns that can be named by the user; all but `split` are needed."""

_NAMES: dict[str, tuple[str, ...]] = {
    "photo": (
        *("隐患照片", "隐患图片", "问题图片", "问题照片", "整改前照片", "整改前图片", "现场照片"),
        *("现场图片", "照片", "图片", "附件", "隐患图", "照片名称", "图片名称", "照片文件名"),
        *("图片文件名", "照片路径", "图片路径", "照片文件", "图片文件"),
        *("photo", "photos", "image", "images", "picture", "pictures", "img", "file_name"),
        *("photo_file", "photo_path", "photo_name", "image_file", "image_path", "image_name"),
        *("hazard_photo", "hazard_image", "before_photo", "photo_before"),
    ),
    "description": (
        *("隐患描述", "隐患问题描述", "问题描述", "隐患内容", "问题内容", "存在的隐患及问题"),
        *("存在隐患及问题", "存在问题", "存在的问题", "存在的隐患", "存在隐患", "隐患情况"),
        *("问题情况", "检查发现问题", "检查发现的问题", "发现问题", "发现的问题", "发现隐患"),
        *("隐患情况描述", "隐患及问题描述", "隐患", "描述"),
        *("description", "descriptions", "hazard_description", "finding", "findings"),
        *("observation", "observations", "issue_description", "caption", "captions", "text"),
    ),
    "split": ("split", "划分", "数据划分", "数据集划分", "样本划分"),
}


def normal_name(name: str) -> str:
    """A column name in the form in which names are compared."""
    text = unicodedata.normalize("NFKC", name).casefold()
    bare = re.sub(r"\(.*?\)|\[.*?\]|【.*?】|〔.*?〕", "", text)
    kept = re.sub(r"[\W_]+", "", bare)
    return kept or re.sub(r"[\W_]+", "", text)


_LOOKUP = {role: frozenset(map(normal_name, names)) for role, names in _NAMES.items()}


def find_columns(
    names: Sequence[str], chosen: Mapping[str, str] | None = None, *, where: str
) -> dict[str, int]:
    """Position of the photo, description and split column.

    A column called exactly `photo`, `description` or `split`, the names of the pairs format
    itself, goes before others that could also be meant.

    Args:
        names: the columns in order, as written.
        chosen: role -> column name, given by the user; goes before everything else.
        where: the table's name, for messages.

    Returns:
        role -> position in `names`; `split` only where there is one.

    Raises:
        InputError: a needed column is not there, or several columns could be it.
    """
    chosen = dict(chosen or {})
    check_roles(chosen)
    found: dict[str, int] = {}
    for role in ROLES:
        if role in chosen:
            found[role] = _chosen(names, role, chosen[role], where)
    for role in ROLES:
        if role in found:
            continue
        taken = set(found.values())
        fitting = [i for i in usual_columns(names, role) if i not in taken]
        exact = [i for i in fitting if names[i] == role]
        if len(exact) == 1:
            fitting = exact
        if len(fitting) == 1:
            found[role] = fitting[0]
        elif fitting:
            several = ", ".join(repr(names[i]) for i in fitting)
            raise InputError(
                f"{where}: several columns could be the {role}: {several}. {_how(role, names)}"
            )
        elif role != "split":
            raise InputError(f"{where}: no column for the {role} was found. {_how(role, names)}")
    return found


def usual_columns(names: Sequence[str], role: str) -> list[int]:
    """Positions of the columns whose name is a usual one for the role."""
    return [i for i, name in enumerate(names) if normal_name(name) in _LOOKUP[role]]


def count_roles(names: Sequence[str], chosen: Mapping[str, str] | None = None) -> int:
    """How many of photo and description a row of names could serve: finds headers."""
    chosen = chosen or {}
    return sum(
        any(normal_name(name) == normal_name(chosen[role]) for name in names)
        if role in chosen
        else bool(usual_columns(names, role))
        for role in ("photo", "description")
    )


def check_roles(chosen: Mapping[str, str]) -> None:
    """Refuse a mapping with unknown roles or one column for two of them."""
    for role in chosen:
        if role not in ROLES:
            raise InputError(
                f"columns: {role!r} is not a role; the roles are {', '.join(ROLES)}, as in "
                "--columns.photo 现场照片, in Python columns={'photo': '现场照片'}"
            )
    if len(set(chosen.values())) < len(chosen):
        raise InputError(f"columns: one column is named for two roles: {dict(chosen)}")


def _chosen(names: Sequence[str], role: str, wanted: str, where: str) -> int:
    hits = [i for i, name in enumerate(names) if name == wanted]
    hits = hits or [i for i, name in enumerate(names) if normal_name(name) == normal_name(wanted)]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise InputError(
            f"{where}: {len(hits)} columns are called {wanted!r}, named for the {role}; "
            "rename all but one of them"
        )
    raise InputError(
        f"{where}: there is no column {wanted!r}, named for the {role}. "
        f"Columns seen: {_seen(names)}"
    )


def _seen(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _how(role: str, names: Sequence[str]) -> str:
    return (
        f"Columns seen: {_seen(names)}. Name the right one: --columns.{role} NAME, in Python "
        f'columns={{"{role}": "NAME"}}; or rename the column to {role!r}'
    )
