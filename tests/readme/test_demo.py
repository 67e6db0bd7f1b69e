"""The demo keeps its promises: what it learns and what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hazardscribe import verbs
from hazardscribe.demo import RECIPE, demo
from hazardscribe.errors import InputError
from hazardscribe.pairs.scenes import KINDS
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.run import Run

ROOT = Path(__file__).resolve().parents[2]


def test_recipe_file_is_the_demo_s_recipe() -> None:
    assert replace(Recipe.load(ROOT / "recipes" / "demo.yaml"), start="") == RECIPE


def test_a_folder_of_the_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("photo,description\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"is not empty, and the demo did not make it"):
        demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def test_a_stopped_demo_names_only_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scenes(folder: Path, **options: object) -> Path:
        folder.mkdir(exist_ok=True)
        return folder

    def train(data: Path, recipe: Recipe, out: Path, progress: bool) -> Run:
        (out / "run.json").write_text("{}", encoding="utf-8")
        (out / "mine.txt").write_text("", encoding="utf-8")
        return Run(out, out / "model", "interrupted", {}, 15, [])

    monkeypatch.setattr("hazardscribe.pairs.scenes.render_scenes", scenes)
    monkeypatch.setattr(verbs, "init", lambda out, **options: out)
    monkeypatch.setattr(verbs, "train", train)
    out = tmp_path / "demo"
    for message in ("the demo was stopped", "already holds a demo run"):
        with pytest.raises(InputError, match=message) as refused:
            demo(out)
        assert str(refused.value).endswith(f"in {out}: scenes, run.json, demo.json.")
    (out / "run.json").unlink()
    with pytest.raises(InputError, match="already holds"):
        demo(out, seed=1)  # would mix two demos


@pytest.mark.extended
def test_demo_learns_to_describe_held_out_scenes(tmp_path: Path) -> None:
    from hazardscribe.cli import main

    folder = tmp_path / "demo"
    assert main(["demo", "--out", str(folder)]) == 0

    assert (folder / "report.html").is_file()
    assert (folder / "model" / "config.json").is_file()
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["hazard_f1"]["value"] >= 0.95
    assert metrics["element_f1"]["value"] >= 0.85
    kinds = {name: metrics["elements"][name]["f1"]["value"] for name in KINDS}
    assert min(kinds.values()) >= 0.70, kinds
    for name, baseline in metrics["baselines"].items():
        assert baseline["element_f1"]["value"] < 0.5, name
