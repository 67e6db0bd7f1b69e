"""The describing model in OpenAI's form, so that programs made for it work as they are.

client = openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key=TOKEN)
client.chat.completions.create(model=..., messages=[{"role": "user", "content": [
    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,..."}}]}])
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from hazardscribe.serving.auth import Caller, inspector
from hazardscribe.serving.engine import Ask, Described
from hazardscribe.serving.errors import ApiError, failure_body, photo_error
from hazardscribe.serving.openai_forms import (
    Answered,
    ChatRequest,
    Choice,
    Completion,
    Model,
    Models,
    OpenAIErrorAnswer,
    own_fields,
    refuse_unsupported,
    the_photo,
    usage,
)
from hazardscribe.serving.openapi import GUARDED, refusals
from hazardscribe.serving.streaming import (
    EVENT_SCHEMA,
    EVENTS,
    STILL_ALIVE,
    Channel,
    sse,
    while_connected,
)

_WORDS = {"_400": "a parameter, or the photo, is not usable", "_404": "no such model"}
_refusals = partial(refusals, form=OpenAIErrorAnswer, **_WORDS)

router = APIRouter(prefix="/v1", tags=["openai"], responses=_refusals(*GUARDED))


@router.get("/models")
async def models(request: Request, _: Annotated[Caller, Depends(inspector)]) -> Models:
    """The one model of this server."""
    return Models(data=[_model(request)])


@router.get("/models/{model:path}", responses=_refusals(404))
async def model(request: Request, model: str, _: Annotated[Caller, Depends(inspector)]) -> Model:
    """One model, by its id or its name."""
    _check_model(request, model)
    return _model(request)


@router.post(
    "/chat/completions",
    response_model=Completion,
    responses={
        200: {
            "description": "the description; with `stream` as `chat.completion.chunk` events",
            "content": {"text/event-stream": {"schema": EVENT_SCHEMA}},
        },
        **_refusals(400, 404, 413, 502, 504),
    },
)
async def chat_completions(
    request: Request, body: ChatRequest, _: Annotated[Caller, Depends(inspector)]
) -> Response:
    """Describe the photo of a chat; texts beside it change nothing.

    `temperature` other than 0, `n` above 1 and other parameters that would change the answer are
    refused by name.
    """
    _check_model(request, body.model)
    refuse_unsupported(body)
    photo = the_photo(body, request.app.state.settings.max_photo_bytes)
    ask = Ask(max_tokens=body.max_completion_tokens or body.max_tokens)
    head = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "created": int(time.time()),
        "model": request.app.state.engine.model,
    }
    if not body.stream:
        one = await while_connected(request, _describe(request, photo, ask, None))
        choice = Choice(message=Answered(content=one.text), finish_reason=_finish(one))
        answer = Completion(
            **head, choices=[choice], usage=usage(one), hazardscribe=own_fields(one)
        )
        return JSONResponse(answer.model_dump())
    channel = Channel()
    running = asyncio.ensure_future(_describe(request, photo, ask, channel))
    await channel.first_or_done(running)
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    chunks = _chunks(request, channel, running, head, with_usage)
    return StreamingResponse(chunks, media_type="text/event-stream", headers=EVENTS)


async def _describe(request: Request, photo: bytes, ask: Ask, channel: Channel | None) -> Described:
    state = request.app.state
    with state.metrics.counting_failures(1):
        [one] = await state.engine.describe([photo], ask, channel)
    state.metrics.described([one])
    if one.problem is not None:
        refused = photo_error(one.problem)
        status = 413 if refused.status == 413 else 400
        raise ApiError(status, refused.code, refused.zh, refused.en, extra={"param": "messages"})
    made: Described = one
    return made


async def _chunks(
    request: Request,
    channel: Channel,
    running: asyncio.Future[Described],
    head: dict[str, Any],
    with_usage: bool,
) -> AsyncIterator[bytes]:
    """The greedy draft as it grows, then what is to be said of it."""

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        body = head | {"object": "chat.completion.chunk", "choices": [choice]} | more
        return sse(body | ({"usage": None} if with_usage else {}))

    sent = ""
    try:
        yield chunk({"role": "assistant", "content": ""})
        async for events in channel.events_until(running):
            if not events:
                yield STILL_ALIVE
            text = next((e["text"] for e in reversed(events) if e["event"] == "text"), sent)
            # A token may yet change the space before it: only what goes on is sent.
            if text.startswith(sent) and text != sent:
                yield chunk({"content": text[len(sent) :]})
                sent = text
        try:
            one = running.result()
        except Exception as error:
            yield sse(failure_body(error, request.scope))
            return
        if one.draft.startswith(sent) and one.draft != sent:  # an engine may tell little on its way
            yield chunk({"content": one.draft[len(sent) :]})
        yield chunk({}, _finish(one), hazardscribe=own_fields(one).model_dump())
        if with_usage:
            counted = usage(one).model_dump()
            yield sse(head | {"object": "chat.completion.chunk", "choices": [], "usage": counted})
        yield sse("[DONE]")
    finally:
        running.cancel()  # the client may have left


def _finish(one: Described) -> Any:
    return "stop" if one.ended else "length"


def _model(request: Request) -> Model:
    state = request.app.state
    return Model(id=state.engine.model, created=int(state.started))


def _check_model(request: Request, name: str) -> None:
    own: str = request.app.state.engine.model
    short = own.rpartition("@")[0] or own  # an engine elsewhere may name no fingerprint
    if name not in (own, short):
        raise ApiError(
            404,
            "model_not_found",
            f"没有这个模型；本服务器的模型是 {own}。",
            f"There is no such model; this server's is {own}.",
            extra={"param": "model"},
        )
