"""Killed anywhere, a resumed run ends where the uninterrupted one ends, bit for bit.

A few points in the core tests; `make soak` tries twenty.
"""

from __future__ import annotations

import os
import random

import pytest

from hazardscribe.training.recipe import Alignment, Augmentation, Lora, Part, Recipe, Reward
from training.killed import assert_same_end, assert_trained, go_on, train_counted, train_killed

KILLS = int(os.environ.get("HAZARDSCRIBE_KILLS", "3"))
SEED = int(os.environ.get("HAZARDSCRIBE_KILLS_SEED", "0"))


def recipes(start) -> dict[str, Recipe]:
    """Both objectives, adapters, a frozen part, accumulation and workers; and the reward stage."""
    small = {"steps": 4, "batch_size": 2, "save_every": 1, "keep": 2, "max_text_tokens": 8}
    likelihood = Recipe(
        start=str(start),
        **small,
        accumulation=2,
        evaluate_every=2,
        workers=1,
        tower=Part(tune="freeze"),
        llm=Part(tune="lora", learning_rate=1e-2),
        lora=Lora(rank=2, dropout=0.3),
        augmentation=Augmentation(mirror=0.5, brightness=0.3, crop=0.2),
        word_dropout=0.3,
    )
    reward = Recipe(
        start=str(start),
        **small,
        stage="reward",
        evaluate_every=2,
        alignment=Alignment(weight=0),
        reward=Reward(samples=2, rate=1.0, cider_d=0, repetition=1.0, length=1.0),
        calibrate=False,
    )
    return {"likelihood": likelihood, "reward": reward}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.parametrize("stage", ["likelihood", "reward"])
def test_a_run_killed_anywhere_ends_where_it_would_have_ended(stage, start, pairs, tmp_path):
    if stage == "reward":
        pytest.importorskip("trl")
    recipe = recipes(start)[stage]
    spans = train_counted(pairs, recipe, tmp_path / "whole")
    assert_trained(tmp_path / "whole")
    chance = random.Random(f"{SEED} {stage}")
    kills = (KILLS + (stage == "likelihood")) // 2
    for number in range(kills):
        run = tmp_path / f"{number}"
        # Every other run is killed a second time while it goes on.
        for _ in range(1 + number % 2):
            # Among its steps, while it writes a checkpoint or the model, or anywhere at all.
            span = chance.choice(spans[("steps", "saving", "all")[number % 3]])
            train_killed(pairs, recipe, run, chance.randrange(*span))
        assert go_on(pairs, recipe, run).status == "finished"
        assert_same_end(run, tmp_path / "whole")
        assert not [path for path in run.rglob(".*") if path.name.endswith(("partial", "saving"))]
        assert len(list((run / "checkpoints").glob("checkpoint-*"))) == recipe.keep
