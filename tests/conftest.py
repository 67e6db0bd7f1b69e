"""What all tests share: no network, one thread, own caches, small pairs, a small start model."""

from __future__ import annotations

import os
import secrets

# Before any library is imported, or it would have looked already.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

# Neither this process nor any that it starts speaks to another machine.
_GUARD = str(Path(__file__).parent / "no_network")
# A name alone: the file is made by whoever reaches out, and removed once it is told. Processes that
# pytest starts write into the file of the first, which tells for all.
_LOG = "HAZARDSCRIBE_OUTWARD_LOG"
_TELLS = _LOG not in os.environ
_NAME = f"hazardscribe-outward-{secrets.token_hex(8)}"
_OUTWARD = Path(os.environ.setdefault(_LOG, str(Path(tempfile.gettempdir()) / _NAME)))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (_GUARD, os.environ.get("PYTHONPATH"))))
if getattr(sys.modules.get("sitecustomize"), "OutwardConnectionError", None) is None:
    runpy.run_path(f"{_GUARD}/sitecustomize.py")

# The same examples every time: a change is judged by its own faults. The long damage tests, which
# count up their own seeds, look further. A busy machine fails none: what takes long is not a fault.
settings.register_profile(
    "suite",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where something reached for another machine and swallowed the refusal."""
    if _TELLS and _OUTWARD.exists():
        print(f"\nreached for other machines:\n{_OUTWARD.read_text(encoding='utf-8')}")
        _OUTWARD.unlink()
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from or written to the user's caches."""
    monkeypatch.setenv("HAZARDSCRIBE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve little photos, each with a Chinese and an English description: 8 train, 2 dev, 2."""
    from tiny import TEXTS

    folder = tmp_path_factory.mktemp("pairs")
    lines = ["photo,description,description_en,split"]
    for i in range(12):
        rng = np.random.default_rng(i)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        # Of several shapes, so that nothing rests on all photos being alike.
        size = [(64, 48), (48, 64), (56, 56)][i % 3]
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:02}.png")
        split = "train" if i < 8 else "dev" if i < 10 else "validation"
        zh, en = (TEXTS[language][i % 6] for language in ("zh", "en"))
        lines.append(f'{i:02}.png,"{zh}","{en}",{split}')
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def pairs(pairs_folder: Path):
    from hazardscribe.pairs.read import read_pairs

    return read_pairs(pairs_folder)


@pytest.fixture(scope="session")
def photos(pairs_folder: Path) -> list[str]:
    return sorted(str(path) for path in pairs_folder.glob("*.png"))


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small composed LLaVA, as `hazardscribe init` leaves it."""
    import tiny
    from hazardscribe import verbs

    folder = tmp_path_factory.mktemp("start")
    tower = tiny.save_tower("siglip", folder / "tower")
    llm = tiny.save_language_model("llama", folder / "llm")
    return verbs.init(folder / "model", vision=str(tower), llm=str(llm), chat="plain")


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory):
    """Folder of a family's tiny checkpoint, made once."""
    import tiny

    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tiny.save_family(name, tmp_path_factory.mktemp("family") / name)
        return made[name]

    return folder
