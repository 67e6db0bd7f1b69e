"""Resumable checkpoints in a run folder: which is whole, which is damaged, what a kill left over.

A checkpoint is written under another name, sealed by checksums and renamed, so one that bears its
name is whole; what a kill cut off still bears the other name and is deleted when the run goes on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hazardscribe.checksums import CHECKSUMS, check_checksums, write_checksums
from hazardscribe.files import recover_folder

PARTIAL = ".saving"


def seal(folder: Path) -> None:
    """Write the checksums of a checkpoint that is complete but for them."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS]
    write_checksums(folder, files)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole resumable checkpoint in `RUN/checkpoints`."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def check_checkpoint(folder: Path) -> None:
    """Make sure that a checkpoint is what was written.

    Raises:
        InputError: naming the damaged file, and the checkpoint before it.
    """
    before = [path for path in _checkpoints(folder.parent) if path != folder]
    whence = before[-1].name if before else "the start"
    remedy = f"Delete the folder {folder} to go on from {whence} with --resume."
    check_checksums(folder, remedy, all_there=True)


def clean_up(run: Path) -> None:
    """Delete what a kill cut off while it was being written; bring back a folder it had replaced.

    Only for who holds the run folder, see `lock`.
    """
    recover_folder(run / "model")
    for left in (
        run / "checkpoints" / PARTIAL,
        *run.glob("checkpoints/.checkpoint-*.partial"),
        *run.glob("checkpoints/.checkpoint-*.previous"),
        run / ".model.partial",
        run / ".model.previous",
    ):
        shutil.rmtree(left, ignore_errors=True)
    for lock in (*run.glob("checkpoints/.checkpoint-*.writing"), run / ".model.writing"):
        lock.unlink(missing_ok=True)
    for draft in run.glob(".*.partial"):
        if not draft.is_dir():  # a folder is another program's: training's own are named above
            draft.unlink(missing_ok=True)


def _checkpoints(folder: Path) -> list[Path]:
    numbered = [
        (int(path.name.rpartition("-")[2]), path)
        for path in folder.glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit() and (path / "trainer_state.json").is_file()
    ]
    return [path for _, path in sorted(numbered)]
