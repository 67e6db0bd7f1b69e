"""What every kind of table is read into: rows of text below a header."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hazardscribe.names import readable


@dataclass(slots=True)
class Table:
    """Rows of text below a header.

    Attributes:
        label: file name relative to what the user named, for messages.
        base: folder that relative photo paths start from.
        names: the columns in order, as written.
        roles: role -> position in `names`.
        rows: the cells of each source row below the header.
        bad: source row (1-based) -> (reason, detail) of rows that give no pair, whatever they say;
            their cells are empty, but for the photo's where it is known.
        split: the split that the container (sub-folder, dataset dictionary) gives all rows.
        settled: the rows' splits are final, nothing is cut from train.
        first: rows of the file before these, where it is read in blocks.
    """

    label: str
    base: Path
    names: list[str]
    roles: dict[str, int]
    rows: list[list[str]] = field(default_factory=list)
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    split: str = ""
    settled: bool = False
    first: int = 0

    def __post_init__(self) -> None:
        """The label stands in every row, and must be text."""
        self.label = readable(self.label)
