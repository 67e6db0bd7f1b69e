"""A killed worker costs no photo and gives no duplicate, whatever the number of processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazardscribe import cli, verbs
from hazardscribe.describing.journal import Journal
from hazardscribe.errors import InputError

PHOTOS = [f"照片{i}.jpg" for i in range(11)]


def row(photo: str, text: str = "一名工人未佩戴安全帽") -> dict:
    names = ("confidence", "doubt", "draft")
    return (
        {"photo": photo, "ai_description": text}
        | dict.fromkeys(names)
        | {
            "alternatives": [],
            "error": None,
        }
    )


def work(out: Path, rank: int, world: int, *, photos=PHOTOS, upto=None, half=False) -> list[str]:
    """One process: describes its photos, or dies after some; returns which it was asked for."""
    journal = Journal(out, photos, rank, world, resume=True)
    asked = list(journal.todo)
    written = journal.write(row(photo) for photo in asked)
    if upto is None:
        assert [one["photo"] for one in written] == asked
        return asked
    done = [one["photo"] for one in islice(written, upto)]
    written.close()  # as a killed process: nothing is put together
    if half:
        own = out.with_name(f".{out.name}.part-{rank}") if world > 1 else out
        with own.open("ab") as file:
            file.write(json.dumps(row("照片9.jpg")).encode()[:40])
    return done


def lines(out: Path) -> list[str]:
    return [json.loads(line)["photo"] for line in out.read_text(encoding="utf-8").splitlines()]


def test_the_last_of_several_puts_all_in_the_order_of_the_photos(tmp_path):
    out = tmp_path / "described.jsonl"
    for rank in (2, 0):
        work(out, rank, 3)
        assert not out.exists()
    work(out, 1, 3)
    assert lines(out) == PHOTOS
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("world", [1, 2])
def test_a_photo_is_the_same_by_any_of_its_names(tmp_path, monkeypatch, world):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "described.jsonl"
    for rank in range(world):
        work(out, rank, world, photos=PHOTOS[:4], upto=1)
    absolute = [str(tmp_path / photo) for photo in PHOTOS[:4]]
    asked = [photo for rank in range(world) for photo in work(out, rank, world, photos=absolute)]
    assert sorted(asked) == absolute[world:]
    assert lines(out) == [*PHOTOS[:world], *absolute[world:]]


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.lists(st.integers(0, 4), min_size=4, max_size=4)),
        max_size=3,
    ),
    st.integers(1, 4),
)
def test_whatever_is_killed_each_photo_is_written_once(tmp_path_factory, killed, world):
    out = tmp_path_factory.mktemp("journal") / "described.jsonl"
    described: list[str] = []
    for processes, upto in killed:
        for rank in range(processes):
            described += work(out, rank, processes, upto=upto[rank], half=True)
    for rank in range(world):
        described += work(out, rank, world)
    assert sorted(described) == sorted(PHOTOS)  # none was described twice either
    assert sorted(lines(out)) == sorted(PHOTOS)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_kill_while_the_parts_are_put_together_loses_nothing(tmp_path, monkeypatch):
    out = tmp_path / "described.jsonl"
    work(out, 0, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            work(out, 1, 2)
    assert not out.exists()
    assert work(out, 0, 1) == []
    assert lines(out) == PHOTOS


def test_photos_that_joined_since_are_added(tmp_path):
    out = tmp_path / "described.jsonl"
    work(out, 0, 1, photos=PHOTOS[:4])
    assert work(out, 0, 1, photos=PHOTOS[2:6]) == PHOTOS[4:6]
    assert lines(out) == PHOTOS[:6]


def test_what_must_not_be_lost_is_refused(tmp_path):
    out = tmp_path / "described.jsonl"
    work(out, 0, 2, upto=1)
    with pytest.raises(InputError, match="Go on with --resume"):
        Journal(out, PHOTOS, 0, 2, resume=False)
    with pytest.raises(InputError, match=r"need a \.jsonl file"):
        Journal(tmp_path / "described.csv", PHOTOS, 0, 2, resume=True)
    part = tmp_path / ".described.jsonl.part-0"
    part.write_text('{"photo": 1}\n')
    with pytest.raises(InputError, match="line 1 is no record"):
        Journal(out, PHOTOS, 0, 2, resume=True)


def test_the_command_goes_on_where_it_was_cut_off(start, pairs_folder, tmp_path, capsys):
    out = tmp_path / "described.jsonl"
    command = ["describe", str(pairs_folder), "--model", str(start), "--max_new_tokens=2"]
    command += ["--out", str(out), "--resume"]
    assert cli.main(command) == 0
    whole = out.read_bytes()
    out.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert cli.main(command) == 0
    assert out.read_bytes() == whole
    again = capsys.readouterr().out.count("\n")
    assert 0 < again < 12
    # With nothing to do no model is asked for, and none is loaded.
    assert cli.main([one if one != str(start) else str(tmp_path / "no") for one in command]) == 0
    assert out.read_bytes() == whole


@pytest.mark.parametrize("world", [1, 2])
def test_a_new_folder_is_made_for_the_file(tmp_path, world):
    out = tmp_path / "new" / "deeper" / "described.jsonl"
    for rank in range(world):
        work(out, rank, world)
    assert lines(out) == PHOTOS


def test_resuming_and_sharing_out_need_a_file(photos, start):
    with pytest.raises(InputError, match=r"--out: name a \.jsonl file"):
        verbs.describe(photos, start, resume=True)


@pytest.mark.extended
def test_a_killed_worker_costs_nothing(start, pairs_folder, photos, tmp_path):
    """One of two processes kills itself in the middle; run again, all photos are there once."""
    job = tmp_path / "job.py"
    job.write_text(
        "import os, signal, sys\n"
        "from hazardscribe.cli import main\n"
        "from hazardscribe.describing import describer\n"
        "former = describer.Describer.describe_pixels\n"
        "def describe(self, photos, **more):\n"
        "    self.calls = getattr(self, 'calls', 0) + 1\n"
        "    if os.environ['RANK'] == '1' and self.calls == 3 and 'DIE' in os.environ:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return former(self, photos, **more)\n"
        "describer.Describer.describe_pixels = describe\n"
        "sys.exit(main(sys.argv[1:]))\n",
        encoding="utf-8",
    )
    out = tmp_path / "described.jsonl"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["--", str(job), "describe", str(pairs_folder), "--model", str(start)]
    command += ["--max_new_tokens=2", "--batch_size=1", "--out", str(out), "--resume"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(
        command, env=environment | {"DIE": "1"}, capture_output=True, encoding="utf-8", check=False
    )
    assert killed.returncode != 0
    assert f"exitcode  : -{int(signal.SIGKILL)}" in killed.stderr
    assert not out.exists()
    part = out.with_name(f".{out.name}.part-1")
    assert len(lines(part)) == 2
    again = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert again.returncode == 0, again.stderr[-3000:]
    assert lines(out) == photos
    single = tmp_path / "single.jsonl"
    list(verbs.describe([str(pairs_folder)], start, single, max_new_tokens=2))
    assert out.read_text(encoding="utf-8") == single.read_text(encoding="utf-8")
