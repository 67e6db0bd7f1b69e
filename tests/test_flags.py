"""Switches, dashes and sheet names, as people write them."""

from __future__ import annotations

import pytest

from hazardscribe import cli, verbs
from hazardscribe.flags import as_parsed
from hazardscribe.training.run import Run


@pytest.mark.parametrize(
    ("given", "resume"),
    [
        (["--resume"], True),
        (["--resume", "true"], True),
        (["--resume", "false"], False),
        ([], False),
    ],
)
def test_resume_is_a_switch(given, resume, monkeypatch):
    seen = {}

    def remember(data, recipe, out, *, resume, progress):
        seen["resume"] = resume
        return Run(out, out / "model", "finished", {}, None, [])

    monkeypatch.setattr(verbs, "train", remember)
    assert cli.main(["train", "--data", "pairs", *given, "--start", "x"]) == 0
    assert seen["resume"] is resume


@pytest.mark.parametrize(
    ("given", "dry"),
    [("--dry-run", True), ("--dry-run=true", True), ("--dry_run=false", False), ("", False)],
)
def test_a_dash_stands_for_an_underscore_in_switches(given, dry):
    arguments = as_parsed(["import", "ledger.xlsx", *given.split()])
    assert cli.build_parser().parse_args(arguments)["import"]["dry_run"] is dry


@pytest.mark.parametrize(
    ("given", "sheets"),
    [
        (["--sheets", "3月"], ["3月"]),
        (["--sheets=3月"], ["3月"]),
        (["--sheets", "3月", "--sheets", "2025"], ["3月", "2025"]),
        (["--sheets", '["3月", "4月"]'], ["3月", "4月"]),
        (["--sheets", "[3月, 4月]", "--sheets", "5月"], ["3月", "4月", "5月"]),
        (["--sheets+", "3月"], ["3月"]),
        (["--sheets", "#1机组", "--sheets=#2机组"], ["#1机组", "#2机组"]),
        (["--sheets", "- 附表", "--sheets", "null", "--sheets", "~"], ["- 附表", "null", "~"]),
        (["--sheets", "[旧", "--sheets", '"引号"', "--sheets", "a: b"], ["[旧", '"引号"', "a: b"]),
        ([], []),
    ],
)
def test_sheets_are_named_plainly(given, sheets):
    arguments = as_parsed(["import", "ledger.xlsx", *given, "--dry-run"])
    assert (cli.build_parser().parse_args(arguments)["import"]["sheets"] or []) == sheets
