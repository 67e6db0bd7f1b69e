"""The pairs as the finders see them: rows with their places, and what was measured of photos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hazardscribe.pairs.checking.findings import Place
from hazardscribe.pairs.checking.measure import Measure
from hazardscribe.pairs.columns import FIRST_COLUMNS, normal_name
from hazardscribe.pairs.records import SPLITS, Pairs, Rejected, short_name
from hazardscribe.pairs.yes_no import read_yes_no

if TYPE_CHECKING:
    import pandas as pd

_HAZARD_NAMES = ("hazard", "is_hazard", "has_hazard", "是否隐患", "有无隐患", "是否有隐患")
_CATEGORY_NAMES = (
    *("category", "hazard_category", "hazard_type", "class", "隐患类别", "隐患类型", "隐患分类"),
    *("问题类别", "问题类型", "类别", "类型", "分类"),
)
_MOST_CATEGORIES = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One pair.

    Attributes:
        photo: absolute path.
        name: the photo's path from the folder of the pairs.
        text: what is learned from it.
        split: train, dev or validation.
        place: the source row.
        hazard: whether a column says that a hazard is shown; None where none says.
        category: the cell of the category column, "" where there is none.
    """

    photo: str
    name: str
    text: str
    split: str
    place: Place
    hazard: bool | None
    category: str


@dataclass(frozen=True, slots=True)
class Subject:
    """All that a finder may look at.

    Attributes:
        rows: the pairs.
        measures: photo path -> what was measured.
        language: `zh` or `en`, that of most texts.
        folder: folder of the pairs.
        rejected: what reading left out.
        columns: role -> source column.
        category_column: name of the column of categories, "" where there is none.
    """

    rows: Sequence[Row]
    measures: Mapping[str, Measure]
    language: str
    folder: Path
    rejected: Sequence[Rejected]
    columns: Mapping[str, str]
    category_column: str

    def by_photo(self) -> dict[str, list[Row]]:
        """Photo path -> its rows, in order of first appearance."""
        return _grouped(self.rows, [row.photo for row in self.rows])

    def by_digest(self) -> dict[str, list[Row]]:
        """Digest of the photo's bytes -> the rows that show it."""
        return _grouped(self.rows, [self.measures[row.photo].digest for row in self.rows])

    def by_text(self) -> dict[str, list[Row]]:
        """Text -> its rows."""
        return _grouped(self.rows, [row.text for row in self.rows])

    def by_split(self) -> dict[str, list[Row]]:
        """Split -> its rows; the splits in their usual order, those that hold pairs."""
        found = _grouped(self.rows, [row.split for row in self.rows])
        return {split: found[split] for split in SPLITS if split in found}


def subject_of(
    pairs: Pairs, texts: Sequence[str], measures: Mapping[str, Measure], language: str
) -> Subject:
    """Put together what the finders need; `texts` has one text for each pair."""
    frame = pairs.frame
    others = [str(name) for name in frame.columns if name not in FIRST_COLUMNS]
    hazards = _hazards(frame, others)
    category = _category_column(frame, others)
    categories = frame[category].tolist() if category else [""] * len(frame)
    lines = frame[list(FIRST_COLUMNS)].itertuples(index=False, name=None)
    rows = [
        Row(
            photo=str(photo),
            name=short_name(str(photo), pairs.folder),
            text=text,
            split=str(split),
            place=Place(str(file), str(sheet), int(number)),
            hazard=hazard,
            category=str(kind).strip(),
        )
        for (photo, _, split, file, sheet, number), text, hazard, kind in zip(
            lines, texts, hazards, categories, strict=True
        )
    ]
    return Subject(rows, measures, language, pairs.folder, pairs.rejected, pairs.columns, category)


def places_of(rows: Sequence[Row]) -> tuple[Place, ...]:
    """The distinct source rows, in order of appearance."""
    return tuple(dict.fromkeys(row.place for row in rows))


def _grouped(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for key, row in zip(keys, rows, strict=True):
        groups[key].append(row)
    return dict(groups)


def _named(others: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns that have one of the names, the most telling name first."""
    wanted = [normal_name(name) for name in names]
    fitting = [name for name in others if normal_name(name) in wanted]
    return sorted(fitting, key=lambda name: wanted.index(normal_name(name)))


def _hazards(frame: pd.DataFrame, others: Sequence[str]) -> list[bool | None]:
    """What a column of yes and no says of each pair; all None where there is no such column."""
    for name in _named(others, _HAZARD_NAMES):
        said = [read_yes_no(cell) for cell in frame[name]]
        cells = zip(said, frame[name], strict=True)
        if all(one is not None or not str(cell).strip() for one, cell in cells):
            return said
    return [None] * len(frame)


def _category_column(frame: pd.DataFrame, others: Sequence[str]) -> str:
    """The column of categories: one of the usual names, with few enough different cells."""
    for name in _named(others, _CATEGORY_NAMES):
        different = frame[name].nunique()
        if 2 <= different <= min(_MOST_CATEGORIES, max(2, len(frame) // 2)):
            return name
    return ""
