"""Values of any type as the text of a cell.

A cell with several photos is a JSON list of names. Photos that lie inside a table as bytes are
written, under their digest, to the cache folder and become paths.
"""

from __future__ import annotations

import json
import math
import secrets
from pathlib import Path
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.files import cache_folder
from hazardscribe.pairs.photo_file import photo_digest, photo_suffix


def cell_text(value: Any) -> str:
    """A value as a cell: empty for nothing, 1 and 0 for truth, JSON for lists and records."""
    if value is None:
        return ""
    if isinstance(value, str):
        # A lone surrogate (from a JSON escape) cannot be written to any file.
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=cell_text)
    return str(value)


def photo_cell(value: Any) -> str:
    """A value of the photo column as a cell: names, with photos in bytes put into the cache."""
    if isinstance(value, list):
        return json.dumps([photo_cell(item) for item in value], ensure_ascii=False)
    if isinstance(value, dict) and "bytes" in value:
        value = value["bytes"] if value["bytes"] else value.get("path")
    if isinstance(value, bytes):
        return str(_keep_photo(value)) if value else ""
    return cell_text(value)


def _keep_photo(content: bytes) -> Path:
    """Write a photo's bytes under their digest, whole or not at all, and give the path."""
    digest = photo_digest(content)
    path = cache_folder("photos", digest[:2]) / f"{digest}{photo_suffix(content[:1024])}"
    try:
        if path.is_file() and path.stat().st_size == len(content):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Several processes may read a table at once, so each has a draft of its own. It is not
        # flushed to the disk: what is lost there is written again, and there may be a million.
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            draft.write_bytes(content)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(
            f"{path.parent}: a photo from inside the table cannot be kept here "
            f"({error.strerror or error}); free space or name another folder in HAZARDSCRIBE_CACHE"
        ) from error
    return path
