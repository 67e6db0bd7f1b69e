"""Errors that a user can act on.

Everything that is wrong with what the user gave us is raised as an `InputError`: the command
line prints its text without a traceback and exits with code 2. A run whose loss is no longer a
number raises `TrainingDivergedError`, code 4. Each message names what was wrong, where, and what
to do about it. Any other exception is a defect of ours.
"""

from __future__ import annotations


class InputError(ValueError):
    """Unusable input or arguments; the message says what, where and what to do."""


class PhotoError(InputError):
    """One photo cannot be used.

    Attributes:
        reason: a short stable code (`missing`, `not_an_image`, `format`, `too_large`, `aspect`,
            `too_small`, `damaged`; `refused` by an endpoint), for counting and for machines.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[PhotoError], tuple[str, str]]:
        # Exceptions are pickled by their `args`, which hold the message alone.
        return type(self), (self.reason, str(self))


class TrainingDivergedError(RuntimeError):
    """The loss or the gradient is no longer a finite number; nothing was saved from that step."""


def missing_package(package: str, extra: str) -> str:
    """What to install; from a clone the package index knows nothing of us."""
    return (
        f"it needs the package {package}, which is not installed: "
        f'pip install ".[{extra}]" in a clone of hazardscribe, or pip install {package}'
    )
