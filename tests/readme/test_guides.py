"""Every command of README and guides is one that the command line takes, in both languages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)
PAGES = ["README.md", "README.zh-CN.md", "docs/start.md", "docs/start.zh-CN.md"]


def commands(page: str) -> list[str]:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.split("\n")]
    return [line for line in lines if line.startswith("hazardscribe ")]


def test_the_guide_gives_the_same_commands_in_both_languages() -> None:
    assert commands("docs/start.md")
    assert commands("docs/start.md") == commands("docs/start.zh-CN.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_that_the_command_line_takes(
    page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from hazardscribe.cli import build_parser
    from hazardscribe.flags import as_parsed

    parser = build_parser()
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / "my-reward.yaml").symlink_to(ROOT / "recipes" / "reward.yaml")
    monkeypatch.chdir(tmp_path)
    for command in commands(page):
        try:
            parser.instantiate(parser.parse_args(as_parsed(shlex.split(command)[1:])))
        except SystemExit:
            pytest.fail(f"{page}: {command}")


def test_recipes_named_in_the_guides_exist() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"recipes/([\w-]+\.yaml)", (ROOT / page).read_text(encoding="utf-8"))
    }
    assert named
    assert [name for name in sorted(named) if not (ROOT / "recipes" / name).is_file()] == []
