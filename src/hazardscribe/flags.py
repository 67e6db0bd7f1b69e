"""What people write on a command line, as jsonargparse takes it: switches, dashes, sheet names."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hazardscribe.arguments import load_value

_DASHED = frozenset(("dry_run", "split_numbered", "keep_unseeable"))
_SWITCHES = frozenset(
    (
        *("--resume", "--strict"),
        *("--dry_run", "--split_numbered", "--keep_unseeable"),
        *("--doubt", "--rerank"),
    )
)


def as_parsed(arguments: Sequence[str]) -> list[str]:
    """`--resume` alone means `--resume true`, as people expect of a switch.

    And `--sheets 3月` names one sheet, again and again if need be; jsonargparse would have a list
    written in brackets, or a plus behind the option. All names go to it as one list in JSON, as it
    reads YAML, in which `#1` is a comment and `- 1` a list.
    """
    result: list[str] = []
    sheets: list[str] = []
    named = False
    for i, argument in enumerate(arguments):
        if named:  # the value of --sheets before it
            named = False
            continue
        name, equals, value = argument.partition("=")
        if name.startswith("--") and name[2:].replace("-", "_") in _DASHED:
            name = "--" + name[2:].replace("-", "_")  # as most programs write them
            argument = f"{name}{equals}{value}"
        if argument in ("--no-doubt", "--no-rerank"):
            result += [f"--{argument[5:]}", "false"]
            continue
        if name in ("--sheets", "--sheets+") and (equals or i + 1 < len(arguments)):
            sheets += _sheet_names(value if equals else arguments[i + 1])
            named = not equals
            continue
        result.append(argument)
        following = arguments[i + 1].lower() if i + 1 < len(arguments) else ""
        if argument in _SWITCHES and following not in ("true", "false", "yes", "no"):
            result.append("true")
    return [*result, "--sheets", json.dumps(sheets, ensure_ascii=False)] if sheets else result


def _sheet_names(given: str) -> list[str]:
    """One name, or those of a list in brackets."""
    try:
        listed = load_value(given) if given.startswith("[") else None
    except ValueError:
        listed = None
    return list(map(str, listed)) if isinstance(listed, list) else [given]
