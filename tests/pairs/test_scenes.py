"""The made-up scenes are honest data: what is written is drawn, and only looking tells it.

Guards against a toy: no combination that is asked for was trained on, a hazard and its safe twin
differ in nothing but the decisive detail, and a linear probe on small pixels fails.
"""

import itertools
import json
import random
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from hazardscribe.errors import InputError
from hazardscribe.evaluation.rules import Rules
from hazardscribe.pairs.scenes import (
    COLOURS,
    KINDS,
    PLACES,
    held_out,
    render_scenes,
)
from hazardscribe.pairs.scenes.compose import Item, compose, scene_seed
from hazardscribe.pairs.scenes.drawings import DRAWINGS
from hazardscribe.pairs.scenes.phrases import phrases
from hazardscribe.pairs.scenes.picture import take_photo
from hazardscribe.pairs.scenes.wording import describe_en, describe_zh

Scene = tuple[Item, ...]
RULES = {language: Rules.load(language) for language in ("zh", "en")}


def _scenes(split: str, number: int) -> list[Scene]:
    unseen = split != "train"
    return [
        compose(random.Random(scene_seed(7, split, index)), unseen=unseen)
        for index in range(number)
    ]


def _recognised(text: str, language: str) -> set[str]:
    return set(RULES[language].elements(text))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes")
    return render_scenes(out, train=600, dev=20, validation=200)


@pytest.fixture(scope="module")
def table(ledger: Path) -> pd.DataFrame:
    return pd.read_csv(ledger / "pairs.csv")


# --- the ledger


def test_ledger_is_complete(ledger: Path, table: pd.DataFrame) -> None:
    assert list(table.columns) == [
        "photo",
        "description",
        "description_en",
        "hazard",
        "split",
        "facts",
    ]
    assert Counter(table["split"]) == {"train": 600, "dev": 20, "validation": 200}
    assert table["photo"].is_unique
    assert {f"photos/{path.name}" for path in (ledger / "photos").iterdir()} == set(table["photo"])
    for photo in table["photo"][::100]:
        with Image.open(ledger / photo) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (256, 192), "RGB")


def test_facts_name_known_things_and_agree_with_the_flag(table: pd.DataFrame) -> None:
    for flag, text in zip(table["hazard"], table["facts"], strict=True):
        facts = json.loads(text)
        told = facts["hazards"] + facts["safe"]
        assert flag == int(bool(facts["hazards"]))
        assert 1 <= len(told) <= 3
        assert len({item["where"] for item in told}) == len(told)
        assert all(item["kind"] in KINDS and item["where"] in PLACES for item in told)
        assert all(item["colour"] in COLOURS for item in told)


def test_scenes_differ(ledger: Path, table: pd.DataFrame) -> None:
    assert len({(ledger / photo).read_bytes() for photo in table["photo"]}) == len(table)


def test_same_arguments_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    def content(name: str, seed: int, workers: int) -> dict[str, bytes]:
        sizes = {"train": 4, "dev": 2, "validation": 2}
        out = render_scenes(tmp_path / name, **sizes, seed=seed, workers=workers)
        files = sorted(path for path in out.rglob("*") if path.is_file())
        return {str(path.relative_to(out)): path.read_bytes() for path in files}

    once = content("once", seed=1, workers=1)
    assert len(once) == 9
    assert content("once", seed=1, workers=1) == once  # rendered over itself
    assert content("twice", seed=1, workers=2) == once
    other = content("other", seed=2, workers=1)
    assert all(other[name] != once[name] for name in once)


def test_splits_share_no_seed() -> None:
    seeds = [
        scene_seed(0, split, index)
        for split in ("train", "dev", "validation")
        for index in range(3000)
    ]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"train": -1}, "train=-1"), ({"width": 40}, "width=40"), ({"workers": 0}, "workers=0")],
)
def test_unusable_numbers_are_named(tmp_path: Path, wrong: dict[str, int], word: str) -> None:
    with pytest.raises(InputError, match=word):
        render_scenes(tmp_path, **wrong)


def test_foreign_photos_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"mine\.jpg"):
        render_scenes(tmp_path, train=1, dev=0, validation=0)
    with pytest.raises(InputError, match="is a file"):
        render_scenes(tmp_path / "photos" / "mine.jpg", train=1, dev=0, validation=0)


def test_needs_no_model_library() -> None:
    code = (
        "import sys, hazardscribe.pairs.scenes; sys.exit(bool({'torch', 'transformers'} & "
        "set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the catalogue and the words


def test_catalogue_covers_the_trade() -> None:
    assert len(KINDS) >= 14
    domains = {"gas", "electrical", "fire", "height", "ppe", "storage", "housekeeping"}
    assert {kind.domain for kind in KINDS.values()} == domains
    assert set(DRAWINGS) == set(phrases()["zh"]) == set(phrases()["en"]) == set(KINDS)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_wording_is_recognised_and_no_other(language: str) -> None:
    for kind, said in phrases()[language].items():
        assert len(said.objects) * len(said.defects) >= 8
        assert len(said.defects) >= 4
        assert len(said.safe) >= 4
        for thing, defect in itertools.product(said.objects, said.defects):
            assert _recognised(f"{thing} {defect}", language) == {kind}
        for phrase in (*said.safe, *said.risks):
            assert not _recognised(phrase, language), phrase


def test_descriptions_tell_exactly_the_hazards() -> None:
    scenes = _scenes("train", 700) + _scenes("validation", 300)
    rng = random.Random(0)
    for items in scenes:
        truth = {item.kind for item in items if item.hazard}
        zh, en = describe_zh(items, rng), describe_en(items, rng)
        assert _recognised(zh, "zh") == truth, zh
        assert _recognised(unicodedata.normalize("NFKC", zh), "zh") == truth, zh
        assert _recognised(en, "en") == truth, en
        assert not re.search(r"[{}\[\]]|  | ,|,,", zh + en)
        assert bool(truth) != zh.startswith(("未", "现场未", "检查未"))
        assert bool(truth) != bool(re.match(r"(No|Inspection) ", en))


def test_descriptions_are_as_long_as_a_ledgers() -> None:
    rng = random.Random(1)
    lengths = np.array([len(describe_zh(items, rng)) for items in _scenes("train", 500)])
    assert np.mean((lengths >= 8) & (lengths <= 40)) > 0.85


# --- held-out combinations


def _withheld(items: Scene) -> set[str]:
    """Which sorts of withheld combination the hazards of a scene hold."""
    out = held_out()
    hazards = [item for item in items if item.hazard]
    found = {"look" for item in hazards if out.looks[item.kind, item.place] == item.colour}
    pairs = itertools.combinations([item.kind for item in hazards], 2)
    return found | {"pair" for pair in pairs if frozenset(pair) in out.pairs}


def test_training_never_shows_a_withheld_combination() -> None:
    out = held_out()
    for items in _scenes("train", 5000):
        assert not _withheld(items)
        assert all(out.looks[item.kind, item.place] != item.colour for item in items)


def test_withheld_looks_stay_withheld_in_a_mirrored_photo() -> None:
    looks = held_out().looks
    for kind in KINDS:
        assert looks[kind, "left"] == looks[kind, "right"] != looks[kind, "middle"]


def test_training_shows_every_place_and_every_colour_of_each_kind() -> None:
    items = [item for scene in _scenes("train", 2400) for item in scene]
    assert {(item.kind, item.place) for item in items} == set(itertools.product(KINDS, PLACES))
    assert {(item.kind, item.colour) for item in items} == set(itertools.product(KINDS, COLOURS))


@pytest.mark.parametrize("split", ["dev", "validation"])
def test_every_unseen_hazard_scene_holds_a_new_combination(split: str) -> None:
    sorts: Counter[str] = Counter()
    for items in _scenes(split, 1000):
        if any(item.hazard for item in items):
            found = _withheld(items)
            assert found
            sorts.update(found)
    assert all(sorts[sort] > 100 for sort in ("look", "pair"))


@pytest.mark.parametrize(("split", "number", "least"), [("train", 2400, 110), ("dev", 300, 8)])
def test_every_kind_occurs_often_in_both_states(split: str, number: int, least: int) -> None:
    shown = Counter((item.kind, item.hazard) for s in _scenes(split, number) for item in s)
    assert all(shown[kind, state] >= least for kind in KINDS for state in (True, False))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_three_scenes_in_ten_are_safe(split: str) -> None:
    hazards = [sum(item.hazard for item in items) for items in _scenes(split, 4000)]
    assert np.mean(np.array(hazards) == 0) >= 0.3
    assert set(hazards) == {0, 1, 2, 3}


# --- a hazard and its safe twin


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("trait", ["place", "colour", "count"])
def test_trait_does_not_tell_the_state(split: str, trait: str) -> None:
    """Chi-squared for independence of state and trait, all kinds together: at most 1 in 1,000."""
    seen = Counter(
        (item.kind, item.hazard, getattr(item, trait))
        for items in _scenes(split, 30000)
        for item in items
    )
    statistic, freedom = 0.0, 0
    for kind in KINDS:
        values = sorted({value for name, _, value in seen if name == kind}, key=str)
        cells = np.array(
            [[seen[kind, state, value] for value in values] for state in (True, False)]
        )
        expected = cells.sum(1, keepdims=True) * cells.sum(0) / cells.sum()
        statistic += float(((cells - expected) ** 2 / expected).sum())
        freedom += len(values) - 1
        shares = cells / cells.sum(1, keepdims=True)
        assert np.abs(shares[0] - shares[1]).max() < 0.06
    # Wilson and Hilferty's normal approximation of the chi-squared distribution
    spread = 2 / (9 * freedom)
    assert ((statistic / freedom) ** (1 / 3) - (1 - spread)) / spread**0.5 < 3.1


def _twins(kind: str, seed: int) -> NDArray[np.float64]:
    """Where a hazard's photo differs from its twin's, same seed; (96, 128), in grey levels."""
    photos = []
    for state in (True, False):
        item = Item(kind, "middle", "green", 1, state)
        photo = take_photo([item], seed, 256, 192).resize((128, 96), Image.Resampling.BOX)
        photos.append(np.asarray(photo, dtype=np.float64))
    return np.abs(photos[0] - photos[1]).max(axis=2)


@pytest.mark.parametrize("kind", KINDS)
def test_twins_differ_by_a_detail_that_survives_128_pixels_and_nothing_else(kind: str) -> None:
    for seed in range(6):
        apart = _twins(kind, seed)
        rows, columns = np.nonzero(apart > 12)
        assert min(np.ptp(rows), np.ptp(columns)) >= 8
        assert len(rows) >= 64
        # the setting and both other thirds of the photo are the same to the last bit
        assert not apart[:, :34].any()
        assert not apart[:, -34:].any()


# --- guard against a toy


def test_linear_probe_on_small_pixels_fails(ledger: Path, table: pd.DataFrame) -> None:
    def load(split: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        rows = table[table["split"] == split]
        pixels = []
        for photo in rows["photo"]:
            with Image.open(ledger / photo) as image:
                small = image.resize((32, 32), Image.Resampling.BOX)
                pixels.append(np.asarray(small, dtype=np.float32).ravel() / 255)
        told = [{item["kind"] for item in json.loads(text)["hazards"]} for text in rows["facts"]]
        return np.stack(pixels), np.array([[kind in one for kind in KINDS] for one in told])

    pixels, truth = load("train")
    unseen, wanted = load("validation")
    chances = np.stack(
        [
            LogisticRegression(C=0.1, max_iter=200).fit(pixels, truth[:, i]).predict_proba(unseen)
            for i in range(len(KINDS))
        ]
    )[:, :, 1].T
    # even the threshold is chosen in the probe's favour
    for threshold in np.linspace(0.05, 0.5, 10):
        guess = chances > threshold
        assert 2 * (guess & wanted).sum() / (guess.sum() + wanted.sum()) < 0.5
