"""What goes over the wire: the bodies of requests and answers, and what they promise.

The page, the OpenAPI document and the tests all stand on these classes. A text of the model and a
text of a person never share a field: `ai_text` is what the model said, `text` what a person
confirmed.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from hazardscribe.serving.settings import MOST_PHOTOS

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


def _iso(value: object) -> object:
    """Refuse what pydantic would also take for a day: seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(_ISO, value)):
        return value
    raise ValueError("a day is written YYYY-MM-DD")


_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
Day = Annotated[date, BeforeValidator(_iso)]
Level = Literal["一般", "重大"]
Status = Literal["open", "done"]
Outcome = Literal["accepted", "edited", "written"]
"""What became of the model's text: confirmed as it stood, changed, or not used (or none there).
What a person threw away without a finding counts as `rejected` in the dashboard."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Error(_Body):
    """Why a request was not done."""

    code: str = Field(description="stable, for machines: `too_large`, `edit_conflict` ...")
    message: str = Field(description="for people: what was wrong and what to do, in zh or en")
    request_id: str


class ErrorAnswer(_Body):
    """The body of every answer with a status of 400 or above."""

    error: Error


class PhotoProblem(_Body):
    """Why one photo of several could not be described."""

    code: str = Field(description="`damaged`, `format`, `too_large` ... : reasons of PhotoError")
    message: str


class Suggestion(_Body):
    """A category that the nearest past cases bear."""

    category: str
    share: float = Field(ge=0, le=1, description="of the nearest past cases")


class PastCase(_Body):
    """A past case like the photo."""

    text: str
    similarity: float = Field(ge=-1, le=1)
    category: str | None = None
    place: str | None = None
    date: str | None = None
    measure: str | None = None


class PhotoDescription(_Body):
    """What the model says of one photo.

    `id` names this saying in the server's own record of what the model said; it is given back when
    a person confirms or rejects it.
    """

    id: str | None = Field(description="null where the photo could not be described")
    photo: int = Field(ge=0, description="place among the photos of the request, from 0")
    text: str = Field(description="the answer; in doubt, that it cannot be judged")
    draft: str = Field(description="what the model wrote, also where doubt holds it back")
    alternatives: list[str] = []
    confidence: float | None = Field(default=None, ge=0, le=1)
    doubt: Literal["unfamiliar", "unsure", "likely_safe"] | None = None
    suggestions: list[Suggestion] = Field(default=[], description="best first, three at most")
    similar: list[PastCase] = Field(default=[], description="nearest first, three at most")
    problem: PhotoProblem | None = None


class FindingDraft(_Body):
    """A finding as the model would have it: one photo's, or that of several photos together."""

    photos: list[int]
    text: str
    suggestions: list[Suggestion] = []


class Timings(_Body):
    """Seconds that the request took."""

    waiting: float = Field(ge=0, description="until a batch took it in")
    describing: float = Field(ge=0)
    total: float = Field(ge=0)


class Descriptions(_Body):
    """The answer of `POST /v1/describe`."""

    request_id: str
    model: str = Field(description="id of the model: its name and a fingerprint of its weights")
    descriptions: list[PhotoDescription]
    findings: list[FindingDraft]
    timings: Timings


class NewFinding(_Body):
    """What a person confirms. Its photos come beside it, as files."""

    text: Annotated[Text, StringConstraints(min_length=1)]
    description_ids: list[str] = Field(default=[], max_length=MOST_PHOTOS)
    place: Line = ""
    category: Line = ""
    level: Level = "一般"
    measure: Text = ""
    responsible: Line = ""
    due: Day | None = None
    found_on: Day | None = Field(default=None, description="default: the server's today")


class FindingChange(_Body):
    """Fields to change; those left out stay."""

    text: Annotated[Text, StringConstraints(min_length=1)] | None = None
    place: Line | None = None
    category: Line | None = None
    level: Level | None = None
    measure: Text | None = None
    responsible: Line | None = None
    due: Day | None = None
    found_on: Day | None = None
    status: Status | None = None


class Finding(_Body):
    """A record of the ledger."""

    id: str
    number: int = Field(description="running number in the ledger, never used again")
    version: int = Field(ge=1, description="rises by one with every change; ETag and If-Match")
    text: str = Field(description="what a person confirmed")
    ai_text: str | None = Field(description="what the model had proposed; null where nothing")
    outcome: Outcome
    model: str | None = Field(description="id of the model that proposed")
    confidence: float | None = None
    doubt: str | None = None
    place: str
    category: str
    level: Level
    measure: str
    responsible: str
    due: date | None
    found_on: date
    status: Status
    photos: list[str] = Field(description="ids, for /v1/photos/{id}")
    confirmed_by: str
    created_at: datetime
    changed_at: datetime


class ConflictAnswer(ErrorAnswer):
    """Somebody else changed the record first; nothing was changed by this request."""

    current: Finding = Field(description="the record as it is now")


class Findings(_Body):
    """A page of the ledger, newest first."""

    items: list[Finding]
    total: int
    next: str | None = Field(description="`cursor` of the next page; null on the last")


class Change(_Body):
    """One entry of a record's history."""

    version: int
    at: datetime
    by: str
    fields: dict[str, tuple[str | None, str | None]] = Field(description="name: [before, after]")


class History(_Body):
    """How a record became what it is, oldest first."""

    changes: list[Change]


class Counts(_Body):
    """How often the model's text was confirmed as it stood, changed, replaced, thrown away."""

    accepted: int = 0
    edited: int = 0
    written: int = 0
    rejected: int = 0


class WeekCounts(Counts):
    """Counts of a week."""

    week: date = Field(description="its Monday")


class CategoryCounts(Counts):
    """Counts of a category."""

    category: str


class ModelCounts(Counts):
    """Counts of a model."""

    model: str


class Dashboard(_Body):
    """Whether the model's texts are of use."""

    weeks: list[WeekCounts]
    categories: list[CategoryCounts]
    models: list[ModelCounts]


class Limits(_Body):
    """What a request may hold."""

    max_photos: int
    max_photo_bytes: int
    max_request_bytes: int


class Session(_Body):
    """Who asks, and what the server is."""

    name: str = Field(description="of the token's holder")
    role: Literal["inspector", "admin"]
    language: Literal["zh", "en"] = Field(description="that the model writes")
    model: str
    version: str = Field(description="of hazardscribe")
    categories: list[str]
    limits: Limits
