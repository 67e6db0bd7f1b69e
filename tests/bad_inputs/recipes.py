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
    "missing": (
        lambda w: Recipe.load(w.tmp / "none.yaml"),
        ("recipe none.yaml: could not be read (No such file or directory); check the path"),
    ),
    "no text": (
        _yaml(b"\xff\xd8\xff\xe0 photo"),
        "recipe recipe.yaml: is not UTF-8 text; save it as UTF-8",
    ),
    "gbk": (
        _yaml("prompt: 描述".encode("gbk")),
        "recipe recipe.yaml: is not UTF-8 text; save it as UTF-8",
    ),
    "no yaml": (
        _yaml("start: [1\n"),
        "recipe recipe.yaml: line 2: …; correct the line",
    ),
    "no mapping": (
        _yaml("- 1\n"),
        "recipe recipe.yaml: is not a mapping of keys to values, such as `steps: 100`",
    ),
    "a python object": (
        _yaml("start: !!python/object/apply:os.system ['true']\n"),
        (
            "recipe recipe.yaml: line 1: could not determine a constructor for the tag …; "
            "correct the line"
        ),
    ),
    "a key twice": (
        _yaml("steps: 1\nsteps: 2\n"),
        (
            'recipe recipe.yaml: line 2: found duplicate key "steps" with value "2" '
            '(original value: "1"); correct the line'
        ),
    ),
    "unknown key": (
        _yaml("epoch: 3\n"),
        "recipe recipe.yaml: there is no key 'epoch'. Did you mean epochs?",
    ),
    "key of another version": (
        _yaml("start: x\nfuture_key: 3\n"),
        (
            "recipe recipe.yaml: there is no key 'future_key'. `hazardscribe train --help` "
            "lists all keys."
        ),
    ),
    "unknown inner key": (
        _yaml("llm: {rate: 1}\n"),
        "recipe recipe.yaml: there is no key 'llm.rate'. Did you mean llm.tune?",
    ),
    "a word for a number": (
        _yaml("steps: many\n"),
        "recipe recipe.yaml: steps is 'many'; it must be a whole number",
    ),
    "a fraction of steps": (
        _yaml("steps: 1.5\n"),
        "recipe recipe.yaml: steps is '1.5'; it must be a whole number",
    ),
    "unknown choice": (
        _yaml("schedule: wave\n"),
        ("recipe recipe.yaml: schedule is 'wave'; it must be one of cosine, linear, constant"),
    ),
    "start is empty": (
        _yaml("steps: 1\n"),
        (
            "recipe: start is empty. Name a model folder to start from: one that "
            "`hazardscribe init` composed, or any image-text-to-text checkpoint."
        ),
    ),
    "start is missing": (
        _yaml("start: /nowhere/model\n"),
        "/nowhere/model: there is no such model folder. Check the path.",
    ),
    "start is no name": (
        _yaml("start: models/nope\n"),
        (
            "models/nope: no such folder, and no such name in the local Hugging Face "
            "cache. Check the path; hazardscribe itself fetches nothing."
        ),
    ),
    "batch of nothing": (
        _yaml("batch_size: 0\n"),
        "recipe recipe.yaml: batch_size is 0; it must be at least 1.",
    ),
    "negative steps": (
        _yaml("steps: -1\n"),
        "recipe recipe.yaml: steps is -1; it must be 0 or more.",
    ),
    "no epochs": (
        _yaml("epochs: 0\n"),
        "recipe recipe.yaml: epochs is 0.0; it must be above 0 where steps is 0.",
    ),
    "warmup beyond": (
        _yaml("warmup: 1\n"),
        ("recipe recipe.yaml: warmup is 1.0; it must be a share of the steps, 0 to below 1."),
    ),
    "keep none": (_yaml("keep: 0\n"), "recipe recipe.yaml: keep is 0; it must be at least 1."),
    "a learning rate of 5": (
        _yaml("tower: {learning_rate: 5}\n"),
        "recipe recipe.yaml: tower.learning_rate is 5.0; it must be between 0 and 1.",
    ),
    "a learning rate of nan": (
        _yaml("tower: {learning_rate: .nan}\n"),
        "recipe recipe.yaml: tower.learning_rate is nan; it must be between 0 and 1.",
    ),
    "all frozen": (
        _yaml("tower: {tune: freeze}\nprojector: {tune: freeze}\nllm: {tune: freeze}\n"),
        (
            "recipe recipe.yaml: tower, projector and llm are all frozen, so nothing would "
            "be trained. Set tune: full or lora for at least one."
        ),
    ),
    "projector by lora": (
        _yaml("projector: {tune: lora}\n"),
        (
            "recipe recipe.yaml: projector.tune: lora is not supported; a projector is "
            "small, train it full or freeze it."
        ),
    ),
    "projector in another type": (
        _yaml("projector: {compute: bfloat16}\n"),
        (
            "recipe recipe.yaml: projector.compute is 'bfloat16'; it must be float32 where "
            "tower.compute is: the projector computes in the tower's type."
        ),
    ),
    "mirror twice": (
        _yaml("augmentation: {mirror: 2}\n"),
        "recipe recipe.yaml: augmentation.mirror is 2.0; it must be a share, 0 to 1.",
    ),
    "first without alignment": (
        _yaml("alignment: {weight: 0, first_share: 0.5}\n"),
        (
            "recipe recipe.yaml: alignment.first_share is 0.5; it must be a share of the "
            "steps, 0 to 1, and 0 where alignment.weight is 0."
        ),
    ),
    "one sample": (
        _yaml("stage: reward\nreward: {samples: 1}\n"),
        "recipe recipe.yaml: reward.samples is 1; it must be at least 2, better 4.",
    ),
    "nothing rewarded": (
        _yaml("stage: reward\nreward: {cider_d: 0, element_f1: 0}\n"),
        (
            "recipe recipe.yaml: reward: cider_d, text_similarity, element_f1 are all 0, "
            "so nothing would be rewarded. Give at least one a weight."
        ),
    ),
    "text encoder missing": (
        _yaml("start: {start}\nalignment: {text_encoder: models/no}\n"),
        (
            "models/no: no such folder, and no such name in the local Hugging Face cache. "
            "Check the path; hazardscribe itself fetches nothing."
        ),
    ),
    "unknown logger": (
        _yaml("start: {start}\nreport_to: [paper]\n"),
        ("recipe: report_to names 'paper', which transformers does not know; it knows …."),
    ),
    "no temperature": (
        _yaml("reward: {temperature: 0}\n"),
        ("recipe recipe.yaml: reward.temperature is 0.0; it must be above 0, or left out."),
    ),
    "out is a file": (_into("file"), "--out file: is a file, not a folder. Name another folder."),
    "out within a file": (
        _into("file/run"),
        (
            "--out file/run: cannot be written (Not a directory). Check the path, or name "
            "another folder."
        ),
    ),
    "out holds a run": (
        _into("run"),
        (
            "run: already holds a training run. Continue it with --resume, or name another "
            "folder with --out."
        ),
    ),
    "nothing to resume": (
        _into("nothing", resume=True),
        "nothing: holds no training run to resume. Leave --resume out.",
    ),
    "resumed with another recipe": (
        _resume(lambda r: r["recipe"].update(seed=7)),
        (
            "run: was trained with another recipe; these keys differ: seed. Resume with "
            "the recipe in its run.json, or start a new run in another folder."
        ),
    ),
    "resumed with other pairs": (
        _resume(lambda r: r["data"].update(digest="0")),
        (
            "run: was trained on other pairs than these (data hash differs). Resume with "
            "the same pairs, or start a new run in another folder."
        ),
    ),
    "resumed from another version": (
        _resume(
            lambda r: (r["recipe"].update(future_key=1), r["versions"].update(hazardscribe="9"))
        ),
        (
            "run: was trained with another recipe; these keys differ: future_key. Resume "
            "with the recipe in its run.json, or start a new run in another folder. The "
            "run is of hazardscribe 9, this is …."
        ),
    ),
}
