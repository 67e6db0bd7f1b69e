"""The command line told to end, and not read."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys

import pytest

from hazardscribe import cli, verbs


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_verb_that_is_told_to_end_keeps_what_it_has(monkeypatch, capsys, tmp_path):
    out = tmp_path / "out.jsonl"

    @functools.wraps(verbs.describe)  # the parser reads its options from it
    def describe(**options):
        record = {"photo": "a.jpg", "ai_description": "未戴安全帽", "error": None}
        with out.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(record))
            yield record
            os.kill(os.getpid(), signal.SIGTERM)
            yield record

    former = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(verbs, "describe", describe)
    assert cli.main(["describe", "a.jpg", "--model", "m"]) == 143
    assert signal.getsignal(signal.SIGTERM) is former
    seen = capsys.readouterr()
    assert seen.out == "a.jpg\t未戴安全帽\n"
    assert seen.err == "hazardscribe describe: interrupted\n"
    assert "未戴安全帽" in json.loads(out.read_text(encoding="utf-8"))["ai_description"]


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_an_import_goes_on_when_nobody_reads_what_it_says(photos, tmp_path):
    (tmp_path / "l.csv").write_text(f"photo,description\n{photos[0]},未戴安全帽\n", "utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hazardscribe.cli", "import", "l.csv", "--out", "pairs"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "pairs" / "pairs.parquet").exists()
