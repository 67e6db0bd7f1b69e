"""The one way out: where pairs or descriptions go, chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.pairs.columns import AI_KEY
from hazardscribe.pairs.exporting.label_studio import LOCAL_FILES, write_predictions, write_tasks
from hazardscribe.pairs.exporting.xlsx import DescribedLedger, write_ledger
from hazardscribe.pairs.records import Pairs
from hazardscribe.pairs.targets import detect_language
from hazardscribe.pairs.write import write_pairs

TARGETS = ("xlsx", "label-studio", "pairs")


def export_pairs(
    pairs: Pairs,
    to: str,
    out: Path,
    *,
    split: str | None = None,
    language: str = "auto",
    photo_url: str | None = None,
) -> Path:
    """Write pairs; see `hazardscribe.verbs.export`."""
    _check(to, photo_url)
    if split is not None:
        if split not in pairs:
            pairs[split]  # raises, and names those that exist
        frame = pairs.frame[pairs.frame["split"] == split].reset_index(drop=True)
        pairs = Pairs(frame, folder=pairs.folder, columns=pairs.columns)
    if to == "pairs":
        return write_pairs(pairs, out)
    language = _language(language, pairs.frame["description"])
    if to == "xlsx":
        return write_ledger(pairs, out, language=language)
    return write_tasks(pairs, out, language=language, photo_url=photo_url or LOCAL_FILES)


def export_records(
    records: Sequence[dict[str, Any]],
    to: str,
    out: Path,
    *,
    language: str = "auto",
    photo_url: str | None = None,
) -> Path:
    """Write what the model said of photos; see `hazardscribe.verbs.export`."""
    _check(to, photo_url)
    if to == "pairs":
        raise InputError(
            f"--to pairs --out {out}: descriptions by the model are not pairs; let people correct "
            "them (--to label-studio), then import what they confirmed"
        )
    language = _language(language, [record[AI_KEY] or "" for record in records])
    if to == "label-studio":
        return write_predictions(
            records, out, language=language, photo_url=photo_url or LOCAL_FILES
        )
    alternatives = any(record["alternatives"] for record in records)
    ledger = DescribedLedger(out, language=language, alternatives=alternatives)
    try:
        for record in records:
            ledger.add(record)
    except BaseException:
        ledger.discard()
        raise
    ledger.close()
    return out


def check_out(to: str, out: Path) -> None:
    """Refuse, before any work, a file that is there already, and a folder of other pairs.

    It may be the very ledger or folder that the pairs came from, or an export that people have gone
    on in.

    Raises:
        InputError: what is there already.
    """
    if to == "pairs" and out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out {out}: is not empty. Name a new folder.")
    if out.is_file():
        raise InputError(
            f"--out {out}: already exists and is left as it is, as people may have gone on in it. "
            "Name another file, or move it away."
        )


def _check(to: str, photo_url: str | None) -> None:
    if to not in TARGETS:
        raise InputError(f"to={to!r}: must be one of {', '.join(TARGETS)}")
    if photo_url is not None and to != "label-studio":
        raise InputError(f"--photo_url: is for --to label-studio, not for {to}")


def _language(language: str, texts: Any) -> str:
    if language == "auto":
        return detect_language(texts)
    if language not in ("zh", "en"):
        raise InputError(f"language={language!r}: must be auto, zh or en")
    return language
