"""Which column holds what: the names that Chinese and English ledgers use.

Names are compared without regard to spaces, full-width forms, case, punctuation and remarks in
brackets such as （必填）. A column that shows the place *after* rectification is never taken for
the hazard photo: text about a hazard beside a picture without it would teach the wrong thing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from hazardscribe.errors import InputError

ROLES = ("photo", "description", "split")
"""The columns of pairs that can be named by the user; all but `split` are needed."""

LEDGER_ROLES = (
    *("photo", "description", "split", "after_photo", "category", "level", "place", "date"),
    *("site", "project", "inspector", "measure", "responsible", "due", "status"),
)
"""The columns of a ledger that `import` knows and keeps under these names."""

FIRST_COLUMNS = ("photo", "description", "split", "row_file", "row_sheet", "row_number")
"""The columns that every frame of pairs begins with; the other source columns follow."""

EXPORTED = {
    "photo": ("隐患照片", "Hazard photo"),
    "description": ("隐患描述", "Hazard description"),
    "split": ("划分", "Split"),
}
"""Role -> its headers in an exported workbook, where no other column could be meant by them."""

AI_COLUMNS = {"zh": "AI描述", "en": "AI description"}
"""Language -> header of the texts that the model wrote, in ledgers for people."""

AI_KEY = "ai_description"
"""What a record calls them. Under none of these names is a text ever taken for the description
unasked: what the program itself wrote becomes truth only when a person says so."""

CHINESE_HEADERS = {
    "category": "隐患类别",
    "level": "隐患等级",
    "place": "检查地点",
    "date": "检查日期",
    "site": "受检单位",
    "project": "项目名称",
    "inspector": "检查人",
    "measure": "整改措施",
    "responsible": "整改责任人",
    "due": "整改期限",
    "status": "整改情况",
    "row_file": "来源文件",
    "row_sheet": "来源工作表",
    "row_number": "来源行号",
}
"""Column of pairs -> its header in a Chinese workbook that is marked as `TRANSLATED`."""

TRANSLATED = "pairs, Chinese headers"
"""What an exported workbook says of itself where its headers stand for these columns."""

ORIGINAL_COLUMNS = ("照片原件", "Original file")
"""Headers of the column that names the photo's own file where an exported picture is a copy of it.

Import takes that file in place of the picture. No name that could be taken for a photo column.
"""

_NAMES: dict[str, tuple[str, ...]] = {
    "photo": (
        *("隐患照片", "隐患图片", "问题图片", "问题照片", "整改前照片", "整改前图片", "现场照片"),
        *("现场图片", "照片", "图片", "附件", "隐患图", "照片名称", "图片名称", "照片文件名"),
        *("图片文件名", "整改前", "照片路径", "图片路径", "照片文件", "图片文件"),
        *("photo", "photos", "image", "images", "picture", "pictures", "img", "file_name"),
        *("photo_file", "photo_path", "photo_name", "image_file", "image_path", "image_name"),
        *("hazard_photo", "hazard_image", "before_photo", "photo_before", "photo_of_hazard"),
    ),
    "description": (
        *("隐患描述", "隐患问题描述", "问题描述", "隐患内容", "问题内容", "存在的隐患及问题"),
        *("存在隐患及问题", "存在问题", "存在的问题", "存在的隐患", "存在隐患", "隐患情况"),
        *("问题情况", "检查发现问题", "检查发现的问题", "发现问题", "发现的问题", "发现隐患"),
        *("隐患情况描述", "隐患及问题描述", "隐患", "描述"),
        *("隐患具体描述", "安全隐患描述", "安全隐患", "存在的安全隐患", "存在安全隐患", "违章描述"),
        *("违章内容", "隐患详情", "问题详情", "问题及隐患", "隐患及问题", "隐患和问题"),
        *("检查问题", "检查隐患", "安检问题", "安检隐患", "不符合项", "不符合项描述", "问题"),
        *("description", "descriptions", "hazard_description", "finding", "findings"),
        *("observation", "observations", "issue_description", "caption", "captions", "text"),
    ),
    "split": ("split", "划分", "数据划分", "数据集划分", "样本划分"),
    "after_photo": (
        *("整改后照片", "整改后图片", "整改照片", "整改图片", "整改后", "整改完成照片", "复查照片"),
        *("整改完成图片", "复查图片", "整改后现场照片", "整改后图", "治理后照片", "销号照片"),
        *("验收照片", "after_photo", "photo_after", "after_image", "image_after", "photo_fixed"),
        *("after_rectification_photo", "rectified_photo", "rectification_photo", "closing_photo"),
    ),
    "category": (
        *("隐患类别", "隐患类型", "问题类别", "问题类型", "隐患分类", "问题分类", "类别", "类型"),
        *("隐患种类", "专业类别", "专业", "分类", "category", "hazard_category", "hazard_type"),
        *("type", "finding_type", "class"),
    ),
    "level": (
        *("隐患等级", "隐患级别", "问题等级", "问题级别", "风险等级", "风险级别", "等级", "级别"),
        *("严重程度", "level", "hazard_level", "risk_level", "severity", "risk", "priority"),
    ),
    "place": (
        *("检查地点", "隐患地点", "隐患部位", "隐患位置", "检查部位", "检查工点", "工点"),
        *("检查区域", "问题部位", "问题位置", "所在位置", "具体位置", "具体部位", "发生地点"),
        *("地点", "部位", "位置", "区域", "检查场所", "场所", "地址", "检查点"),
        *("place", "location", "area", "position", "where"),
    ),
    "date": (
        *("检查日期", "检查时间", "排查日期", "排查时间", "发现日期", "发现时间", "隐患发现时间"),
        *("上报时间", "上报日期", "登记日期", "登记时间", "巡查日期", "巡查时间", "日期", "时间"),
        *("date", "inspection_date", "found_on", "date_found", "reported_on", "inspected_on"),
    ),
    "site": (
        *("受检单位", "被检查单位", "被检单位", "责任单位", "所属单位", "单位名称", "单位", "场站"),
        *("站点", "场站名称", "站场", "厂区", "车间", "site", "plant", "station", "company"),
        "facility",
    ),
    "project": (
        *("项目名称", "工程名称", "项目部", "所属项目", "标段", "项目", "工程", "project"),
        *("project_name", "contract"),
    ),
    "inspector": (
        *("检查人", "检查人员", "排查人", "排查人员", "检查者", "发现人", "上报人", "登记人"),
        *("检查单位", "巡查人", "inspector", "inspected_by", "found_by", "reported_by", "auditor"),
    ),
    "measure": (
        *("整改措施", "整改要求", "整改建议", "整改意见", "治理措施", "整改内容", "防范措施"),
        *("处理措施", "措施", "measure", "measures", "corrective_action", "action"),
        *("rectification", "recommendation", "action_required"),
    ),
    "responsible": (
        *("整改责任人", "责任人", "整改人", "整改负责人", "责任人员", "整改责任单位", "整改单位"),
        *("责任部门", "整改责任部门", "responsible", "responsible_person", "owner"),
        *("assigned_to", "action_by", "resp", "person_responsible"),
    ),
    "due": (
        *("整改期限", "整改时限", "要求完成时间", "整改完成期限", "限期", "期限", "计划完成时间"),
        *("整改截止日期", "整改日期", "due", "due_date", "deadline", "target_date"),
    ),
    "status": (
        *("整改情况", "销号情况", "整改状态", "整改结果", "整改完成情况", "复查情况", "复查结果"),
        *("是否整改", "是否完成", "闭环情况", "完成情况", "销号", "状态", "整改进度"),
        *("status", "state", "rectification_status", "closed"),
    ),
}

_MACHINE = re.compile(r"(?<![a-z])ai(?![a-z])|人工智能|自动生成|自动描述|hazardscribe")


def normal_name(name: str) -> str:
    """A column name in the form in which names are compared."""
    text = unicodedata.normalize("NFKC", name).casefold()
    bare = re.sub(r"\(.*?\)|\[.*?\]|【.*?】|〔.*?〕", "", text)
    kept = re.sub(r"[\W_]+", "", bare)
    return kept or re.sub(r"[\W_]+", "", text)


_LOOKUP: dict[str, dict[str, int]] = {
    role: {normal_name(name): rank for rank, name in reversed(list(enumerate(names)))}
    for role, names in _NAMES.items()
}


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
            unconfirmed = not_confirmed(names) if role == "description" else ""
            raise InputError(
                f"{where}: no column for the {role} was found. {unconfirmed}{_how(role, names)}"
            )
    return found


def usual_columns(names: Sequence[str], role: str) -> list[int]:
    """Positions of the columns whose name is a usual one for the role."""
    return [i for i, name in enumerate(names) if usual_rank(name, role) is not None]


def usual_rank(name: str, role: str) -> int | None:
    """How early the name stands among the usual ones for the role (from 0), None if it is not one.

    A text that the program wrote itself (`AI描述`) is no description that anybody has checked.
    """
    rank = _LOOKUP[role].get(normal_name(name))
    return None if rank is not None and written_by_program(name) else rank


def ledger_columns(names: Collection[str]) -> dict[str, str]:
    """Role of a ledger -> the column that plays it: of that very name, else of a usual one."""
    found = {}
    for role in LEDGER_ROLES:
        ranked = [(rank, name) for name in names if (rank := usual_rank(name, role)) is not None]
        if role in names:
            found[role] = role
        elif ranked:
            found[role] = min(ranked)[1]
    return found


def written_by_program(name: str) -> bool:
    """Whether a column's name says that a program wrote what it holds: `AI描述`, `描述（AI）`."""
    return bool(_MACHINE.search(unicodedata.normalize("NFKC", name).casefold()))


def unique_names(names: Sequence[str], taken: Collection[str] = FIRST_COLUMNS) -> list[str]:
    """Column names that are all different, and none of those taken.

    A name that is taken gets the prefix `source_`; one that occurs again, `_2`, `_3` ...; one
    that is empty, its position.
    """
    result: list[str] = []
    used: set[str] = set()
    for position, name in enumerate(names, start=1):
        first = name or f"column_{position}"
        first = f"source_{first}" if first in taken else first
        unique, copy = first, 2
        while unique in used:
            unique, copy = f"{first}_{copy}", copy + 1
        used.add(unique)
        result.append(unique)
    return result


def count_roles(names: Sequence[str], chosen: Mapping[str, str] | None = None) -> int:
    """How many of photo and description a row of names could serve: finds headers."""
    chosen = chosen or {}
    return sum(
        any(normal_name(name) == normal_name(chosen[role]) for name in names)
        if role in chosen
        else bool(usual_columns(names, role))
        for role in ("photo", "description")
    )


def check_roles(chosen: Mapping[str, str], roles: Sequence[str] = ROLES) -> None:
    """Refuse a mapping with unknown roles or one column for two of them."""
    for role in chosen:
        if role not in roles:
            raise InputError(
                f"columns: {role!r} is not a role; the roles are {', '.join(roles)}, as in "
                "--columns.photo 现场照片, in Python columns={'photo': '现场照片'}"
            )
    named = [name for name in chosen.values() if name]
    if len(set(named)) < len(named):
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


def not_confirmed(names: Sequence[str]) -> str:
    """Why a column that is there was not taken for the description; empty where none is."""
    own = [name for name in names if written_by_program(name)]
    if not own:
        return ""
    return (
        f"{own[0]!r} is what a program wrote and nobody has confirmed: let people correct it "
        "(describe --out NAME.jsonl, export NAME.jsonl --to label-studio) and import what they "
        "say. "
    )


def _how(role: str, names: Sequence[str]) -> str:
    return (
        f"Columns seen: {_seen(names)}. Name the right one: --columns.{role} NAME, in Python "
        f'columns={{"{role}": "NAME"}}; or rename the column to {role!r}'
    )
