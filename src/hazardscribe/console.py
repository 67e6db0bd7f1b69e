"""The command line's terminal: characters it cannot show, pipes that nobody reads, SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a service manager or `timeout` sends it: what was done so far is kept."""


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end what runs here as Ctrl-C does, by raising `Terminated`.

    Outside the main thread, where Python takes no signals, nothing changes.
    """

    def end(number: int, frame: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def escape_unprintable() -> None:
    """Characters that a console cannot show are escaped instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print; that nobody reads it does not end what is being written."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        nobody_reads()


def nobody_reads() -> None:
    """What is still printed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
