"""How fast and how lean is the import of a ledger? Rows a second, peak memory, beside openpyxl.

    python benchmarks/import_ledger.py [--out benchmarks/results/import_ledger.json]
    python benchmarks/import_ledger.py --rows 100000

Builds a workbook (20,000 rows and 2,000 floating pictures by default) and a CSV file of the same
rows, then imports each in a process of its own, so that one run's memory is not counted for the
next. Right before each import of the workbook openpyxl reads the same file bare (`read_only`, all
cells, no pictures): the ratio of the two, best taken of CPU time, says more than seconds do on a
machine that has other work. Nothing here is a limit on time. The results file keeps one entry for
each number of rows.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

GIB = 2**30
HEADER = ["序号", "检查日期", "受检单位", "检查区域", "隐患描述", "整改前照片", "隐患类别",
          "隐患等级", "整改措施", "责任部门", "责任人", "整改期限", "整改后照片",
          "备注"]  # fmt: skip
UNITS = ["机械加工分公司", "热处理车间", "铸造分厂", "仓储物流中心", "动力站房", "涂装车间"]
PLACES = ["一跨东侧通道", "配电间门口", "危化品暂存间", "二层检修平台", "3号行车下方", "打磨工位"]
FACTS = ["灭火器前堆放纸箱", "配电箱门未关闭", "气瓶无防倾倒措施", "作业人员未系安全带",
         "安全出口被堵塞", "电缆未加保护", "砂轮机缺少防护罩", "临边防护栏杆缺失"]  # fmt: skip
RISKS = ["影响应急取用", "存在触电风险", "易造成人员伤害", "不符合现场管理要求"]
KINDS = ["消防安全", "用电安全", "危化品", "高处作业", "设备设施"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where the ledgers are built; default: temporary")
    parser.add_argument("--note", default="", help="what the reader of the result should know")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/import_ledger.json"))
    parser.add_argument("--step", help=argparse.SUPPRESS)  # one measured process
    parser.add_argument("--ledger", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        print(json.dumps(STEPS[args.step](args)))
        return
    with tempfile.TemporaryDirectory(dir=args.work) as work:
        result = measure(args, Path(work))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    entries = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else []
    entries = [entry for entry in entries if entry["rows"] != args.rows] + [result]
    entries.sort(key=lambda entry: entry["rows"])
    args.out.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {args.out}")


def measure(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Build the ledgers, then import each `--repeats` times, with openpyxl's read in between."""
    workbook, text = work / "台账.xlsx", work / "台账.csv"
    child("build", workbook, args)
    child("build_csv", text, args)
    size = workbook.stat().st_size / 2**20
    print(f"workbook {size:.0f} MiB, CSV {text.stat().st_size / 2**20:.0f} MiB", flush=True)
    runs: list[dict[str, Any]] = []
    for number in range(args.repeats):
        bare = child("openpyxl", workbook, args)
        ours = child("import", workbook, args)
        csv = child("import", text, args)
        runs.append({"workbook": ours, "openpyxl": bare, "csv": csv})
        print(
            f"{number + 1}: workbook {ours['rows_a_second']:.0f} rows/s, "
            f"{ours['peak_rss_mib']:.0f} MiB; openpyxl bare {bare['rows_a_second']:.0f} rows/s "
            f"(ratio of CPU time {ours['cpu_seconds'] / bare['cpu_seconds']:.2f}); "
            f"CSV {csv['rows_a_second']:.0f} rows/s, {csv['peak_rss_mib']:.0f} MiB",
            flush=True,
        )
    peak = max(run[which]["peak_rss_mib"] for run in runs for which in ("workbook", "csv"))
    under = peak * 2**20 < GIB
    result = {
        "rows": args.rows,
        "pictures": args.pictures,
        "workbook_mib": round(size, 1),
        "workbook": summarise([run["workbook"] for run in runs]),
        "openpyxl_bare": summarise([run["openpyxl"] for run in runs]),
        "csv": summarise([run["csv"] for run in runs]),
        "workbook_over_openpyxl_bare": {
            name: spread([run["workbook"][name] / run["openpyxl"][name] for run in runs], 2)
            for name in ("seconds", "cpu_seconds")
        },
        "peak_rss_under_1_gib": under,
        "machine": {
            "cores": os.cpu_count(),
            "processor": processor(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("openpyxl", "xlsxwriter", "pillow")},
            "load_average": [round(load, 1) for load in os.getloadavg()],
            "note": args.note,
        },
        "runs": runs,
    }
    print(f"peak RSS {peak:.0f} MiB: {'under' if under else 'NOT under'} 1 GiB")
    for name in ("workbook", "csv", "openpyxl_bare", "workbook_over_openpyxl_bare"):
        print(f"{name}: {json.dumps(result[name])}")
    return result


def processor() -> str:
    """Its name as Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def child(step: str, ledger: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Run one step in a fresh process; this one stays small, since a child's peak counts it."""
    command = [sys.executable, __file__, "--step", step, "--ledger", str(ledger)]
    command += ["--rows", str(args.rows), "--pictures", str(args.pictures)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def summarise(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        "rows_a_second": spread([run["rows_a_second"] for run in runs], 0),
        "rows_a_cpu_second": spread([run["rows_a_cpu_second"] for run in runs], 0),
        "peak_rss_mib": spread([run["peak_rss_mib"] for run in runs], 0),
    }


def spread(values: list[float], digits: int) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), digits),
        "least": round(min(values), digits),
        "most": round(max(values), digits),
    }


# --- the steps, each in its own process ------------------------------------------------------


def run_import(args: argparse.Namespace) -> dict[str, Any]:
    start = time.perf_counter()
    from hazardscribe import import_ledger

    with tempfile.TemporaryDirectory(dir=args.ledger.parent) as work:
        imported = import_ledger(args.ledger, out=Path(work) / "pairs")
    assert imported.account.rows_read == args.rows, imported.summary()
    return {**measured(start, args.rows), "pairs": imported.pairs}


def run_openpyxl(args: argparse.Namespace) -> dict[str, Any]:
    start = time.perf_counter()
    from openpyxl import load_workbook

    book = load_workbook(args.ledger, read_only=True)
    cells = sum(1 for sheet in book for row in sheet.iter_rows() for _ in row)
    return {**measured(start, args.rows), "cells": cells}


def measured(start: float, rows: int) -> dict[str, float]:
    seconds = time.perf_counter() - start
    cpu = time.process_time()  # of all threads, and from the start of the interpreter
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = peak if sys.platform == "darwin" else peak * 1024
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "rows_a_second": round(rows / seconds, 1),
        "rows_a_cpu_second": round(rows / cpu, 1),
        "peak_rss_mib": round(peak / 2**20, 1),
    }


def build_workbook(args: argparse.Namespace) -> dict[str, Any]:
    """A title row, the header, the rows; a picture floats over every few rows."""
    import xlsxwriter

    every = max(1, args.rows // max(1, args.pictures))
    with xlsxwriter.Workbook(args.ledger, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("隐患台账")
        sheet.set_column(5, 5, 18)
        sheet.write_string(0, 0, "安全生产隐患排查治理台账")
        sheet.write_row(1, 0, HEADER)
        for number in range(args.rows):
            place = number + 2
            has_picture = number % every == 0 and number // every < args.pictures
            if has_picture:
                sheet.set_row_pixels(place, 90)
            for column, value in enumerate(cells(number)):
                if value != "":
                    sheet.write(place, column, value)
            if has_picture:
                look = {"x_scale": 0.2, "y_scale": 0.2, "object_position": 1}
                data = {"image_data": io.BytesIO(photo(number // every)), **look}
                sheet.insert_image(place, 5, "p.jpg", data)
    return {}


def build_csv(args: argparse.Namespace) -> dict[str, Any]:
    """The same rows; each names one of the photos beside the file."""
    import csv

    folder = args.ledger.parent / "照片"
    folder.mkdir()
    for number in range(args.pictures):
        (folder / f"{number}.jpg").write_bytes(photo(number))
    with args.ledger.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for number in range(args.rows):
            row = cells(number)
            row[5] = f"照片/{number % args.pictures}.jpg"
            writer.writerow(row)
    return {}


def cells(number: int) -> list[Any]:
    """A row as inspectors write them; nearly all descriptions differ."""
    fact, risk = FACTS[number % len(FACTS)], RISKS[number // 3 % len(RISKS)]
    place = PLACES[number // 5 % len(PLACES)]
    return [
        number + 1,
        f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}",
        UNITS[number // 7 % len(UNITS)],
        place,
        f"{place}{number % 997 + 1}号点位{fact}，{risk}。",
        "",
        KINDS[number % len(KINDS)],
        "一般隐患" if number % 20 else "较大隐患",
        f"立即整改{fact}问题，并对{place}举一反三排查",
        "安全环保部" if number % 3 else "设备管理部",
        "张三李四王五赵六"[number % 4 * 2 :][:2],
        f"2024-{number % 12 + 1:02}-{number % 27 + 2:02}",
        "",
        "已整改" if number % 4 else "",
    ]


def photo(seed: int) -> bytes:
    """A JPEG of 640 x 480 pixels, about 40 kB as those that messengers shrink; all differ."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    stream = io.BytesIO()
    coarse.resize((640, 480), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=80)
    return stream.getvalue()


STEPS = {
    "build": build_workbook,
    "build_csv": build_csv,
    "import": run_import,
    "openpyxl": run_openpyxl,
}


if __name__ == "__main__":
    main()
