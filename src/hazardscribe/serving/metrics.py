"""What the server counts, in Prometheus' form. Names follow its conventions; no label names a
person or a photo."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

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
        self._waiting = Gauge(
            "hazardscribe_photos_waiting", "photos in the queue", registry=self.registry
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

    def photo(self, result: str) -> None:
        """Count a photo: `answered`, a reason of doubt, or a reason of PhotoError."""
        self._photos.labels(result).inc()

    def follow_queue(self, waiting: Callable[[], int]) -> None:
        """Ask for the queue's length whenever metrics are read."""
        self._waiting.set_function(waiting)

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self.registry)
