"""What reading gives: the pairs in their splits, and what was left out with its reason."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import FIRST_COLUMNS
from hazardscribe.pairs.splits import DEV, TRAIN, VALIDATION
from hazardscribe.pairs.tables.arrow import pairs_schema

if TYPE_CHECKING:
    import datasets
    import pandas as pd

SPLITS = (TRAIN, DEV, VALIDATION)

PROVENANCE = FIRST_COLUMNS[3:]
"""The columns that say where a row came from: written by the program, of no use as text."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row, or one photo of a row, that gave no pair.

    Attributes:
        file: the table, relative to what the user named.
        row: source row below the header, from 1; None where the whole file is meant.
        photo: the photo as the row names it, "" where the row itself is the reason.
        reason: code for counting: `blank`, `bad_row`, `empty_description`, `no_photo_named`,
            `photo_missing`, `photo_url`, `photo_unreadable`, `bad_split`; from Label Studio also
            `not_annotated` and `skipped`.
        detail: for people.
    """

    file: str
    row: int | None
    photo: str
    reason: str
    detail: str


class Pairs:
    """Photos with their descriptions, in splits.

    Attributes:
        frame: all pairs as a DataFrame; columns `photo` (absolute path), `description`, `split`
            (train, dev, validation), `row_file`, `row_sheet`, `row_number` (source row below the
            header, from 1), then all other source columns as text.
        folder: folder of the table; relative photo paths start here.
        rejected: what was left out and why.
        columns: role -> name of the source column that was taken for it.
        rows_read: source rows below the headers.
        rows_imported: rows that gave at least one pair.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        folder: Path,
        rejected: Sequence[Rejected] = (),
        columns: Mapping[str, str] | None = None,
        rows_read: int | None = None,
        rows_imported: int | None = None,
    ) -> None:
        """Take over a frame with the columns above; most callers want `read_pairs`."""
        self.frame = frame
        self.folder = folder
        self.rejected = list(rejected)
        self.columns = dict(columns or {})
        self.rows_imported = len(frame) if rows_imported is None else rows_imported
        self.rows_read = self.rows_imported if rows_read is None else rows_read

    @property
    def rows_rejected(self) -> int:
        """Source rows that gave no pair."""
        return self.rows_read - self.rows_imported

    @cached_property
    def splits(self) -> datasets.DatasetDict:
        """The splits that hold pairs, as a Hugging Face `DatasetDict` of text columns."""
        import datasets

        features = datasets.Features.from_arrow_schema(pairs_schema(self.frame.columns))
        return datasets.DatasetDict(
            {
                split: datasets.Dataset.from_pandas(
                    self.frame[self.frame["split"] == split],
                    features=features,
                    preserve_index=False,
                )
                for split in self._present()
            }
        )

    def __getitem__(self, split: str) -> datasets.Dataset:
        """One split.

        Raises:
            InputError: there is no such split; the message names those that exist.
        """
        if split not in self._present():
            raise InputError(
                f"{self.folder}: there is no split {split!r} in these pairs; they have "
                f"{', '.join(self._present()) or 'none'}"
            )
        return self.splits[split]

    def __len__(self) -> int:
        return len(self.frame)

    def __contains__(self, split: object) -> bool:
        return split in self._present()

    def __repr__(self) -> str:
        counts = self._counts()
        parts = ", ".join(f"{split} {counts[split]}" for split in self._present())
        return f"Pairs({len(self)} pairs: {parts}; {self.rows_rejected} rows rejected)"

    def digest(self) -> str:
        """SHA-256 in hex over what training sees, for run records.

        Covers, pair by pair in order: the photo's path relative to the folder (its file name
        where it lies elsewhere) and its size in bytes, the description, and the split. It does
        not cover the bytes of the photos, which would mean reading them all, nor other columns.
        """
        state = hashlib.sha256()
        add_to_digest(state, self.frame, self.folder)
        return state.hexdigest()

    def _counts(self) -> dict[str, int]:
        """Pairs in each split that holds any."""
        return dict(self.frame["split"].value_counts())

    def _present(self) -> list[str]:
        counts = self._counts()
        return [split for split in SPLITS if split in counts]


def add_to_digest(state: Any, frame: pd.DataFrame, folder: Path) -> None:
    """Take a frame's pairs into a hash, in order; see `Pairs.digest`."""
    sizes: dict[str, int] = {}
    rows = frame[["photo", "description", "split"]].itertuples(index=False, name=None)
    for photo, description, split in rows:
        if photo not in sizes:
            path = Path(photo)
            sizes[photo] = path.stat().st_size if path.is_file() else -1
        name = short_name(photo, folder)
        text = f"{name}\0{sizes[photo]}\0{description}\0{split}\n"
        state.update(text.encode("utf-8", "surrogatepass"))


def short_name(photo: str, folder: Path) -> str:
    """The photo's path from the folder, or its file name where it lies elsewhere."""
    prefix = os.path.join(folder, "")  # noqa: PTH118
    inside = photo.startswith(prefix)
    return (photo[len(prefix) :] if inside else os.path.basename(photo)).replace("\\", "/")  # noqa: PTH119


def provenance_at(names: Sequence[str]) -> list[int]:
    """Positions of the columns `PROVENANCE` in a table that the program wrote; else empty."""
    return [names.index(name) for name in PROVENANCE] if set(PROVENANCE) <= set(names) else []


def source_of(
    cells: Sequence[str], provenance: Sequence[int], here: tuple[str, str, int]
) -> tuple[str, str, int]:
    """File, sheet and row where a row stood first; `here` unless the row itself says another."""
    if provenance:
        file, sheet, number = (cells[at] for at in provenance)
        if number.isascii() and number.isdigit() and len(number) < 16:
            return file, sheet, int(number)
    return here
