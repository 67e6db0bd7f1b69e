"""The first stage's loop: how long it is, and what its workers are handed."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import asdict, replace

import pytest
import torch

import tiny
from hazardscribe.training.callbacks import StopOnSignal
from hazardscribe.training.likelihood import LikelihoodSession, parts_at_full_rate
from hazardscribe.training.recipe import Alignment, Part, Recipe

TEXTS = tiny.TEXTS["zh"]


@pytest.fixture
def trainer_of(start, pairs, tmp_path):
    """The training loop of a recipe, not begun; eight photos to learn from."""
    recipe = Recipe(start=str(start), max_text_tokens=12, alignment=Alignment(weight=0))

    def trainer(**changes):
        changed = replace(recipe, **changes)
        session = LikelihoodSession(pairs, changed, tmp_path / "run", progress=False)
        return session.trainer(StopOnSignal())

    return trainer


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "epochs", "steps"),
    [(16, 1, 3, 3), (4, 1, 3, 6), (3, 1, 2, 6), (3, 2, 2, 4), (4, 4, 0.1, 1)],
)
def test_epochs_are_passes_over_the_photos(batch_size, accumulation, epochs, steps, trainer_of):
    trainer = trainer_of(batch_size=batch_size, accumulation=accumulation, epochs=epochs)
    assert trainer.args.max_steps == steps
    loader = trainer.get_train_dataloader()
    _, a_pass, *_ = trainer.set_initial_training_values(trainer.args, loader)
    assert steps == max(1, round(epochs * a_pass))  # as the loop itself counts


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "sizes", "steps"),
    [(3, 1, [3, 3], 4), (3, 2, [3, 3], 2), (16, 1, [8], 2)],
)
def test_a_compiled_run_has_no_batch_of_another_size(
    batch_size, accumulation, sizes, steps, trainer_of
):
    trainer = trainer_of(batch_size=batch_size, accumulation=accumulation, epochs=2, compile=True)
    loader = trainer.get_train_dataloader()
    assert [len(batch["batch"]["labels"]) for batch in loader] == sizes
    assert trainer.args.max_steps == steps
    assert trainer.set_initial_training_values(trainer.args, loader)[1] == max(1, steps / 2)


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
def test_pixels_come_in_the_type_in_which_the_tower_computes(compute, trainer_of):
    part = Part(compute=compute)
    trainer = trainer_of(tower=part, projector=part)
    module = trainer._module.eval()
    batch = trainer.data_collator([trainer.train_dataset[row, 0] for row in range(3)])["batch"]
    assert batch["pixel_values"].dtype == getattr(torch, compute)
    trainer.data_collator._pixels = torch.float32
    whole = trainer.data_collator([trainer.train_dataset[row, 0] for row in range(3)])["batch"]
    assert torch.equal(module(batch)["caption"], module(whole)["caption"])


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_a_worker_that_is_spawned_can_be_handed_the_collator(weight, trainer_of):
    collator = trainer_of(alignment=Alignment(weight=weight)).data_collator
    assert pickle.loads(pickle.dumps(collator))._bank_index(TEXTS[0]) == 0


@pytest.mark.parametrize(
    ("changes", "fast"),
    [
        ({}, ["tower", "llm"]),
        ({"llm": Part(learning_rate=2e-5), "tower": Part(learning_rate=5e-5)}, []),
        ({"llm": Part(learning_rate=6e-5), "tower": Part(learning_rate=2e-5)}, ["llm"]),
        ({"llm": Part(tune="lora"), "tower": Part(tune="freeze")}, []),
    ],
)
def test_going_on_at_the_rates_of_the_first_training_is_warned_of(
    changes, fast, start, pairs, tmp_path, caplog
):
    """What it costs is measured (benchmarks/corrections.py); a fresh start may have any rate."""
    model = shutil.copytree(start, tmp_path / "run" / "model")
    former = asdict(Recipe(start=str(start), llm=Part(), tower=Part()))
    recipe = Recipe(start=str(model), alignment=Alignment(weight=0), llm=Part(), tower=Part())
    changed = replace(recipe, **changes)
    assert parts_at_full_rate(changed) == []
    (model.parent / "run.json").write_text(json.dumps({"recipe": former}), encoding="utf-8")
    assert parts_at_full_rate(changed) == fast
    session = LikelihoodSession(pairs, changed, tmp_path / "next", progress=False)
    told = [one for one in session.warnings if "forgot more than it learned" in one]
    assert [f"and {', '.join(fast)} would go on" in one for one in told] == [True] * bool(fast)
    rewarded = former | {"stage": "reward"}
    (model.parent / "run.json").write_text(json.dumps({"recipe": rewarded}), encoding="utf-8")
    assert parts_at_full_rate(changed) == []
