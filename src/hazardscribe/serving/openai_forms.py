"""The part of OpenAI's chat form that a describing server can keep, and what it refuses.

One photo goes in, as a `data:` URL in the user's message, and its description comes out. The model
was trained on one prompt, so texts beside the photo change nothing. What would change the answer
and is not supported is refused by name, never dropped in silence.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hazardscribe.serving.engine import Described
from hazardscribe.serving.errors import ApiError


class _Loose(BaseModel):
    """Fields of which nothing is made are let pass here and judged by `refuse_unsupported`."""

    model_config = ConfigDict(extra="allow")


class TextPart(_Loose):
    """Text beside the photo."""

    type: Literal["text"]
    text: str


class ImageUrl(_Loose):
    """Where the photo is: in the URL itself."""

    url: str = Field(description="`data:image/jpeg;base64,...`; no address is ever fetched")


class ImagePart(_Loose):
    """The photo."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(_Loose):
    """A message; the photo stands in one of the user's."""

    role: Literal["system", "developer", "user"]
    content: str | list[Part]


class StreamOptions(_Loose):
    """What a stream holds beside the text."""

    include_usage: bool = False


class ChatRequest(_Loose):
    """The body of `POST /v1/chat/completions`."""

    model: str = Field(description="of `/v1/models`")
    messages: list[Message] = Field(min_length=1, max_length=50)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, description="longest text, up to the server's own")
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, description="0; the text is the likeliest")
    n: int | None = Field(None, description="1")


class Usage(BaseModel):
    """Tokens read, those of the photo included, and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class OwnFields(BaseModel):
    """What OpenAI's form has no place for. In a stream it comes with the last part, as the text
    streamed is the greedy draft, and `text` may differ from it."""

    text: str
    draft: str
    confidence: float | None
    doubt: str | None


class Answered(BaseModel):
    """The message of an answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one choice of an answer."""

    index: int = 0
    message: Answered
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """The answer of `POST /v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    hazardscribe: OwnFields


class Model(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "hazardscribe"


class Models(BaseModel):
    """The answer of `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[Model]


class OpenAIError(BaseModel):
    """Why a request was not done, in OpenAI's form."""

    message: str
    type: str
    param: str | None
    code: str
    request_id: str


class OpenAIErrorAnswer(BaseModel):
    """The body of an error."""

    error: OpenAIError


# Of these, the values named change nothing and are let pass.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "top_p": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "stop": ([],),
    "tools": ([],),
    "tool_choice": ("none",),
    "functions": ([],),
    "function_call": ("none",),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "store": (False,),
    "parallel_tool_calls": (True, False),
}
# These say who asks, or ask for what always holds (the same photo gets the same text).
_WITHOUT_EFFECT = frozenset(("seed", "user", "metadata", "safety_identifier", "service_tier"))


def refuse_unsupported(request: ChatRequest) -> None:
    """Refuse what would change the answer and cannot be done.

    Raises:
        ApiError: 400, naming the parameter.
    """
    asked = dict(request.model_extra or {})
    for name, plain in (("temperature", 0), ("n", 1)):
        value = getattr(request, name)
        if value is not None and value != plain:
            raise _unsupported(name, f"{name}={plain}")
    for name, value in asked.items():
        if value is None or name in _WITHOUT_EFFECT or value in _HARMLESS.get(name, ()):
            continue
        raise _unsupported(name[:60], None)


def _unsupported(name: str, only: str | None) -> ApiError:
    zh = f"只支持 {only}。" if only else "请去掉该参数。"
    en = f"only {only} is." if only else "leave it out."
    return ApiError(
        400,
        "unsupported_parameter",
        f"不支持参数 {name} 的这个取值：{zh}",
        f"This value of the parameter {name} is not supported; {en}",
        extra={"param": name},
    )


def the_photo(request: ChatRequest, limit: int) -> bytes:
    """The one photo of a request.

    Args:
        limit: bytes that it may have.

    Raises:
        ApiError: if there is none, more than one, or its URL holds no photo.
    """
    urls = [
        part.image_url.url
        for message in request.messages
        if isinstance(message.content, list)
        for part in message.content
        if isinstance(part, ImagePart)
    ]
    if len(urls) != 1:
        raise _bad_photo(
            "one_photo",
            f"每次请求须有且只有一张照片，现有 {len(urls)} 张；多张照片请用 /v1/describe。",
            f"A request holds exactly one photo, this one {len(urls)}; for several there is "
            "/v1/describe.",
        )
    return decode_data_url(urls[0], limit)


_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)


def decode_data_url(url: str, limit: int) -> bytes:
    """The bytes in a `data:` URL. Nothing is fetched, whatever the URL says.

    Raises:
        ApiError: 400 if it is of another kind, 413 if it holds too much.
    """
    head = _DATA_URL.match(url)
    if head is None:
        raise _bad_photo(
            "not_a_data_url",
            "照片须以 data:image/...;base64,... 的形式给出；服务器不会访问任何网址。",
            "Give the photo as data:image/...;base64,...; the server fetches no address.",
        )
    if (len(url) - head.end()) * 3 // 4 > limit + 2:
        size = f"{limit / 2**20:g} MiB"
        raise ApiError(
            413,
            "too_large",
            f"照片超过 {size}，请保存较小的副本。",
            f"The photo is larger than {size}; save a smaller copy of it.",
        )
    try:
        return base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_photo(
            "bad_base64", "照片的 base64 编码有误。", "The photo is not valid base64."
        ) from error


def _bad_photo(code: str, zh: str, en: str) -> ApiError:
    return ApiError(400, code, zh, en, extra={"param": "messages"})


def usage(one: Described) -> Usage:
    """The tokens of one description."""
    return Usage(
        prompt_tokens=one.prompt_tokens,
        completion_tokens=one.tokens,
        total_tokens=one.prompt_tokens + one.tokens,
    )


def own_fields(one: Described) -> OwnFields:
    """What OpenAI's form has no place for."""
    confidence = None if one.confidence is None else round(one.confidence, 4)
    return OwnFields(text=one.text, draft=one.draft, confidence=confidence, doubt=one.doubt)
