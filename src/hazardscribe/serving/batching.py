"""A bounded queue in front of one thread that owns the model, and gathers what waits into batches.

The first item in line waits at most `max_wait` seconds for company; items of the same key then go
through `work` together, at most `max_batch` of them. Places are taken before anything is decoded,
and who finds none is turned away at once: a queue without bound only turns a load into a delay.
An item whose client has left or whose deadline has passed never reaches the model.

    queue = BatchQueue(work, max_batch=16, max_wait=0.01, capacity=64)
    with queue.reserve(2) as places:
        jobs = [places.put(item, key=..., deadline=...) for item in items]
        results = [job.future.result() for job in jobs]

`run` lets other work (encoding past photos) take its turn on the same thread, between batches.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Value = TypeVar("Value")
_Task = tuple[Callable[[], Any], Future[Any]]


class QueueFullError(Exception):
    """No place is free.

    Attributes:
        retry_after: seconds after which one likely is.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full, try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class DeadlineError(Exception):
    """The item's deadline passed before its turn came."""


@dataclass(eq=False, slots=True)
class Job(Generic[Item, Result]):
    """An item on its way.

    Attributes:
        future: of its result. taken: when a batch took it in (`time.monotonic`), else None.
    """

    item: Item
    key: Hashable
    deadline: float
    put: float
    future: Future[Result] = field(default_factory=Future)
    taken: float | None = None
    left: bool = False

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for the result."""
        return not self.left and time.monotonic() < self.deadline


class BatchQueue(Generic[Item, Result]):
    """The queue and its thread.

    Args:
        work: gets the key and the jobs of a batch, returns as many results.
        max_batch: items at a time. max_wait: seconds that the first one waits for company.
        capacity: items that may wait.
        watch: told the size of each batch and the seconds it took.
    """

    def __init__(
        self,
        work: Callable[[Hashable, Sequence[Job[Item, Result]]], Sequence[Result]],
        *,
        max_batch: int,
        max_wait: float,
        capacity: int,
        watch: Callable[[int, float], None] | None = None,
    ) -> None:
        self._work, self._max_batch, self._max_wait = work, max_batch, max_wait
        self._capacity, self._watch = capacity, watch
        self._waiting: deque[Job[Item, Result]] = deque()
        self._tasks: deque[_Task] = deque()
        self._held = 0
        self._pace = 1.0  # seconds an item, a moving average
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="model", daemon=True)
        self._thread.start()

    def reserve(self, places: int) -> Places[Item, Result]:
        """Take places in line.

        Raises:
            QueueFullError: if there are not that many.
        """
        with self._changed:
            if self._held + places > self._capacity:
                raise QueueFullError(self.retry_after)
            self._held += places
        return Places(self, places)

    @property
    def full(self) -> bool:
        """Whether not a single place is free."""
        with self._changed:
            return self._held >= self._capacity

    @property
    def held(self) -> int:
        """Places taken: items that wait or will soon."""
        return self._held

    @property
    def retry_after(self) -> float:
        """Seconds until those who wait now have had their turn, about."""
        return min(60.0, max(1.0, self._held * self._pace))

    @property
    def on_thread(self) -> bool:
        """Whether this is the queue's own thread."""
        return threading.get_ident() == self._thread.ident

    def position(self, job: Job[Item, Result]) -> int:
        """How many wait before it; 0 once it is taken in."""
        with self._changed:
            try:
                return self._waiting.index(job)
            except ValueError:
                return 0

    def run(self, task: Callable[[], Value]) -> Future[Value]:
        """Let a task take its turn on the thread; one after each batch, or when nothing waits."""
        future: Future[Value] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
            else:
                self._tasks.append((task, future))
                self._changed.notify_all()
        return future

    def close(self) -> None:
        """Drop what waits and end the thread once its batch is done."""
        with self._changed:
            self._closed = True
            dropped, tasks = list(self._waiting), list(self._tasks)
            self._waiting.clear()
            self._tasks.clear()
            self._held -= len(dropped)
            self._changed.notify_all()
        for job in dropped:
            job.future.cancel()
        for _, future in tasks:
            future.cancel()
        self._thread.join()

    def _put(self, job: Job[Item, Result]) -> None:
        with self._changed:
            if self._closed:
                job.future.cancel()
                self._held -= 1
                return
            self._waiting.append(job)
            self._changed.notify_all()

    def _leave(self, jobs: Sequence[Job[Item, Result]], unused: int) -> None:
        """Give places back, and take out of line whoever still stands there."""
        with self._changed:
            self._held -= unused
            for job in jobs:
                job.left = True
                if job in self._waiting:
                    self._waiting.remove(job)
                    self._held -= 1
                    job.future.cancel()

    def _loop(self) -> None:
        while True:
            batch, task = self._next()
            if not batch and task is None:
                return
            if batch:
                self._do(batch)
            if task is not None:
                _settle(task[1], task[0])

    def _next(self) -> tuple[list[Job[Item, Result]], _Task | None]:
        """What the thread does next: a batch, a task, or both; neither: it ends."""
        with self._changed:
            while True:
                while not (self._closed or self._waiting or self._tasks):
                    self._changed.wait()
                if self._closed:
                    return [], None
                task = self._tasks.popleft() if self._tasks else None
                while self._waiting and not (task or self._tasks or self._closed):
                    # Company is worth waiting for only while there is nothing else to do.
                    remaining = self._waiting[0].put + self._max_wait - time.monotonic()
                    if remaining <= 0 or len(self._waiting) >= self._max_batch:
                        break
                    self._changed.wait(remaining)
                batch = self._take()
                if batch or task is not None:
                    return batch, task

    def _take(self) -> list[Job[Item, Result]]:
        """The first in line and those behind that go with it; those too late are told so."""
        now = time.monotonic()
        batch: list[Job[Item, Result]] = []
        rest: deque[Job[Item, Result]] = deque()
        for job in self._waiting:
            if now >= job.deadline:
                self._held -= 1
                _fail(job.future, DeadlineError())
            elif len(batch) < self._max_batch and (not batch or job.key == batch[0].key):
                self._held -= 1
                job.taken = now
                batch.append(job)
            else:
                rest.append(job)
        self._waiting = rest
        return batch

    def _do(self, batch: list[Job[Item, Result]]) -> None:
        began = time.monotonic()
        try:
            results = self._work(batch[0].key, batch)
        except Exception as error:  # whatever it is, the thread must go on
            # What the batch held of a GPU's memory lives on in the frames that the error left.
            traceback.clear_frames(error.__traceback__)
            if len(batch) == 1:
                logger.exception("the model failed on a photo")
                _fail(batch[0].future, error)
            else:  # out of memory, or one that no model can take: the others need not suffer
                logger.warning("a batch of %d failed; its photos go one by one", len(batch))
                for job in batch:
                    self._do([job])
            return
        seconds = time.monotonic() - began
        self._pace += 0.2 * (seconds / len(batch) - self._pace)
        for job, result in zip(batch, results, strict=True):
            try:
                job.future.set_result(result)
            except InvalidStateError:  # whoever waited has cancelled it
                continue
        if self._watch is not None:
            self._watch(len(batch), seconds)


class Places(Generic[Item, Result]):
    """Places in line; those not used, and items not finished, are given up at the end."""

    def __init__(self, queue: BatchQueue[Item, Result], count: int) -> None:
        self._queue, self._unused = queue, count
        self._jobs: list[Job[Item, Result]] = []

    def put(self, item: Item, *, key: Hashable, deadline: float) -> Job[Item, Result]:
        """Put an item in line.

        Args:
            key: items of equal keys may share a batch. deadline: on the clock `time.monotonic`.
        """
        if not self._unused:
            raise ValueError("more items than places")
        self._unused -= 1
        job: Job[Item, Result] = Job(item, key, deadline, time.monotonic())
        self._jobs.append(job)
        self._queue._put(job)
        return job

    def __enter__(self) -> Places[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self._queue._leave(self._jobs, self._unused)
        self._unused = 0


def _settle(future: Future[Any], task: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = task()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def _fail(future: Future[Any], error: Exception) -> None:
    try:
        future.set_exception(error)
    except InvalidStateError:
        return
