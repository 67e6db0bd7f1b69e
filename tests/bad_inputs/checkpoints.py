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
    "missing": (lambda w: load_checkpoint(w.tmp / "none"), ""),
    "empty folder": (lambda w: load_checkpoint(w.file("d/x", b"").parent), ""),
    "a file": (lambda w: load_checkpoint(w.file("a.safetensors", b"")), ""),
    "a name with a climb": (lambda w: load_checkpoint("../../etc"), ""),
    "a web address": (lambda w: load_checkpoint("https://example.com/model"), ""),
    "config damaged": (_model(_write("config.json", b"{")), ""),
    "config is a list": (_model(_write("config.json", b"[]")), ""),
    "config of another kind": (_model(_settings(model_type="bert")), ""),
    "config unknown": (_model(_settings(model_type="future-vlm")), ""),
    "custom code": (_model(_settings(auto_map={"AutoModel": "m.Model"})), ""),
    "custom code of a processor": (
        _model(_settings("processor_config.json", auto_map={"AutoProcessor": "m.P"})),
        "",
    ),
    "custom code of a tokenizer": (
        _model(_settings("tokenizer_config.json", auto_map={"AutoTokenizer": ["m.T", None]})),
        "",
    ),
    "pickled weights": (_model(_pickled_only), ""),
    "a pickle named safetensors": (_model(_write(WEIGHTS, pickle.dumps(Bomb()))), ""),
    "weights of nothing": (_model(_write(WEIGHTS, b"")), ""),
    "weights of noise": (_model(_write(WEIGHTS, b"\xff" * 4096)), ""),
    "weights cut off": (_model(_cut(WEIGHTS)), ""),
    "weights of another shape": (_model(_settings(image_token_index=5)), ""),
    "a flipped byte": (_model(_flip(WEIGHTS), checked=True), ""),
    "tokenizer damaged": (_model(_write("tokenizer.json", b"{")), ""),
    "processor damaged": (_model(_write("processor_config.json", b"{")), ""),
    "card damaged": (_model(_write(CARD_FILE, b"{")), ""),
    "card of a wrong kind": (_model(_write(CARD_FILE, b"[]")), ""),
    "bank damaged": (_own(_write(BANK_TEXTS_FILE, b"{"), load_bank), ""),
    "calibration damaged": (_own(_write("calibration.json", b"{"), load_calibration), ""),
    "text encoder of another kind": (lambda w: HubEncoder(str(w.start), "", "cpu"), ""),
    "checkpoint flipped": (_resume(_flip("optimizer.pt")), ""),
    "checkpoint lacks a file": (_resume(lambda folder: (folder / "scheduler.pt").unlink()), ""),
}
