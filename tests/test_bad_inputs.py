"""What people give that cannot be used, in one catalogue: what is said of it, word for word.

An error names what was wrong, where, and what to do. `…` in an expected sentence stands for what a
library of another version may say otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bad_inputs import checkpoints, ledgers, photos, recipes, requests
from bad_inputs.world import World
from hazardscribe.errors import InputError
from hazardscribe.serving.app import create_app
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.serving.store.store import Store
from hazardscribe.training.recipe import Recipe
from hazardscribe.training.train import train
from serving.running_server import running

GROUPS = {
    "photo": photos.CASES,
    "ledger": ledgers.CASES,
    "recipe": recipes.CASES,
    "checkpoint": checkpoints.CASES,
    "request": requests.CASES,
}
CATALOGUE = {f"{group}: {name}": case for group, of in GROUPS.items() for name, case in of.items()}


@pytest.fixture(scope="module")
def run(start, pairs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    small = {"steps": 2, "save_every": 1, "batch_size": 2, "max_text_tokens": 8}
    train(pairs, Recipe(start=str(start), **small), out)
    return out


@pytest.fixture(scope="module")
def server(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger")
    store = Store.open(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "photos")
    settings = ServeSettings(model=start, max_new_tokens=8, device="cpu", requests_per_minute=0)
    with running(create_app(settings, store=store)) as address:
        yield address
    store.close()


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_cannot_be_used_is_told(
    name, tmp_path, pairs_folder, start, run, server, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a trap that worked would leave its mark here
    world = World(tmp_path, pairs_folder, start, run, server)
    do, expected = CATALOGUE[name]
    try:
        said = do(world)
    except InputError as error:
        said = str(error)
    assert isinstance(said, str), "it was taken"
    said = said.replace(f"{tmp_path}/", "").replace(str(start), "START")
    pattern = re.escape(expected).replace("…", ".*")
    assert re.fullmatch(pattern, said, re.DOTALL), said
    assert not (tmp_path / "unpickled").exists()


def test_the_catalogue_is_as_long_as_is_promised() -> None:
    assert len(CATALOGUE) >= 120
