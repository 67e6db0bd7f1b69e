"""A run that is killed and resumed ends where it would have ended, bit for bit."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch

from hazardscribe.checksums import CHECKSUMS, write_checksums
from hazardscribe.errors import InputError
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training.checkpoints import last_checkpoint
from hazardscribe.training.recipe import Alignment, Augmentation, Lora, Part, Recipe
from hazardscribe.training.session import Session
from hazardscribe.training.train import train
from hazardscribe.training.trainer import DescriptionTrainer
from training.killed import assert_same_end

JOB = Path(__file__).with_name("train_job.py")


@pytest.fixture(scope="module")
def recipe(start) -> Recipe:
    """Eight photos, two steps an epoch; chance in adapters, photos, words and order."""
    return Recipe(
        start=str(start),
        steps=6,
        batch_size=2,
        accumulation=2,
        evaluate_every=2,
        save_every=1,
        keep=6,
        max_text_tokens=12,
        llm=Part(tune="lora", learning_rate=1e-2),
        lora=Lora(rank=2, dropout=0.3),
        augmentation=Augmentation(mirror=0.5, brightness=0.3, crop=0.2),
        word_dropout=0.3,
    )


@pytest.fixture(scope="module")
def job(recipe, pairs_folder, tmp_path_factory):
    """Run the recipe in a process; returns its exit status and what it printed."""
    from ruamel.yaml import YAML

    folder = tmp_path_factory.mktemp("job")
    with (folder / "recipe.yaml").open("w") as stream:
        YAML().dump(recipe.to_dict(), stream)
    environment = os.environ | {"HAZARDSCRIBE_CACHE": str(folder / "cache")}

    def run(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, JOB, pairs_folder, out, folder / "recipe.yaml", *options],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def uninterrupted(recipe, pairs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train(pairs, recipe, out).status == "finished"
    return out


def test_a_killed_run_goes_on_bit_for_bit(job, uninterrupted, recipe, pairs, tmp_path):
    # Step 4 is the second of the second epoch; its first half of gradients is lost.
    killed = job(tmp_path / "run", "--die", str(int(signal.SIGKILL)), "4")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    checkpoint = last_checkpoint(tmp_path / "run" / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-3"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"

    resumed = train(pairs, recipe, tmp_path / "run", resume=True)
    assert resumed.status == "finished"
    assert_same_end(tmp_path / "run", uninterrupted)


def test_a_kill_while_saving_leaves_the_checkpoint_before(
    job, uninterrupted, recipe, pairs, tmp_path
):
    killed = job(tmp_path / "run", "--die-saving", "3")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    whole = sorted(path.name for path in (tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    assert whole == ["checkpoint-1", "checkpoint-2"]
    train(pairs, recipe, tmp_path / "run", resume=True)
    assert_same_end(tmp_path / "run", uninterrupted)
    left = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert left == {f"checkpoint-{step}" for step in range(1, 7)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_saves_its_step_and_can_be_resumed(
    number, job, uninterrupted, recipe, pairs, tmp_path
):
    # An evaluation was due at step 4; the signal calls it off, and the resumed run makes up for it.
    stopped = job(tmp_path / "run", "--die", str(int(number)), "4")
    assert stopped.returncode == 128 + number, stopped.stderr
    assert "the same command with --resume" in stopped.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    checkpoint = last_checkpoint(tmp_path / "run" / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-4"
    assert train(pairs, recipe, tmp_path / "run", resume=True).status == "finished"
    assert_same_end(tmp_path / "run", uninterrupted)


def test_a_finished_run_may_be_resumed_to_no_effect(uninterrupted, recipe, pairs):
    before = (uninterrupted / "model" / "model.safetensors").read_bytes()
    again = train(pairs, recipe, uninterrupted, resume=True)
    assert again.status == "finished"
    assert (
        again.metrics["step"]
        == json.loads((uninterrupted / "run.json").read_text())["metrics"]["step"]
    )
    assert (uninterrupted / "model" / "model.safetensors").read_bytes() == before


def test_nothing_is_trained_after_the_last_step_within_an_epoch(recipe, pairs, tmp_path):
    # Step 3 is the first of the second epoch, so the Trainer has batches left.
    recipe, out = replace(recipe, steps=3, evaluate_every=3), tmp_path / "run"
    first = train(pairs, recipe, out)
    assert any(warning.startswith("dev: ") for warning in first.warnings)
    before = (out / "model" / "model.safetensors").read_bytes()
    again = train(pairs, recipe, out, resume=True)
    assert (again.status, again.metrics) == (first.status, first.metrics)
    assert again.warnings == first.warnings
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["steps"] == 3
    checkpoint = last_checkpoint(out / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-3"
    assert (out / "model" / "model.safetensors").read_bytes() == before


@pytest.fixture
def no_better(monkeypatch):
    """Let a training's first evaluation score better than all after it; call it before each."""

    def begin() -> None:
        scores = itertools.chain([0.9], itertools.repeat(0.1))

        def dev_scores(self):
            return {"cider_d": next(scores), "distinct_share": 1.0}

        monkeypatch.setattr(Session, "dev_scores", dev_scores)

    return begin


@pytest.mark.parametrize("step", [2, 3])
def test_a_resumed_run_keeps_count_of_its_patience(
    step, no_better, recipe, pairs, tmp_path, monkeypatch
):
    recipe = replace(recipe, patience=2, evaluate_every=1, calibrate=False)
    recipe = replace(recipe, alignment=Alignment(first_share=0.0))
    no_better()
    whole = train(pairs, recipe, tmp_path / "whole")
    assert whole.status == "stopped_early"
    assert last_checkpoint(whole.folder / "checkpoints").name == "checkpoint-3"

    former, killed = DescriptionTrainer.compute_loss, []

    def compute_loss(self, *args, **kwargs):
        if self.state.global_step == step - 1 and not killed:
            killed.append(True)  # a second signal would end the process
            os.kill(os.getpid(), signal.SIGTERM)
        return former(self, *args, **kwargs)

    no_better()
    with monkeypatch.context() as patch:
        patch.setattr(DescriptionTrainer, "compute_loss", compute_loss)
        assert train(pairs, recipe, tmp_path / "run").status == "interrupted"
    # The signal called off an evaluation; at step 3 it is the one that ends the run.
    for _ in range(2):  # the second time it has stopped already
        assert train(pairs, recipe, tmp_path / "run", resume=True).status == "stopped_early"
        assert_same_end(tmp_path / "run", whole.folder)


def test_a_run_that_stopped_early_takes_no_further_step(no_better, recipe, pairs, tmp_path):
    recipe = replace(recipe, patience=2, evaluate_every=1, calibrate=False)
    recipe = replace(recipe, alignment=Alignment(first_share=0.0))
    no_better()
    for resume in (False, True):
        run = train(pairs, recipe, tmp_path / "run", resume=resume)
        assert run.status == "stopped_early"
        assert json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["steps"] == 3


def test_a_folder_with_a_run_is_not_written_over(uninterrupted, recipe, pairs):
    with pytest.raises(InputError, match="already holds a training run"):
        train(pairs, recipe, uninterrupted)


def test_checkpoints_of_a_run_without_a_record_are_not_taken_over(
    uninterrupted, recipe, pairs, tmp_path
):
    out = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    (out / "run.json").unlink()
    with pytest.raises(InputError, match=r"run/checkpoints: holds checkpoints.*Delete this folder"):
        train(pairs, replace(recipe, steps=2), out)
    assert not (out / "run.json").exists()
    shutil.rmtree(out / "checkpoints")
    assert train(pairs, replace(recipe, steps=1, calibrate=False), out).status == "finished"


def test_another_recipe_is_refused_naming_the_keys(uninterrupted, recipe, pairs):
    other = replace(recipe, batch_size=4, weight_decay=0.5)
    with pytest.raises(InputError, match="these keys differ: batch_size, weight_decay"):
        train(pairs, other, uninterrupted, resume=True)


@pytest.mark.parametrize(
    ("form", "changes", "refused"),
    [
        ("corpus", {"batch_size": 1, "accumulation": 4}, None),
        ("in_batch", {"batch_size": 1, "accumulation": 4}, "batch_size"),
    ],
)
def test_a_step_may_be_shared_out_otherwise_where_it_stays_the_same(
    form, changes, refused, uninterrupted, recipe, pairs, tmp_path
):
    """All forms of the alignment but `corpus` contrast the photos of one forward pass."""
    out = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    record = json.loads((out / "run.json").read_text())
    record["recipe"]["alignment"]["form"] = form
    (out / "run.json").write_text(json.dumps(record))
    other = replace(recipe, alignment=replace(recipe.alignment, form=form), **changes)
    if refused:
        with pytest.raises(InputError, match=f"these keys differ: {refused}\\."):
            train(pairs, other, out, resume=True)
    else:
        assert train(pairs, other, out, resume=True).status == "finished"


def test_a_run_from_before_a_key_existed_can_go_on(uninterrupted, recipe, pairs, tmp_path):
    out = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    record = json.loads((out / "run.json").read_text())
    del record["recipe"]["stage"], record["recipe"]["reward"]
    (out / "run.json").write_text(json.dumps(record))
    assert train(pairs, recipe, out, resume=True).status == "finished"


def test_other_pairs_are_refused(uninterrupted, recipe, pairs_folder, tmp_path):
    import shutil

    shutil.copytree(pairs_folder, tmp_path / "pairs")
    table = tmp_path / "pairs" / "pairs.csv"
    table.write_text(
        table.read_text(encoding="utf-8").replace("安全帽", "防护帽"), encoding="utf-8"
    )
    with pytest.raises(InputError, match="trained on other pairs"):
        train(read_pairs(tmp_path / "pairs"), recipe, uninterrupted, resume=True)


def test_other_texts_to_learn_are_refused(recipe, pairs, pairs_folder, tmp_path):
    recipe = replace(recipe, steps=1, target="{description_en}", calibrate=False)
    train(pairs, recipe, tmp_path / "run")
    shutil.copytree(pairs_folder, tmp_path / "pairs")
    table = tmp_path / "pairs" / "pairs.csv"
    text = table.read_text(encoding="utf-8")
    assert "hard hat" in text
    table.write_text(text.replace("hard hat", "helmet"), encoding="utf-8")
    changed = read_pairs(tmp_path / "pairs")
    assert changed.digest() == pairs.digest()  # no description has changed
    with pytest.raises(InputError, match="was trained on other texts"):
        train(changed, recipe, tmp_path / "run", resume=True)
    assert train(pairs, recipe, tmp_path / "run", resume=True).status == "finished"


@pytest.mark.parametrize("listed", [True, False], ids=["checksums", "none"])
def test_another_start_is_refused(listed, recipe, start, pairs, tmp_path):
    folder = Path(shutil.copytree(start, tmp_path / "start"))
    if not listed:
        (folder / CHECKSUMS).unlink()
    recipe = replace(recipe, start=str(folder), steps=1, calibrate=False, llm=Part(tune="freeze"))
    train(pairs, recipe, tmp_path / "run")
    same = train(pairs, recipe, tmp_path / "run", resume=True)
    assert same.status == "finished"
    weights = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(weights)
    name = next(name for name in tensors if name.endswith("embed_tokens.weight"))
    tensors[name] *= 2
    safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
    if listed:
        write_checksums(folder, [weights])
    with pytest.raises(InputError, match="was trained on other weights of `start`"):
        train(pairs, recipe, tmp_path / "run", resume=True)


def test_a_run_from_before_texts_and_start_were_recorded_can_go_on(
    uninterrupted, recipe, pairs, tmp_path
):
    out = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    del record["data"]["targets"], record["data"]["start"]
    (out / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert train(pairs, recipe, out, resume=True).status == "finished"


def test_there_must_be_something_to_resume(recipe, pairs, tmp_path):
    with pytest.raises(InputError, match="no training run to resume"):
        train(pairs, recipe, tmp_path / "nothing", resume=True)
