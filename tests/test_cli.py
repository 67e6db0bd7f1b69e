"""The command line: quick help, plain errors, exit codes, and the whole way once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tiny
from hazardscribe import cli, verbs
from hazardscribe.errors import TrainingDivergedError
from hazardscribe.training.run import Run

VERBS = (
    "demo",
    "import",
    "check",
    "merge",
    "init",
    "train",
    "evaluate",
    "describe",
    "serve",
    "export",
)


def hazardscribe(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "hazardscribe.cli", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )


def test_help_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "hazardscribe.cli", "--help"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert all(verb in done.stdout for verb in VERBS)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hazardscribe.verbs" in loaded
    heavy = ("torch", "transformers", "datasets", "pandas", "sklearn", "numpy", "PIL", "peft")
    heavy += ("fastapi", "pydantic", "uvicorn", "sqlalchemy", "httpx")
    assert loaded.isdisjoint(heavy)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_each_of_its_options(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert f"hazardscribe [options] {verb}" in capsys.readouterr().out
    parser = cli.build_parser()._subcommands_action.choices[verb]
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.fixture
def broken(tmp_path, start) -> dict[str, Path]:
    """Model folders that must not be loaded, and recipes that are wrong."""
    import shutil

    pickled = Path(shutil.copytree(start, tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    foreign = Path(shutil.copytree(start, tmp_path / "foreign"))
    config = json.loads((foreign / "config.json").read_text())
    (foreign / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "m.M"}}))
    unknown = tmp_path / "unknown.yaml"
    unknown.write_text("learning_rte: 3\n")
    frozen = tmp_path / "wrong.yaml"
    frozen.write_text("batch_size: 0\n")
    (tmp_path / "gbk.yaml").write_bytes("prompt: 描述隐患\n".encode("gbk"))
    (tmp_path / "near.yaml").write_text("epoch: 3\n")
    (tmp_path / "near2.yaml").write_text("seed: many\n")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (tmp_path / "ledger.csv").write_text("photo,description\n")
    more = {name: tmp_path / f"{name}.yaml" for name in ("gbk", "near", "near2")}
    more |= {"photo": tmp_path / "photo.jpg", "table": tmp_path / "ledger.csv"}
    paths = more | {"pickled": pickled, "foreign": foreign, "unknown": unknown, "wrong": frozen}
    return paths | {"missing": tmp_path / "missing", "start": start, "out": tmp_path / "out"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --data {missing} --start {start} --out {out}", "missing"),
        ("train --data {pairs} --start {missing} --out {out}", "no such model folder"),
        ("train --data {pairs} --start {pickled} --out {out}", "Pickled weights"),
        ("train --data {pairs} --start {foreign} --out {out}", "custom code"),
        ("train --data {pairs} --out {out}", "start is empty"),
        ("train --data {pairs} --config {unknown}", "learning_rte"),
        ("train --data {pairs} --config {wrong}", "batch_size"),
        ("train --data {pairs} --config {missing}", "there is no such file"),
        ("train --data {pairs} --config {gbk}", "is not UTF-8 text; save it as UTF-8"),
        ("train --data {pairs} --config {photo}", "is not UTF-8 text"),
        ("train --data {pairs} --config {unknown} --epoch 3", "Did you mean --epochs?"),
        ("train --data {pairs} --config {near}", "near.yaml: there is no key 'epoch'. Did you"),
        ("train --data {pairs} --config {near2}", "near2.yaml: seed is 'many'; it must be a whole"),
        ("train --data {pairs} --llm.tune ful", "--llm.tune is 'ful'; it must be one of full, lo"),
        ("train --data {pairs} --image_size big", "--image_size is 'big'; it must be "),
        ("train --start {start}", "--data must be given"),
        ("train --data {missing} --out {table} --start {start}", "is a file, not a folder"),
        ("train --data {missing} --out {table}/run --start {start}", "cannot be written"),
        ("train --data {missing} --start models/nope", "models/nope: no such folder, and no such"),
        ("train --data {missing} --out {out}", "start is empty"),
        ("train --data {missing} --start {start} --report_to nope", "'nope'"),
        (
            "train --data {missing} --start {start} --alignment.text_encoder models/nope",
            "models/nope: no such folder",
        ),
        ("train --data {pairs} --steps many", "steps"),
        ("train --data {pairs} --start {start} --out {out} --resume", "no training run to resume"),
        ("check {missing}", "missing"),
        ("check {pairs} --model {missing}", "no such model folder"),
        ("check {pairs} --model {pickled}", "Pickled weights"),
        ("check {pairs} --out {out}.pdf", ".html"),
        ("check {pairs} --fail-on often", "often"),
        ("init --out {start}", "already exists"),
        ("init --out {out}", "--data"),
        ("init --out {out} --vision {start} --llm {missing}", "cannot be composed"),
        ("evaluate --model {start} --data {pairs} --out {out} --split test", "no split 'test'"),
        ("init --out {table}/start --data {pairs}", "cannot be written"),
        ("init --out {out} --vision models/nope --llm {start}", "models/nope: no such folder"),
        ("init --out {out} --data {pairs} --vision {start}/nope", "no such model folder"),
        ("evaluate --model {missing} --data {missing} --out {table}", "is a file, not a folder"),
        ("evaluate --model {missing} --data {missing} --out {out} --rules {missing}", "rule file"),
        ("evaluate --model {start} --data {missing} --out {out} --batch_size 0", "at least 1"),
        ("evaluate --model {start} --data {missing} --out {out} --device gpu", "is no device"),
        ("describe {pairs} --model {missing} --out {table}", "was not written by `describe`"),
        ("describe {pairs} --model {missing} --out {table}/a.csv", "is a file"),
        ("describe {pairs} --model {start} --batch_size 0", "--batch_size 0: must be at least 1"),
        ("describe {pairs} --model {start} --device gpu", "--device gpu: is no device"),
        ("describe {pairs} --model {start} --device cuda:77", "--device cuda:77:"),
        ("evaluate --model {pickled} --data {pairs} --out {out}", "Pickled weights"),
        ("describe {missing} --model {start}", "missing"),
        ("describe {pairs}/*.jpg --model {start}", "matches no file"),
        ("describe {pairs} --model {start} --out {out}.xls", ".jsonl, .csv or .xlsx"),
        ("describe --model {start}", "PHOTOS must be given"),
        ("paint", "paint"),
        ("evalute", "Did you mean evaluate?"),
    ],
)
def test_what_cannot_be_used_ends_with_code_2_and_a_message(
    arguments, message, broken, pairs_folder, capfd
):
    filled = [part.format(**broken, pairs=pairs_folder) for part in arguments.split()]
    try:
        code = cli.main(filled)
    except SystemExit as ended:  # the parser's own errors
        code = ended.code
    assert code == 2
    shown = capfd.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert shown.count("\n") <= 6
    assert broken["table"].read_text() == "photo,description\n"
    assert not broken["out"].exists()


def test_an_error_of_the_user_shows_no_traceback_in_a_real_process(broken, pairs_folder):
    done = hazardscribe("train", "--data", pairs_folder, "--start", broken["missing"])
    assert done.returncode == 2
    assert b"no such model folder" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_chinese_survives_a_console_that_knows_only_ascii(start, photos, tmp_path):
    out = tmp_path / "描述.jsonl"
    done = hazardscribe(
        *("describe", photos[0], "--model", start, "--max_new_tokens", "4", "--out", out),
        PYTHONIOENCODING="ascii",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("ascii").startswith(photos[0])
    help_text = hazardscribe("--help", PYTHONIOENCODING="ascii")
    assert help_text.returncode == 0
    assert "隐患".encode("ascii", "backslashreplace") in help_text.stdout
    missing = hazardscribe("describe", "照片.jpg", "--model", start, PYTHONIOENCODING="ascii")
    assert missing.returncode == 2
    assert "照片".encode("ascii", "backslashreplace") in missing.stderr


def test_a_bad_photo_is_named_and_the_rest_described(start, photos, tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    code = cli.main(
        ["describe", photos[0], str(bad), photos[1], "--model", str(start), "--max_new_tokens=4"]
    )
    shown = capsys.readouterr()
    assert code == 0
    assert [line.split("\t")[0] for line in shown.out.splitlines()] == photos[:2]
    assert "bad.png" in shown.err
    assert "1 of 3 photos could not be read; the lines above say why" in shown.err
    assert shown.err.count("bad.png") == 1


def test_describing_nothing_at_all_is_an_error(start, tmp_path, capsys):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no photo")
    out = tmp_path / "out.csv"
    for _ in range(2):  # its own file may be written over
        assert cli.main(["describe", str(tmp_path), "--model", str(start), "--out", str(out)]) == 2
        assert "2 of 2 photos could not be read; their rows say why" in capsys.readouterr().err


@pytest.mark.parametrize("shared", [{"RANK": "1", "WORLD_SIZE": "2"}, {}])
def test_a_share_of_bad_photos_alone_does_not_end_the_whole_job(
    shared, start, photos, tmp_path, monkeypatch, capsys
):
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "b.jpg").write_bytes(b"no photo")
    out = tmp_path / "out.jsonl"
    given = [*photos[: len(shared) // 2], str(tmp_path / "b.jpg"), "--model", str(start)]
    assert cli.main(["describe", *given, "--out", str(out), "--resume"]) == 0
    assert "1 of 1 photo could not be read; their rows say why" in capsys.readouterr().err


def test_an_interrupted_verb_ends_as_shells_expect(monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "train", interrupt)
    assert cli.main(["train", "--data", "x", "--start", "y"]) == 130
    assert capsys.readouterr().err == "hazardscribe train: interrupted\n"


def test_a_file_error_that_nobody_foresaw_is_a_sentence(monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise PermissionError(13, "Permission denied", "/locked/away")

    monkeypatch.setattr(verbs, "train", fail)
    assert cli.main(["train", "--data", "x", "--start", "y"]) == 2
    assert "/locked/away: Permission denied" in capsys.readouterr().err


def test_lost_rows_are_told_and_listed_in_the_run_folder(
    pairs_folder, start, tmp_path, capfd, caplog
):
    table = (pairs_folder / "pairs.csv").read_text(encoding="utf-8").replace("photo,", "pic,")
    table = table.replace("description,d", "said,d")
    rows = "".join(f"gone{i}.png,x,y,train\n" for i in range(13))
    (tmp_path / "ledger.csv").write_text(table + rows, encoding="utf-8")
    arguments = ["train", "--data", str(tmp_path / "ledger.csv"), "--out", str(tmp_path / "run")]
    arguments += ["--start", str(start), "--photos", str(pairs_folder)]
    arguments += ["--columns.photo", "pic", "--columns.description", "said"]
    assert cli.main([*arguments, "--steps=1", "--batch_size=2", "--max_text_tokens=8"]) == 0
    told = caplog.text + capfd.readouterr().err
    assert "MORE THAN HALF OF THE ROWS ARE LOST: 13 of 25" in told
    assert "left out: photo_missing 13" in told
    assert "row 15: gone2.png: no such file" in told
    assert "gone3.png" not in told
    listed = (tmp_path / "run" / "rejected.csv").read_text(encoding="utf-8-sig")
    assert len(listed.splitlines()) == 14


def test_divergence_has_its_own_code(monkeypatch, capsys):
    def diverge(*args, **kwargs):
        raise TrainingDivergedError("the loss is not a finite number at step 3")

    monkeypatch.setattr(verbs, "train", diverge)
    assert cli.main(["train", "--data", "pairs", "--start", "x"]) == cli.DIVERGED == 4
    assert "not a finite number at step 3" in capsys.readouterr().err


def test_a_gpu_without_memory_is_no_defect_of_ours(monkeypatch, capsys):
    import torch

    def fill(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(verbs, "train", fill)
    assert cli.main(["train", "--data", "pairs", "--start", "x"]) == cli.UNUSABLE
    assert "out of GPU memory. Lower --batch_size" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_says_how_to_go_on(number, monkeypatch, capsys, tmp_path):
    def stop(data, recipe, out, *, resume, progress):
        return Run(out, out / "model", "interrupted", {}, int(number), [])

    monkeypatch.setattr(verbs, "train", stop)
    code = cli.main(["train", "--data", "pairs", "--start", "x", "--out", str(tmp_path)])
    assert code == 128 + number
    assert "the same command with --resume added" in capsys.readouterr().err


@pytest.mark.parametrize(
    "out", ["#1机组.jsonl", "&1.jsonl", "- 1.jsonl", "[1].jsonl", "a: b.jsonl"]
)
def test_a_path_is_taken_as_it_is_written(out):
    def parsed(*given):
        return cli.build_parser().parse_args(["describe", "#1.jpg", *given])["describe"]

    seen = parsed("--out", out, f"--model=#{out}")
    assert (seen["photos"], seen["out"], seen["model"]) == (["#1.jpg"], Path(out), Path(f"#{out}"))
    assert parsed("--out", "null")["out"] is None  # the one way to say so


def test_a_column_is_taken_as_it_is_named():
    given = ["import", "a.xlsx", "--columns.description", "隐患: 描述", "--columns.place", "003"]
    seen = cli.build_parser().parse_args(given)["import"]
    assert dict(seen["columns"]) == {"description": "隐患: 描述", "place": "003"}


def test_a_recipe_may_have_a_single_line(tmp_path):
    (tmp_path / "r.yaml").write_text("steps: 3", encoding="utf-8")
    given = ["train", "--config", str(tmp_path / "r.yaml"), "--data", "x", "--start", "y"]
    assert cli.build_parser().parse_args(given)["train"]["steps"] == 3


def test_an_evaluation_does_not_replace_the_report_of_an_import(start, tmp_path, capsys):
    (tmp_path / "report.html").write_text("every row accounted for", encoding="utf-8")
    given = ["--model", str(start), "--data", str(tmp_path), "--out", str(tmp_path)]
    assert cli.main(["evaluate", *given]) == 2
    assert "report.html that no evaluation wrote" in capsys.readouterr().err
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "every row accounted for"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_whole_way(language, pairs_folder, photos, tmp_path, capsys):
    target = "{description}" if language == "zh" else "{description_en}"
    tower = tiny.save_tower("siglip", tmp_path / "tower")
    llm = tiny.save_language_model("qwen2", tmp_path / "llm")
    start, run, report = tmp_path / "start", tmp_path / "run", tmp_path / "report"
    common = ["--data", str(pairs_folder)]
    assert cli.main(["init", "--out", str(start), "--vision", str(tower), "--llm", str(llm)]) == 0
    paths = [*common, "--start", str(start), "--out", str(run)]
    options = ["--target", target, "--steps=2", "--batch_size=4", "--max_text_tokens=12"]
    assert cli.main(["train", *paths, *options]) == 0
    assert f"model: {run / 'model'}" in capsys.readouterr().out
    card = json.loads((run / "model" / "hazardscribe.json").read_text())
    assert (card["language"], card["target"]) == (language, target)
    assert (run / "loss.png").stat().st_size > 1000

    model = ["--model", str(run / "model")]
    assert cli.main(["evaluate", *model, *common, "--out", str(report)]) == 0
    shown = capsys.readouterr().out
    assert "most_frequent" in shown
    assert "nearest" in shown
    metrics = json.loads((report / "metrics.json").read_text())
    assert "cider_d" in json.dumps(metrics)
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "data:image" in page
    assert tiny.TEXTS[language][5] in page or tiny.TEXTS[language][4] in page

    table = tmp_path / "out.csv"
    found = ["--out", str(table), "--alternatives=1", "--max_new_tokens=8"]
    assert cli.main(["describe", str(pairs_folder), *model, *found]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 12
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) >= 13


def test_a_small_model_from_nothing_but_pairs(pairs_folder, tmp_path, capsys):
    out = tmp_path / "start"
    assert cli.main(["init", "--out", str(out), "--data", str(pairs_folder)]) == 0
    assert json.loads((out / "hazardscribe.json").read_text())["tower"] == "scratch"
    assert json.loads((out / "config.json").read_text())["model_type"] == "fast_vlm"
    assert f"model: {out}" in capsys.readouterr().out
