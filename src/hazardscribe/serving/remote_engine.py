"""An engine elsewhere: any OpenAI-compatible endpoint (vLLM, llama.cpp, hazardscribe).

The address comes from the command line alone. A photo goes there as our own loader sees it, upright
and with the pixels that the model folder was trained on, or at most 2048, as a PNG without EXIF, so
the place where it was taken stays here. The texts are read as a stream, at temperature 0. Such an
endpoint tells no alternatives, and a confidence only where it is a hazardscribe server.
"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import httpx

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.model.checkpoint import DEFAULT_PROMPT, load_card
from hazardscribe.model.generation import LONGEST
from hazardscribe.pages import data_url
from hazardscribe.pairs.photo import load_photo
from hazardscribe.pairs.photo_limits import PhotoLimits
from hazardscribe.serving.engine import Ask, Described, EngineError, Watch, busy, too_late
from hazardscribe.serving.errors import Language
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.uploads import Decoders, photo_limits

logger = logging.getLogger(__name__)

_SIDE = 2048
_LONGEST_LINE = 1_000_000  # bytes of one event
_LONGEST_REASON = 10_000  # bytes of an answer that says why not
_BLIND = "image input is not supported"  # llama.cpp without --mmproj, with a status of 500
_READY_FOR = 5.0  # seconds that an answer about being ready is believed


class RemoteEngine:
    """Describes by asking an endpoint.

    Args:
        settings: `engine` is its base URL, as far as `/v1`; `engine_model` the model's name there,
            by default the only one that it lists.
        transport: for tests, in place of the network.

    Raises:
        InputError: if the endpoint cannot be asked, or does not say which model to ask, or the
            model folder has no readable card.
    """

    def __init__(
        self, settings: ServeSettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        assert settings.engine is not None
        self._settings = settings
        base = settings.engine.rstrip("/")
        self._base = base if base.endswith("/v1") else f"{base}/v1"
        key = settings.engine_key
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._room = asyncio.Semaphore(settings.max_batch)
        self._held = 0
        self._pace = 1.0
        self._decode = Decoders(photo_limits(settings))
        self._checked: tuple[float, bool] = (-_READY_FOR, False)
        # As the settings say, else as the model folder's card does, else Chinese.
        card = None if settings.model is None else load_card(settings.model)
        self.language: Language = "zh"
        if (settings.language or (card and card.language)) == "en":
            self.language = "en"
        prompt = settings.prompt or (card and card.prompt)
        self._prompt = prompt or DEFAULT_PROMPT[self.language]
        # As the model was trained: others would shrink a larger photo in another way, and write
        # another text.
        bound = min(_SIDE, (card and card.image_bound) or _SIDE)
        self._picture = functools.partial(_data_url, bound=bound)
        self.categories: list[str] = []
        self._asked = settings.engine_model or asyncio.run(self._only_model())
        self.model = self._asked

    @property
    def waiting(self) -> int:
        """Photos that wait or are being described elsewhere."""
        return self._held

    def check_room(self) -> None:
        """See `Engine`."""
        if self._held >= self._settings.queue_size:
            raise busy(self._retry_after)

    async def ready(self) -> bool:
        """Whether the endpoint lists its models; believed for five seconds."""
        at, answer = self._checked
        if time.monotonic() - at >= _READY_FOR:
            try:
                response = await self._http().get(f"{self._base}/models", timeout=5)
                answer = response.status_code == 200
            except httpx.HTTPError as error:
                logger.warning("the engine %s does not answer: %s", self._base, error)
                answer = False
            self._checked = (time.monotonic(), answer)
        return answer

    async def close(self) -> None:
        """See `Engine`."""
        if self._client is not None:
            await self._client.aclose()
        self._decode.close()

    async def describe(
        self, photos: Sequence[bytes], ask: Ask, watch: Watch | None = None
    ) -> list[Described]:
        """See `Engine`."""
        if self._held + len(photos) > self._settings.queue_size:
            raise busy(self._retry_after)
        self._held += len(photos)
        try:
            async with asyncio.timeout(self._settings.deadline_s), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._describe(place, photo, ask, watch))
                    for place, photo in enumerate(photos)
                ]
        except TimeoutError as error:
            raise too_late(self._settings.deadline_s) from error
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            self._held -= len(photos)
        return [task.result() for task in tasks]

    @property
    def _retry_after(self) -> float:
        return min(60.0, self._held * self._pace / self._settings.max_batch)

    async def _describe(self, place: int, photo: bytes, ask: Ask, watch: Watch | None) -> Described:
        url = await self._decode(photo, self._picture)
        if isinstance(url, PhotoError):
            return Described(problem=url)
        if watch is not None:
            watch.position(max(0, self._held - self._settings.max_batch))
        put = time.monotonic()
        async with self._room:
            taken = time.monotonic()
            told = _Told()
            try:
                async with aclosing(self._chunks(url, ask)) as chunks:
                    async for chunk in chunks:
                        if told.take(chunk) and watch is not None:
                            watch.text(place, told.draft)
            except (httpx.HTTPError, ValueError, TypeError, AttributeError) as error:
                raise self._failed(error) from error
        self._pace += 0.2 * (time.monotonic() - taken - self._pace)
        return told.described(taken, waited=taken - put)

    async def _chunks(self, url: str, ask: Ask) -> AsyncGenerator[dict[str, Any]]:
        """The parts of a streamed answer."""
        image = {"type": "image_url", "image_url": {"url": url}}
        content = [image, {"type": "text", "text": self._prompt}]
        longest = self._settings.max_new_tokens or LONGEST
        body = {
            "model": self._asked,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": min(ask.max_tokens or longest, longest),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        address = f"{self._base}/chat/completions"
        async with self._http().stream("POST", address, json=body) as response:
            if response.status_code == 429:
                given = response.headers.get("retry-after", "")
                raise busy(min(60, int(given)) if given.isdecimal() else 5)
            if response.status_code != 200:
                raise _StatusError(response.status_code, await _reason(response))
            async with aclosing(_lines(response)) as lines:
                async for line in lines:
                    if not line.startswith("data:"):
                        continue
                    data = line.removeprefix("data:").strip()
                    if data == "[DONE]":
                        return
                    chunk = json.loads(data)
                    if not isinstance(chunk, dict) or "error" in chunk:
                        raise ValueError(_with("it ended with an error", _own_words(data)))
                    yield chunk
        raise ValueError("its answer broke off")

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:  # within the event loop that will use it
            self._client = self._make_client()
        return self._client

    def _make_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(self._settings.deadline_s, connect=5),
            limits=httpx.Limits(max_connections=self._settings.max_batch + 2),
            transport=self._transport,
            trust_env=False,  # no proxy may see the photos
            follow_redirects=False,
        )

    async def _only_model(self) -> str:
        """The one model that the endpoint lists."""
        where = f"--engine {self._settings.engine}"
        try:
            async with self._make_client() as client:
                response = await client.get(f"{self._base}/models", timeout=10)
                response.raise_for_status()
                names = [str(one["id"]) for one in response.json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{where}: does not list its models ({_brief(error)}). Is it running, and is the "
                "address right? A key is taken from HAZARDSCRIBE_ENGINE_KEY; --engine_model NAME "
                "starts without asking."
            ) from error
        if len(names) != 1:
            raise InputError(
                f"{where}: has {len(names)} models; name one with --engine_model: "
                f"{', '.join(names[:10]) or 'none is listed'}"
            )
        return names[0]

    def _failed(self, error: Exception) -> EngineError:
        logger.warning("the engine %s failed: %s", self._base, _brief(error))
        if isinstance(error, _StatusError):
            return EngineError(error.status, blind=_BLIND in str(error))
        return EngineError(None)


class _StatusError(ValueError):
    """An answer of another status than 200."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(_with(f"status {status}", why))
        self.status = status


async def _reason(response: httpx.Response) -> str:
    """Why an endpoint refuses, in its own words, for the log; empty where it says nothing."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _LONGEST_REASON:
            return ""
    return _own_words(body)


def _own_words(answer: bytes | str) -> str:
    """The message of an error in OpenAI's form; empty where there is none, or it is endless."""
    if len(answer) > _LONGEST_REASON:
        return ""
    try:
        return " ".join(str(json.loads(answer)["error"]["message"]).split())
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _with(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


async def _lines(response: httpx.Response) -> AsyncGenerator[str]:
    """The lines of a stream, which end in line feeds alone: a text may hold U+2028.

    Raises:
        ValueError: one is without end.
    """
    begun = b""
    async for part in response.aiter_bytes():
        *lines, begun = (begun + part).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
        if len(begun) > _LONGEST_LINE:
            raise ValueError("an event without end")
    yield begun.decode("utf-8", "replace")


class _Told:
    """What an endpoint has told of a photo so far."""

    def __init__(self) -> None:
        self.draft, self._finish = "", "stop"
        self._usage: dict[str, Any] = {}
        self._own: dict[str, Any] = {}

    def take(self, chunk: dict[str, Any]) -> bool:
        """Take in a part of the stream; whether the draft has grown."""
        self._usage = chunk.get("usage") or self._usage
        self._own = chunk.get("hazardscribe") or self._own
        grown = False
        for choice in chunk.get("choices") or ():
            more = (choice.get("delta") or {}).get("content")
            if isinstance(more, str) and more:
                self.draft += more
                grown = True
            self._finish = choice.get("finish_reason") or self._finish
        return grown

    def described(self, taken: float, waited: float) -> Described:
        """All of it, once the stream has ended."""
        own = self._own
        return Described(
            text=str(own.get("text", self.draft.strip())),
            draft=str(own.get("draft", self.draft.strip())),
            confidence=own.get("confidence"),
            doubt=own.get("doubt"),
            prompt_tokens=int(self._usage.get("prompt_tokens") or 0),
            tokens=int(self._usage.get("completion_tokens") or 0),
            ended=self._finish != "length",
            taken=taken,
            waited=waited,
        )


def _data_url(photo: bytes, limits: PhotoLimits, bound: int) -> str:
    """The photo as the endpoint gets it; lossless, so that it sees what our loader sees."""
    image = load_photo(photo, bound=bound, limits=limits)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return data_url("image/png", buffer.getvalue())


def _brief(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
