"""The parser of the command line with errors for people: one sentence, one line of usage.

jsonargparse answers a mistyped option with the usage of all options, dozens of lines, and with
the names of Python types. Here the sentence comes first, names the option or the recipe's key as
the user wrote it, proposes the nearest one, and points to the help.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, get_loader, set_loader

_KEY = re.compile(r'^Parser key "(?P<key>[^"]*)":\s*(?P<rest>.*)$', re.DOTALL)
_RECIPE_KEY = re.compile(r"[a-z_.]+$")
_EXPECTED = re.compile(r"Expected an? (?P<type>.+?)\. Got value: (?P<value>.*)$", re.DOTALL)
_UNKNOWN_KEY = re.compile(r"does not accept option '(?P<key>[^']*)'")
_UNKNOWN_OPTION = re.compile(r"^unrecognized arguments: (?P<given>.*)$", re.DOTALL)
_REQUIRED = re.compile(r"arguments? (?:is|are) required: (?P<names>.*)$")
_CHOICE = re.compile(r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<all>.*)\)")
_BROKEN = re.compile(r"^Problems parsing config: (?P<cause>.*)$", re.DOTALL)
_UNION = re.compile(r"Subtypes: \[(?P<types>.*?)\]\s.*Given value: (?P<value>.*)$", re.DOTALL)
_TYPES = {
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
    "<class 'str'>": "text",
    "<class 'list'>": "a list",
    "<class 'NoneType'>": "null",
}
_TYPES_BARE = {name.replace("'", ""): words for name, words in _TYPES.items()}


class Parser(ArgumentParser):
    """jsonargparse's parser; abbreviated options are refused, errors are short."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        set_loader("values", load_value, exceptions=(ValueError,))
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("parser_mode", "values")
        super().__init__(*args, **kwargs)
        self.given: Sequence[str] = ()
        self.usage_line = ""

    def parse_args(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """Parse; exits with code 2 and a sentence where that is not possible."""
        self.given = list(sys.argv[1:] if args is None else args)
        if not self.usage_line:
            # Made now: while it parses, jsonargparse hides which options are required.
            verbs = getattr(self, "_subcommands_action", None)
            for parser in [self] if verbs is None else [self, *verbs.choices.values()]:
                parser.usage_line = _usage(parser)
        try:
            return super().parse_args(self.given, **kwargs)
        except UnicodeDecodeError:
            self.error(f"recipe {self._recipe()}: is not UTF-8 text; save it as UTF-8")

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong and how to find help; exit with code 2."""
        if not self.exit_on_error:
            super().error(message, ex)
        parser = getattr(ex, "subcommand_parser", None) or self._parser_of_verb() or self
        program = _program(parser)
        print(f"{program}: {self._plain(message, parser)}", file=sys.stderr)
        print(f"usage: {parser.usage_line}", file=sys.stderr)
        print(f"All options: {program} --help", file=sys.stderr)
        self.exit(2)

    def _plain(self, message: str, parser: Any) -> str:
        options = [name for action in parser._actions for name in action.option_strings]
        if (found := _UNKNOWN_KEY.search(message)) and self._recipe():
            keys = [option.removeprefix("--") for option in options]
            key = found["key"]
            return f"recipe {self._recipe()}: there is no key {key!r}.{_nearest(key, keys)}"
        if found := _UNKNOWN_OPTION.search(message):
            option = found["given"].split()[0].partition("=")[0]
            what = "option" if option.startswith("-") else "argument"
            return f"there is no {what} {option}.{_nearest(option, options)}"
        if found := _REQUIRED.search(message):
            names = (name.strip().rpartition(".")[2] for name in found["names"].split(","))
            shown = (f"--{name}" if f"--{name}" in options else name.upper() for name in names)
            return f"{', '.join(shown)} must be given"
        if found := _CHOICE.search(message):
            verbs = re.findall(r"[\w-]+", found["all"])
            return f"there is no verb {found['given']!r}.{_nearest(found['given'], verbs)}"
        if found := _BROKEN.search(message):
            return f"recipe {self._recipe()}: is not valid YAML: {' '.join(found['cause'].split())}"
        if message.startswith("Unexpected config"):
            return f"recipe {self._recipe()}: is not a mapping of keys to values"
        if message.startswith('expected "verb"'):
            return "say what to do: name one of the verbs below"
        if found := _KEY.match(message):
            key, rest = found["key"], plain_types(found["rest"])
            if key == "config":
                if "does not exist" in rest:
                    return f"recipe {self._recipe()}: there is no such file"
                return f"recipe {self._recipe()}: {rest[0].lower() + rest[1:]}"
            typed = any(one.partition("=")[0] == f"--{key}" for one in self.given)
            if not typed and self._recipe():
                return f"recipe {self._recipe()}: {key} {rest}"
            return f"--{key} {rest}"
        return message

    def _recipe(self) -> str:
        """What was named with --config, or nothing."""
        for one, following in zip(self.given, [*self.given[1:], ""], strict=True):
            name, sign, value = one.partition("=")
            if name == "--config":
                return value if sign else following
        return ""

    def _parser_of_verb(self) -> Any:
        """The verb's own parser: some errors are raised for the whole command."""
        verbs = getattr(self, "_subcommands_action", None)
        choices = {} if verbs is None else verbs.choices
        return next((choices[one] for one in self.given[:1] if one in choices), None)


def load_value(text: str) -> Any:
    """YAML, yet what it takes for a comment, an empty node or a mapping of no recipe's keys is a
    name: `--out '#1.jsonl'`, `--columns.description '隐患: 描述'`.

    Raises:
        ValueError: if it is not valid YAML.
    """
    try:
        value = get_loader("yaml")(text)
    except Exception as error:  # of a library that jsonargparse chooses
        raise ValueError(str(error)) from error
    empty = value is None and text.strip() not in ("", "null")
    named = isinstance(value, dict) and not any(_RECIPE_KEY.match(str(key)) for key in value)
    return text if empty or named else value


def plain_types(message: str) -> str:
    """`Expected a <class 'int'>. Got value: x` as `is 'x'; it must be a whole number`."""
    if found := _UNION.search(message):
        literals = re.sub(
            r"(?:typing\.)?Literal\[(.*?)\]", lambda m: m[1].replace(", ", " or "), found["types"]
        )
        kinds = literals.replace("'", "").split(", ")
        wanted = " or ".join(_TYPES_BARE.get(kind, kind) for kind in kinds)
        return f"is {found['value'].strip()!r}; it must be {wanted}"
    found = _EXPECTED.search(message)
    if found is None:
        return " ".join(message.split())
    kind = found["type"]
    literal = re.search(r"Literal\[(.*?)\]", kind)
    if literal:
        wanted = "one of " + literal[1].replace("'", "")
    else:
        wanted = _TYPES.get(kind, kind.removeprefix("typing."))
    return f"is {found['value'].strip()!r}; it must be {wanted}"


def plain_key_error(message: str, keys: Iterable[str], prefix: str = "") -> str:
    """A parser's complaint about plain values (no command line) in the same words."""
    if found := _UNKNOWN_KEY.search(message):
        key = found["key"].removeprefix(prefix)
        return f"there is no key {key!r}.{_nearest(key, keys)}"
    if found := _KEY.match(message):
        return f"{found['key'].removeprefix(prefix)} {plain_types(found['rest'])}"
    return message


def _nearest(given: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.7)
    return f" Did you mean {close[0]}?" if close else ""


def _program(parser: Any) -> str:
    return str(parser.prog).replace(" [options]", "")


def _usage(parser: Any) -> str:
    """The program with what it cannot do without."""
    verbs = getattr(parser, "_subcommands_action", None)
    if verbs is not None:
        return f"{_program(parser)} {{{','.join(verbs.choices)}}} ..."
    parts = [_program(parser)]
    for action in parser._actions:
        if not action.option_strings:
            parts.append(f"{action.dest.upper()} ..." if action.nargs else action.dest.upper())
        elif action.required:
            parts.append(f"{action.option_strings[0]} {action.dest.upper()}")
    return " ".join([*parts, "[options]"])
