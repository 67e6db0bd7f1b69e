"""What stands in a record: its texts cleaned, what it owes to the model, what is searched."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from difflib import SequenceMatcher
from typing import Any

from hazardscribe.pairs.targets import detect_language
from hazardscribe.serving.schemas import Finding, FindingChange, NewFinding, Outcome

EDITABLE = tuple(FindingChange.model_fields)
"""The fields of a record that people change."""

_SEARCHED = ("text", "ai_text", "place", "category", "measure", "responsible", "confirmed_by")
# Control characters and halves of surrogate pairs: no database or spreadsheet holds them all.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the model had proposed for a record, and what became of it."""

    outcome: Outcome
    ai_text: str | None = None
    model: str | None = None
    confidence: float | None = None
    doubt: str | None = None
    saying_ids: list[str] = field(default_factory=list)


def clean(text: str) -> str:
    """Text that every database and spreadsheet holds: no control characters, line feeds alone."""
    return _UNFIT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def compared(text: str) -> str:
    """The form in which a person's text and the model's are compared."""
    return unicodedata.normalize("NFKC", text).strip()


def searched(text: str) -> str:
    """The form in which texts are searched: without regard to case and width."""
    return " ".join(unicodedata.normalize("NFKC", clean(text)).casefold().split())


def search_text(record: Mapping[str, Any]) -> str:
    """What of a record is searched, one field a line, so that no word is found across fields."""
    return "\n".join(searched(record[name]) for name in _SEARCHED if record[name])


def proposal(text: str, sayings: Sequence[Mapping[Any, Any]]) -> Proposal:
    """What a confirmed text owes to the model.

    Accepted is a text that the model offered as it stands: an answer, the draft that doubt held
    back, an alternative, or the answers to several photos joined (those in doubt left out, where
    there are others). Any other is edited; but where doubt held all drafts back, nothing was filled
    in, and a text unlike them all is the person's own: written.

    Args:
        text: what a person confirmed.
        sayings: rows of what the model said of the record's photos, in the person's order.
    """
    if not sayings:
        return Proposal("written")
    sure = [one for one in sayings if one["doubt"] is None]
    drafts = [one["draft"] or one["text"] for one in sayings]  # doubt held them back
    offered = [joined([one["text"] for one in sure] or drafts)]
    offered.append(joined([one["text"] for one in sayings]))
    for one in sayings:
        offered += [one["text"], one["draft"], *one["alternatives"]]
    wanted = compared(text)
    match = next((offer for offer in offered if offer and compared(offer) == wanted), None)
    if match is None and len(sayings) > 1:
        # Of several photos, the page offers the texts joined, those without a hazard left out.
        parts = [compared(part) for part in re.split("[；;]", text) if part.strip()]
        whole = {compared(offer) for offer in offered if offer}
        match = text if parts and whole.issuperset(parts) else None
    confidences = [one["confidence"] for one in sayings if one["confidence"] is not None]
    outcome: Outcome = "accepted" if match is not None else "edited"
    if match is None and not sure and not any(_like(text, offer) for offer in offered):
        outcome = "written"
    return Proposal(
        outcome=outcome,
        ai_text=offered[0] if match is None else match,
        model=sayings[0]["model"],
        confidence=min(confidences, default=None),
        doubt=next((one["doubt"] for one in sayings if one["doubt"]), None),
        saying_ids=[one["id"] for one in sayings],
    )


def _like(text: str, offer: str) -> bool:
    """Whether a text may have come of another by changing it: half of both is the same."""
    return SequenceMatcher(None, compared(text), compared(offer), autojunk=False).ratio() >= 0.5


def joined(texts: Sequence[str]) -> str:
    """What the model said of several photos of one finding: each text once, in order."""
    distinct = [text for text in dict.fromkeys(texts) if text]
    return ("；" if detect_language(distinct) == "zh" else "; ").join(distinct)


def outcome_after(text: str, ai_text: str | None, before: Outcome) -> Outcome:
    """What a record's outcome is once its text was changed."""
    if ai_text is None:
        return before
    if compared(text) == compared(ai_text):
        return "accepted"
    return "written" if before == "written" else "edited"


def body_digest(new: NewFinding, photos: Sequence[bytes]) -> str:
    """SHA-256 in hex of a whole confirmation, to tell a repeated request from another one."""
    state = hashlib.sha256(new.model_dump_json().encode("utf-8", "surrogatepass"))
    for photo in photos:
        state.update(hashlib.sha256(photo).digest())
    return state.hexdigest()


def cleaned(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with their texts cleaned."""
    return {name: clean(one) if isinstance(one, str) else one for name, one in fields.items()}


def history_fields(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, tuple[str | None, str | None]]:
    """What differs, as text: name -> (before, after)."""
    return {
        name: (_told(before.get(name)), _told(after[name]))
        for name in EDITABLE
        if name in after and _told(before.get(name)) != _told(after[name])
    }


def _told(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def monday(moment: datetime) -> date:
    """The Monday, by local time, of a moment's week."""
    day = moment.astimezone().date()
    return day - timedelta(days=day.weekday())


def finding_of(row: Mapping[Any, Any], photos: Sequence[str]) -> Finding:
    """A row of `hs_findings` as it goes over the wire."""
    fields = {name: row[name] for name in Finding.model_fields if name != "photos"}
    return Finding(**fields, photos=list(photos))
