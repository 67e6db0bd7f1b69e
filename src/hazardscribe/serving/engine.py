"""What describes: the interface behind which a model of this process or one elsewhere stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hazardscribe.errors import PhotoError
from hazardscribe.serving.errors import ApiError, Language
from hazardscribe.serving.schemas import PastCase, Suggestion


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a photo; photos asked alike may share a batch.

    Attributes:
        alternatives: further descriptions wanted. max_tokens: longest text; None: the server's.
    """

    alternatives: int = 0
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """What the engine says of one photo; the fields of `describing.Description`, and

    Attributes:
        problem: why the photo could not be used; then all else is empty.
        confidence: None where the engine tells none.
        prompt_tokens, tokens: of what the model read and wrote. ended: False where it was cut off.
        suggestions, similar: from the nearest past cases.
        taken: when the model took the photo in (`time.monotonic`). waited: seconds in line before.
    """

    text: str = ""
    draft: str = ""
    alternatives: list[str] = field(default_factory=list)
    confidence: float | None = None
    doubt: str | None = None
    problem: PhotoError | None = None
    prompt_tokens: int = 0
    tokens: int = 0
    ended: bool = True
    suggestions: list[Suggestion] = field(default_factory=list)
    similar: list[PastCase] = field(default_factory=list)
    taken: float = field(default_factory=time.monotonic)
    waited: float = 0.0


class Watch(Protocol):
    """Follows a request; called in the event loop's thread."""

    def position(self, place: int) -> None:
        """How many photos wait before the request's first."""

    def text(self, photo: int, text: str) -> None:
        """The greedy draft of a photo so far, whole."""


class Engine(Protocol):
    """Describes photos.

    Attributes:
        model: its id: a name and a fingerprint of its weights.
        language: that it writes.
        categories: that the past cases bear, most frequent first; empty where none are known.
    """

    model: str
    language: Language

    @property
    def categories(self) -> list[str]: ...

    @property
    def waiting(self) -> int:
        """Photos that wait."""

    async def describe(
        self, photos: Sequence[bytes], ask: Ask, watch: Watch | None = None
    ) -> list[Described]:
        """Describe photos; a bad one carries its problem in its own place.

        Raises:
            ApiError: 429 where too many wait, 504 where the deadline passes.
            EngineError: an engine elsewhere fails.
        """

    def check_room(self) -> None:
        """Refuse a request before its body is read.

        Raises:
            ApiError: 429 where no further photo may wait.
        """

    async def ready(self) -> bool:
        """Whether it can describe now."""

    async def close(self) -> None:
        """Give up what waits and let the model go."""


class EngineError(ApiError):
    """An engine elsewhere gave no result: 502, whatever its own status was.

    Attributes:
        answered: that status, which no client is told; None where there was no answer, or one that
            broke off.
        blind: whether it said that it takes no photos at all.
    """

    def __init__(self, answered: int | None, blind: bool = False) -> None:
        super().__init__(
            502,
            "engine_failed",
            "描述引擎没有给出结果，请稍后重试或联系管理员。",
            "The describing engine gave no result; try again later, or tell the administrator.",
            headers={"Retry-After": "5"},
        )
        self.answered, self.blind = answered, blind


def busy(retry_after: float) -> ApiError:
    """The refusal of a request for which there is no room in the queue."""
    seconds = max(1, round(retry_after))
    return ApiError(
        429,
        "busy",
        f"服务器繁忙，请在 {seconds} 秒后重试。",
        f"The server is busy; try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def too_late(deadline: float) -> ApiError:
    """The end of a request that took longer than it may."""
    return ApiError(
        504,
        "deadline",
        f"超过 {deadline:g} 秒仍未完成，请重试或减少照片数量。",
        f"Not done within {deadline:g} s; try again, or with fewer photos.",
        headers={"Retry-After": "5"},
    )
