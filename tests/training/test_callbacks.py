"""What is done around a step, without a run: when to evaluate, when to stop, what is told."""

from __future__ import annotations

import os
import signal
import threading
from types import SimpleNamespace

import pytest
import torch

from hazardscribe.training import callbacks
from hazardscribe.training.callbacks import (
    EvaluateMissed,
    EvaluateWhenDue,
    GiveBackMemory,
    Progress,
    StopOnSignal,
    StopWithoutBetter,
    WarnOfWildDraws,
)
from hazardscribe.training.loop import Loop, trained_tensors

ARGS = SimpleNamespace(eval_steps=4)


def state(step: int, history: list[dict] | None = None, most: int = 10) -> SimpleNamespace:
    return SimpleNamespace(global_step=step, max_steps=most, log_history=history or [])


def control(**given: bool) -> SimpleNamespace:
    names = ("should_save", "should_evaluate", "should_training_stop")
    return SimpleNamespace(**{name: given.get(name, False) for name in names})


@pytest.mark.parametrize(
    ("step", "asked", "due"),
    [
        (3, True, False),  # still without the language model
        (4, True, True),
        (4, False, False),
        (9, False, False),
        (10, False, True),  # the last step
    ],
)
def test_the_first_steps_are_never_evaluated_and_the_last_always(step, asked, due):
    told = EvaluateWhenDue(3).on_step_end(ARGS, state(step), control(should_evaluate=asked))
    assert told.should_evaluate is due


def test_a_run_that_is_all_first_steps_is_evaluated_at_its_end():
    assert EvaluateWhenDue(10).on_step_end(ARGS, state(10), control()).should_evaluate


@pytest.mark.parametrize(
    ("step", "history", "missed"),
    [
        (8, [], True),
        (8, [{"step": 8, "loss": 1.0}], True),
        (8, [{"step": 4, "eval_cider_d": 1.0}], True),
        (8, [{"step": 8, "loss": 1.0}, {"step": 8, "eval_cider_d": 1.0}], False),
        (7, [], False),  # none was due
        (4, [], False),  # of the first steps
        (10, [], True),  # the last step
        (0, [], False),
    ],
)
def test_an_evaluation_that_a_signal_called_off_is_made_up_for(step, history, missed):
    done = []
    EvaluateMissed(4, lambda: done.append(True)).on_train_begin(ARGS, state(step, history), None)
    assert bool(done) is missed


@pytest.mark.parametrize(("step", "times"), [(0, 1), (1, 0)])
def test_the_start_is_evaluated_once(step, times):
    done = []
    EvaluateMissed(-1, lambda: done.append(True)).on_train_begin(ARGS, state(step), None)
    assert len(done) == times


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([], False),
        ([1.0], False),
        ([1.0, 0.9], False),
        ([1.0, 0.9, 0.8], True),
        ([1.0, 1.0, 1.0], True),  # equal is not better
        ([1.0, 0.9, 1.1, 1.0], False),
    ],
)
def test_a_run_stops_after_so_many_evaluations_without_a_better_one(scores, stops):
    history = [{"step": i, "eval_cider_d": score} for i, score in enumerate(scores)]
    history += [{"step": 9, "eval_other": 5.0}, {"step": 9, "loss": 0.1}]
    stop = StopWithoutBetter("cider_d", 2)
    for moment in (stop.on_evaluate, stop.on_train_begin):  # a resumed run has stopped already
        assert moment(ARGS, state(9, history), control()).should_training_stop is stops


def test_wild_draws_are_told_of_once_by_the_first_steps():
    for first, later, warnings in ((2.1, 5.0, 1), (2.0, 5.0, 0)):
        told = []
        watch = WarnOfWildDraws(told.append)
        watch.on_log(ARGS, None, None, None)
        watch.on_log(ARGS, None, None, {"loss": 9.0})
        for entropy in (first, later):
            watch.on_log(ARGS, None, None, {"entropy": entropy})
        assert len(told) == warnings


def test_memory_is_given_back_at_every_eighth_step(monkeypatch):
    given = []
    monkeypatch.setattr(callbacks, "give_back_freed_memory", lambda: given.append(True))
    for step in range(1, 25):
        GiveBackMemory().on_step_end(ARGS, state(step), None)
    assert len(given) == 3


def test_a_signal_ends_the_run_after_its_step_and_a_second_one_at_once():
    seen = []
    former = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with StopOnSignal() as stop:
            untouched = stop.on_step_end(ARGS, state(1), control(should_evaluate=True))
            assert untouched == control(should_evaluate=True)
            os.kill(os.getpid(), signal.SIGTERM)
            asked = stop.on_step_end(ARGS, state(2), control(should_evaluate=True))
            assert asked == control(should_save=True, should_training_stop=True)
            assert (stop.received, seen) == (signal.SIGTERM, [])
            os.kill(os.getpid(), signal.SIGTERM)
            assert seen == [signal.SIGTERM]
        with StopOnSignal():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [signal.SIGTERM] * 2  # whose the signals were has them again
    finally:
        signal.signal(signal.SIGTERM, former)


def test_signals_are_left_to_their_owner_outside_the_main_thread():
    entered = []

    def run() -> None:
        with StopOnSignal() as stop:
            entered.append(stop)

    former = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert entered
    assert signal.getsignal(signal.SIGTERM) is former


def test_the_bar_begins_where_a_resumed_run_does_and_tells_of_dev(capsys):
    progress, now = Progress(), state(4)
    progress.on_train_begin(ARGS, now, None)
    progress.on_step_end(ARGS, now, None)
    bar = progress._bar
    assert (bar.n, bar.total) == (5, 10)
    progress.on_log(ARGS, now, None, {"caption_loss": 2.0, "alignment_loss": 1.5})
    progress.on_log(ARGS, now, None, {"eval_cider_d": 0.25})
    progress.on_train_end(ARGS, now, None)
    assert "caption=2.000, alignment=1.500" in bar.postfix
    assert "step 4: dev cider_d 0.250" in capsys.readouterr().err


class Bare(Loop):
    """A loop around a model, without a Trainer."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model, self.args, self.state = model, SimpleNamespace(should_save=True), None
        self.control = None
        self.callback_handler = SimpleNamespace(on_evaluate=lambda *_: None)

    def log(self, scores: dict[str, float]) -> None:
        self.logged = scores


def normed() -> torch.nn.Module:
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)
    )
    model[2].requires_grad_(False)
    model(torch.randn(5, 3))  # which moves the statistics
    return model


def test_dev_is_described_at_rest_and_takes_nothing_of_the_trainings_chance():
    loop = Bare(normed().train())
    loop.keep_by(lambda: {"training": loop.model.training, "drawn": torch.rand(1)}, None, 1)
    before = torch.random.get_rng_state()
    assert loop.evaluate()["eval_training"] is False
    assert loop.model.training
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_training_changes_comes_back_statistics_too(tmp_path):
    kept, other = normed(), normed()
    Bare(kept)._save(str(tmp_path))
    Bare(other)._load_from_checkpoint(str(tmp_path))
    left, right = trained_tensors(kept), trained_tensors(other)
    assert left.keys() == right.keys()
    assert {"1.running_mean", "0.weight"} <= left.keys()
    assert all(torch.equal(tensor, right[name]) for name, tensor in left.items())
    assert not torch.equal(kept[2].weight, other[2].weight)  # frozen: the start has it
