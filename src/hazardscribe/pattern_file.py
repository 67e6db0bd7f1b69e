"""YAML files of regular expressions that people edit: what is wrong with one, and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hazardscribe.errors import InputError


def read_text(path: Path, what: str, instead: str = "") -> str:
    """A file's text; a byte order mark is no part of it.

    Args:
        what: names the file in an error, such as `rule file zh.yaml`.
        instead: what else could be given, such as `zh, en or `.

    Raises:
        InputError: the file cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} cannot be read: it is not UTF-8 text; save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(
            f"{what} cannot be read ({error.strerror}); give {instead}the path of a YAML file"
        ) from error


def parse(text: str, where: str) -> Any:
    """The document in a YAML text.

    Raises:
        InputError: it is none; the message names the line.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InputError(f"{where} is not valid YAML: {fault(error)}; correct the line") from error


def fault(error: Exception) -> str:
    """What is wrong with YAML and in which line, without the parser's advice."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    problem = str(problem or error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem


def texts(value: Any, where: str) -> list[str]:
    """A list of texts, empty where there is none.

    Raises:
        InputError: it is no list: a text alone would be taken sign by sign.
    """
    if not isinstance(value or [], list) or not all(isinstance(one, str) for one in value or []):
        raise InputError(f"{where}: expected a list of texts, each on a line of its own after `- `")
    return value or []


def patterns(
    value: Any, where: str, plain: Callable[[str], str] | None = None
) -> tuple[re.Pattern[str], ...]:
    """A list of regular expressions, which take no account of case.

    Args:
        value: as the file has it. where: names the place in an error.
        plain: what is done to a text before it is searched; a pattern that this changes can never
            match.

    Raises:
        InputError: it is no list of texts, or an entry is empty, can never match, or is no regular
            expression.
    """
    return tuple(
        compiled(one, f"{where}, entry {number}", plain)
        for number, one in enumerate(texts(value, where), start=1)
    )


def compiled(
    pattern: str, where: str, plain: Callable[[str], str] | None = None
) -> re.Pattern[str]:
    """One regular expression; see `patterns`."""
    if not pattern.strip():
        raise InputError(f"{where}: the pattern is empty and would match every text; remove it")
    if plain is not None and (ordinary := plain(pattern)) != pattern.strip():
        raise InputError(
            f"{where}: {pattern!r} can never match, since texts are NFKC-normalised first: write "
            f"{ordinary!r}"
        )
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise InputError(
            f"{where}: {pattern!r} is not a regular expression ({error}); correct or remove it"
        ) from error
