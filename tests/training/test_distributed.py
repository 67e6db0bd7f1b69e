"""Several processes train as one does, with the whole model each or a part each, and stop as one.

They run on CPUs over gloo. What one process and two compute differs by the order of float32 sums:
losses agree to 1e-5, relatively, and weights after a few steps to 1e-3 or an absolute 1e-5.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from distributed_module import optimizer_of, step, training_module

from hazardscribe import processes
from hazardscribe.errors import InputError
from hazardscribe.model.checkpoint import load_checkpoint
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training import together
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.run import last_checkpoint
from hazardscribe.training.sharding import units
from hazardscribe.training.train import train

HERE = Path(__file__).parent
JOB = HERE / "distributed_job.py"
# Both objectives in every step.
OPTIONS = {
    "max_text_tokens": 12,
    "augmentation": {"mirror": 0.5},
    "evaluate_every": 2,
    "alignment": {"first_share": 0.0},
}
LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def launch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Two processes of `distributed_job.py`, or of a module where the first argument is `-m`."""
    module = arguments[0] == "-m"
    # Without the dashes the launcher would take our --start for its own --start-method.
    job = ["--module", "--", *arguments[1:]] if module else ["--", JOB, *arguments]
    return subprocess.run(
        [*LAUNCH, *map(str, job)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}


def options(pairs_folder: Path, start: Path, out: Path, **more: object) -> list[str]:
    given = {"data": pairs_folder, "start": start, "out": out, "max_text_tokens": 12}
    given |= {"augmentation.mirror": 0.5, "evaluate_every": 2, "batch_size": 2}
    given |= {"alignment.first_share": 0.0} | more
    return [f"--{name}={value}" for name, value in given.items()]


def losses(run: Path) -> list[tuple[float, ...]]:
    history = json.loads((run / "run.json").read_text(encoding="utf-8"))["history"]
    names = ("loss", "caption_loss", "alignment_loss")
    return [tuple(entry[name] for name in names) for entry in history if "loss" in entry]


def assert_close(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in right.items():
        # A key's bias moves all scores of a softmax alike: its gradient is rounding, and AdamW
        # makes whole steps of it.
        if not name.endswith("k_proj.bias"):
            torch.testing.assert_close(left[name], tensor, rtol=1e-3, atol=1e-5, msg=name)


def assert_close_weights(ours: Path, theirs: Path) -> None:
    assert_close(*(safetensors.torch.load_file(f / "model.safetensors") for f in (ours, theirs)))


@pytest.mark.parametrize(
    "adapters", [False, pytest.param(True, marks=pytest.mark.extended)], ids=["full", "lora"]
)
def test_two_processes_with_a_part_of_the_model_each_step_like_one(adapters, start, tmp_path):
    shutil.copytree(start, tmp_path / "start")
    command = [sys.executable, JOB, "shard", tmp_path, *(["lora"] if adapters else [])]
    both = [
        subprocess.Popen(
            command,
            env=environment() | {"RANK": str(rank), "WORLD_SIZE": "2"},
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for rank in range(2)  # without a launcher, which takes as long again to start
    ]
    for process in both:
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-3000:]
    two = torch.load(tmp_path / "two.pt")

    module, batch = training_module(tmp_path, adapters)
    optimizer = optimizer_of(module)
    one = [step(module, optimizer, batch, batch, world=1) for _ in range(2)]
    # bfloat16 products round differently in batches of another size.
    rtol = 2e-3 if adapters else 1e-5
    for mine, theirs in zip(one, two["losses"], strict=True):
        assert mine.keys() == theirs.keys() == {"caption", "alignment"}
        for name, value in mine.items():
            assert theirs[name] == pytest.approx(value, rel=rtol), name
    # What they gathered loads into one process: weights and optimizer.
    weights = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    optimizer.load_state_dict(two["optimizer"])
    if not adapters:
        assert_close(weights, dict(module.state_dict()))
    module.load_state_dict(weights)


def test_the_units_of_sharding_are_blocks_and_the_model(start):
    vlm = load_checkpoint(start).vlm
    names = units(vlm)
    assert names[-1] == type(vlm).__name__
    assert {"LlamaDecoderLayer", "SiglipEncoderLayer"} <= set(names)


def test_sharding_on_a_cpu_is_refused_not_replaced(monkeypatch):
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("ACCELERATE_USE_FSDP", "true")):
        monkeypatch.setenv(name, value)
    if torch.cuda.is_available():
        pytest.skip("there is a GPU to shard on")
    with pytest.raises(InputError, match="Launch without FSDP"):
        together.join()


def test_one_process_needs_no_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    together.join()
    together.wait()
    assert together.any_of(None) is None
    assert together.any_of(15) == 15
    assert together.gathered([1, 2]) == [[1, 2]]
    assert processes.is_first()


@pytest.fixture(scope="module")
def one(start, pairs_folder, tmp_path_factory) -> Path:
    """Four steps of four photos in one process."""
    out = tmp_path_factory.mktemp("one") / "run"
    recipe = Recipe.from_dict({"start": str(start), "batch_size": 4, "steps": 4, **OPTIONS})
    train(read_pairs(pairs_folder), recipe, out)
    return out


@pytest.mark.extended
@pytest.mark.parametrize("way", ["replicated", "sharded"])
def test_two_processes_train_like_one_with_twice_the_batch(way, one, start, pairs_folder, tmp_path):
    """Also through Accelerate's FSDP2, which on CPUs only a test can ask for."""
    what = ("-m", "hazardscribe.cli", "train") if way == "replicated" else ("train",)
    launched = launch(*what, *options(pairs_folder, start, tmp_path / "two", steps=4))
    assert launched.returncode == 0, launched.stderr[-3000:]
    two = tmp_path / "two"
    for ours, theirs in zip(losses(two), losses(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert_close_weights(two / "model", one / "model")
    assert load_checkpoint(two / "model").vlm.config.architectures == [
        "LlavaForConditionalGeneration"
    ]
    heads = [
        safetensors.torch.load_file(run / "model" / "alignment_head.safetensors")
        for run in (two, one)
    ]
    assert_close(*heads)
    # One of them speaks.
    assert launched.stdout.count("model: ") == 1
    assert launched.stderr.count("checking photos: 100%") <= 1
    assert launched.stderr.count("step 4: dev") == 1


@pytest.mark.extended
def test_a_run_goes_on_with_another_number_of_processes(one, start, pairs_folder, tmp_path):
    """SIGTERM reaches one of two, both stop after the same step; one process goes on, then two."""
    out = tmp_path / "run"
    arguments = options(pairs_folder, start, out, steps=4)
    stopped = launch("stop", 1, 2, *arguments)
    assert stopped.returncode == 1, stopped.stderr[-3000:]  # the launcher's own, for any failure
    assert stopped.stderr.count("the same command with --resume") == 1
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "interrupted"
    assert record["processes"] == 2
    checkpoint = last_checkpoint(out / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-2"

    values = {"start": str(start), "batch_size": 2, "steps": 4, **OPTIONS}
    pairs = read_pairs(pairs_folder)
    with pytest.raises(InputError, match=r"a step held 4 photos \(2 processes\); with 1 it would"):
        train(pairs, Recipe.from_dict(values), out, resume=True)
    recipe = Recipe.from_dict(values | {"accumulation": 2})
    assert train(pairs, recipe, out, resume=True).status == "finished"
    for ours, theirs in zip(losses(out), losses(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    checkpoints = [last_checkpoint(run / "checkpoints") for run in (out, one)]
    assert checkpoints[0] is not None
    assert checkpoints[1] is not None
    assert_close_weights(checkpoints[0], checkpoints[1])

    again = launch("-m", "hazardscribe.cli", "train", *arguments, "--resume=true")
    assert again.returncode == 0, again.stderr[-3000:]


@pytest.mark.extended
def test_several_processes_go_on_within_a_later_epoch(one, start, pairs_folder, tmp_path):
    """Four steps are two epochs: the third step is not the last of its own."""
    out = tmp_path / "run"
    arguments = options(pairs_folder, start, out, steps=4)
    stopped = launch("stop", 1, 3, *arguments)
    assert "the same command with --resume" in stopped.stderr, stopped.stderr[-3000:]
    again = launch("-m", "hazardscribe.cli", "train", *arguments, "--resume=true")
    assert again.returncode == 0, again.stderr[-3000:]
    for ours, theirs in zip(losses(out), losses(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
