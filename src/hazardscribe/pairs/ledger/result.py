"""What an import gave: its records, its account, and how each sheet was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from hazardscribe.pairs.ledger.account import Account
from hazardscribe.pairs.ledger.drafts import Draft, SheetNote
from hazardscribe.pairs.ledger.keeping import Kept
from hazardscribe.pairs.ledger.summary import summarise
from hazardscribe.pairs.targets import detect_language


@dataclass(slots=True)
class Row:
    """A record that is used: its pairs, its safe photos, its split."""

    draft: Draft
    photos: list[Kept]
    safe: list[Kept]
    split: str = ""


@dataclass(slots=True)
class Imported:
    """What an import gave.

    Attributes:
        folder: of the pairs; None for a dry run.
        source: name of what was imported.
        account: rows and pictures, and what was left out.
        sheets: how each sheet was read.
        rows: the records that are used, in order.
        warnings: what the user should know.
        split_hash: SHA-256 over provenance, photo and split of all pairs.
        digests: ledger -> SHA-256 of its file.
        options: what was asked for.
        settled: splits that the ledger gives are final: no dev is cut from train.
    """

    source: str
    account: Account
    sheets: list[SheetNote]
    rows: list[Row]
    warnings: list[str]
    digests: dict[str, str]
    options: dict[str, object]
    folder: Path | None = None
    split_hash: str = ""
    pairs: int = 0
    safe: int = 0
    numbered: int = 0
    settled: bool = False
    splits: dict[str, int] = field(default_factory=dict)

    @property
    def findings(self) -> int:
        """What `--strict` objects to: records and pictures of records that were left out."""
        return self.account.findings

    @property
    def language(self) -> str:
        """`zh` or `en`: the language of the descriptions, else of the columns' names."""
        texts = (text for row in self.rows if row.photos for text in row.draft.texts)
        names = (name for sheet in self.sheets for of in sheet.columns.values() for name in of)
        return detect_language(list(islice(texts, 2000)) or names)

    def summary(self) -> str:
        """Mapping, sums, reasons, splits and warnings, in the ledger's language."""
        return summarise(self)
