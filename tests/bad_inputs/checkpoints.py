"""Model folders and checkpoints that are damaged, of another kind, or traps."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.world import Case, World
from hazardscribe.checksums import CHECKSUMS
from hazardscribe.describing.calibration import load_calibration
from hazardscribe.model.bank_file import BANK_TEXTS_FILE, load_bank
from hazardscribe.model.checkpoint import CARD_FILE, load_checkpoint
from hazardscribe.model.text_encoder import HubEncoder
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.train import train

WEIGHTS = "model.safetensors"


class Bomb:
    """What runs code when it is unpickled: here it leaves a file that must not appear."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("unpickled"),)


def _model(change: Callable[[Path], object], checked: bool = False) -> Callable[[World], object]:
    """Load a model folder after a change that the checksums do not know of, unless `checked`."""

    def do(world: World) -> object:
        folder = world.model()
        if not checked:
            (folder / CHECKSUMS).unlink()
        change(folder)
        return load_checkpoint(folder)

    return do


def _settings(name: str = "config.json", **values: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> object:
        settings = json.loads((folder / name).read_text()) | values
        return (folder / name).write_text(json.dumps(settings))

    return change


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _flip(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> object:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        return (folder / name).write_bytes(content)

    return change


def _cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-50])


def _pickled_only(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))


def _own(change: Callable[[Path], object], load: Callable[[Path], object]):
    """One of our own files in a trained model."""

    def do(world: World) -> object:
        folder = Path(shutil.copytree(world.run / "model", world.tmp / "model"))
        change(folder)
        return load(folder)

    return do


def _resume(change: Callable[[Path], object]) -> Callable[[World], object]:
    def do(world: World) -> object:
        run = world.copy_run()
        change(max((run / "checkpoints").iterdir()))
        recipe = Recipe.from_dict(json.loads((run / "run.json").read_text())["recipe"])
        return train(read_pairs(world.pairs), recipe, run, resume=True)

    return do


CASES: dict[str, Case] = {
    "missing": (
        lambda w: load_checkpoint(w.tmp / "none"),
        "none: there is no such model folder. Check the path.",
    ),
    "empty folder": (
        lambda w: load_checkpoint(w.file("d/x", b"").parent),
        (
            "d: holds no config.json, so it is not a model folder. After training, the "
            "model lies in the run folder's `model/`."
        ),
    ),
    "a file": (
        lambda w: load_checkpoint(w.file("a.safetensors", b"")),
        "a.safetensors: there is no such model folder. Check the path.",
    ),
    "a name with a climb": (
        lambda w: load_checkpoint("../../etc"),
        "../../etc: there is no such model folder. Check the path.",
    ),
    "a web address": (
        lambda w: load_checkpoint("https://example.com/model"),
        (
            "https:/example.com/model: no such folder, and no such name in the local "
            "Hugging Face cache. Check the path; hazardscribe itself fetches nothing."
        ),
    ),
    "config damaged": (
        _model(_write("config.json", b"{")),
        (
            "model/config.json: is not valid JSON (…); the file is damaged. Copy the "
            "model folder again from its origin."
        ),
    ),
    "config is a list": (
        _model(_write("config.json", b"[]")),
        (
            "model/config.json: holds no settings of a model (no JSON object). Copy the "
            "model folder again from its origin."
        ),
    ),
    "config of another kind": (
        _model(_settings(model_type="bert")),
        (
            "model: could not be loaded as an image-text-to-text model: …\nName a folder "
            "that `hazardscribe init` or `hazardscribe train` wrote, or any checkpoint "
            "that transformers' AutoModelForImageTextToText loads."
        ),
    ),
    "config unknown": (
        _model(_settings(model_type="future-vlm")),
        (
            "model: could not be loaded as an image-text-to-text model: …\nName a folder "
            "that `hazardscribe init` or `hazardscribe train` wrote, or any checkpoint "
            "that transformers' AutoModelForImageTextToText loads."
        ),
    ),
    "custom code": (
        _model(_settings(auto_map={"AutoModel": "m.Model"})),
        (
            "model: needs custom code (config.json has an auto_map), which hazardscribe "
            "never runs. Take the version of this model that transformers supports by "
            "itself."
        ),
    ),
    "pickled weights": (
        _model(_pickled_only),
        (
            "model: holds no *.safetensors. Pickled weights are not loaded, because "
            "loading them can run code; convert them with transformers' save_pretrained "
            "first."
        ),
    ),
    "a pickle named safetensors": (
        _model(_write(WEIGHTS, pickle.dumps(Bomb()))),
        (
            "model/model.safetensors: is a pickled file under the name of safetensors; it "
            "is not loaded, because loading it can run code. Ask for real safetensors, or "
            "convert the weights with transformers' save_pretrained where you trust their "
            "origin."
        ),
    ),
    "weights of nothing": (
        _model(_write(WEIGHTS, b"")),
        (
            "model/model.safetensors: is no safetensors file, or was damaged or cut off (…). "
            "Copy it again from its origin."
        ),
    ),
    "weights of noise": (
        _model(_write(WEIGHTS, b"\xff" * 4096)),
        (
            "model/model.safetensors: is no safetensors file, or was damaged or cut off (…). "
            "Copy it again from its origin."
        ),
    ),
    "weights cut off": (
        _model(_cut(WEIGHTS)),
        (
            "model/model.safetensors: is no safetensors file, or was damaged or cut off (…). "
            "Copy it again from its origin."
        ),
    ),
    "a torch archive named safetensors": (
        _model(_write(WEIGHTS, b"PK\x03\x04" + bytes(60))),
        (
            "model/model.safetensors: is a pickled file under the name of safetensors; it "
            "is not loaded, because loading it can run code. Ask for real safetensors, or "
            "convert the weights with transformers' save_pretrained where you trust their "
            "origin."
        ),
    ),
    "weights of another header": (
        _model(_write(WEIGHTS, b"\2" + bytes(7) + b"[]")),
        (
            "model/model.safetensors: is no safetensors file, or was damaged or cut off (…). "
            "Copy it again from its origin."
        ),
    ),
    "a flipped byte": (
        _model(_flip(WEIGHTS), checked=True),
        (
            "model/model.safetensors: is damaged: its SHA-256 is not the one in "
            "checksums.sha256, so a disk or a copy has changed it since it was written. "
            "Copy the model folder again from its origin, or train it again; where you "
            "changed the weights yourself, delete checksums.sha256."
        ),
    ),
    "tokenizer damaged": (
        _model(_write("tokenizer.json", b"{")),
        (
            "model: could not be loaded as an image-text-to-text model: tokenizer.json is "
            "damaged: …\nName a folder that `hazardscribe init` or `hazardscribe train` "
            "wrote, or any checkpoint that transformers' AutoModelForImageTextToText loads."
        ),
    ),
    "processor damaged": (
        _model(_write("processor_config.json", b"{")),
        (
            "model: could not be loaded as an image-text-to-text model: "
            "processor_config.json is damaged: …\nName a folder that `hazardscribe init` "
            "or `hazardscribe train` wrote, or any checkpoint that transformers' "
            "AutoModelForImageTextToText loads."
        ),
    ),
    "card damaged": (
        _model(_write(CARD_FILE, b"{")),
        "model/hazardscribe.json: is not valid: …. Delete it to take defaults.",
    ),
    "card of a wrong kind": (
        _model(_write(CARD_FILE, b"[]")),
        (
            "model/hazardscribe.json: is not valid: it is no JSON object. Delete it to "
            "take defaults."
        ),
    ),
    "bank damaged": (
        _own(_write(BANK_TEXTS_FILE, b"{"), load_bank),
        (
            "model/text_bank.safetensors: is damaged (…). Delete text_bank.safetensors "
            "and text_bank.json to describe without comparing photos and texts, or run "
            "`hazardscribe calibrate` on the model."
        ),
    ),
    "calibration damaged": (
        _own(_write("calibration.json", b"{"), load_calibration),
        (
            "model/calibration.json: cannot be used (…). Run `hazardscribe calibrate` on "
            "the model, or delete calibration.json to describe without a calibrated "
            "confidence."
        ),
    ),
    "text encoder of another kind": (
        lambda w: HubEncoder(str(w.start), "", "cpu"),
        (
            "text encoder 'START': a llava model is no text encoder. Name the folder of "
            "one, such as a sentence-transformers model, or use `lsa`."
        ),
    ),
    "checkpoint flipped": (
        _resume(_flip("optimizer.pt")),
        (
            "run/checkpoints/checkpoint-2/optimizer.pt: is damaged: its SHA-256 is not the "
            "one in checksums.sha256, so a disk or a copy has changed it since it was "
            "written. Delete the folder run/checkpoints/checkpoint-2 to go on from "
            "checkpoint-1 with --resume."
        ),
    ),
    "checkpoint lacks a file": (
        _resume(lambda folder: (folder / "scheduler.pt").unlink()),
        (
            "run/checkpoints/checkpoint-2/scheduler.pt: is missing from a checkpoint that "
            "had it. Delete the folder run/checkpoints/checkpoint-2 to go on from "
            "checkpoint-1 with --resume."
        ),
    ),
}
