"""Many photos described by one or several endpoints, in order, each endpoint kept busy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from hazardscribe.describing.describer import Description
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.pairs.photo import photo_header
from hazardscribe.serving.engine import Ask, Described, Engine, EngineError
from hazardscribe.serving.errors import ApiError

_TRIES = 8
_LONGEST_WAIT_S = 30.0
_REFUSED_PHOTO = (400, 413, 415, 422)
_PASSING = (408, 429)
_Result = TypeVar("_Result")


class Endpoints:
    """Describes photos by engines that are elsewhere.

    A photo goes to the engine with the fewest photos waiting. One that an engine fails at is asked
    of again, of any engine, after 1, 2, 4 ... at most 30 seconds, unless the engine's status says
    that asking again is of no use: a photo that it refuses (400, 413, 415, 422) carries that as its
    problem; any other status 4xx but 408 and 429 ends the run, and so does an engine that takes no
    photos.

    Args:
        engines: at least one. each: photos under way at an engine.
        wait: seconds before the first repetition.
    """

    def __init__(self, engines: Sequence[Engine], each: int = 16, wait: float = 1.0) -> None:
        self._engines, self._ahead, self._wait = engines, 2 * each * len(engines), wait
        self.language = engines[0].language

    def stream(self, photos: Sequence[str]) -> Iterator[Described]:
        """Describe photos in order; one that cannot be read carries its problem.

        Raises:
            InputError: if the engines fail at a photo again and again, take no photos, or want
                another key, address or model.
        """
        loop = asyncio.new_event_loop()
        thread = Thread(target=loop.run_forever, name="endpoints", daemon=True)
        thread.start()

        def begin(what: Coroutine[Any, Any, _Result]) -> Future[_Result]:
            return asyncio.run_coroutine_threadsafe(what, loop)

        rest, waiting = iter(photos), deque[Future[Described]]()
        try:
            waiting.extend(begin(self._describe(photo)) for photo in islice(rest, self._ahead))
            while waiting:
                described = waiting.popleft().result()
                waiting.extend(begin(self._describe(photo)) for photo in islice(rest, 1))
                yield described
        finally:
            for future in waiting:
                future.cancel()
            for engine in self._engines:
                begin(engine.close()).result()
            begin(loop.shutdown_asyncgens()).result()  # streams that were left before their end
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _describe(self, photo: str) -> Described:
        try:
            content = await asyncio.to_thread(_read, photo)
        except PhotoError as error:
            return Described(problem=error)
        for tries in range(1, _TRIES + 1):
            engine = min(self._engines, key=lambda one: one.waiting)
            try:
                [described] = await engine.describe([content], Ask())
                return described
            except ApiError as error:
                failure = error
            if isinstance(failure, EngineError) and failure.blind:
                raise InputError(
                    "--engine: the endpoint takes no photos. Start llama.cpp's server with the "
                    "model's visual part too (--mmproj FILE), or name another endpoint; then go on "
                    "with --resume."
                )
            status = failure.answered if isinstance(failure, EngineError) else None
            if status in _REFUSED_PHOTO:
                said = f"{photo}: the endpoint refuses it (status {status}); its log may say why"
                return Described(problem=PhotoError("refused", said))
            if status is not None and 400 <= status < 500 and status not in _PASSING:
                raise InputError(
                    f"--engine: {photo}: the endpoint answered with status {status}. Check the "
                    "address, --engine_model and HAZARDSCRIBE_ENGINE_KEY; then go on with --resume."
                )
            if failure.status not in (429, 502, 504):
                break
            if tries < _TRIES:
                await asyncio.sleep(min(self._wait * 2 ** (tries - 1), _LONGEST_WAIT_S))
        raise InputError(
            f"--engine: {photo}: {failure.en} Tried {tries} time{'s' if tries > 1 else ''}. What "
            "was described until now is in --out; go on with --resume."
        )


def plain(described: Described) -> Description:
    """What an engine said, as `describe` tells it."""
    return Description(
        described.text,
        described.alternatives,
        0.0 if described.confidence is None else described.confidence,
        error=described.problem,
        doubt=described.doubt,  # type: ignore[arg-type]
        draft=described.draft,
    )


def _read(photo: str) -> bytes:
    photo_header(photo)  # what is wrong with it, said as ever
    return Path(photo).read_bytes()
