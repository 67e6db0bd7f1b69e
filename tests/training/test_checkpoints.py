"""What a kill leaves in a run folder, and what is not of its making."""

from __future__ import annotations

from hazardscribe.training.checkpoints import clean_up


def test_drafts_go_and_another_programs_folder_stays(tmp_path):
    (tmp_path / ".run.json.partial").write_text("{", encoding="utf-8")
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.writing").touch()
    report = tmp_path / ".report.partial"  # as `evaluate --out RUN/report` writes it meanwhile
    report.mkdir()
    clean_up(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [report.name]
