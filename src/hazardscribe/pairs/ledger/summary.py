"""What an import says on the terminal: the mapping, the two sums, the reasons, the split.

It speaks the ledger's language, with the codes beside it: they are what `--columns` takes and what
`rejected.csv` and `import.json` hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hazardscribe.pairs.ledger.drafts import SheetNote
from hazardscribe.pairs.ledger.report_words import WORDS
from hazardscribe.pairs.sentences import in_language

if TYPE_CHECKING:
    from hazardscribe.pairs.ledger.result import Imported


def summarise(imported: Imported) -> str:
    """Several lines of plain text."""
    language = imported.language
    words = WORDS[language]
    colon = words["colon"]
    account = imported.account
    lines = [*mapping_lines(imported.sheets, words)]
    rows = (account.rows_imported, account.rows_rejected, account.rows_read)
    pictures = (account.pictures_used, account.pictures_unused, account.pictures_found)
    for kind, first in (
        ("row", f"{words['rows']}{colon}{words['row_sum'].format(*rows)}"),
        ("picture", f"{words['pictures']}{colon}{words['picture_sum'].format(*pictures)}"),
        ("text", f"{words['text_reasons']}{colon.rstrip()}"),
    ):
        reasons = account.reasons(kind)
        if reasons or kind != "text":
            lines.append(first)
        for reason, count in reasons.items():
            lines.append(f"  {reason} ({words['reasons'].get(reason, reason)}){colon}{count}")
    parts = ", ".join(f"{words['splits'][one]} {count}" for one, count in imported.splits.items())
    lines.append(f"{words['pairs']}{colon}{imported.pairs}" + (f" ({parts})" if parts else ""))
    if imported.safe:
        lines.append(f"{words['safe']}{colon}{imported.safe}")
    lines.append(f"{words['split_hash']}{colon}{imported.split_hash}")
    notes = [in_language(warning, language) for warning in imported.warnings]
    if imported.numbered and not imported.options["split_numbered"]:
        notes.insert(0, words["numbered"].format(imported.numbered))
    lines += [f"{words['warning']}{colon}{note}" for note in notes]
    return "\n".join(lines)


def mapping_lines(sheets: list[SheetNote], words: dict[str, Any]) -> list[str]:
    """role <- column, once for all sheets that agree."""
    lines: list[str] = []
    former: dict[str, tuple[str, ...]] | None = None
    for note in sheets:
        sheet = f"{words['comma']}{words['sheet']} {note.sheet}" if note.sheet else ""
        name = f"{note.file}{sheet}"
        if note.columns and note.columns != former:
            lines.append(f"{words['mapping']} ({name}){words['colon'].rstrip()}")
            lines += [f"  {role} <- {', '.join(of)}" for role, of in note.columns.items()]
            former = note.columns
        if note.left_out:
            reason = words["reasons"].get(note.left_out, note.left_out)
            lines.append(f"{words['left_out']} ({name}){words['colon']}{reason}")
    return lines
