"""What the benchmarks tell of a machine and of repeated figures; each of them imports it."""

from __future__ import annotations

import atexit
import platform
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path


def processor() -> str:
    """The processor's name, as Linux tells it, else what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def accelerator() -> str | None:
    """The GPU's name, None where there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Median and extremes."""
    found = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(one, digits) for name, one in found.items()} | {"repeats": len(values)}


def passing_folder() -> Path:
    """An empty folder that goes when the process ends."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
