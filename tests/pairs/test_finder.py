"""Which files the names in a cell mean."""

from __future__ import annotations

import pytest

from hazardscribe.pairs.finder import PhotoFinder


@pytest.fixture
def finder(tmp_path):
    for name in ("photos/02.png", "photos/05.png", "photos/a;b.png", "A区;B区/07.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return PhotoFinder(None, tmp_path)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("photos/02.png;photos/05.png", ["photos/02.png", "photos/05.png"]),
        ("02.png；05.png", ["02.png", "05.png"]),
        ("elsewhere/02.png;elsewhere/05.png", ["elsewhere/02.png", "elsewhere/05.png"]),
        ("photos/a;b.png", ["photos/a;b.png"]),
        ("a;b.png", ["a;b.png"]),
        ("A区;B区/07.png", ["A区;B区/07.png"]),
        (r"A区;B区\07.png", [r"A区;B区\07.png"]),
        ('["photos/02.png", "a;b.png"]', ["photos/02.png", "a;b.png"]),
    ],
)
def test_a_cell_is_one_name_only_if_it_is_one_file(finder, cell, names):
    assert finder.split_cell(cell) == names
    assert all(isinstance(finder.find(name), str) for name in names)


def test_brackets_that_hold_no_list_of_names_are_text(finder):
    assert finder.split_cell("[1, 2]") == ["[1", "2]"]
    assert finder.split_cell("[02.png; 05.png") == ["[02.png", "05.png"]
