"""The list of licences names what the package asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def test_every_requirement_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        re.sub(r"[-_.]+", "-", Requirement(one).name).lower()
        for group in (
            project["dependencies"],
            *(extras[name] for name in extras if name != "dev"),
        )
        for one in group
    }
    table = (ROOT / "docs" / "licenses.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([\w-]+) \|", table, re.MULTILINE))
    assert wanted - {"hazardscribe"} <= listed, "make licences"
