"""The demo keeps its promises: what it learns and what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hazardscribe.demo import RECIPE
from hazardscribe.pairs.scenes import KINDS
from hazardscribe.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]


def test_recipe_file_is_the_demo_s_recipe() -> None:
    assert replace(Recipe.load(ROOT / "recipes" / "demo.yaml"), start="") == RECIPE


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
