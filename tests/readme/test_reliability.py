"""Each promise in docs/reliability.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").split("\n## ")[1]


@pytest.mark.parametrize("number", range(1, 11))
def test_a_promise_names_its_tests(number: int) -> None:
    [promise] = re.findall(
        rf"^\*\*{number}\. .*?(?=^\*\*\d|\Z)", PROMISES, re.DOTALL | re.MULTILINE
    )
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
    assert named
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
