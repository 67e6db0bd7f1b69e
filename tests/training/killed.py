"""Trainings in forked processes that are killed at any point, and what must then be equal.

A point is the n-th call of a Python function since the training began: within a step, between the
files of a checkpoint, between two renames, anywhere.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import safetensors.torch
import torch

from hazardscribe.training.checkpoints import last_checkpoint
from hazardscribe.training.train import train

# What a kill should hit, by the functions that do it.
_PARTS = {
    "steps": ("_inner_training_loop",),
    "saving": ("_save_checkpoint", "save_checkpoint"),
}


def train_counted(pairs, recipe, out: Path) -> dict[str, list[tuple[int, int]]]:
    """Train to the end in a process of its own.

    Returns:
        From which to which call it was at its steps, was saving, and, as `all`, ran at all.
    """
    reader, writer = multiprocessing.Pipe(duplex=False)
    assert forked(_counted, pairs, recipe, out, writer) == 0
    return reader.recv()


def train_killed(pairs, recipe, out: Path, at: int) -> bool:
    """Train until call `at`, and die there by SIGKILL; whether it came so far."""
    code = forked(_killed, pairs, recipe, out, at)
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def go_on(pairs, recipe, out: Path):
    """What a person or a scheduler does after a crash."""
    return train(pairs, recipe, out, resume=(out / "run.json").is_file())


def forked(target, *arguments) -> int:
    """Exit code of a function in a process of its own."""
    # Forked, so that torch and transformers need not be loaded for every kill.
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    process.join(300)
    assert process.exitcode is not None, "the training hangs"
    return process.exitcode


def _counted(pairs, recipe, out, writer) -> None:
    calls = 0
    began: dict[str, list[int]] = {part: [] for part in _PARTS}
    spans: dict[str, list[tuple[int, int]]] = {part: [] for part in _PARTS}

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"
        for part, names in _PARTS.items():
            if frame.f_code.co_name not in names:
                continue
            if event == "call":
                began[part].append(calls)
            elif event == "return":
                span = (began[part].pop(), calls)
                if not began[part]:  # the outermost
                    spans[part].append(span)

    sys.setprofile(count)
    run = train(pairs, recipe, out)
    sys.setprofile(None)
    assert run.status == "finished"
    writer.send(spans | {"all": [(1, calls)]})


def _killed(pairs, recipe, out, at) -> None:
    left, own = at, os.getpid()

    def count(frame, event, argument):
        nonlocal left
        left -= event == "call"
        if left <= 0 and os.getpid() == own:  # a data worker counts on for itself
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    go_on(pairs, recipe, out)
    sys.setprofile(None)


def assert_trained(run: Path) -> None:
    """The weights move from checkpoint to checkpoint, or that all are equal would say nothing."""
    folders = sorted((run / "checkpoints").glob("checkpoint-*"))
    former, last = (safetensors.torch.load_file(f / "model.safetensors") for f in folders[-2:])
    assert any(not torch.equal(former[name], last[name]) for name in last)


def assert_same_end(run: Path, whole: Path) -> None:
    """The last checkpoint's weights, optimizer and chance, and the model folder, are equal."""
    ours, theirs = (last_checkpoint(out / "checkpoints") for out in (run, whole))
    assert ours is not None
    assert theirs is not None
    assert ours.name == theirs.name
    for a, b in ((ours, theirs), (run / "model", whole / "model")):
        left, right = (safetensors.torch.load_file(f / "model.safetensors") for f in (a, b))
        assert left.keys() == right.keys()
        for name, tensor in left.items():
            assert torch.equal(tensor, right[name]), name
    left, right = (torch.load(f / "optimizer.pt")["state"] for f in (ours, theirs))
    assert left.keys() == right.keys()
    for index, state in left.items():
        assert all(torch.equal(value, right[index][name]) for name, value in state.items())
    history = [json.loads((out / "run.json").read_text())["history"] for out in (run, whole)]
    assert _scores(history[0]) == _scores(history[1])


def _scores(history):
    return [entry for entry in history if any(name.startswith("eval_") for name in entry)]
