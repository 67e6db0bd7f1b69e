"""The recipe is one thing, written as YAML, as options or as a Python call."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hazardscribe.cli import build_parser, main
from hazardscribe.errors import InputError
from hazardscribe.training.likelihood import with_first_share
from hazardscribe.training.recipe import (
    _BOUNDS,
    Alignment,
    Augmentation,
    Lora,
    Part,
    Recipe,
    Reward,
)

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))

# Every field away from its default.
OTHER = Recipe(
    start="my/vlm",
    stage="reward",
    language="en",
    target="{description_en}",
    prompt="What is wrong?",
    rules="my/rules.yaml",
    tower=Part("lora", 1e-5, "bfloat16"),
    projector=Part("freeze", 2e-5, "bfloat16"),
    llm=Part("freeze", 3e-5, "bfloat16"),
    lora=Lora(8, 16, 0.1),
    alignment=Alignment(0.5, "sigmoid", "my/encoder", "query: ", "cls", 1.0, 2, 1e-4, 0.5, 0.1),
    reward=Reward("grpo", 4, 0.9, 0.1, 0.5, 0.25, 0.75, 0.3, 0.4, 0.01, 2),
    augmentation=Augmentation(0.5, 0.1, 0.2),
    safe_share=0.5,
    safe_text="all in order",
    word_dropout=0.1,
    image_size=256,
    image_bound=512,
    tower_norm="moving",
    steps=100,
    epochs=1.5,
    batch_size=2,
    accumulation=8,
    bucket=4,
    warmup=0.1,
    schedule="linear",
    weight_decay=0.1,
    max_grad_norm=0.0,
    max_text_tokens=64,
    evaluate_every=10,
    evaluate_photos=7,
    best_by="element_f1",
    patience=3,
    calibrate=False,
    save_every=5,
    keep=1,
    activation_checkpointing=True,
    compile=True,
    find_batch_size=True,
    workers=2,
    seed=1,
    report_to=["tensorboard"],
)


def parse(*arguments: str) -> Recipe:
    """The recipe that `hazardscribe train ARGUMENTS` runs."""
    parser = build_parser()
    parsed = parser.parse_args(["train", "--data", "pairs", *arguments])
    options = vars(parser.instantiate(parsed)["train"])
    return Recipe(**{field.name: options[field.name] for field in fields(Recipe)})


def dump(values: dict, path: Path) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        YAML().dump(values, stream)
    return path


def test_nothing_is_lost_between_yaml_recipe_and_dictionary(tmp_path):
    for field in fields(Recipe):
        assert getattr(OTHER, field.name) != getattr(Recipe(), field.name), field.name
    path = dump(OTHER.to_dict(), tmp_path / "recipe.yaml")
    assert Recipe.load(path) == OTHER
    assert Recipe.from_dict(OTHER.to_dict()) == OTHER
    assert parse("--config", str(path)) == OTHER


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_shipped_recipes_load(path):
    assert Recipe.load(path) == parse("--config", str(path))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"batchsize": 3}, "batchsize"),
        ({"tower": {"learning_rat": 1e-4}}, "learning_rat"),
        ({"alignment": {"form": "clip"}}, "form"),
        ({"steps": "many"}, "steps is 'many'; it must be a whole number"),
        ({"epoch": 3}, "there is no key 'epoch'. Did you mean epochs?"),
        ({"batch_size": 0}, "batch_size"),
        ({"augmentation": {"crop": 0.9}}, "augmentation.crop"),
        ({"tower": {"learning_rate": 5}}, "tower.learning_rate"),
        ({"projector": {"tune": "lora"}}, "projector.tune"),
        ({"projector": {"compute": "bfloat16"}}, "projector.compute"),
        ({"projector": {"tune": "freeze", "compute": "bfloat16"}}, "projector.compute"),
        ({"alignment": {"weight": 0.0, "first_share": 0.5}}, "alignment.first_share"),
        ({"alignment": {"first_share": 1.1}}, "alignment.first_share"),
        ({"alignment": {"first_share": -0.1}}, "alignment.first_share"),
        ({"alignment": {"later_weight": -0.5}}, "alignment.later_weight"),
        ({"alignment": {"first_share": 0.0, "later_weight": 0.5}}, "alignment.later_weight"),
        ({"safe_share": 2}, "safe_share"),
    ],
)
def test_a_wrong_key_is_named(values, key, tmp_path):
    with pytest.raises(InputError, match=key):
        Recipe.from_dict(values)
    with pytest.raises(InputError, match=key):
        Recipe.load(dump(values, tmp_path / "recipe.yaml"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("evaluate_photos", 0),
        ("workers", -1),
        ("evaluate_every", -1),
        ("save_every", -1),
        ("patience", -1),
        ("max_grad_norm", -1.0),
        ("weight_decay", -0.1),
        ("image_size", 0),
        ("image_bound", -5),
        ("seed", -1),
        ("lora.rank", 0),
        ("lora.alpha", 0),
        ("lora.dropout", 1.0),
        ("alignment.queries", 0),
        ("alignment.learning_rate", 0.0),
        ("alignment.share_above", 1.5),
        ("augmentation.brightness", -0.1),
    ],
)
def test_a_number_out_of_bounds_is_refused_before_anything_is_trained(key, value):
    part, _, name = key.rpartition(".")
    values = {part: {name: value}} if part else {name: value}
    with pytest.raises(InputError, match=f"recipe: {key} is {value}; it must be"):
        Recipe.from_dict(values)


def test_every_number_of_a_recipe_has_its_bounds():
    bounded = {key for keys in _BOUNDS for key in keys.split()}
    numbers = {
        ".".join(filter(None, (part, field.name)))
        for part, holder in {"": Recipe(), **vars(Recipe())}.items()
        if is_dataclass(holder)
        for field in fields(holder)
        if re.search(r"\b(int|float)\b", str(field.type))
    }
    # These are judged together with others.
    together = {"epochs", "alignment.first_share", "alignment.later_weight"}
    assert bounded == numbers - together


def test_at_least_one_part_must_learn():
    frozen = Part(tune="freeze")
    with pytest.raises(InputError, match="nothing would be trained"):
        Recipe(tower=frozen, projector=frozen, llm=frozen)


@pytest.mark.parametrize("content", [None, "a: [", "- 1\n- 2\n"])
def test_what_is_no_recipe_is_refused(content, tmp_path):
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        Recipe.load(path)


def test_options_override_the_recipe_file(tmp_path):
    path = dump(OTHER.to_dict(), tmp_path / "recipe.yaml")
    recipe = parse("--config", str(path), "--seed", "7", "--llm.tune", "full")
    assert recipe.seed == 7
    assert recipe.llm == Part("full", 3e-5, "bfloat16")
    assert recipe.tower == OTHER.tower


def test_the_hints_of_the_cpu_recipe_may_be_uncommented(tmp_path):
    text = next(path for path in RECIPES if path.stem == "cpu").read_text(encoding="utf-8")
    text = text.replace("  text_encoder: lsa\n", "")
    for key in ("text_encoder", "prefix"):
        assert f"  # {key}:" in text
        text = text.replace(f"  # {key}:", f"  {key}:")
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    alignment = Recipe.load(tmp_path / "recipe.yaml").alignment
    assert (alignment.text_encoder, alignment.prefix) == (
        "models/multilingual-e5-small",
        "query: ",
    )


@pytest.mark.parametrize("given", ["tensorboard,wandb", "[tensorboard, wandb]"])
def test_loggers_may_be_given_with_or_without_brackets(given):
    assert parse("--report_to", given).report_to == ["tensorboard", "wandb"]
    assert parse("--report_to", "tensorboard").report_to == ["tensorboard"]


def test_false_means_false():
    assert parse("--activation_checkpointing", "false").activation_checkpointing is False
    assert parse("--activation_checkpointing", "true").activation_checkpointing is True


def test_the_printed_recipe_is_commented_and_can_be_read_back(tmp_path):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        build_parser().parse_args(
            ["train", "--data", "pairs", "--start", "my/vlm", "--print_config=comments"]
        )
    assert ended.value.code == 0
    text = printed.getvalue()
    assert "# optimizer steps" in text.lower()
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    assert parse("--config", str(path)) == Recipe(start="my/vlm")


@pytest.mark.parametrize(
    ("card", "recipe", "first_share"),
    [
        ({"tower": "some/tower"}, {}, 0.4),
        ({"tower": "some/tower"}, {"alignment": {"first_share": 0.1}}, 0.1),
        ({"tower": "some/tower"}, {"alignment": {"weight": 0}}, 0),
        ({"tower": "some/tower"}, {"tower": {"tune": "freeze"}}, 0),
        ({"start": "a/start"}, {}, 0),  # it describes already
        (None, {}, 0),  # from elsewhere
    ],
)
def test_the_alignment_goes_first_where_the_encoder_has_learned_nothing_yet(
    card, recipe, first_share, tmp_path
):
    if card is not None:
        (tmp_path / "hazardscribe.json").write_text(json.dumps(card), encoding="utf-8")
    resolved = with_first_share(Recipe.from_dict({"start": str(tmp_path), **recipe}))
    assert resolved.alignment.first_share == first_share


@pytest.mark.parametrize("name", ["cpu", "gpu-8gb", "gpu-24gb", "gpu-80gb"])
def test_a_general_recipe_goes_on_from_a_trained_model_without_such_steps(name, tmp_path):
    recipe = Recipe.load(RECIPES[0].parent / f"{name}.yaml")
    for card, first_share in (({"tower": "some/tower"}, 0.4), ({"start": "a/start"}, 0)):
        (tmp_path / "hazardscribe.json").write_text(json.dumps(card), encoding="utf-8")
        resolved = with_first_share(replace(recipe, start=str(tmp_path)))
        assert resolved.alignment.first_share == first_share


def test_a_weight_for_later_without_first_steps_is_refused_before_anything_is_read(
    start, pairs_folder, tmp_path, capsys
):
    folder = shutil.copytree(start, tmp_path / "start")
    (folder / "hazardscribe.json").unlink()  # from elsewhere
    command = ["train", "--data", str(pairs_folder), "--start", str(folder)]
    command += ["--alignment.later_weight", "0.1", "--out", str(tmp_path / "run")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "alignment.later_weight: weighs the alignment after steps" in told
    assert "checking photos" not in told
