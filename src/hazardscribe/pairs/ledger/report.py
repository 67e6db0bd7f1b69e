"""The page that shows what an import did: both sums, the mapping, the reasons, a few pairs.

Self-contained: it asks nothing of any network. It speaks the ledger's language, its
places are rows as the sheet numbers them, and personal data is masked: a report gets mailed.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from hazardscribe.pages import render_page, thumbnail
from hazardscribe.pairs.checking.personal import mask_personal
from hazardscribe.pairs.ledger.account import Left
from hazardscribe.pairs.ledger.report_words import WORDS
from hazardscribe.pairs.ledger.result import Imported
from hazardscribe.pairs.sentences import in_language

THUMBNAIL = 240  # pixels, longest side
_SAMPLES = 12
_EXAMPLES = 5


def write_report(path: Path, folder: Path, imported: Imported) -> None:
    """Write the page; the photos of its samples are read from the folder."""
    language = imported.language
    words = WORDS[language]
    notes = [in_language(warning, language) for warning in imported.warnings]
    if imported.numbered and not imported.options["split_numbered"]:
        notes.append(words["numbered"].format(imported.numbered))
    tables = [(words[f"{k}_reasons"], _reasons(imported, k, language)) for k in ("row", "picture")]
    if texts := _reasons(imported, "text", language):
        tables.append((words["text_reasons"], texts))
    values = {
        "words": words,
        "language": language,
        "imported": imported,
        "account": imported.account,
        "notes": notes,
        "reason_tables": tables,
        "samples": _samples(folder, imported, words["row"]),
        "named": words["reasons"],
    }
    template = (resources.files(__package__) / "report.html.j2").read_text(encoding="utf-8")
    # The message of an error may hold a file name that is not UTF-8.
    path.write_text(render_page(template, values), encoding="utf-8", errors="replace")


def _reasons(imported: Imported, kind: str, language: str) -> list[tuple[str, int, list[str]]]:
    """(reason, how many, a few examples), the most frequent first."""
    words = WORDS[language]
    examples: dict[str, list[str]] = {}
    for one in imported.account.left:
        if one.kind != kind:
            continue
        shown = examples.setdefault(one.reason, [])
        if len(shown) < _EXAMPLES:
            place = _where(imported, one, words["row"])
            detail = in_language(one.detail, language)
            shown.append(mask_personal(f"{place}{words['colon']}{detail}"))
    counts = imported.account.reasons(kind)
    return [(reason, count, examples[reason]) for reason, count in counts.items()]


def _where(imported: Imported, one: Left, row: str) -> str:
    """Where it lies; the file only where there are several."""
    line = "" if one.photo and one.photo[:1].isalpha() and "(" in one.photo else one.line
    file = one.file if len(imported.digests) > 1 or not (one.sheet or line) else ""
    parts = (file, one.sheet, row.format(line) if line else "", one.photo)
    return " ".join(part for part in parts if part)


def _samples(folder: Path, imported: Imported, row: str) -> list[tuple[str, str, str, str]]:
    """(thumbnail, description, place in the ledger, split) of pairs from all over the ledger."""
    rows = [one for one in imported.rows if one.photos]
    step = max(1, len(rows) // _SAMPLES)
    samples = []
    for one in rows[::step][:_SAMPLES]:
        file, sheet, _, line = one.draft.spot
        shown = file if len(imported.digests) > 1 or not sheet else ""
        place = " ".join(part for part in (shown, sheet, row.format(line)) if part)
        image = thumbnail(folder / one.photos[0].name, THUMBNAIL) or ""
        samples.append((image, mask_personal(one.draft.texts[0]), place, one.split))
    return samples
