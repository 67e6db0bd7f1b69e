"""What the source may not do, read from its syntax tree: run what it loads, import unasked."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import hazardscribe
from hazardscribe.model.checkpoint import load_checkpoint

SOURCE = Path(hazardscribe.__file__).parent
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "imp", "yaml"}
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_CALLS = {
    *("os.system", "os.popen", "pd.read_pickle", "pandas.read_pickle", "joblib.load"),
    *("torch.hub.load", "torch.jit.load", "torch.package.PackageImporter"),
}


def faults(source: str) -> Iterator[str]:
    """What in a file could run code that came with data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name.split(".")[0] in FORBIDDEN_MODULES:
                    yield f"line {node.lineno}: imports {one.name}"
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
                yield f"line {node.lineno}: imports {node.module}"
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                    yield from _trusts(node.lineno, value)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    where = f"line {node.lineno}"
    if name in FORBIDDEN_NAMES | FORBIDDEN_CALLS:
        yield f"{where}: calls {name}"
    if name == "torch.load" and not _is(given.get("weights_only"), True):
        yield f"{where}: torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and not _is(given.get("allow_pickle", FALSE), False):
        yield f"{where}: {name} that unpickles"
    if "trust_remote_code" in given:
        yield from _trusts(node.lineno, given["trust_remote_code"])
    if name.endswith("YAML") and (given or node.args) and not _is(given.get("typ"), "safe"):
        yield f"{where}: YAML that is not safe"
    if name.endswith(".from_pretrained"):
        unpacked = {ast.unparse(one.value) for one in node.keywords if one.arg is None}
        if not unpacked & {"LOADING", "WEIGHTS"}:
            yield f"{where}: {name} without LOADING or WEIGHTS, which forbid code and pickles"
    if "shell" in given and not _is(given["shell"], False):
        yield f"{where}: a shell"


FALSE = ast.Constant(False)


def _is(node: ast.expr | None, value: object) -> bool:
    return (isinstance(node, ast.Constant) and node.value is value) or (
        isinstance(node, ast.Constant) and isinstance(value, str) and node.value == value
    )


def _trusts(line: int, value: ast.expr) -> Iterator[str]:
    if not _is(value, False):
        yield f"line {line}: trust_remote_code is not False"


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_the_source_runs_nothing_that_it_loads(path: Path) -> None:
    assert list(faults(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import dill as d",
        "import yaml",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=safe)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
        "os.system(text)",
        "run(text, shell=True)",
        "AutoModel.from_pretrained(path)",
        "AutoModel.from_pretrained(path, trust_remote_code=False)",
        "load(path, trust_remote_code=True)",
        "load(path, trust_remote_code=trusted)",
        "options = {'trust_remote_code': True}",
        "YAML(typ='unsafe')",
        "ruamel.yaml.YAML(typ=kind)",
    ],
)
def test_each_of_these_would_be_found(line: str) -> None:
    assert list(faults(line))


def test_code_that_lies_beside_a_model_is_not_run(start: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(start, tmp_path / "model"))
    marker = tmp_path / "ran"
    for name in ("processing_m.py", "tokenization_m.py", "modeling_m.py", "__init__.py"):
        (folder / name).write_text(f"open({str(marker)!r}, 'w')\nclass M: ...\n")
    maps = {
        "processor_config.json": {"AutoProcessor": "processing_m.M"},
        "tokenizer_config.json": {"AutoTokenizer": ["tokenization_m.M", None]},
    }
    for name, auto_map in maps.items():
        settings = json.loads((folder / name).read_text()) | {"auto_map": auto_map}
        (folder / name).write_text(json.dumps(settings))
    load_checkpoint(folder)  # transformers has classes of its own for all of them
    assert not marker.exists()


def imported(source: str) -> Iterator[str]:
    """The packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_package_that_is_imported_is_asked_for():
    """What comes along with another package may stay away with its next version."""
    text = (SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    groups = [project["dependencies"], *(extras[name] for name in extras if name != "dev")]
    asked = {_plain(Requirement(one).name) for group in groups for one in group}
    homes = packages_distributions()
    for path in SOURCE.rglob("*.py"):
        theirs = set(imported(path.read_text(encoding="utf-8"))) - set(sys.stdlib_module_names)
        for package in theirs - {"hazardscribe"}:
            home = {_plain(one) for one in homes.get(package, [package])}
            assert home & asked, f"{path}: imports {package}, which pyproject.toml does not name"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# From the top down; what lies beside these (errors, files, pages ...) belongs to none.
LAYERS = (
    {"cli", "demo", "verbs"},
    {"serving", "training"},
    {"describing"},
    {"evaluation", "model", "objectives"},
    {"pairs"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def parts_used(source: str) -> Iterator[str]:
    """The parts of this package that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{one.name}" for one in node.names]
        else:
            continue
        ours = (name.split(".") for name in names)
        yield from (parts[1] for parts in ours if parts[0] == "hazardscribe" and len(parts) > 1)


def test_imports_point_one_way():
    """As docs/architecture.md draws it: nothing knows what stands above or beside it."""
    for path in SOURCE.rglob("*.py"):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for other in set(parts_used(path.read_text(encoding="utf-8"))) - {part}:
            if part in LEVEL and other in LEVEL:
                down = LEVEL[part] < LEVEL[other] or LEVEL[part] == 0
                assert down, f"{path}: {part} imports {other}"
