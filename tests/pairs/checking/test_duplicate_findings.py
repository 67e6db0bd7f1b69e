"""Equal and nearly equal photos, within a split and across splits, and their texts."""

from __future__ import annotations

import pytest
from made_photos import picture, text
from PIL import ImageEnhance


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
