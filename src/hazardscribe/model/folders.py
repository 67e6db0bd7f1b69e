"""Model folders that must not be loaded, told apart before any library opens them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from hazardscribe.errors import InputError, missing_package

# How anything is loaded: nothing is fetched, no code of a checkpoint is run, nothing is unpickled.
LOADING: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
WEIGHTS: dict[str, Any] = {**LOADING, "use_safetensors": True}
# Packages that some checkpoints need, and the extra that brings them.
_EXTRAS = {"timm": "timm", "num2words": "smolvlm"}
# What transformers raises for a folder that is damaged, of another kind, or needs a package.
UNLOADABLE = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)


def refuse_unusable(path: str | Path) -> None:
    """Check a model folder before transformers opens it; a name in the local cache passes.

    Raises:
        InputError: if the folder is missing or no model folder, or would need custom code or
            pickled weights.
    """
    folder = Path(path)
    config = folder / "config.json"
    if not folder.is_dir():
        if folder.is_absolute() or str(path).startswith("."):
            raise InputError(f"{folder}: there is no such model folder. Check the path.")
        if not model_folder(str(path)).is_dir():
            raise InputError(
                f"{path}: no such folder, and no such name in the local Hugging Face cache. "
                "Check the path; hazardscribe itself fetches nothing."
            )
        return
    if not config.is_file():
        raise InputError(
            f"{folder}: holds no config.json, so it is not a model folder. After training, the "
            "model lies in the run folder's `model/`."
        )
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{config}: is not valid JSON ({error}); the file is damaged. Copy the model folder "
            "again from its origin."
        ) from error
    if not isinstance(settings, dict):
        raise InputError(
            f"{config}: holds no settings of a model (no JSON object). Copy the model folder again "
            "from its origin."
        )
    if "auto_map" in settings:
        raise InputError(
            f"{folder}: needs custom code ({config.name} has an auto_map), which hazardscribe "
            "never runs. Take the version of this model that transformers supports by itself."
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder}: holds no *.safetensors. Pickled weights are not loaded, because loading "
            "them can run code; convert them with transformers' save_pretrained first."
        )
    for weights in sorted(folder.glob("*.safetensors")):
        _refuse_no_safetensors(weights)


def _refuse_no_safetensors(path: Path) -> None:
    """Look at the header alone, and whether the data are as long as it says."""
    try:
        with safe_open(path, "np"):
            return
    except (SafetensorError, OSError) as error:
        damage = error
    # Only now: the length that whole safetensors begin with may be any byte, a pickle's too.
    with path.open("rb") as stream:
        begin = stream.read(4)
    if begin[:1] == b"\x80" or begin == b"PK\x03\x04":
        raise InputError(
            f"{path}: is a pickled file under the name of safetensors; it is not loaded, because "
            "loading it can run code. Ask for real safetensors, or convert the weights with "
            "transformers' save_pretrained where you trust their origin."
        )
    raise InputError(
        f"{path}: is no safetensors file, or was damaged or cut off ({damage}). Copy it again "
        "from its origin."
    )


def fingerprint(folder: Path, settings: str) -> str:
    """Tells one revision of a model from another without reading gigabytes of weights."""
    weights = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    parts = [settings, *(f"{w.name}:{w.stat().st_size}:{w.stat().st_mtime_ns}" for w in weights)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def reason(error: BaseException) -> str:
    """Why a library would not load a folder: one line, and a missing package with its remedy."""
    text = str(error).strip()
    if isinstance(error, ImportError):
        for package, extra in _EXTRAS.items():
            if package in text.lower():
                return missing_package(package, extra)
    return text.splitlines()[0].strip()[:300] if text else type(error).__name__


def damaged_settings(folder: Path) -> str:
    """Names the first JSON file of a folder that is none, for an error of a library; else ""."""
    for path in sorted(folder.glob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return f"{path.name} is damaged: "
    return ""


def absolute(name: str) -> str:
    """A model folder as an absolute path; a name in the local cache as it is."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def model_folder(name: str) -> Path:
    """The folder of a model: the name itself, or its snapshot in the local Hugging Face cache.

    A name that is neither is returned as it is.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    folder = Path(name)
    if folder.is_dir():
        return folder
    try:
        config = try_to_load_from_cache(folder.as_posix(), "config.json")
    except HFValidationError:  # not even a possible name
        return folder
    return Path(config).parent if isinstance(config, str) else folder
