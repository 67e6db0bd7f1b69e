"""File names as text, also those that are not UTF-8.

On Linux a name is bytes. Python hands on what is not UTF-8 as lone surrogates, with which the file
is found again, but which no table, page or terminal takes. Names from a Chinese Windows are GBK
(unpacked from a zip, or copied from an old disk), so that they are read as GB18030, which holds it.
"""

from __future__ import annotations

import os


def is_text(name: str) -> bool:
    """Whether a name or path can be written as UTF-8."""
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    """A name or path as people read it; one that is text stays as it is.

    For labels and look-up alone: the file is not found by it.
    """
    # Part by part, since a UTF-8 folder may hold a GBK file.
    return name if is_text(name) else "/".join(map(_decoded, name.split("/")))


def _decoded(part: str) -> str:
    if is_text(part):
        return part
    try:
        raw = os.fsencode(part)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return part.encode("utf-8", "replace").decode("utf-8")
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")
