"""What a kill leaves in a run folder, and what is not of its making."""

from __future__ import annotations

import pytest

from hazardscribe.errors import InputError
from hazardscribe.training.checkpoints import check_checkpoint, clean_up, last_checkpoint, seal


def test_drafts_go_and_another_programs_folder_stays(tmp_path):
    (tmp_path / ".run.json.partial").write_text("{", encoding="utf-8")
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.writing").touch()
    report = tmp_path / ".report.partial"  # as `evaluate --out RUN/report` writes it meanwhile
    report.mkdir()
    for name in (".saving", ".checkpoint-4.partial", ".checkpoint-2.previous", "checkpoint-2"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / ".checkpoint-4.writing").touch()
    clean_up(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {report.name, "checkpoints"}
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]


def test_the_newest_checkpoint_is_that_of_the_last_step(tmp_path):
    assert last_checkpoint(tmp_path) is None
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-11", "checkpoint-best"):
        (tmp_path / name).mkdir()
    assert last_checkpoint(tmp_path) is None
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-best"):
        (tmp_path / name / "trainer_state.json").write_text("{}", encoding="utf-8")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_a_checkpoint_that_is_not_what_was_written_is_named_with_what_to_do(tmp_path):
    for name in ("checkpoint-2", "checkpoint-4"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text("{}", encoding="utf-8")
        seal(tmp_path / name)
        check_checkpoint(tmp_path / name)
        (tmp_path / name / "trainer_state.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"to go on from checkpoint-2 with --resume"):
        check_checkpoint(tmp_path / "checkpoint-4")
    with pytest.raises(InputError, match=r"trainer_state\.json.*to go on from checkpoint-4 with"):
        check_checkpoint(tmp_path / "checkpoint-2")
