"""No test runs the benchmarks, so that a name which one of them takes must at least be there."""

from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent.parent / "benchmarks").glob("*.py"))


def is_there(module: str, name: str) -> bool:
    return hasattr(importlib.import_module(module), name) or bool(find_spec(f"{module}.{name}"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_what_a_benchmark_imports_of_hazardscribe_is_there(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    missing = [
        f"{node.module}: {one.name}"
        for node in imports
        if (node.module or "").partition(".")[0] == "hazardscribe"
        for one in node.names
        if not is_there(str(node.module), one.name)
    ]
    assert missing == []
