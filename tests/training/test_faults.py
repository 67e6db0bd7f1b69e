"""What can go wrong around a training: each in a sentence, and the last good checkpoint stands."""

from __future__ import annotations

import errno
import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from hazardscribe import checksums
from hazardscribe.cli import main
from hazardscribe.errors import InputError
from hazardscribe.model.checkpoint import HEAD_FILE, load_checkpoint
from hazardscribe.training import batches, trainer
from hazardscribe.training.checkpoints import last_checkpoint, seal
from hazardscribe.training.faults import out_of_memory
from hazardscribe.training.lock import one_training
from hazardscribe.training.module import TrainingModule
from hazardscribe.training.recipe import Alignment, Recipe
from hazardscribe.training.train import train
from hazardscribe.training.trainer import DescriptionTrainer
from training.killed import assert_same_end, forked


@pytest.fixture(scope="module")
def recipe(start) -> Recipe:
    return Recipe(
        start=str(start),
        steps=4,
        batch_size=4,
        save_every=1,
        evaluate_every=2,
        keep=2,
        max_text_tokens=8,
        calibrate=False,
        alignment=Alignment(first_share=0.0),  # dev is scored from the second step on
    )


@pytest.fixture(scope="module")
def whole(recipe, pairs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    train(pairs, recipe, out)
    return out


@pytest.fixture
def run(whole, tmp_path) -> Path:
    """A copy of a whole run, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


def stop_after(step: int, monkeypatch, do) -> None:
    """Do something in the first forward pass after a step."""
    former = trainer.DescriptionTrainer.compute_loss

    def compute_loss(self, *args, **kwargs):
        if self.state.global_step == step:
            do()
        return former(self, *args, **kwargs)

    monkeypatch.setattr(trainer.DescriptionTrainer, "compute_loss", compute_loss)


def fill_memory(most: int, monkeypatch) -> None:
    """Let a step of more than so many photos run out of memory, once its loss is there."""
    former = trainer.DescriptionTrainer.compute_loss

    def compute_loss(self, model, inputs, *args, **kwargs):
        loss = former(self, model, inputs, *args, **kwargs)
        if len(inputs["batch"]["labels"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return loss

    monkeypatch.setattr(trainer.DescriptionTrainer, "compute_loss", compute_loss)


# ---- the disk -------------------------------------------------------------------------------


def test_only_the_last_k_checkpoints_are_kept(whole):
    kept = sorted(path.name for path in (whole / "checkpoints").iterdir())
    assert kept == ["checkpoint-3", "checkpoint-4"]


@pytest.mark.parametrize("what", ["checkpoint", "model"])
def test_a_file_that_cannot_be_written_costs_nothing(
    what, recipe, pairs, whole, tmp_path, monkeypatch
):
    # A real limit of the system, which breaks off files in the middle as a full disk does.
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    step = 2 if what == "checkpoint" else 3

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, former[1]))

    out = tmp_path / "run"
    if what == "model":
        recipe = replace(recipe, save_every=3)  # the model is written before, at step 2
        step = 1
    try:
        with monkeypatch.context() as patch:
            stop_after(step, patch, fill)
            with pytest.raises(InputError, match="could not be written") as caught:
                train(pairs, recipe, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert "What was there before is unchanged" in str(caught.value)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "failed"
    assert record["reason"] == str(caught.value)
    saved = last_checkpoint(out / "checkpoints")
    if what == "checkpoint":
        assert saved is not None
        assert "--resume goes on from checkpoint-2" in str(caught.value)
        assert saved.name == "checkpoint-2"
        load_checkpoint(out / "model")
    else:
        assert saved is None
        assert "--resume begins anew" in str(caught.value)
        assert not (out / "model").exists()
    assert train(pairs, recipe, out, resume=True).status == "finished"
    if what == "checkpoint":
        assert_same_end(out, whole)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_and_a_read_only_one_are_told_apart(
    number, recipe, pairs, tmp_path, monkeypatch
):
    former = Path.mkdir

    def mkdir(self, *args, **kwargs):
        if self.name == ".checkpoint-2.partial":
            raise OSError(number, os.strerror(number), str(self))
        return former(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(InputError, match="could not be written") as caught:
        train(pairs, recipe, tmp_path / "run")
    assert os.strerror(number) in str(caught.value)
    assert ("Free some space" in str(caught.value)) == (number == errno.ENOSPC)
    saved = last_checkpoint(tmp_path / "run" / "checkpoints")
    assert saved is not None
    assert saved.name == "checkpoint-1"


def test_what_a_kill_left_half_written_is_never_loaded_and_goes(run, recipe, pairs, whole):
    last = run / "checkpoints" / "checkpoint-4"
    shutil.copytree(last, run / "checkpoints" / ".saving" / "checkpoint-9")
    shutil.copytree(last, run / "checkpoints" / ".checkpoint-9.partial")
    shutil.copytree(run / "model", run / ".model.partial")
    (run / "model").rename(run / ".model.previous")  # cut off between its two renames
    (run / ".run.json.partial").write_text("{", encoding="utf-8")
    found = last_checkpoint(run / "checkpoints")
    assert found is not None
    assert found.name == "checkpoint-4"
    assert train(pairs, recipe, run, resume=True).status == "finished"
    assert_same_end(run, whole)
    hidden = {path.name for path in run.rglob(".*")}
    assert hidden <= {".lock"}


FILES = ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_named_and_the_checkpoint_before_still_good(
    name, run, recipe, pairs, whole
):
    file = run / "checkpoints" / "checkpoint-4" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="is damaged: its SHA-256") as caught:
        train(pairs, recipe, run, resume=True)
    assert str(file) in str(caught.value)
    assert "go on from checkpoint-3" in str(caught.value)
    shutil.rmtree(file.parent)
    train(pairs, recipe, run, resume=True)
    assert_same_end(run, whole)


def test_a_file_that_is_gone_from_a_checkpoint_is_named(run, recipe, pairs):
    (run / "checkpoints" / "checkpoint-4" / "rng_state.pth").unlink()
    with pytest.raises(InputError, match=r"rng_state\.pth: is missing"):
        train(pairs, recipe, run, resume=True)


@pytest.mark.parametrize("name", ["model.safetensors", HEAD_FILE, "tokenizer.json"])
def test_a_flipped_byte_in_a_model_is_named(name, run):
    data = bytearray((run / "model" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (run / "model" / name).write_bytes(data)
    with pytest.raises(InputError, match="is damaged: its SHA-256") as caught:
        load_checkpoint(run / "model")
    assert str(run / "model" / name) in str(caught.value)
    # A checkpoint from elsewhere has no checksums, and whoever changed weights may delete ours.
    (run / "model" / checksums.CHECKSUMS).unlink()
    if name.endswith(".safetensors"):
        load_checkpoint(run / "model")


def test_the_checksums_are_those_of_sha256sum(run):
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("no sha256sum")
    for folder in (run / "model", run / "checkpoints" / "checkpoint-4"):
        subprocess.run([tool, "-c", "--quiet", checksums.CHECKSUMS], cwd=folder, check=True)
        assert len((folder / checksums.CHECKSUMS).read_text().splitlines()) >= 2


@pytest.mark.parametrize("line", ["no checksum", f"{'0' * 64}  ../../../secret"])
def test_a_list_of_checksums_that_is_none(line, run):
    (run / "model" / checksums.CHECKSUMS).write_text(line + "\n")
    with pytest.raises(InputError, match="is no checksum"):
        load_checkpoint(run / "model")


# ---- two at once ----------------------------------------------------------------------------


def test_two_trainings_in_one_folder_are_refused(run, pairs_folder, recipe, tmp_path):
    with one_training(run):
        second = subprocess.run(
            [
                *(sys.executable, "-m", "hazardscribe.cli", "train", "--resume"),
                *("--data", pairs_folder, "--out", run, "--start", recipe.start, "--steps=4"),
            ],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    assert second.returncode == 2, second.stderr
    assert "another training is writing to this folder" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_file_system_without_locks_is_told_and_used(recipe, pairs, tmp_path, monkeypatch, caplog):
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    assert train(pairs, replace(recipe, steps=1), tmp_path / "run").status == "finished"
    assert "see to it that no other process" in caplog.text


def test_a_training_that_never_began_leaves_no_folder(recipe, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "hazardscribe.training.session.load_checkpoint", lambda *_: pytest.fail("not so far")
    )
    empty = pairs["train"].select([])
    with pytest.raises(InputError, match="hold no train rows"):
        train({"train": empty, "dev": empty}, recipe, tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


# ---- memory and workers ---------------------------------------------------------------------


def test_too_little_memory_is_told_with_settings_of_the_same_step(
    recipe, pairs, tmp_path, monkeypatch
):
    fill_memory(2, monkeypatch)
    with pytest.raises(InputError, match="batch_size: 2 and accumulation: 2") as caught:
        train(pairs, recipe, tmp_path / "run")
    assert str(caught.value).startswith("out of memory: a forward pass held 4 photos")
    assert "find_batch_size: true" in str(caught.value)


def test_portions_of_a_step_are_not_called_the_same_where_they_are_not(
    recipe, pairs, tmp_path, monkeypatch
):
    fill_memory(2, monkeypatch)
    recipe = replace(recipe, alignment=replace(recipe.alignment, form="in_batch"))
    with pytest.raises(InputError, match="in_batch contrasts those of one forward pass alone"):
        train(pairs, recipe, tmp_path / "run")


def test_memory_that_runs_out_later_lets_the_run_go_on_in_smaller_portions(
    recipe, pairs, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        stop_after(1, patch, lambda: fill_memory(3, patch))
        with pytest.raises(InputError, match="--resume goes on from checkpoint-2"):
            train(pairs, replace(recipe, find_batch_size=True), tmp_path / "run")
    smaller = replace(recipe, batch_size=2, accumulation=2)
    assert train(pairs, smaller, tmp_path / "run", resume=True).status == "finished"
    for name, tensor in safetensors.torch.load_file(whole / "model/model.safetensors").items():
        mine = safetensors.torch.load_file(tmp_path / "run/model/model.safetensors")[name]
        torch.testing.assert_close(mine, tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_the_batch_that_fits_is_found_and_said(recipe, pairs, tmp_path, monkeypatch, caplog):
    by_hand = train(pairs, replace(recipe, batch_size=1, accumulation=4), tmp_path / "hand")
    fill_memory(1, monkeypatch)
    with caplog.at_level(logging.WARNING):
        found = train(pairs, replace(recipe, find_batch_size=True), tmp_path / "run")
    said = [record.getMessage() for record in caplog.records if "out of memory" in record.msg]
    assert said == [
        "out of memory with 4 photos a forward pass: trying 2, accumulated 2 times, so that a "
        "step still sees 4",
        "out of memory with 2 photos a forward pass: trying 1, accumulated 4 times, so that a "
        "step still sees 4",
    ]
    assert_same_end(found.folder, by_hand.folder)
    losses = [
        [entry["caption_loss"] for entry in json.loads(record)["history"] if "loss" in entry]
        for record in ((run.folder / "run.json").read_text() for run in (found, by_hand))
    ]
    assert losses[0] == losses[1]


def test_a_batch_is_found_that_fits_the_language_model_which_joins_in_later(
    recipe, pairs, tmp_path, monkeypatch
):
    recipe = replace(recipe, alignment=Alignment(first_share=0.5))
    by_hand = train(pairs, replace(recipe, batch_size=2, accumulation=2), tmp_path / "hand")
    former = TrainingModule.forward

    def forward(self, batch, caption=True, alignment=True):
        if caption and self.training and len(batch["labels"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return former(self, batch, caption, alignment)

    monkeypatch.setattr(TrainingModule, "forward", forward)
    found = train(pairs, replace(recipe, find_batch_size=True), tmp_path / "run")
    assert_same_end(found.folder, by_hand.folder)


def test_a_batch_is_found_that_fits_beside_the_moments_of_the_optimizer(
    recipe, pairs, tmp_path, monkeypatch
):
    held = []
    former = DescriptionTrainer._rehearse

    def rehearse(self, model, batch):
        before = torch.empty_like

        def empty_like(one, **kwargs):
            held.append(one.numel())
            return before(one, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(torch, "empty_like", empty_like)
            former(self, model, batch)
        trained = [one for one in model.parameters() if one.requires_grad]
        assert sum(held) >= 2 * sum(one.numel() for one in trained)
        assert all(one.grad is None for one in trained)

    monkeypatch.setattr(DescriptionTrainer, "_rehearse", rehearse)
    train(pairs, replace(recipe, steps=1, find_batch_size=True), tmp_path / "run")
    assert held


def test_where_a_single_photo_is_too_much_it_says_so(recipe, pairs, tmp_path, monkeypatch):
    fill_memory(0, monkeypatch)
    with pytest.raises(InputError, match="held a single photo"):
        train(pairs, replace(recipe, find_batch_size=True), tmp_path / "run")


def test_a_start_that_does_not_fit_is_told(recipe, pairs, tmp_path, monkeypatch):
    def to(self, device):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(TrainingModule, "to", to)
    with pytest.raises(InputError, match="the model that training starts from does not fit"):
        train(pairs, recipe, tmp_path / "run")


@pytest.mark.parametrize(
    "told",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB.",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_memory_that_runs_out_is_known_by_any_of_its_names(told):
    assert out_of_memory(RuntimeError(told))
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))


def test_a_worker_that_dies_is_told_and_the_run_goes_on_without(
    recipe, pairs, whole, tmp_path, monkeypatch
):
    former = batches.PairDataset.__getitem__
    seen = tmp_path / "seen"

    def get(self, index):
        if torch.utils.data.get_worker_info() is not None:
            with seen.open("a") as stream:
                stream.write(".")
            if seen.stat().st_size > 12:
                os.kill(os.getpid(), signal.SIGKILL)
        return former(self, index)

    # In a process of its own: torch would tell of the dead worker at any later moment again.
    def job() -> None:
        with pytest.raises(InputError, match="worker process that prepares batches died"):
            train(pairs, replace(recipe, workers=1), tmp_path / "run")

    with monkeypatch.context() as patch:
        patch.setattr(batches.PairDataset, "__getitem__", get)
        assert forked(job) == 0
    assert seen.stat().st_size > 12
    train(pairs, recipe, tmp_path / "run", resume=True)  # the number of workers changes nothing
    assert_same_end(tmp_path / "run", whole)


# ---- another version, another file ----------------------------------------------------------


def test_a_damaged_record_of_the_run_is_named(run, recipe, pairs):
    (run / "run.json").write_text('{"status": "fini', encoding="utf-8")
    with pytest.raises(InputError, match=r"run\.json: is damaged"):
        train(pairs, recipe, run, resume=True)


def test_a_key_that_this_version_does_not_know_is_named_with_the_versions(run, recipe, pairs):
    record = json.loads((run / "run.json").read_text())
    record["recipe"]["future_key"] = 3
    record["versions"]["hazardscribe"] = "9.9"
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"these keys differ: future_key.*hazardscribe 9\.9"):
        train(pairs, recipe, run, resume=True)


def test_a_run_from_before_an_inner_key_existed_can_go_on(run, recipe, pairs):
    record = json.loads((run / "run.json").read_text())
    del record["recipe"]["alignment"]["queries"], record["recipe"]["find_batch_size"]
    (run / "run.json").write_text(json.dumps(record))
    assert train(pairs, recipe, run, resume=True).status == "finished"


def test_other_versions_are_said_where_a_run_goes_on(run, recipe, pairs):
    record = json.loads((run / "run.json").read_text())
    record["versions"]["torch"] = "2.0.0"
    (run / "run.json").write_text(json.dumps(record))
    warned = train(pairs, recipe, run, resume=True).warnings
    assert any("resumed with other versions (torch 2.0.0 -> " in warning for warning in warned)


def test_a_recipe_of_another_version_names_the_key(tmp_path, pairs_folder, capsys):
    (tmp_path / "recipe.yaml").write_text("start: x\nfuture_key: 1\n")
    with pytest.raises(SystemExit):
        main(["train", "--config", str(tmp_path / "recipe.yaml"), "--data", str(pairs_folder)])
    assert "future_key" in capsys.readouterr().err


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_that_holds_code_is_refused_and_the_code_not_run(
    name, run, recipe, pairs, tmp_path
):
    marker = tmp_path / "ran"
    shutil.rmtree(run / "checkpoints" / "checkpoint-4")  # or nothing would be left to do
    folder = run / "checkpoints" / "checkpoint-3"
    torch.save({"state": Bomb(marker)}, folder / name)
    seal(folder)  # whoever writes a bomb can write checksums too
    with pytest.raises(InputError, match="loading them can run code"):
        train(pairs, recipe, run, resume=True)
    assert not marker.exists()
