"""Photos in, drafts of findings out, all at once or while they are being written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from hazardscribe import __version__
from hazardscribe.evaluation.rules import Rules
from hazardscribe.serving.auth import Caller, inspector
from hazardscribe.serving.engine import Ask, Described
from hazardscribe.serving.errors import (
    ApiError,
    Language,
    failure_body,
    invalid_request,
    language_of,
    photo_error,
    request_id_of,
)
from hazardscribe.serving.openapi import OWN, refusals
from hazardscribe.serving.parameters import KNOWN_QUERY
from hazardscribe.serving.routes.ledger_parts import Ledger
from hazardscribe.serving.schemas import (
    Descriptions,
    FindingDraft,
    Limits,
    PhotoDescription,
    PhotoProblem,
    Session,
    Timings,
)
from hazardscribe.serving.store.errors import StoreError, StoreUnavailableError
from hazardscribe.serving.streaming import (
    EVENT_SCHEMA,
    EVENTS,
    STILL_ALIVE,
    Channel,
    sse,
    while_connected,
)
from hazardscribe.serving.uploads import read_photos

logger = logging.getLogger(__name__)

router = APIRouter(
    prefix="/v1",
    tags=["describe"],
    dependencies=[KNOWN_QUERY],
    responses=refusals(*OWN, 503),
)

_CATEGORIES = {
    "zh": (
        *("燃气设施", "电气", "消防", "高处/临边洞口", "脚手架/模板", "机械设备/防护"),
        *("特种设备/气瓶", "危化品", "有限空间", "动火", "个体防护", "作业行为"),
        *("现场环境/物料堆放", "标识标牌", "其他"),
    ),
    "en": (
        *("gas", "electrical", "fire", "work at height", "scaffolding", "machinery"),
        *("pressure vessels and cylinders", "hazardous chemicals", "confined space", "hot work"),
        *("personal protective equipment", "conduct", "housekeeping", "signs", "other"),
    ),
}


class DescribeForm(BaseModel):
    """The fields of `POST /v1/describe` beside its photos."""

    model_config = ConfigDict(extra="forbid")

    together: bool = Field(False, description="all photos show one finding")
    alternatives: int = Field(0, ge=0, le=5, description="further descriptions a photo")


# The body is read by hand, after the caller is known and there is room in the queue.
_FIELDS = DescribeForm.model_json_schema()["properties"]
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["photos"],
                "additionalProperties": False,
                "properties": {
                    "photos": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                        "description": "JPEG, PNG, WebP, BMP, GIF or TIFF",
                    },
                    **_FIELDS,
                },
            },
            "encoding": {"photos": {"contentType": "image/*, application/octet-stream"}},
        }
    },
}

_NO_PHOTO = "the body is no multipart form, or the photo no photo"
_NO_FIT = "a field does not fit, or the photo is damaged"


@router.post(
    "/describe",
    response_model=Descriptions,
    openapi_extra={"requestBody": _BODY},
    responses={
        200: {
            "description": "what the model says of each photo; with `Accept: text/event-stream` "
            "as events: `waiting`, `text` (the greedy draft so far), then `result`, or `error` "
            "with the `status` and `retry_after` (seconds) that an answer would have had",
            "content": {"text/event-stream": {"schema": EVENT_SCHEMA}},
        },
        **refusals(400, 413, 415, 422, 502, 504, _415=_NO_PHOTO, _422=_NO_FIT),
    },
)
async def describe(request: Request, caller: Annotated[Caller, Depends(inspector)]) -> Response:
    """Describe one photo or several. Nothing enters the ledger by this."""
    began = time.monotonic()
    request.app.state.engine.check_room()
    form, photos = await _read(request)
    task = _Task(request, caller, form, photos, began)
    if "text/event-stream" not in request.headers.get("accept", ""):
        made = await while_connected(request, task.run(None))
        return JSONResponse(made.model_dump(mode="json"))
    channel = Channel()
    running = asyncio.ensure_future(task.run(channel))
    await channel.first_or_done(running)
    return StreamingResponse(
        _events(request, channel, running), media_type="text/event-stream", headers=EVENTS
    )


async def _read(request: Request) -> tuple[DescribeForm, list[bytes]]:
    """The fields and the photos of the request's body.

    Raises:
        ApiError: if it is no such form, or the photos are beyond the limits.
    """
    kind = request.headers.get("content-type", "").lower()
    if not kind.startswith("multipart/form-data"):
        raise ApiError(
            415,
            "not_multipart",
            "请以 multipart/form-data 上传照片（字段 photos）。",
            "Send photos as multipart/form-data (field photos).",
        )
    async with request.form(max_fields=20, max_part_size=4096) as parts:
        given = parts.getlist("photos")
        files = [part for part in given if isinstance(part, UploadFile)]
        if len(files) < len(given):
            raise ApiError(
                422,
                "photo_not_a_file",
                "字段 photos 必须是文件。",
                "The field photos must be a file.",
            )
        settings, memory = request.app.state.settings, request.state.memory
        photos = await read_photos(files, settings, memory, check=False)
        rest = {name: value for name, value in parts.multi_items() if name != "photos"}
        try:
            return DescribeForm.model_validate(rest), photos
        except ValidationError as error:
            raise invalid_request(error.errors()) from error


async def _events(
    request: Request, channel: Channel, running: asyncio.Future[Descriptions]
) -> AsyncIterator[bytes]:
    try:
        async for events in channel.events_until(running):
            if not events:
                yield STILL_ALIVE
            for event in events:
                yield sse(event)
        try:
            result = running.result()
        except Exception as error:
            yield sse({"event": "error", **failure_body(error, request.scope)})
        else:
            yield sse({"event": "result", **result.model_dump(mode="json")})
    finally:
        running.cancel()  # the client may have left


@dataclass(frozen=True, slots=True)
class _Task:
    """One request's work, once its body is read."""

    request: Request
    caller: Caller
    form: DescribeForm
    photos: list[bytes]
    began: float

    async def run(self, channel: Channel | None) -> Descriptions:
        """Describe, remember what was said, and put the answer together."""
        state, language = self.request.app.state, language_of(self.request.headers)
        ask = Ask(alternatives=self.form.alternatives)
        made: list[Described]
        with state.metrics.counting_failures(len(self.photos)):
            made = await state.engine.describe(self.photos, ask, channel)
            good = [one for one in made if one.problem is None]
            ids = iter(await self._remember(good))
        state.metrics.described(made)
        if not good:
            assert made[0].problem is not None
            raise photo_error(made[0].problem, 0 if len(made) > 1 else None)
        described = [
            _photo(place, one, None if one.problem else next(ids), language)
            for place, one in enumerate(made)
        ]
        now = time.monotonic()
        taken = min(one.taken for one in good)
        waiting = min(max(0.0, taken - self.began), now - self.began)
        return Descriptions(
            request_id=request_id_of(self.request.scope),
            model=state.engine.model,
            descriptions=described,
            findings=_findings(described, self.form.together, state.engine.language),
            timings=Timings(
                waiting=round(waiting, 4),
                describing=round(now - self.began - waiting, 4),
                total=round(now - self.began, 4),
            ),
        )

    async def _remember(self, said: Sequence[Described]) -> list[str]:
        """Keep what was said in the store, which knows the texts by the ids given back."""
        state = self.request.app.state
        try:
            ids: list[str] = await run_in_threadpool(
                state.store.remember, said, state.engine.model, self.caller.name
            )
        except StoreError as error:  # a full disk, a database that does not answer
            logger.error("what the model said could not be kept: %s", error)
            raise
        except Exception as error:
            logger.exception("what the model said could not be kept")
            raise StoreUnavailableError("the model's text was not kept") from error
        return ids


def _photo(place: int, one: Described, saying: str | None, language: Language) -> PhotoDescription:
    if one.problem is not None:
        error = photo_error(one.problem)
        problem = PhotoProblem(code=error.code, message=error.message(language))
        return PhotoDescription(id=None, photo=place, text="", draft="", problem=problem)
    return PhotoDescription(
        id=saying,
        photo=place,
        text=one.text,
        draft=one.draft,
        alternatives=one.alternatives,
        confidence=None if one.confidence is None else round(one.confidence, 4),
        doubt=cast(Any, one.doubt),
        suggestions=one.suggestions,
        similar=one.similar,
    )


def _findings(
    described: Sequence[PhotoDescription], together: bool, language: Language
) -> list[FindingDraft]:
    """The findings as the model would have them.

    Of several photos together: each distinct text once, texts in doubt only where there is no
    other, and "no hazard" only where no photo shows one.
    """
    good = [one for one in described if one.problem is None]
    if not together:
        return [
            FindingDraft(photos=[one.photo], text=one.text, suggestions=one.suggestions)
            for one in good
        ]
    sure = [one for one in good if one.doubt is None] or good
    texts = list(dict.fromkeys(one.text for one in sure if one.text))
    rules = Rules.load(language)
    texts = [text for text in texts if rules.hazard(text)] or texts[:1]
    sure = [one for one in sure if one.text in texts]
    best: dict[str, Any] = {}
    for one in sure:
        for suggestion in one.suggestions:
            known = best.get(suggestion.category)
            if known is None or suggestion.share > known.share:
                best[suggestion.category] = suggestion
    ordered = sorted(best.values(), key=lambda suggestion: -suggestion.share)
    text = ("；" if language == "zh" else "; ").join(texts)
    return [FindingDraft(photos=[one.photo for one in good], text=text, suggestions=ordered[:3])]


@router.get("/session")
def session(
    request: Request, store: Ledger, caller: Annotated[Caller, Depends(inspector)]
) -> Session:
    """Who asks, and what the server is."""
    settings, engine = request.app.state.settings, request.app.state.engine
    # Those of the last weeks.
    own = [one.category for one in store.dashboard().categories if one.category]
    categories = dict.fromkeys([*engine.categories, *own, *_CATEGORIES[engine.language]])
    return Session(
        name=caller.name,
        role=caller.role,
        language=engine.language,
        model=engine.model,
        version=__version__,
        categories=list(categories)[:300],
        limits=Limits(
            max_photos=settings.max_photos,
            max_photo_bytes=settings.max_photo_bytes,
            max_request_bytes=settings.max_request_bytes,
        ),
    )
