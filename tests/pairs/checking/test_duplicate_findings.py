"""Equal and nearly equal photos, within a split and across splits, and their texts."""

from __future__ import annotations

import pytest
from made_photos import picture, text
from PIL import Image, ImageEnhance

from hazardscribe.pairs.checking.measure import measure_photo
from hazardscribe.pairs.ledger.keeping import Kept, keep_photos
from hazardscribe.pairs.near_duplicates import look_at
from hazardscribe.pairs.read import read_pairs


def copy(lines, tmp_path, source: int, target: int) -> None:
    """Another file with the same bytes."""
    (tmp_path / lines[target]["photo"]).write_bytes(
        (tmp_path / lines[source]["photo"]).read_bytes()
    )


def twin(lines, tmp_path, source: int, target: int) -> None:
    """The same photo stored smaller and a little darker."""
    small = ImageEnhance.Brightness(picture(source).resize((160, 128))).enhance(0.9)
    small.save(tmp_path / lines[target]["photo"])


def test_clean_pairs_have_no_finding(lines, find):
    assert find(lines) == {}


@pytest.mark.parametrize("target", [8, 10])
def test_the_same_photo_in_two_splits_is_an_error(target, lines, find, tmp_path):
    copy(lines, tmp_path, 1, target)
    found = find(lines)
    assert set(found) == {"leak_same_photo", "photo_several_texts"}
    assert found["leak_same_photo"].severity == "error"
    assert [place.row for place in found["leak_same_photo"].places] == [2, target + 1]


def test_nearly_the_same_photo_in_two_splits_is_an_error(lines, find, tmp_path):
    twin(lines, tmp_path, 1, 10)
    (found,) = find(lines).values()
    assert (found.code, found.severity, found.count) == ("leak_near_duplicate", "error", 2)
    assert found.examples[0].values["likeness"] > 0.95


def test_twins_within_a_split_are_hints(lines, find, tmp_path):
    twin(lines, tmp_path, 1, 4)
    (found,) = find(lines).values()
    assert (found.code, found.severity) == ("near_duplicate", "hint")
    copy(lines, tmp_path, 1, 4)
    assert set(find(lines)) == {"photo_copies", "photo_several_texts"}
    assert find(lines)["photo_copies"].severity == "hint"


def test_the_same_photo_with_different_texts(lines, find):
    lines.append({**lines[0], "description": text(55)})
    (found,) = find(lines).values()
    assert (found.code, found.severity, found.count) == ("photo_several_texts", "hint", 1)
    assert found.examples[0].texts == (text(0), text(55))


def test_the_same_pair_again(lines, find):
    lines.append(dict(lines[0]))
    (found,) = find(lines).values()
    assert (found.code, found.count) == ("pair_repeated", 1)
    assert [place.row for place in found.places] == [13]


def test_the_same_photo_as_hazard_and_as_safe(lines, find):
    for number, line in enumerate(lines):
        line["hazard"] = str(number % 2)
    lines.append({**lines[0], "description": text(55), "hazard": "1"})
    found = find(lines)
    assert found["photo_contradicts"].severity == "warning"
    lines[-1]["hazard"] = "0"
    assert set(find(lines)) == {"photo_several_texts"}


@pytest.mark.parametrize("size", [(60, 48), (200, 160), (900, 700)])
def test_checking_and_importing_see_the_same_look(size, tmp_path):
    """A JPEG decoded at another scale has another look: one would link what the other does not."""
    photo = tmp_path / "one.jpg"
    picture(1, size).save(photo, quality=60)
    look = look_at(photo)
    assert look is not None
    assert measure_photo(photo).look == look
    [(_, kept)] = keep_photos([("one", photo.read_bytes)], None)
    assert isinstance(kept, Kept)
    assert kept.likeness == look


@pytest.mark.parametrize("cut", [0.01, 0.02, 0.2])
def test_what_reading_keeps_together_is_a_leak_when_apart(cut, lines, find, tmp_path):
    """And what it does not link is none: one definition for splits and check."""
    whole = picture(1).resize((400, 320), Image.Resampling.BICUBIC)
    across, down = int(400 * cut), int(320 * cut)
    whole.save(tmp_path / lines[1]["photo"])
    whole.crop((across, down, 400 - across, 320 - down)).save(tmp_path / lines[10]["photo"])
    leaks = "leak_near_duplicate" in find(lines)
    assert leaks == (cut < 0.1)
    for line in lines:
        del line["split"]
    find(lines)  # writes the table
    together = []
    for seed in range(12):
        frame = read_pairs(tmp_path / "pairs.csv", seed=seed).frame
        together.append(frame["split"][1] == frame["split"][10])
    assert all(together) == leaks
