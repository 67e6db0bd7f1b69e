"""Confirms records in a loop until it is killed; prints each id only after it was acknowledged.

python confirm_job.py URL PHOTOS NAME
"""

from __future__ import annotations

import io
import random
import sys
from pathlib import Path

from PIL import Image

from hazardscribe.serving.engine import Described
from hazardscribe.serving.schemas import FindingChange, NewFinding
from hazardscribe.serving.store.store import Store


def main(url: str, photos: str, name: str) -> None:
    store = Store.open(url, Path(photos))
    rng = random.Random(name)
    for i in range(100_000):
        pictures = []
        for _ in range(rng.randrange(1, 4)):
            buffer = io.BytesIO()
            colour = tuple(rng.randrange(256) for _ in range(3))
            Image.new("RGB", (64, 48), colour).save(buffer, "JPEG")
            pictures.append(buffer.getvalue())
        said = store.remember([Described(text=f"{name}-{i}", draft=f"{name}-{i}")], "m")
        new = NewFinding(text=f"{name}-{i}", description_ids=said)
        record, _ = store.confirm(new, pictures, name, f"{name}-{i}")
        print("confirmed", record.id, len(pictures), flush=True)
        if i % 3 == 0:
            store.change(record.id, FindingChange(place="after"), 1, name)
            print("changed", record.id, 0, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
