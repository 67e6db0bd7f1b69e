"""Files and folders are whole or not there, also when the power goes in the middle."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hazardscribe.errors import InputError, PhotoError
from hazardscribe.files import (
    cache_folder,
    check_writable,
    new_folder,
    recover_folder,
    write_json,
    write_whole,
)


class PowerCutError(BaseException):
    """Nothing of ours catches it."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("old")
    return folder


def test_a_folder_takes_the_place_of_the_former_one(target):
    with new_folder(target) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "weights").write_text("new")
        assert (target / "weights").read_text() == "old"
    assert [path.name for path in target.iterdir()] == ["sub"]
    assert [path.name for path in target.parent.iterdir()] == ["model"]


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_weights_may_be_read_by_whoever_may_read_the_rest(target):
    weights = {"a": torch.zeros(1)}
    former = os.umask(0o027)
    try:
        with new_folder(target) as partial:
            save_file(weights, partial / "model.safetensors")
            (partial / "config.json").write_text("{}")
        write_whole(target / "photos.safetensors", lambda draft: save_file(weights, draft))
    finally:
        os.umask(former)
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o640}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("x")])
def test_an_error_leaves_the_former_folder(error, target):
    expected = InputError if isinstance(error, OSError) else KeyError
    with pytest.raises(expected), new_folder(target) as partial:  # noqa: PT012
        (partial / "weights").write_text("half")
        raise error
    assert (target / "weights").read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("survived", [0, 1], ids=["before both", "between both"])
def test_a_cut_at_the_renames_loses_nothing(survived, target, monkeypatch):
    former, done = Path.rename, []

    def rename(self, to):
        if len(done) == survived:
            raise PowerCutError
        done.append(to)
        return former(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        # After a real cut nothing is tidied up either.
        patch.setattr("hazardscribe.files.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(PowerCutError), new_folder(target) as partial:
            (partial / "weights").write_text("new")
    assert target.exists() == (survived == 0)
    recover_folder(target)
    assert (target / "weights").read_text() == "old"
    with new_folder(target) as partial:
        (partial / "weights").write_text("new")
    assert (target / "weights").read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_where_a_link_leads_is_replaced_and_the_link_stays(target, tmp_path):
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(Path("..", target.name))
    for text in ("new", "newer"):
        with new_folder(link) as partial:
            assert partial.parent == target.parent
            (partial / "weights").write_text(text)
        assert link.is_symlink()
        assert (target / "weights").read_text() == text
    assert [path.name for path in link.parent.iterdir()] == ["link"]
    target.rename(target.with_name(".model.previous"))
    recover_folder(link)
    assert (target / "weights").read_text() == "newer"


def test_a_link_to_nothing_gets_its_folder(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("disk")
    with new_folder(link) as partial:
        (partial / "weights").write_text("new")
    assert (tmp_path / "disk" / "weights").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]


def test_a_link_that_was_renamed_once_is_no_hindrance(target, tmp_path):
    target.with_name(".model.previous").symlink_to(tmp_path / "gone")
    with new_folder(target) as partial:
        (partial / "weights").write_text("new")
    assert (target / "weights").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", [".", "..", "../../model"])
def test_the_folder_one_is_in_is_not_taken_away(name, target, monkeypatch):
    (target / "sub").mkdir()
    monkeypatch.chdir(target if name == "." else target / "sub")
    with pytest.raises(InputError, match="is the folder you are in"), new_folder(Path(name)):
        pass
    assert (target / "weights").read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["model"]
    recover_folder(Path(name))


def test_the_top_of_a_disk_is_refused_before_any_work(target, monkeypatch):
    for top in (Path(target.anchor), target):
        with monkeypatch.context() as patch:
            patch.setattr("hazardscribe.files.os.path.ismount", lambda path: path == target)
            with pytest.raises(InputError, match="top of a disk"), new_folder(top):
                pass
    recover_folder(Path(target.anchor))


def test_a_second_writer_is_refused_and_costs_the_first_nothing(target, tmp_path):
    (tmp_path / "link").symlink_to(target)
    with new_folder(target) as partial:
        (partial / "weights").write_text("new")
        for name in ("model", "link"):
            with (
                pytest.raises(InputError, match=f"{name}: another process is writing"),
                new_folder(tmp_path / name),
            ):
                pass
    assert (target / "weights").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "model"]


def test_who_was_killed_keeps_nobody_away(target):
    script = (
        "import os, signal, sys; from hazardscribe.files import new_folder\n"
        "with new_folder(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, target], check=False).returncode
    assert (target.parent / ".model.writing").exists()
    with new_folder(target) as partial:
        (partial / "weights").write_text("new")
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_rename_that_fails_puts_the_former_folder_back(target, monkeypatch):
    former = Path.rename

    def rename(self, to):
        if self.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return former(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(InputError, match="is unchanged"), new_folder(target) as partial:
            (partial / "weights").write_text("new")
    assert (target / "weights").read_text() == "old"


def test_a_reader_between_the_renames_breaks_no_writing(target, monkeypatch):
    former, readings = Path.rename, []

    def rename(self, to):
        if self.name.endswith(".partial") and len(readings) < 2:
            readings.append(to)
            recover_folder(target)
            assert (target / "weights").read_text() == "old"
        return former(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with new_folder(target) as partial:
            (partial / "weights").write_text("new")
    assert len(readings) == 2
    assert (target / "weights").read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_writer_that_finishes_first_breaks_no_reading(target, monkeypatch):
    previous = target.with_name(".model.previous")
    target.rename(previous)
    former = Path.rename

    def rename(self, to):
        target.mkdir()
        (target / "weights").write_text("new")
        return former(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        recover_folder(target)
    assert (target / "weights").read_text() == "new"


def test_a_read_only_folder_is_an_input_error(tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Root, as in a container, may write to a read-only folder: the refusal is made up.
    monkeypatch.setattr(Path, "mkdir", refuse)
    entered = []
    with (
        pytest.raises(InputError, match="could not be written: Permission denied"),
        new_folder(tmp_path / "model"),
    ):
        entered.append(True)
    assert not entered


def test_a_file_in_the_way_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="could not be written"), new_folder(tmp_path / "file/x"):
        pass


def test_json_is_readable_and_written_whole(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_json(path, {"描述": "未戴安全帽"})
    assert "未戴安全帽" in path.read_text(encoding="utf-8")
    monkeypatch.setattr("hazardscribe.files.flush", lambda _: (_ for _ in ()).throw(PowerCutError))
    with pytest.raises(PowerCutError):
        write_json(path, {})
    assert "未戴安全帽" in path.read_text(encoding="utf-8")


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HAZARDSCRIBE_CACHE", str(tmp_path))
    assert cache_folder("pixels") == tmp_path / "pixels"
    monkeypatch.delenv("HAZARDSCRIBE_CACHE")
    assert cache_folder("pixels") == Path.home() / ".cache" / "hazardscribe" / "pixels"


def test_a_photo_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(PhotoError("damaged", "a.jpg: is cut off")))
    assert isinstance(error, PhotoError)
    assert error.reason == "damaged"
    assert str(error) == "a.jpg: is cut off"


def test_whether_a_folder_can_be_written_is_told_and_nothing_is_left(tmp_path):
    check_writable(tmp_path / "a" / "b")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"--out .*file: is a file"):
        check_writable(tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(tmp_path / "file" / "below")


def test_advice_fits_the_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(InputError, match="Check the path") as refused,
        new_folder(tmp_path / "file" / "below"),
    ):
        pass
    assert "space" not in str(refused.value)


def test_rivals_do_not_meet_in_one_draft(tmp_path):
    path = tmp_path / "mark"

    def write(draft):
        draft.write_text("slow")
        write_whole(path, lambda other: other.write_text("quick"), rivals=True)

    write_whole(path, write, rivals=True)
    assert path.read_text() == "slow"
    assert [one.name for one in tmp_path.iterdir()] == ["mark"]
