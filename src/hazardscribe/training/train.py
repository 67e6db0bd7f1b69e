"""`train`: from pairs and a recipe to a model folder."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import set_seed

from hazardscribe.errors import InputError, TrainingDivergedError
from hazardscribe.pairs.own_words import NO_HAZARD
from hazardscribe.pairs.safe import with_safe
from hazardscribe.pairs.write import write_rejected
from hazardscribe.processes import is_first, processes
from hazardscribe.training import together
from hazardscribe.training.callbacks import StopOnSignal
from hazardscribe.training.checkpoints import clean_up
from hazardscribe.training.checks import check_run
from hazardscribe.training.faults import fault, out_of_memory
from hazardscribe.training.likelihood import LikelihoodSession, with_first_share
from hazardscribe.training.lock import one_training
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.reward import RewardSession, with_words_of_start
from hazardscribe.training.run import (
    Run,
    changed_versions,
    check_folder,
    check_inputs,
    read_run,
    resumed_from,
    start_digest,
    versions,
    write_run,
)
from hazardscribe.training.session import language_of

if TYPE_CHECKING:
    from hazardscribe.pairs.read import Pairs

_STAGES = {"likelihood": LikelihoodSession, "reward": RewardSession}


def train(
    pairs: Pairs,
    recipe: Recipe,
    out: str | Path = "runs/train",
    *,
    resume: bool = False,
    progress: bool = False,
) -> Run:
    """Train encoder and language model on pairs, in the stage that the recipe names.

    Args:
        pairs: see `read_pairs`. recipe: see `Recipe`. out: the run folder.
        resume: go on from the folder's last checkpoint; on a CPU the result is bit for bit that of
            an uninterrupted run.
        progress: show a progress bar.

    Several processes, as `torchrun` and `accelerate launch` start them, share one run: all call
    this alike, the first writes and speaks.

    Raises:
        InputError: for unusable pairs, recipe, start checkpoint or folder, a folder in which
            another training is at work, a damaged checkpoint, a full disk, too little memory, a
            worker that died, or blocks that could not be compiled.
        TrainingDivergedError: when the loss is no longer a number.
    """
    out = Path(out)
    check_run(recipe, out, resume)
    together.join()
    # Of several processes the first holds the folder for all.
    with one_training(out) if is_first() else nullcontext():
        return _train(pairs, recipe, out, resume, progress)


def _train(pairs: Pairs, recipe: Recipe, out: Path, resume: bool, progress: bool) -> Run:
    started = time.time()
    check_folder(out, resume)  # anew: another training may have ended since
    for split in ("train", "dev"):
        if not len(pairs[split]):
            raise InputError(f"the pairs hold no {split} rows; training needs train and dev")
    recipe = with_words_of_start(recipe) if recipe.stage == "reward" else with_first_share(recipe)
    if recipe.safe_share > 0:
        text = recipe.safe_text or NO_HAZARD[language_of(recipe, pairs)]
        pairs = with_safe(pairs, recipe.safe_share, text, target=recipe.target)
    digest = pairs.digest()
    former = read_run(out) if resume else {}
    checkpoint = resumed_from(out, former, recipe, digest) if resume else None
    set_seed(recipe.seed)
    try:
        session = _STAGES[recipe.stage](pairs, recipe, out, progress and is_first())
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise InputError(
            "out of memory before the first step: the model that training starts from does not "
            "fit. Tune its parts by lora or freeze them, with compute: bfloat16 (weights that are "
            "not trained then take half), or take a smaller start."
        ) from error
    data = {
        "digest": digest,
        "start": together.from_first(lambda: start_digest(Path(recipe.start))),
        **session.counts(),
    }
    if resume:
        check_inputs(out, former.get("data", {}), data)
        if is_first():
            clean_up(out)
    if checkpoint is not None:
        session.recall(former.get("warnings", []))  # none where it was killed before it said so
        session.tell_versions(changed_versions(former.get("versions", {})))
    record: dict[str, Any] = {
        "status": "running",
        "recipe": recipe.to_dict(),
        "versions": versions(),
        "processes": processes()[1],
        "data": data,
    }
    together.wait()  # until every process has seen the folder as it was
    write_run(out, record)
    if pairs.rejected and is_first():
        write_rejected(out, pairs.rejected)
    with StopOnSignal() as stop:
        try:
            trainer = session.trainer(stop)
            if not is_first():  # else all would hide the same words and drop the same units
                torch.manual_seed(recipe.seed + processes()[0])
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except TrainingDivergedError as error:
            write_run(out, record | {"status": "diverged", "warnings": [str(error)]})
            raise
        except Exception as error:
            found = fault(error, recipe, out / "checkpoints")
            with suppress(InputError):  # where the disk is full, the record stands as it was
                reason = str(found or f"{type(error).__name__}: {error}")
                write_run(out, record | {"status": "failed", "reason": reason})
            if found is None:
                raise
            raise found from error
    state = trainer.state
    del trainer  # and with it the optimizer, twice as large as the weights
    status = "finished"
    if stop.received is not None:
        status = "interrupted"
    elif state.global_step < state.max_steps:
        status = "stopped_early"
    history = state.log_history
    record |= {
        "status": status,
        "metrics": session.best(history),
        "steps": state.global_step,
        "seconds": round(time.time() - started, 1),
        "warnings": session.all_warnings(),
        "history": history,
    }
    if session.reason is not None:
        record["reason"] = session.reason
    write_run(out, record)
    if is_first():
        if recipe.calibrate and status != "interrupted":
            write_run(out, record | {"calibration": session.calibrate()})
        session.plot(history, out / "loss.png")
    together.wait()  # a launcher may end the first when another is done: its record comes before
    warnings = record["warnings"]
    return Run(out, out / "model", status, record["metrics"], stop.received, warnings)
