"""A server that is killed at any moment has lost nothing that it acknowledged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hazardscribe.pairs.photo import load_photo
from hazardscribe.serving.schemas import NewFinding

JOB = Path(__file__).with_name("confirm_job.py")


def killed(place, name: str, acknowledged: int, delay: float) -> Iterator[list[str]]:
    """What a job said until it was killed, some time after so many lines."""
    command = [sys.executable, str(JOB), place.url, str(place.photos), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as job:
        assert job.stdout is not None
        for _ in range(acknowledged):
            line = job.stdout.readline()
            assert line, "the job ended by itself"
            yield line.split()
        time.sleep(delay)
        job.kill()
        # What it had still said before it died counts as well; half a line does not.
        for line in job.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                yield line.split()


def test_every_acknowledged_record_is_there_with_its_photos(place):
    rng = random.Random(0)
    place.open().close()  # so that even the first job may be killed early
    lines: list[list[str]] = []
    for number in range(4):
        # Not on the heels of a line: the job may be anywhere in its work.
        lines += killed(place, f"job{number}", rng.randrange(1, 9), rng.random() * 0.03)

    store = place.open()
    confirmed = {id_: int(photos) for what, id_, photos in lines if what == "confirmed"}
    changed = [id_ for what, id_, _ in lines if what == "changed"]
    assert len(confirmed) >= 4
    assert len(changed) >= 4
    for id_, count in confirmed.items():
        record = store.get(id_)
        assert len(record.photos) == count
        assert record.outcome == "accepted"
        for photo in record.photos:
            assert load_photo(store.photo(photo)).size == (64, 48)
            assert load_photo(store.photo(photo, "thumb")).size == (64, 48)
    assert all(store.get(id_).place == "after" for id_ in changed)

    # Of what was not acknowledged there is all or nothing, and no number is there twice.
    records = list(store.each())
    assert [one.number for one in records] == list(range(len(records), 0, -1))
    assert all(store.history(one.id).changes for one in records)
    store.sweep(grace=0)
    named = {photo for one in records for photo in one.photos}
    files = [path.name for path in place.photos.glob("??/*")]
    assert sorted(files) == sorted(f"{one}{end}" for one in named for end in (".jpg", ".thumb.jpg"))
    if place.url.startswith("sqlite"):
        with store.database.read() as connection:
            for check in ("integrity_check", "foreign_key_check"):
                found = connection.exec_driver_sql(f"PRAGMA {check}").scalars().all()
                assert found in (["ok"], [])
    # A client that heard nothing sends again and gets what is there, or a new record.
    last = records[0]
    again, created = store.confirm(NewFinding(text="neu"), [], "job0", "job0-neu")
    assert (again.number, created) == (last.number + 1, True)
