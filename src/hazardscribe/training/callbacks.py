"""What happens around the training loop: stopping on request, evaluating at the end, progress."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from hazardscribe.model.memory import give_back_freed_memory
from hazardscribe.training.together import any_of

logger = logging.getLogger(__name__)


class StopOnSignal(TrainerCallback):
    """On SIGTERM or SIGINT: finish the step, save a resumable checkpoint, stop.

    A second signal of the same kind ends the process as if this were not here.

    Attributes:
        received: number of the signal that stopped the run, else None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._former[number] = signal.signal(number, self._handle)
            except ValueError:  # not in the main thread: leave signals to their owner
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self._former[number])
        logger.warning(
            "%s received: finishing this step, saving a checkpoint, then stopping",
            signal.Signals(number).name,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Ask the loop to save and stop, in all processes after the same step."""
        self.received = any_of(self.received)
        if self.received is not None:
            control.should_save = True
            control.should_evaluate = False
            control.should_training_stop = True
        return control


class GiveBackMemory(TrainerCallback):
    """Give back now and then what earlier steps have left between the buffers of a processor."""

    _EVERY = 8  # steps; fewer cost time, since the next step asks anew for what it needs

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Give back after every so many steps."""
        if state.global_step % self._EVERY == 0:
            give_back_freed_memory()


class EvaluateWhenDue(TrainerCallback):
    """The last step is always evaluated; the first steps, without the language model, never.

    Args:
        first_steps: steps in which the language model is left out, see `Alignment.first_share`.
    """

    def __init__(self, first_steps: int) -> None:
        self._first_steps = first_steps

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Ask for an evaluation, or call one off."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True
        elif state.global_step <= self._first_steps:
            control.should_evaluate = False
        return control


class EvaluateMissed(TrainerCallback):
    """A signal may have called off an evaluation that was due: the resumed run makes up for it.

    Args:
        first_steps: steps that are never evaluated; -1: not even the start model is left out.
        evaluate: evaluates and keeps the best weights.
    """

    def __init__(self, first_steps: int, evaluate: Callable[[], object]) -> None:
        self._first_steps, self._evaluate = first_steps, evaluate

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Evaluate before the first step, if need be."""
        step = state.global_step
        due = step > self._first_steps and (step % args.eval_steps == 0 or step >= state.max_steps)
        done = any(
            entry["step"] == step and any(name.startswith("eval_") for name in entry)
            for entry in state.log_history
        )
        if due and not done:
            self._evaluate()


class WarnOfWildDraws(TrainerCallback):
    """A reward can choose only among what is drawn: say so where that is hardly language.

    Args:
        tell: takes the warning.
    """

    # A description of 20 tokens at this entropy is one of e^40: no two draws are alike, and none is
    # what describing, which is greedy, writes.
    _WILD = 2.0

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._seen = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kw: Any) -> None:
        """Look at the first steps' entropy."""
        entropy = (logs or {}).get("entropy")
        if entropy is None or self._seen:
            return
        self._seen = True
        if entropy > self._WILD:
            self._tell(
                f"the drawn descriptions are wild (entropy {entropy:.1f} nats a token): the reward "
                "can hardly tell them apart. Train the first stage longer, or lower "
                "reward.temperature"
            )


class StopWithoutBetter(TrainerCallback):
    """Stop after a number of evaluations without a better score on `dev` (early stopping).

    They are counted in the logged history, which checkpoints hold: a resumed run stops where the
    uninterrupted one does. `Loop` takes no step where the history says so from the beginning.

    Args:
        score: name of the dev score that decides. patience: evaluations without a better one.
    """

    def __init__(self, score: str, patience: int) -> None:
        self._score, self._patience = score, patience

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """A run that is resumed may have stopped already."""
        return self.on_evaluate(args, state, control)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Count the evaluations since the best."""
        scores = _dev_scores(state, self._score)
        if scores and len(scores) - 1 - _first_best(scores) >= self._patience:
            control.should_training_stop = True
        return control


class StopWhenParted(TrainerCallback):
    """Stop when the reward rises and dev has long seen nothing better: the two have parted.

    The reward is then being had for something that is no better description (Goodhart's law).
    Where neither rises the run goes on: it may only have been slow to start.

    Args:
        score: name of the dev score that decides. after: evaluations without a better one.
        tell: takes the reason.
    """

    def __init__(self, score: str, after: int, tell: Callable[[str], None]) -> None:
        self._score, self._after, self._tell = score, after, tell

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """A run that is resumed may have stopped already."""
        return self.on_evaluate(args, state, control)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Compare the reward before the best evaluation with that before this one."""
        scores = _dev_scores(state, self._score)
        if not scores:
            return control
        best = _first_best(scores)
        if len(scores) - 1 - best < self._after:
            return control
        # The start was scored before anything was drawn: its reward is that of the first drawn.
        then, now = (
            self._reward(state, scores[i - 1][0], scores[i][0])
            for i in (max(1, best), len(scores) - 1)
        )
        if then is not None and now is not None and now > then:
            self._tell(
                f"reward and dev have parted: the reward rose from {then:.3f} to {now:.3f}, but "
                f"{self._score} on dev has not been better than {scores[best][1]:.3f} (step "
                f"{scores[best][0]}) in {len(scores) - 1 - best} evaluations; the weights of that "
                "step are kept"
            )
            control.should_training_stop = True
        return control

    @staticmethod
    def _reward(state: Any, after: int, until: int) -> float | None:
        """Mean logged reward of the steps between two evaluations."""
        logged = [
            entry["reward"]
            for entry in state.log_history
            if "reward" in entry and after < entry["step"] <= until
        ]
        return sum(logged) / len(logged) if logged else None


def _dev_scores(state: Any, score: str) -> list[tuple[int, float]]:
    """Step and value of a score's evaluations so far."""
    key = f"eval_{score}"
    return [(entry["step"], entry[key]) for entry in state.log_history if key in entry]


def _first_best(scores: list[tuple[int, float]]) -> int:
    return max(range(len(scores)), key=lambda i: (scores[i][1], -i))


class Progress(TrainerCallback):
    """One progress bar for the run and one line an evaluation; nothing where nobody watches."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar at the step from which a resumed run goes on."""
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="train",
            unit="step",
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 30,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kw: Any) -> None:
        """Show the losses on the bar, and an evaluation as a line above it."""
        if self._bar is None or not logs:
            return
        if "caption_loss" in logs or "alignment_loss" in logs:
            shown = {k.removesuffix("_loss"): f"{v:.3f}" for k, v in logs.items() if "_loss" in k}
            self._bar.set_postfix(shown, refresh=False)
        elif "reward" in logs:
            shown = {k: f"{logs[k]:.3f}" for k in ("reward", "kl") if logs.get(k) is not None}
            self._bar.set_postfix(shown, refresh=False)
        scores = {k.removeprefix("eval_"): v for k, v in logs.items() if k.startswith("eval_")}
        if scores:
            line = "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
            self._bar.write(f"step {state.global_step}: dev {line}", file=sys.stderr)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
