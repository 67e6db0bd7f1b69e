"""What an import says on the terminal: the mapping, the two sums, the reasons, the split."""

from __future__ import annotations

from hazardscribe.pairs.ledger.drafts import SheetNote
from hazardscribe.pairs.ledger.result import Imported


def summarise(imported: Imported) -> str:
    """Several lines of plain text."""
    account = imported.account
    lines = [*mapping_lines(imported.sheets)]
    lines.append(
        f"rows: {account.rows_imported} imported + {account.rows_rejected} rejected "
        f"= {account.rows_read} read"
    )
    lines += [f"  {reason}: {count}" for reason, count in account.reasons("row").items()]
    lines.append(
        f"pictures: {account.pictures_used} used + {account.pictures_unused} unused "
        f"= {account.pictures_found} found"
    )
    lines += [f"  {reason}: {count}" for reason, count in account.reasons("picture").items()]
    for reason, count in account.reasons("text").items():
        lines.append(f"numbered hazards left out: {reason} {count}")
    parts = ", ".join(f"{split} {count}" for split, count in imported.splits.items())
    lines.append(f"pairs: {imported.pairs}" + (f" ({parts})" if parts else ""))
    if imported.safe:
        lines.append(f"safe photos (after repair): {imported.safe}")
    lines.append(f"split hash: {imported.split_hash}")
    if imported.numbered and not imported.options["split_numbered"]:
        lines.append(
            f"note: {imported.numbered} rows number several hazards in one cell; "
            "--split_numbered true makes a pair of each"
        )
    lines += [f"warning: {warning}" for warning in imported.warnings]
    return "\n".join(lines)


def mapping_lines(sheets: list[SheetNote]) -> list[str]:
    """role <- column, once for all sheets that agree."""
    lines: list[str] = []
    former: dict[str, tuple[str, ...]] | None = None
    for note in sheets:
        name = f"{note.file}, sheet {note.sheet}" if note.sheet else note.file
        if note.columns and note.columns != former:
            lines.append(f"columns ({name}):")
            lines += [f"  {role} <- {', '.join(of)}" for role, of in note.columns.items()]
            former = note.columns
        if note.left_out:
            lines.append(f"left out ({name}): {note.left_out}")
    return lines
