"""The page that shows what an import did: both sums, the mapping, the reasons, a few pairs.

Self-contained: it asks nothing of any network. Its headings are in the ledger's language.
"""

from __future__ import annotations

import base64
import io
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from hazardscribe.errors import PhotoError
from hazardscribe.pairs.ledger.account import Left
from hazardscribe.pairs.ledger.report_words import WORDS
from hazardscribe.pairs.ledger.result import Imported
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.targets import detect_language

if TYPE_CHECKING:
    from hazardscribe.pairs.ledger.folder import Tables

THUMBNAIL = 240  # pixels, longest side
_SAMPLES = 12
_EXAMPLES = 5


def write_report(path: Path, folder: Path, imported: Imported, tables: Tables) -> None:
    """Write the page; the photos of its samples are read from the folder."""
    import jinja2

    texts = tables.columns[1]
    language = detect_language(islice(texts, 2000)) if texts else "zh"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = (resources.files(__package__) / "report.html.j2").read_text(encoding="utf-8")
    words = WORDS[language]
    page = environment.from_string(source).render(
        words=words,
        language=language,
        imported=imported,
        account=imported.account,
        row_reasons=_reasons(imported.account.left, "row"),
        picture_reasons=_reasons(imported.account.left, "picture"),
        samples=_samples(folder, tables),
        named=words["reasons"],
    )
    path.write_text(page, encoding="utf-8")


def _reasons(left: list[Left], kind: str) -> list[tuple[str, int, list[str]]]:
    """(reason, how many, a few examples), the most frequent first."""
    counts: dict[str, int] = {}
    examples: dict[str, list[str]] = {}
    for one in left:
        if one.kind != kind:
            continue
        counts[one.reason] = counts.get(one.reason, 0) + 1
        shown = examples.setdefault(one.reason, [])
        if len(shown) < _EXAMPLES:
            place = " ".join(
                str(part) for part in (one.file, one.sheet, one.line or "", one.photo) if part
            )
            shown.append(f"{place}: {one.detail}")
    order = sorted(counts, key=lambda reason: (-counts[reason], reason))
    return [(reason, counts[reason], examples[reason]) for reason in order]


def _samples(folder: Path, tables: Tables) -> list[tuple[str, str, str, str]]:
    """(thumbnail, description, place in the ledger, split) of pairs from all over the ledger."""
    total = len(tables.columns[0])
    step = max(1, total // _SAMPLES)
    samples = []
    for at in list(range(0, total, step))[:_SAMPLES]:
        photo, text, split, file, sheet, row = (column[at] for column in tables.columns[:6])
        place = " ".join(str(part) for part in (file, sheet, row) if part)
        samples.append((_thumbnail(folder / photo), text, place, split))
    return samples


def _thumbnail(path: Path) -> str:
    try:
        stream = io.BytesIO()
        load_photo(path, bound=THUMBNAIL).save(stream, "JPEG", quality=80)
    except PhotoError:  # checked before, so the file has just gone
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
