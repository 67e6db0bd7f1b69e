"""Free space where the server writes: the disks of ledger and photos, and that of uploads."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path


class Room:
    """Looks at disks.

    Args:
        places: folders by what they are for. least: bytes that each must have free.
    """

    def __init__(self, places: Mapping[str, Path], least: int) -> None:
        # Uploads beyond a megabyte lie there while they are read.
        self.places = {"uploads": Path(tempfile.gettempdir()), **places}
        self.least = least

    def free(self, place: str) -> float:
        """Bytes that this process may still write there; not a number where nobody can tell."""
        try:
            return shutil.disk_usage(self.places[place]).free
        except OSError:
            return math.nan

    def scarce(self) -> dict[str, float]:
        """The places that have less than they must, with their bytes."""
        free = {place: self.free(place) for place in self.places}
        return {place: left for place, left in free.items() if left < self.least}
