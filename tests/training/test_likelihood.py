"""The first stage's loop: how long it is, and what its workers are handed."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

import tiny
from hazardscribe.training.callbacks import StopOnSignal
from hazardscribe.training.likelihood import LikelihoodSession
from hazardscribe.training.recipe import Alignment, Recipe

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


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_a_worker_that_is_spawned_can_be_handed_the_collator(weight, trainer_of):
    collator = trainer_of(alignment=Alignment(weight=weight)).data_collator
    assert pickle.loads(pickle.dumps(collator))._bank_index(TEXTS[0]) == 0
