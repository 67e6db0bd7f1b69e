"""Draws the pictures of docs/data.md again: a ledger, what import and check make of it, an export.

    python docs/make_pictures.py [--out docs/pictures]

The ledger is as a safety office keeps it: a title over a two-row header, merged dates, photos
before and after repair, a total and a line for signatures, and the faults that import and check
are there for. Its photos are made-up scenes (`hazardscribe.pairs.scenes`); the photo after repair
is the same scene with the safe twin of its hazard. Needed besides hazardscribe[excel]: LibreOffice
Calc, pdftoppm (poppler-utils), Chromium, and a Chinese font (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

import hazardscribe as hs
from hazardscribe.pairs.scenes.catalogue import KINDS
from hazardscribe.pairs.scenes.compose import Item, compose
from hazardscribe.pairs.scenes.picture import take_photo
from hazardscribe.pairs.scenes.wording import describe_zh

ROWS = 30
SIZE = (480, 360)
WIDTH = 1000  # pixels of a picture
AREAS = ("一号厂房", "检修平台", "装卸区", "仓库", "气瓶间", "二号厂房")
CATEGORIES = {
    "gas": "燃气",
    "electrical": "用电",
    "fire": "消防",
    "height": "高处作业",
    "ppe": "个人防护",
    "storage": "仓储",
    "housekeeping": "现场管理",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    out: Path = parser.parse_args().out
    missing = [name for name in ("soffice", "pdftoppm", "chromium") if not shutil.which(name)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; see the head of {__file__}")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        ledger = write_ledger(work / "3月隐患台账.xlsx", made_up_rows())
        pairs = work / "pairs"
        print(hs.import_ledger(ledger, out=pairs).summary())
        hs.check(pairs, out=work / "check.html")
        exported = hs.export(pairs, to="xlsx", out=work / "台账.xlsx")
        save(sheet_picture(ledger, work), out / "ledger.png")
        save(page_picture(pairs / "report.html", work, height=1960), out / "import-report.png")
        save(page_picture(work / "check.html", work, height=1720), out / "check.png")
        save(sheet_picture(exported, work), out / "export.png")


# --- the ledger --------------------------------------------------------------------------------


@dataclass
class Line:
    """A row of the ledger: its cells, and its photos before and after repair."""

    text: str
    category: str
    before: Image.Image | None
    after: Image.Image | None


def made_up_rows() -> list[Line]:
    """Thirty rows, some with the usual faults."""
    rng = random.Random(7)
    lines = []
    while len(lines) < ROWS:
        seed = rng.getrandbits(32)
        items = compose(random.Random(seed), unseen=False)
        bad = [item for item in items if item.hazard]
        if len(bad) != 1:
            continue
        lines.append(
            Line(
                describe_zh(items, random.Random(seed + 1)).removesuffix("。"),
                CATEGORIES[KINDS[bad[0].kind].domain],
                take_photo(items, seed, *SIZE),
                take_photo(repaired(items), seed, *SIZE) if len(lines) % 3 != 1 else None,
            )
        )
    lines[2].text = f"1、{lines[2].text}；2、现场负责人张工13912345678未在岗"
    lines[7].text, lines[7].category = "临时用电作业未办理作业票，无检查记录", "用电"
    lines[12].text = "同上"
    lines[16].before = lines[16].after = None
    assert lines[20].before is not None
    assert lines[23].before is not None
    lines[20].before = ImageEnhance.Brightness(lines[20].before).enhance(0.16)
    lines[23].before = lines[23].before.filter(ImageFilter.GaussianBlur(9))
    # The same place photographed again, a hand's breadth aside.
    assert lines[5].before is not None
    lines[26].before = lines[5].before.crop((8, 6, SIZE[0], SIZE[1] - 2))
    lines[26].text, lines[26].category, lines[26].after = lines[5].text, lines[5].category, None
    return lines


def repaired(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The same objects, each in its safe state."""
    return tuple(replace(item, hazard=False) for item in items)


def write_ledger(path: Path, lines: list[Line]) -> Path:
    """The workbook, as offices lay it out by hand."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("3月")
        plain = {"border": 1, "valign": "vcenter", "text_wrap": True, "font_size": 10}
        middle = book.add_format(plain | {"align": "center"})
        text = book.add_format(plain)
        head = book.add_format(plain | {"align": "center", "bold": True, "bg_color": "#DCE6F1"})
        title = book.add_format(
            {"bold": True, "font_size": 16, "align": "center", "valign": "vcenter", "border": 1}
        )
        for column, width in enumerate((5, 11, 10, 34, 17, 17, 10, 9)):
            sheet.set_column(column, column, width)
        sheet.merge_range(0, 0, 0, 7, "2026年3月安全隐患排查治理台账", title)
        sheet.set_row_pixels(0, 36)
        names = ("序号", "检查日期", "检查区域", "隐患描述", "", "", "隐患类别", "整改状态")
        for column, name in enumerate(names):
            if name:
                sheet.merge_range(1, column, 2, column, name, head)
        sheet.merge_range(1, 4, 1, 5, "照片", head)
        sheet.write_row(2, 4, ["整改前", "整改后"], head)
        for number, line in enumerate(lines):
            row = number + 3
            sheet.set_row_pixels(row, 96)
            if number % 3 == 0:
                sheet.merge_range(row, 1, row + 2, 1, f"2026-03-{number + 2:02}", middle)
            sheet.write_number(row, 0, number + 1, middle)
            sheet.write_string(row, 2, AREAS[number * 5 % len(AREAS)], middle)
            sheet.write_string(row, 3, line.text, text)
            sheet.write_blank(row, 4, None, middle)
            sheet.write_blank(row, 5, None, middle)
            sheet.write_string(row, 6, line.category, middle)
            sheet.write_string(row, 7, "已整改" if line.after else "未整改", middle)
            for column, photo in ((4, line.before), (5, line.after)):
                if photo is not None:
                    place(sheet, row, column, photo)
        done = sum(line.after is not None for line in lines)
        last = len(lines) + 3
        sheet.merge_range(last, 0, last, 7, f"合计：{len(lines)} 项，已整改 {done} 项", text)
        sheet.merge_range(last + 1, 0, last + 1, 7, "检查人：          审核人：", text)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
    return path


def place(sheet: Any, row: int, column: int, photo: Image.Image) -> None:
    """Float a photo over a cell of 124 x 96 pixels."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=88)
    scale = 116 / photo.width
    look = {"x_scale": scale, "y_scale": scale, "x_offset": 4, "y_offset": 4, "object_position": 1}
    sheet.insert_image(row, column, "p.jpg", {"image_data": stream, **look})


# --- pictures ----------------------------------------------------------------------------------


def sheet_picture(book: Path, work: Path) -> Image.Image:
    """The first page of a workbook as LibreOffice prints it, without its margins."""
    # The process waits for no other: a profile of its own.
    profile = f"-env:UserInstallation={(work / 'office').as_uri()}"
    convert = ["--headless", "--convert-to", "pdf", "--outdir", str(work)]
    run("soffice", profile, *convert, str(book))
    run("pdftoppm", "-r", "120", "-l", "1", "-singlefile", "-png",
        str(work / f"{book.stem}.pdf"), str(work / "sheet"))  # fmt: skip
    page = Image.open(work / "sheet.png").convert("RGB")
    box = ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox()
    assert box is not None
    return page.crop((box[0] - 6, box[1] - 6, box[2] + 6, box[3] + 6))


def page_picture(page: Path, work: Path, *, height: int) -> Image.Image:
    """The top of an HTML page as Chromium shows it."""
    shot = work / "page.png"
    quiet = ("--disable-gpu", "--no-first-run", "--disable-sync", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update",
             "--disable-quic")  # fmt: skip
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    run("chromium", "--headless", *quiet, *root, f"--user-data-dir={work / 'browser'}",
        f"--window-size={WIDTH},{height}", f"--screenshot={shot}", page.as_uri())  # fmt: skip
    return Image.open(shot).convert("RGB")


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG of 256 colours, at most `WIDTH` wide: a manual is downloaded, too."""
    if picture.width > WIDTH:
        height = round(picture.height * WIDTH / picture.width)
        picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
