"""The run folder: what a training run leaves behind, and whether it can be resumed.

RUN/model/          the best weights so far, a plain Hugging Face checkpoint
RUN/checkpoints/    resumable checkpoints, pruned
RUN/run.json        recipe, versions, data hash, metrics, losses
RUN/loss.png        the losses (in the reward stage: the rewards) and the dev scores
RUN/rejected.csv    the rows that gave no pair, with reasons, where there are any
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from hazardscribe import __version__
from hazardscribe.checksums import digest_of
from hazardscribe.errors import InputError
from hazardscribe.files import write_json
from hazardscribe.model.bank_file import BANK_FILE
from hazardscribe.model.checkpoint import Card
from hazardscribe.processes import is_first, processes
from hazardscribe.training.checkpoints import check_checkpoint, last_checkpoint
from hazardscribe.training.recipe import Alignment, Recipe

RUN_FILE = "run.json"
# Keys that say how a machine does it, not what is learned: a run may go on with others.
_OF_THE_MACHINE = {
    "workers",
    "activation_checkpointing",
    "compile",
    "find_batch_size",
    "keep",
    "report_to",
}
_PACKAGES = ("torch", "torchvision", "transformers", "accelerate", "peft", "pillow", "numpy")


@dataclass(frozen=True, slots=True)
class Run:
    """A finished or stopped training run.

    Attributes:
        folder: the run folder. model: the model folder with the best weights.
        status: `finished`, `stopped_early` (no better score for `patience` evaluations) or
            `interrupted` (by a signal; resume it).
        metrics: scores on `dev` of the weights kept.
        signal: number of the signal that interrupted it, else None.
        warnings: what the user should know about the result.
    """

    folder: Path
    model: Path
    status: str
    metrics: dict[str, float]
    signal: int | None
    warnings: list[str]


def versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    found = {name: metadata.version(name) for name in _PACKAGES}
    return {"hazardscribe": __version__, "python": platform.python_version(), **found}


def check_folder(folder: Path, resume: bool) -> None:
    """Check, knowing nothing of the pairs, whether a run folder is free, or can be resumed.

    Raises:
        InputError: if it is a file, or holds a run that is not to be resumed, or none that could,
            or checkpoints of a run whose record is gone.
    """
    record = folder / RUN_FILE
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file, not a folder. Name another folder.")
    if not resume and record.exists():
        raise InputError(
            f"{folder}: already holds a training run. Continue it with --resume, or name another "
            "folder with --out."
        )
    if resume and not record.exists():
        raise InputError(f"{folder}: holds no training run to resume. Leave --resume out.")
    checkpoints = folder / "checkpoints"
    if not resume and any(checkpoints.glob("checkpoint-*")):
        raise InputError(
            f"{checkpoints}: holds checkpoints of a run whose {RUN_FILE} is gone; a new run would "
            "take them for its own. Delete this folder, or name another with --out."
        )


def resumed_from(
    folder: Path, former: dict[str, Any], recipe: Recipe, data_hash: str
) -> Path | None:
    """The checkpoint from which a run goes on; None where none was saved yet.

    Args:
        former: its record, as `read_run` gives it.

    Raises:
        InputError: if the run was with another recipe or other pairs, or the checkpoint is damaged.
    """
    changed = _changed(folder, former, recipe.to_dict())
    if changed:
        raise InputError(
            f"{folder}: was trained with another recipe; these keys differ: {', '.join(changed)}. "
            "Resume with the recipe in its run.json, or start a new run in another folder."
            + _other_version(former)
        )
    if former.get("data", {}).get("digest") != data_hash:
        raise InputError(
            f"{folder}: was trained on other pairs than these (data hash differs). "
            "Resume with the same pairs, or start a new run in another folder."
        )
    checkpoint = last_checkpoint(folder / "checkpoints")
    if checkpoint is not None:
        check_checkpoint(checkpoint)
    return checkpoint


def check_inputs(folder: Path, former: dict[str, Any], data: dict[str, Any]) -> None:
    """Check, once both are read, that a resumed run has the same texts to learn, start and rules.

    Args:
        former: the `data` of its `run.json`; a run from before a key existed is not compared.
        data: what `run.json` will hold as `data`.

    Raises:
        InputError: naming which of them is another.
    """
    for key, what, same in (
        ("targets", "other texts (the columns that `target` names have changed)", "texts"),
        ("start", "other weights of `start`", "start"),
        ("rules", "another rule file (`rules`, or that of `start`)", "rule file"),
    ):
        if former.get(key) and former[key] != data.get(key):
            raise InputError(
                f"{folder}: was trained on {what}. Resume with the same {same}, or start a new run "
                "in another folder."
            )


def start_digest(start: Path) -> str | None:
    """SHA-256 over the weights of a start, less the text bank, which may be fitted anew.

    None for a name in the local cache.
    """
    weights = {*start.glob("*.safetensors")} - {start / BANK_FILE}
    return digest_of(start, weights) if weights else None


def _changed(folder: Path, former: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Keys in which a recipe differs from a run's so that it would not train the same.

    Raises:
        InputError: where only the number of processes differs, and with it the photos a step.
    """
    # A key that is newer than the run stood at its default; one that is gone is told of.
    defaults = Recipe().to_dict()
    recorded = defaults | {
        key: defaults[key] | value if isinstance(value, dict) and key in defaults else value
        for key, value in former.get("recipe", {}).items()
    }
    differing = {key for key in recorded.keys() | wanted if recorded.get(key) != wanted.get(key)}
    differing -= _OF_THE_MACHINE
    before, now = former.get("processes", 1), processes()[1]
    photos = [
        of["batch_size"] * of["accumulation"] * number
        for of, number in ((recorded, before), (wanted, now))
    ]
    if photos[0] == photos[1]:
        # However a step's photos are shared out, the losses are the same, up to rounding; but a
        # form of the alignment other than `corpus` contrasts those of one forward pass.
        if wanted["stage"] == "likelihood":
            differing.discard("accumulation")
            if not Alignment(**wanted["alignment"]).contrasts_batch:
                differing.discard("batch_size")
    elif not differing:
        raise InputError(
            f"{folder}: a step held {photos[0]} photos ({before} processes); with {now} it would "
            f"hold {photos[1]}, and the run would be another. Change --batch_size or "
            f"--accumulation so that their product with the processes is {photos[0]}."
        )
    return sorted(differing)


def _other_version(former: dict[str, Any]) -> str:
    version = former.get("versions", {}).get("hazardscribe")
    if version in (None, __version__):
        return ""
    return f" The run is of hazardscribe {version}, this is {__version__}."


def read_run(folder: Path) -> dict[str, Any]:
    """The record of a run that is to be resumed.

    Raises:
        InputError: if it is damaged.
    """
    path = folder / RUN_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: is damaged ({error}), so that it cannot be told whether this is the same "
            "run. Restore it from a backup, or start a new run in another folder with --out."
        ) from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: is no record of a run. Start a new run in another folder.")
    return record


def changed_versions(former: dict[str, str]) -> list[str]:
    """What differs in version from the run that is resumed, as `torch 2.13.0 -> 2.14.1`."""
    return [
        f"{name} {former[name]} -> {version}"
        for name, version in versions().items()
        if former.get(name, version) != version
    ]


def write_run(folder: Path, record: dict[str, Any]) -> None:
    """Write `run.json`, whole or not at all; of several processes the first does."""
    if not is_first():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RUN_FILE, record)
    except OSError as error:
        raise InputError(
            f"--out {folder}: cannot be written ({error.strerror or error}). Check the path and "
            "the free space, or name another folder."
        ) from error


def run_of(model: Path) -> dict[str, Any]:
    """What `run.json` beside a model folder says of its training, for the report; else nothing."""
    record = model.resolve().parent / RUN_FILE
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"model": str(model), "versions": versions()}
    kept = ("recipe", "versions", "steps", "seconds", "status")
    return {"model": str(model), **{key: stored[key] for key in kept if key in stored}}


def safe_of(model: Path, card: Card) -> tuple[float, str | None]:
    """Share of the photos after rectification that a model was trained with, and their text.

    As its card says, else the recipe in the `run.json` beside it. No text is the usual one.
    """
    if card.safe_share is not None:
        return card.safe_share, card.safe_text
    recipe = run_of(model).get("recipe") or {}
    return recipe.get("safe_share") or 0.0, recipe.get("safe_text")
