"""What the server counts, in Prometheus' form. Names follow its conventions; no label names a
person or a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from hazardscribe.serving.engine import Described
from hazardscribe.serving.errors import INTERNAL, ApiError
from hazardscribe.serving.room import Room

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        of_request = ("method", "route", "status")
        self._requests = Counter(
            "hazardscribe_requests", "requests answered", of_request, registry=self.registry
        )
        self._seconds = Histogram(
            "hazardscribe_request_seconds",
            "time to the end of the answer",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_size = Histogram(
            "hazardscribe_batch_photos",
            "photos described together",
            buckets=_SIZES,
            registry=self.registry,
        )
        self._batch_seconds = Histogram(
            "hazardscribe_batch_seconds",
            "time that a batch took",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._photos = Counter(
            "hazardscribe_photos",
            "photos described, or why not",
            ("result",),
            registry=self.registry,
        )
        self._photo_wait = Histogram(
            "hazardscribe_photo_wait_seconds",
            "time that a photo waited in line before it was described",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "hazardscribe_photos_waiting", "photos in the queue", registry=self.registry
        )
        self._free = Gauge(
            "hazardscribe_free_bytes",
            "free space where the server writes",
            ("place",),
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; a status of 499: its client had left."""
        method = method if method in _METHODS else "OTHER"  # clients must not make up labels
        self._requests.labels(method, route, str(status or 499)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, size: int, seconds: float) -> None:
        """Count a batch of photos."""
        self._batch_size.observe(size)
        self._batch_seconds.observe(seconds)

    def described(self, made: Sequence[Described]) -> None:
        """Count photos: `answered`, a reason of doubt, or a reason of PhotoError."""
        for one in made:
            result = one.problem.reason if one.problem else one.doubt or "answered"
            self._photos.labels(result).inc()
            if one.problem is None:
                self._photo_wait.observe(one.waited)

    @contextmanager
    def counting_failures(self, photos: int) -> Iterator[None]:
        """Count photos that an error within keeps from an answer, by its code. The status of a
        request does not tell of it where a stream had begun."""
        try:
            yield
        except ApiError as error:
            self._photos.labels(error.code).inc(photos)
            raise
        except Exception:
            self._photos.labels(INTERNAL.code).inc(photos)
            raise

    def follow_queue(self, waiting: Callable[[], int]) -> None:
        """Ask for the queue's length whenever metrics are read."""
        self._waiting.set_function(waiting)

    def follow_room(self, room: Room) -> None:
        """Look at the disks whenever metrics are read."""
        for place in room.places:
            self._free.labels(place).set_function(partial(room.free, place))

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self.registry)
