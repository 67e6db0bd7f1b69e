"""The engine of this process: `describing.Describer` behind a batching queue.

A photo is decoded on one of two threads, waits in line as the pixels that the model gets, and is
described by the one thread that owns the model, as `hazardscribe describe` would.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from hazardscribe.describing.describer import Describer
from hazardscribe.errors import InputError, PhotoError
from hazardscribe.serving.batching import BatchQueue, DeadlineError, Job, QueueFullError
from hazardscribe.serving.engine import Ask, Described, Watch, busy, too_late
from hazardscribe.serving.errors import Language
from hazardscribe.serving.model_id import model_id
from hazardscribe.serving.past_cases import PastCases
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.uploads import Decoders, photo_limits

logger = logging.getLogger(__name__)

_POSITIONS_EVERY = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class _Photo:
    pixels: np.ndarray
    listener: Callable[[str], None] | None


class LocalEngine:
    """Describes with a model folder.

    Args:
        settings: what `serve` was started with; `settings.model` is the folder.
        watch: told the size of each batch and the seconds it took.

    Raises:
        InputError: if the model cannot be loaded or an option does not fit.
    """

    def __init__(
        self, settings: ServeSettings, watch: Callable[[int, float], None] | None = None
    ) -> None:
        if settings.model is None:
            raise InputError("serve: name a model folder: --model DIR")
        self._settings = settings
        self._describer = Describer(
            settings.model,
            device=settings.device,
            max_new_tokens=settings.max_new_tokens,
            precision=settings.precision,
            rerank=settings.rerank,
            doubt=settings.doubt,
            risk=settings.risk,
        )
        self._describer.prepare()  # nobody waits for it later
        self._lost = False
        card = self._describer.card
        self.language: Language = "en" if card.language == "en" else "zh"
        self.model = model_id(self._describer.folder, str(card))
        self._decode = Decoders(photo_limits(settings))
        self._queue: BatchQueue[_Photo, Described] = BatchQueue(
            self._describe_batch,
            max_batch=settings.max_batch,
            max_wait=settings.max_wait_ms / 1000,
            capacity=settings.queue_size,
            watch=watch,
        )
        self.cases: PastCases | None = None
        if settings.data is not None:
            self.cases = PastCases(settings.data, self._describer, self._on_model)
            self.cases.start()

    @property
    def categories(self) -> list[str]:
        """Of the past cases, most frequent first."""
        return [] if self.cases is None else self.cases.categories

    @property
    def waiting(self) -> int:
        """Photos that wait."""
        return self._queue.held

    def check_room(self) -> None:
        """See `Engine`."""
        if self._queue.full:
            raise busy(self._queue.retry_after)

    async def ready(self) -> bool:
        """The model is loaded when the engine is made; a GPU can be lost to this process later."""
        return not self._lost

    async def close(self) -> None:
        """See `Engine`."""
        await asyncio.to_thread(self._queue.close)
        self._decode.close()

    async def describe(
        self, photos: Sequence[bytes], ask: Ask, watch: Watch | None = None
    ) -> list[Described]:
        """See `Engine`."""
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + self._settings.deadline_s
        ask = Ask(ask.alternatives, self._longest(ask.max_tokens))
        try:
            places = self._queue.reserve(len(photos))
        except QueueFullError as error:
            raise busy(error.retry_after) from error
        with places:
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    decoded = await asyncio.gather(
                        *(self._decode(photo, self._describer.pixels) for photo in photos)
                    )
                    jobs: dict[int, Job[_Photo, Described]] = {}
                    for place, pixels in enumerate(decoded):
                        if isinstance(pixels, PhotoError):
                            continue
                        listener = None if watch is None else _listener(loop, watch, place)
                        item = _Photo(pixels, listener)
                        jobs[place] = places.put(item, key=ask, deadline=deadline)
                    done = await self._results(jobs, watch)
            except (TimeoutError, DeadlineError) as error:
                raise too_late(self._settings.deadline_s) from error
        return [
            Described(problem=one) if isinstance(one, PhotoError) else done[place]
            for place, one in enumerate(decoded)
        ]

    async def _results(
        self, jobs: dict[int, Job[_Photo, Described]], watch: Watch | None
    ) -> dict[int, Described]:
        reporter = None
        if watch is not None and jobs:
            reporter = asyncio.ensure_future(self._report(next(iter(jobs.values())), watch))
        try:
            found = await asyncio.gather(
                *(asyncio.wrap_future(job.future) for job in jobs.values())
            )
        finally:
            if reporter is not None:
                reporter.cancel()
        return dict(zip(jobs, found, strict=True))

    async def _report(self, job: Job[_Photo, Described], watch: Watch) -> None:
        """Tell the request's position in line while it waits, whenever that has changed."""
        told = None
        while job.taken is None:
            position = self._queue.position(job)
            if position != told:
                watch.position(told := position)
            await asyncio.sleep(_POSITIONS_EVERY)

    def _longest(self, asked: int | None) -> int:
        own = self._describer.max_new_tokens
        return own if asked is None else min(asked, own)

    def _describe_batch(
        self, key: Hashable, jobs: Sequence[Job[_Photo, Described]]
    ) -> list[Described]:
        """On the model's thread."""
        ask = cast(Ask, key)
        pixels = [job.item.pixels for job in jobs]

        def hear(place: int, text: str) -> None:
            listener = jobs[place].item.listener
            if listener is not None and jobs[place].wanted:
                listener(text)

        heard = any(job.item.listener is not None for job in jobs)
        try:
            made = self._describer.describe_pixels(
                pixels,
                alternatives=ask.alternatives,
                max_new_tokens=ask.max_tokens,
                listener=hear if heard else None,
                unwanted=lambda: not any(job.wanted for job in jobs),
            )
        except torch.AcceleratorError as error:
            self._look_after(error)
            raise
        found = []
        for job, one in zip(jobs, made, strict=True):
            similar: Any = ([], [])
            if self.cases is not None and self.cases.ready:
                vector = one.vector
                if vector is None:
                    vector = self.cases.encode(job.item.pixels)
                similar = self.cases.look_up(vector)
            found.append(
                Described(
                    text=one.text,
                    draft=one.draft,
                    alternatives=one.alternatives,
                    confidence=min(1.0, max(0.0, one.confidence)),
                    doubt=one.doubt,
                    prompt_tokens=one.prompt_tokens,
                    tokens=one.tokens,
                    ended=one.ended,
                    similar=similar[0],
                    suggestions=similar[1],
                    taken=job.taken or job.put,
                    waited=(job.taken or job.put) - job.put,
                )
            )
        return found

    def _look_after(self, error: torch.AcceleratorError) -> None:
        """After most of CUDA's own errors every later call of the process fails, too."""
        if "out of memory" in str(error) or self._lost:
            return
        self._lost = True
        logger.critical(
            "the GPU is lost to this process (%s): no photo is described any more, and /readyz "
            "says so. Restart the server; if it comes again, look at the GPU (nvidia-smi, dmesg).",
            str(error).partition("\n")[0],
        )

    def _on_model(self, task: Callable[[], np.ndarray]) -> np.ndarray:
        """Run on the thread that owns the model: at once if this is that thread."""
        return task() if self._queue.on_thread else self._queue.run(task).result()


def _listener(loop: asyncio.AbstractEventLoop, watch: Watch, place: int) -> Callable[[str], None]:
    def hear(text: str) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(watch.text, place, text)

    return hear
