"""What the model is served is what it was trained on: the same numbers for the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
from PIL import Image
from running_server import picture, running

from hazardscribe import verbs
from hazardscribe.model.prompting import Prompter
from hazardscribe.pairs.read import read_pairs
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.train import train


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


# Below and beyond the size to which photos are decoded, of every form that a phone or a camera has.
PHOTOS = {
    "small.png": picture(64, 48, "PNG"),
    "large.png": picture(900, 700, "PNG"),
    "small.jpg": picture(64, 48),
    "large.jpg": picture(1600, 1200, quality=90),
    "turned.jpg": picture(400, 300, exif=turned()),
    "grey.jpg": picture(320, 240, quality=40),
    "page.webp": picture(300, 500, "WEBP"),
    "scan.tif": picture(500, 300, "TIFF"),
}


@pytest.fixture
def seen(monkeypatch) -> set[str]:
    """Digests of all photos, each as the model got it, since the set was last emptied."""
    digests: set[str] = set()
    former = Prompter.inputs

    def inputs(self, photos, device="cpu"):
        batch = former(self, photos, device)
        for row in batch["pixel_values"]:
            digests.add(hashlib.sha256(row.contiguous().numpy().tobytes()).hexdigest())
        return batch

    monkeypatch.setattr(Prompter, "inputs", inputs)
    return digests


def test_served_and_described_photos_are_those_of_training(start, serve_app, seen, tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    lines = ["photo,description,split"]
    for name, content in PHOTOS.items():
        (folder / name).write_bytes(content)
        lines.append(f"{name},临边未设护栏 {name},train")
    Image.new("RGB", (64, 48), "red").save(folder / "dev.png")
    (folder / "pairs.csv").write_text("\n".join([*lines, "dev.png,未戴安全帽,dev"]), "utf-8")
    recipe = Recipe(start=str(start), steps=1, batch_size=8, max_text_tokens=4, calibrate=False)
    run = train(read_pairs(folder), recipe, tmp_path / "run")
    trained = set(seen)
    assert len(trained) == len(PHOTOS) + 1  # that of dev was described

    def served(model: Path) -> set[str]:
        seen.clear()
        with running(serve_app(model)) as address:
            for content in PHOTOS.values():
                answer = httpx.post(f"{address}/v1/describe", files={"photos": content}, timeout=60)
                assert answer.status_code == 200
        return set(seen)

    assert served(run.model) < trained
    assert len(served(run.model)) == len(PHOTOS)
    seen.clear()
    for _ in verbs.describe([str(folder / name) for name in PHOTOS], run.model, device="cpu"):
        pass
    assert set(seen) < trained
    assert len(seen) == len(PHOTOS)
