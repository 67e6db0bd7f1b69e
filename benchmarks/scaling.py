"""Does time grow with the pairs alone, and memory not at all? From a thousand pairs to a million.

    python benchmarks/scaling.py [--sizes 1000 10000 100000] [--work DIR]

Draws photos (each another, small JPEGs) and a CSV ledger of the wanted sizes, then runs each stage
in a process of its own on each size: import, check, reading, the pixel cache, the text bank, steps
of training with both objectives (a small model from scratch) and the scoring of descriptions.
Printed: seconds for a thousand pairs, of training for a thousand steps, and peak memory. Writes
benchmarks/results/scaling.json, where figures of other sizes stay, and docs/pictures/scaling.svg. A
stage that took more than `--most` seconds is not run on the next size, and the result says so by
leaving it out.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import passing_folder

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1000, 10_000, 100_000, 1_000_000)
SITES = ("东侧", "西侧", "南侧", "北侧", "一层", "二层", "三层", "基坑")
STEPS = 40  # of training, whatever the number of pairs
OBJECTS = ("临边", "洞口", "配电箱", "气瓶", "脚手架", "灭火器", "电缆", "通道")
STATES = ("未设防护", "未固定", "破损", "锈蚀", "被堵塞", "无标识", "裸露", "超期")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=list(SIZES[:3]))
    parser.add_argument("--most", type=float, default=600, help="seconds")
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "scaling")
    parser.add_argument("--worker", nargs=2, metavar=("STAGE", "SIZE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        stage, size = args.worker
        print("RESULT " + json.dumps(work(stage, args.work / size)))
        return
    out = ROOT / "benchmarks" / "results" / "scaling.json"
    found = kept(out)
    slow: set[str] = set()
    for size in sorted(args.sizes):
        draw_ledger(args.work / str(size), size)
        for stage in args.stages:
            if stage in slow:
                continue
            found[stage][size] = one = run(stage, size)
            each = a_thousand(stage, size, one)
            print(f"{stage:8}{size:>10,}{each:>10.3f} s a thousand{one['peak_mib']:>8.0f} MiB")
            sys.stdout.flush()
            if one["seconds"] > args.most:
                slow.add(stage)
    versions = {"python": platform.python_version()}
    result = {"versions": versions, "most_seconds": args.most, "stages": found}
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    plot(found, ROOT / "docs" / "pictures" / "scaling.svg")


def kept(path: Path) -> dict[str, dict[int, Any]]:
    """What was found before, by stage and size."""
    stages = json.loads(path.read_text(encoding="utf-8"))["stages"] if path.exists() else {}
    return {
        stage: {int(size): one for size, one in stages.get(stage, {}).items()} for stage in STAGES
    }


def a_thousand(stage: str, size: int, found: dict[str, Any]) -> float:
    """Seconds for a thousand pairs, or of training for a thousand steps."""
    return float(1000 * found["seconds"] / (STEPS if stage == "train" else size))


def run(stage: str, size: int) -> dict[str, Any]:
    """One stage in a process of its own: seconds, and peak memory with that of the imports."""
    command = [sys.executable, __file__, *sys.argv[1:], "--worker", stage, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{stage} of {size:,} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


def draw_ledger(folder: Path, size: int) -> None:
    """`size` photos of coloured blocks, no two alike, and a table that describes them."""
    if (folder / "ledger.csv").exists():
        return
    import numpy as np
    from PIL import Image

    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(size):
        blocks = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((64, 48), Image.Resampling.NEAREST).save(photos / f"{i}.jpg")
        place, thing, state = (int(x) for x in rng.integers(0, 8, 3))
        rows.append(
            [f"photos/{i}.jpg", f"{SITES[place]}{i % 997}号{OBJECTS[thing]}{STATES[state]}"]
        )
    with (folder / "ledger.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["照片", "隐患描述"], *rows])


# ---- the stages ----------------------------------------------------------------------------------


def work(stage: str, folder: Path) -> dict[str, Any]:
    """What a stage takes; what it stands on is made before the clock starts."""
    job = STAGES[stage](folder)
    start = time.perf_counter()
    job()
    return {
        "seconds": round(time.perf_counter() - start, 3),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def importing(folder: Path) -> Callable[[], Any]:
    import shutil

    from hazardscribe import import_ledger

    shutil.rmtree(folder / "pairs", ignore_errors=True)
    return lambda: import_ledger(folder / "ledger.csv", out=folder / "pairs")


def checking(folder: Path) -> Callable[[], Any]:
    from hazardscribe.verbs import check

    return lambda: check(folder / "pairs")


def reading(folder: Path) -> Callable[[], Any]:
    from hazardscribe import read_pairs

    return lambda: read_pairs(folder / "pairs")


def caching(folder: Path) -> Callable[[], Any]:
    import shutil

    from hazardscribe.pairs.pixel_cache import PixelCache

    shutil.rmtree(folder / "cache", ignore_errors=True)
    photos = [folder / "photos" / f"{i}.jpg" for i in range(int(folder.name))]
    return lambda: PixelCache.build(photos, folder / "cache", bound=64)


def banking(folder: Path) -> Callable[[], Any]:
    from hazardscribe.model.text_bank import TextBank
    from hazardscribe.model.text_encoder import load_text_encoder

    texts = texts_of(folder)
    return lambda: TextBank(texts, load_text_encoder("lsa", texts, "", "cpu"))


def training(folder: Path) -> Callable[[], Any]:
    from hazardscribe import Recipe, read_pairs, verbs
    from hazardscribe.training.callbacks import StopOnSignal
    from hazardscribe.training.likelihood import LikelihoodSession
    from training_peers import only_steps

    start = folder.parent / "start"
    if not start.exists():
        verbs.init(start, data=folder / "pairs")
    recipe = Recipe.from_dict(
        {
            "start": str(start),
            "prompt": "隐患：",
            "alignment": {"weight": 0.3, "share_above": 0.6, "first_share": 0.4},
            "steps": STEPS,
            "batch_size": 32,
        }
    )
    pairs = read_pairs(folder / "pairs", check_photos=False)
    session = LikelihoodSession(pairs, recipe, passing_folder(), progress=False)
    trainer = session.trainer(StopOnSignal())
    only_steps(trainer)
    return trainer.train


def scoring(folder: Path) -> Callable[[], Any]:
    from hazardscribe.evaluation.evaluate import evaluate_texts
    from hazardscribe.evaluation.rows import cases_from_rows

    texts = texts_of(folder)
    rows = [{"photo": f"{i}.jpg", "target": text} for i, text in enumerate(texts)]
    shifted = dict(zip((row["photo"] for row in rows), [*texts[1:], texts[0]], strict=True))
    cases = cases_from_rows(rows, texts, shifted)
    return lambda: evaluate_texts(
        cases,
        train_texts=texts,
        train_hazards=None,
        nearest=None,
        language="zh",
        embed=None,
        resamples=0,
    )


def texts_of(folder: Path) -> list[str]:
    with (folder / "ledger.csv").open(encoding="utf-8", newline="") as stream:
        return [row[1] for row in list(csv.reader(stream))[1:]]


STAGES = {
    "import": importing,
    "check": checking,
    "read": reading,
    "cache": caching,
    "bank": banking,
    "train": training,
    "score": scoring,
}


def plot(found: dict[str, dict[int, Any]], path: Path) -> None:
    """Seconds a thousand pairs, and peak memory, over the number of pairs."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "scaling"
    from matplotlib import pyplot

    figure, (time_axis, memory_axis) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for stage, sizes in found.items():
        pairs = list(sizes)
        seconds = [a_thousand(stage, size, one) for size, one in sizes.items()]
        time_axis.loglog(pairs, seconds, marker="o", label=stage)
        memory_axis.loglog(pairs, [one["peak_mib"] for one in sizes.values()], marker="o")
    time_axis.set(xlabel="pairs", ylabel="seconds a thousand pairs (steps)")
    memory_axis.set(xlabel="pairs", ylabel="peak memory, MiB")
    figure.legend(*time_axis.get_legend_handles_labels(), loc="outside right", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
