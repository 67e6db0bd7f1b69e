"""Recipes that make no sense, and runs that cannot go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bad_inputs.world import Case, World
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training.checks import check_run
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.train import train


def _yaml(content: bytes | str) -> Callable[[World], object]:
    def do(world: World) -> object:
        if isinstance(content, str):
            text: bytes | str = content.replace("{start}", str(world.start))
        else:
            text = content
        recipe = Recipe.load(world.file("recipe.yaml", text))
        return check_run(recipe, world.tmp / "out")

    return do


def _resume(change: Callable[[dict[str, Any]], object]) -> Callable[[World], object]:
    def do(world: World) -> object:
        run = world.copy_run()
        record = json.loads((run / "run.json").read_text())
        recipe = Recipe.from_dict(record["recipe"])
        change(record)
        (run / "run.json").write_text(json.dumps(record))
        return train(read_pairs(world.pairs), recipe, run, resume=True)

    return do


def _into(name: str, resume: bool = False) -> Callable[[World], object]:
    def do(world: World) -> object:
        world.file("file", b"")
        folder = world.copy_run() if name == "run" else world.tmp / name
        return check_run(Recipe(start=str(world.start)), folder, resume)

    return do


CASES: dict[str, Case] = {
    "missing": (lambda w: Recipe.load(w.tmp / "none.yaml"), ""),
    "no text": (_yaml(b"\xff\xd8\xff\xe0 photo"), ""),
    "gbk": (_yaml("prompt: 描述".encode("gbk")), ""),
    "no yaml": (_yaml("start: [1\n"), ""),
    "no mapping": (_yaml("- 1\n"), ""),
    "a python object": (_yaml("start: !!python/object/apply:os.system ['true']\n"), ""),
    "a key twice": (_yaml("steps: 1\nsteps: 2\n"), ""),
    "unknown key": (_yaml("epoch: 3\n"), ""),
    "key of another version": (_yaml("start: x\nfuture_key: 3\n"), ""),
    "unknown inner key": (_yaml("llm: {rate: 1}\n"), ""),
    "a word for a number": (_yaml("steps: many\n"), ""),
    "a fraction of steps": (_yaml("steps: 1.5\n"), ""),
    "unknown choice": (_yaml("schedule: wave\n"), ""),
    "start is empty": (_yaml("steps: 1\n"), ""),
    "start is missing": (_yaml("start: /nowhere/model\n"), ""),
    "start is no name": (_yaml("start: models/nope\n"), ""),
    "batch of nothing": (_yaml("batch_size: 0\n"), ""),
    "negative steps": (_yaml("steps: -1\n"), ""),
    "no epochs": (_yaml("epochs: 0\n"), ""),
    "warmup beyond": (_yaml("warmup: 1\n"), ""),
    "keep none": (_yaml("keep: 0\n"), ""),
    "a learning rate of 5": (_yaml("tower: {learning_rate: 5}\n"), ""),
    "a learning rate of nan": (_yaml("tower: {learning_rate: .nan}\n"), ""),
    "all frozen": (
        _yaml("tower: {tune: freeze}\nprojector: {tune: freeze}\nllm: {tune: freeze}\n"),
        "",
    ),
    "projector by lora": (_yaml("projector: {tune: lora}\n"), ""),
    "mirror twice": (_yaml("augmentation: {mirror: 2}\n"), ""),
    "first without alignment": (_yaml("alignment: {weight: 0, first_share: 0.5}\n"), ""),
    "one sample": (_yaml("stage: reward\nreward: {samples: 1}\n"), ""),
    "nothing rewarded": (_yaml("stage: reward\nreward: {cider_d: 0, element_f1: 0}\n"), ""),
    "text encoder missing": (_yaml("start: {start}\nalignment: {text_encoder: models/no}\n"), ""),
    "unknown logger": (_yaml("start: {start}\nreport_to: [paper]\n"), ""),
    "no temperature": (_yaml("reward: {temperature: 0}\n"), ""),
    "out is a file": (_into("file"), ""),
    "out within a file": (_into("file/run"), ""),
    "out holds a run": (_into("run"), ""),
    "nothing to resume": (_into("nothing", resume=True), ""),
    "resumed with another recipe": (_resume(lambda r: r["recipe"].update(seed=7)), ""),
    "resumed with other pairs": (_resume(lambda r: r["data"].update(digest="0")), ""),
    "resumed from another version": (
        _resume(
            lambda r: (r["recipe"].update(future_key=1), r["versions"].update(hazardscribe="9"))
        ),
        "",
    ),
}
