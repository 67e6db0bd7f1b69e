"""The README's commands, run as they are written, in a fresh folder with small stand-ins.

`make demo` and `make test` are what `.ci/run` and the demo test run; everything else is here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tiny

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)

pytestmark = pytest.mark.extended


def blocks(readme: str, language: str) -> list[str]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return [body for name, body in BLOCK.findall(text) if name == language]


def commands(readme: str) -> list[str]:
    lines = [
        line.split("  #")[0].strip() for body in blocks(readme, "bash") for line in body.split("\n")
    ]
    return [line for line in lines if line.startswith("hazardscribe ")]


def save_small_parts(models: Path) -> None:
    """A small convolutional tower and a tiny Qwen where the README has downloaded models."""
    from transformers import TimmWrapperConfig, TimmWrapperModel

    tower = TimmWrapperModel(TimmWrapperConfig(architecture="resnet10t", do_pooling=False))
    tower.save_pretrained(models / "tf_efficientnet_lite0.in1k")
    tiny.save_language_model("qwen3", models / "Qwen3-0.6B")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hazardscribe import export
    from hazardscribe.pairs.scenes import render_scenes

    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    scenes = render_scenes(folder / "scenes", train=24, dev=6, validation=6, width=128, height=96)
    export(scenes, to="xlsx", out=folder / "隐患台账.xlsx")
    later = {"train": 8, "dev": 2, "validation": 4, "seed": 1}
    render_scenes(folder / "corrected-2026q1", **later, width=128, height=96)
    (folder / "new-photos").mkdir()
    photos = sorted((scenes / "photos").iterdir())
    shutil.copyfile(photos[0], folder / "new-photos" / "a.jpg")
    shutil.copyfile(photos[1], folder / "photo.jpg")
    save_small_parts(folder / "models")
    return folder


ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "HF_HUB_OFFLINE": "1",
    "PYTHONUTF8": "1",
}


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=900
    )


def serve_one_photo(command: str, folder: Path) -> None:
    """Start the server, on a free port, ask for its page and a description, and stop it."""
    import httpx

    with subprocess.Popen(
        [*command.split(), "--port", "0"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        try:
            [address] = re.findall(r"http://\S+", said)
            assert "隐患" in httpx.get(address).text
            photo = {"photos": (folder / "photo.jpg").read_bytes()}
            answer = httpx.post(f"{address}v1/describe", files=photo, timeout=120)
            assert answer.json()["descriptions"][0]["text"], answer.text
        finally:
            server.send_signal(signal.SIGTERM)
            _, errors = server.communicate(timeout=120)
        assert server.returncode == 0, errors


def test_both_readmes_give_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh-CN.md")
    assert blocks("README.md", "python") == blocks("README.zh-CN.md", "python")


def test_commands_run_one_after_the_other(folder: Path) -> None:
    for command in commands("README.md"):
        if command == "hazardscribe demo":
            continue  # minutes long; has a test of its own
        if command.startswith("hazardscribe serve"):
            serve_one_photo(command, folder)
            continue
        done = run(command.split(), folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (folder / "runs/mine/report/report.html").is_file()
    assert (folder / "described.csv").read_text(encoding="utf-8-sig").startswith("photo,AI")


def test_python_example_runs(folder: Path) -> None:
    [example] = blocks("README.md", "python")
    for verb, made in (("import", "pairs"), ("init", "start")):
        if not (folder / made).exists():
            first = next(c for c in commands("README.md") if c.startswith(f"hazardscribe {verb}"))
            assert run(first.split(), folder).returncode == 0
    # A folder that the command line has not trained in.
    example = example.replace("runs/mine", "runs/python").replace("epochs=5", "epochs=1")
    done = run([sys.executable, "-c", example], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
