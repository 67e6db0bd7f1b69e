"""The demo: made-up scenes, a model composed from scratch, both objectives, an honest report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from hazardscribe.errors import InputError
from hazardscribe.training.recipe import Alignment, Augmentation, Part, Recipe

# The twin of recipes/demo.yaml; a test holds the two together.
RECIPE = Recipe(
    tower=Part(learning_rate=2e-3),
    projector=Part(learning_rate=5e-4),
    llm=Part(learning_rate=2e-3),
    tower_norm="moving",
    alignment=Alignment(weight=0.3, share_above=0.6, learning_rate=5e-4, first_share=0.4),
    augmentation=Augmentation(mirror=0.5, brightness=0.2, crop=0.1),
    word_dropout=0.15,
    steps=1500,
    batch_size=32,
    evaluate_photos=100,
    best_by="element_f1",
    keep=1,
)
# A prompt costs time for every photo and every step, and a model from scratch knows no language
# in which it could be instructed.
PROMPT = {"zh": "隐患：", "en": "Hazard:"}
SCENES = {"train": 4000, "dev": 200, "validation": 600}
_SHOWN = 10
# Written first, so that the demo knows its own folder; and all else that it puts there.
_MARK = "demo.json"
_MADE = (
    *("scenes", "start", "model", "checkpoints", "run.json", "loss.png"),
    *("metrics.json", "report.html", _MARK),
)


def demo(
    out: Path = Path("runs/demo"),
    language: Literal["zh", "en"] = "zh",
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Any:
    """Run the whole way once, on scenes that are drawn for it.

    Args:
        out: folder for scenes, model, metrics and report.
        language: of the descriptions.
        seed: of scenes, weights and training.
        say: takes each line for the user.

    Raises:
        InputError: if the folder already holds a demo or anything else, or training was stopped
            by a signal.
    """
    from hazardscribe import verbs
    from hazardscribe.describing.describer import Describer
    from hazardscribe.pairs.read import read_pairs
    from hazardscribe.pairs.scenes import render_scenes

    _claim(out, {"language": language, "seed": seed})
    target = "{description}" if language == "zh" else "{description_en}"
    say("1/5 drawing made-up hazard scenes ...")
    scenes = render_scenes(out / "scenes", **SCENES, seed=seed, workers=2)
    say("2/5 composing a small model from scratch ...")
    start = out / "start"
    if not start.exists():
        verbs.init(start, data=scenes, target=target, seed=seed)
    say("3/5 training encoder and language model with both objectives ...")
    recipe = replace(RECIPE, start=str(start), target=target, prompt=PROMPT[language], seed=seed)
    run = verbs.train(scenes, recipe, out, progress=True)
    if run.signal is not None:
        raise InputError(f"the demo was stopped. To start again, {_remedy(out)}")
    say("4/5 evaluating on scenes with combinations never seen in training ...")
    evaluation = verbs.evaluate_model(run.model, scenes, out, seed=seed, progress=True)
    say("5/5 ten held-out photos:")
    photos = read_pairs(scenes)["validation"]
    column = target.strip("{}")
    shown = list(photos)[:: max(1, len(photos) // _SHOWN)][:_SHOWN]
    describer = Describer(run.model)
    for row, made in zip(shown, describer([row["photo"] for row in shown]), strict=True):
        say(f"  {Path(row['photo']).name}\n    written   {row[column]}\n    predicted {made.text}")
    return evaluation


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Take a new or empty folder, or one where a demo with these settings had only begun."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file. Name a new folder.")
    mark = out / _MARK
    if mark.is_file() or (out / "run.json").is_file():
        begun = mark.read_text(encoding="utf-8") if mark.is_file() else ""
        if (out / "run.json").exists() or begun != json.dumps(settings):
            raise InputError(
                f"--out {out}: already holds a demo run. To run it again, {_remedy(out)}"
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            f"--out {out}: is not empty, and the demo did not make it. Name a new folder."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark.write_text(json.dumps(settings), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"--out {out}: cannot be written ({error.strerror or error}). Name another folder."
        ) from error


def _remedy(out: Path) -> str:
    """How to make room for another demo without touching what is not the demo's."""
    made = ", ".join(name for name in _MADE if (out / name).exists())
    return f"name another folder with --out, or delete what the demo made in {out}: {made}."
