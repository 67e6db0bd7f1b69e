"""No Python process of the test suite may speak to another machine.

`conftest.py` puts this folder on PYTHONPATH, so that every interpreter that a test starts loads it
as it starts. Whatever is tried is refused, and written down in case somebody swallows the refusal.
Code that opens sockets without Python's `socket` is not seen.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from typing import Any

LOG = "HAZARDSCRIBE_OUTWARD_LOG"
_HERE = ("127.", "::1", "localhost", "::ffff:127.", "0.0.0.0", "::")
_ADDRESS = re.compile(r"[\d.]+|[\da-fA-F:]*:[\da-fA-F:.]*")
# Event -> where its arguments name the other side.
_EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}


class OutwardConnectionError(RuntimeError):
    """A test reached for another machine."""


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    address = arguments[_EVENTS[event]]
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(address, tuple) or event in ("socket.getaddrinfo", "socket.gethostbyname"):
        name = host.decode("idna", "replace") if isinstance(host, bytes) else host
        if name in (None, "") or str(name).startswith(_HERE):
            return
        if event == "socket.getaddrinfo" and _ADDRESS.fullmatch(str(name)):
            return  # nobody is asked
        if str(name).endswith(".invalid"):  # what a resolver says of it, without asking one
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if log := os.environ.get(LOG):
            with open(log, "a", encoding="utf-8") as stream:  # noqa: PTH123
                stream.write(f"{event} {address!r} by {' '.join(sys.argv)[:200]}\n")
        raise OutwardConnectionError(f"{event} to {address!r}: tests speak to no other machine")


sys.addaudithook(_refuse)
