"""Errors that a user can act on.

Everything that is wrong with what the user gave us is raised as an `InputError`: the command
line prints its text without a traceback and exits with code 2. Each message names what was
wrong, where, and what to do about it. Any other exception is a defect of ours.
"""


class InputError(ValueError):
    """Unusable input or arguments; the message says what, where and what to do."""


class PhotoError(InputError):
    """One photo cannot be used.

    Attributes:
        reason: a short stable code (`missing`, `not_an_image`, `format`, `too_large`, `aspect`,
            `too_small`, `damaged`), for counting and for machines.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
