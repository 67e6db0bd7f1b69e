"""Damaged ledgers of every form: an `InputError` or a whole folder of pairs, never anything else.

Each example is repeated by (form, seed); `test_any_ledger.py` looks further, for minutes.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import zipfile
import zlib
from pathlib import Path

import pytest
from checked_import import checked_import, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_files import photo_bytes

from hazardscribe import import_ledger
from hazardscribe.errors import InputError
from pairs.workbook.build import rewrite, strict, wps

HEADER = ["序号", "检查日期", "检查区域", "隐患描述", "整改前照片", "整改后照片", "整改状态"]
ROWS = [
    ["1", "2024-03-01", "东门", "灭火器前堆放纸箱", "1.png", "", "未整改"],
    ["2", "2024/3/2", "西门", "1、配电箱门未关；2、电缆破损", "2.png;3.png", "4.png", "已整改"],
    ["3", "45353", "", "未见安全技术交底记录", "2.png", "", ""],
    ["4", "昨天", "西门", "/", "", "", ""],
    ["5", "2024-03-05", "库房", "=HYPERLINK(通道堵塞)", "照片/1.png", "", "done"],
]
ODD = [
    *(b"", b"-1", b"0", b"99999999999999999999", b"1e999", b"nan", b"inf", b"true", b"=1+1"),
    *(
        b"<",
        b"&",
        b"&#0;",
        b"\0",
        b'"',
        b"'",
        b"\r",
        b"\n",
        b"\r\n",
        b",,,",
        b"\t",
        b"<!DOCTYPE a>",
    ),
    *(b"\xff", b"\xed\xa0\x80", b"_xD800_", b"_x0000_", b"_xFFFE_", b"x" * 140_000),
    *(b"XFD1048576", b"A1:XFD1048576", b"B0", b"../../../etc/passwd", b"C:\\a\\b.png", b"CON"),
    *(b"a" * 300 + b".png", b"1.png;" * 40, b"http://a/b.png"),
    *(name.encode() for name in ("整改后照片", "隐患描述", "整改状态")),
    "隐患描述".encode("gb18030"),
]
FORMS = ["floating", "in_cell", "wps", "strict", "merged", "csv", "gbk", "tsv", "zip", "folder"]


def _text(separator: str, encoding: str = "utf-8-sig") -> bytes:
    return "\r\n".join(separator.join(row) for row in [HEADER, *ROWS]).encode(encoding)


def _floating(path: Path, *, merged: bool = False) -> Path:
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("三月")
        top = 0
        if merged:
            sheet.merge_range(0, 0, 0, 6, "隐患台账")
            sheet.merge_range(1, 4, 1, 5, "照片")
            top = 2
        for number, row in enumerate([HEADER, *ROWS]):
            sheet.set_row_pixels(number + top, 60)
            for column, value in enumerate(row):
                if value and not value.endswith(".png"):
                    sheet.write_string(number + top, column, value)
        if merged:
            sheet.merge_range(3, 2, 4, 2, "东门")
        for row, column, seed in ((1, 4, 1), (2, 4, 2), (2, 5, 4), (3, 4, 3), (5, 4, 5)):
            data = {"image_data": io.BytesIO(photo_bytes(seed))}
            sheet.insert_image(row + top, column, "p.png", data)
        book.add_worksheet("四月").write_row(0, 0, HEADER)
    return path


def _in_cell(path: Path) -> Path:
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("台账")
        sheet.write_row(0, 0, ["隐患描述", "隐患照片"])
        for row, seed in ((1, 1), (2, 2)):
            sheet.write_string(row, 0, f"第{row}处配电箱门未关闭")
            sheet.embed_image(row, 1, "p.png", {"image_data": io.BytesIO(photo_bytes(seed))})
    return path


def _photos(folder: Path) -> None:
    (folder / "照片").mkdir(parents=True)
    for number in range(1, 5):
        (folder / f"{number}.png").write_bytes(
            photo_bytes(number, "JPEG" if number == 3 else "PNG")
        )
    (folder / "照片" / "1.png").write_bytes(photo_bytes(9))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Form -> folder that holds the ledger under its name, with photos where it names them."""
    root = tmp_path_factory.mktemp("samples")
    folders = {form: root / form for form in FORMS}
    for form in ("csv", "gbk", "tsv", "zip", "folder"):
        _photos(folders[form])
    for form in ("floating", "in_cell", "wps", "strict", "merged"):
        folders[form].mkdir()
    one, two = photo_bytes(1), photo_bytes(2)
    _floating(folders["floating"] / "a.xlsx")
    _floating(folders["merged"] / "a.xlsx", merged=True)
    strict(_floating(folders["strict"] / "a.xlsx"))
    _in_cell(folders["in_cell"] / "a.xlsx")
    pictures = [("ID_A", "1.png"), ("ID_B", "2.png")]
    cells = {"B2": "ID_A", "B3": "ID_B", "B4": "ID_A"}
    wps(folders["wps"] / "a.xlsx", cells, pictures, {"1.png": one, "2.png": two})
    (folders["csv"] / "a.csv").write_bytes(_text(","))
    (folders["gbk"] / "a.csv").write_bytes(_text(",", "gb18030"))
    (folders["tsv"] / "a.tsv").write_bytes(_text("\t", "utf-16"))
    (folders["folder"] / "一月.csv").write_bytes(_text(","))
    _floating(folders["folder"] / "二月.xlsx")
    with zipfile.ZipFile(folders["zip"] / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("台账/一月.csv", _text(","))
        archive.write(folders["floating"] / "a.xlsx", "台账/二月.xlsx")
        for path in sorted(folders["zip"].rglob("*.png")):
            archive.write(path, f"台账/{path.relative_to(folders['zip']).as_posix()}")
    return folders


def _ledger(form: str, folder: Path) -> Path:
    """What the user names."""
    suffix = {"csv": "csv", "gbk": "csv", "tsv": "tsv", "zip": "zip"}.get(form, "xlsx")
    return folder if form == "folder" else folder / f"a.{suffix}"


# --- damage ----------------------------------------------------------------------------------


def _bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip, cut, double or overwrite pieces."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice([1, 2, 8, 200]))
        kind = rng.randrange(6)
        if kind == 0:
            content = content[:start] + content[end:]
        elif kind == 1:
            content = content[:end] + content[start:]
        elif kind == 2:
            content = content[:start] + rng.choice(ODD) + content[end:]
        elif kind == 3:
            content = content[:start] + rng.randbytes(end - start) + content[end:]
        elif kind == 4 and rng.random() < 0.3:
            content = content[:start]
        elif start < len(content):
            flipped = content[start] ^ (1 << rng.randrange(8))
            content = content[:start] + bytes([flipped]) + content[start + 1 :]
    return content


def _xml(content: bytes, rng: random.Random) -> bytes:
    """Damage that leaves most parts well-formed: values, texts and whole elements."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        kind = rng.randrange(5)
        values = list(re.finditer(rb'(?<==")[^"]*(?=")', content))
        texts = list(re.finditer(rb"(?<=>)[^<]+(?=</)", content))
        elements = list(re.finditer(rb"<(\w[\w:]*)\b[^>]*(/>|>[^<]*</\1>)", content))
        if kind == 0 and values:
            a, b = rng.choice(values), rng.choice(values)
            content = content[: a.start()] + b[0] + content[a.end() :]
        elif kind == 1 and values + texts:
            a = rng.choice(values + texts)
            content = content[: a.start()] + rng.choice(ODD) + content[a.end() :]
        elif kind == 2 and elements:
            a = rng.choice(elements)
            content = content[: a.start()] + content[a.end() :]
        elif kind == 3 and elements:
            a, b = rng.choice(elements), rng.choice(elements)
            content = content[: a.end()] + b[0] * rng.choice([1, 1, 50]) + content[a.end() :]
        elif kind == 4 and texts:
            a, b = rng.choice(texts), rng.choice(texts)
            content = content[: a.start()] + b[0] + content[a.end() :]
    return content


def _zip(path: Path, rng: random.Random) -> None:
    """Damage the archive's bytes, or its members: changed, swapped, dropped, noise, added."""
    if rng.random() < 0.25:
        path.write_bytes(_bytes(path.read_bytes(), rng))
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edits: dict[str, bytes | None] = {}
    for _ in range(rng.choice([1, 1, 2, 3])):
        name = rng.choice(sorted(members))
        content = members[name]
        kind = rng.randrange(8)
        if kind < 3 and name.endswith((".xml", ".rels")):
            edits[name] = _xml(content, rng)
        elif name.endswith(".xlsx"):
            inner = path.with_name("inner.xlsx")
            inner.write_bytes(content)
            _zip(inner, rng)
            edits[name] = inner.read_bytes()
            inner.unlink()
        elif kind < 5:
            edits[name] = _bytes(content, rng)
        elif kind == 5:
            edits[name] = None
        elif kind == 6:
            other = rng.choice(sorted(members))
            edits[name], edits[other] = members[other], content
        else:
            edits[name] = rng.randbytes(rng.choice([0, 1, 40, 2000]))
    if rng.random() < 0.1:
        edits[rng.choice(["../x.png", "/x.png", "a\\b.csv", "x/", "台账/a.csv"])] = b"a,b\n1,2"
    rewrite(path, edits)


def damage(folder: Path, rng: random.Random) -> None:
    """Damage one or two of the files, mostly ledgers."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    tables = [path for path in files if path.suffix != ".png"]
    for _ in range(rng.choice([1, 1, 2])):
        path = rng.choice(tables if rng.random() < 0.8 else files)
        if not path.exists():
            continue
        if rng.random() < 0.03:
            path.unlink()
        elif path.suffix in (".xlsx", ".zip") and zipfile.is_zipfile(path):
            try:
                _zip(path, rng)
            except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, OSError, RuntimeError):
                path.write_bytes(_bytes(path.read_bytes(), rng))  # damaged before
        else:
            path.write_bytes(_bytes(path.read_bytes(), rng))


def _options(form: str, rng: random.Random) -> dict[str, object]:
    options: dict[str, object] = {}
    if rng.random() < 0.2:
        options["split_numbered"] = True
    if rng.random() < 0.2:
        options["split"] = "group=检查区域"
    if rng.random() < 0.2:
        options["keep_unseeable"] = True
    if form in ("floating", "merged") and rng.random() < 0.1:
        options["sheets"] = ["三月"]
    return options


def survive(form: str, seed: int, sample: Path, work: Path) -> bool:
    """Damage a copy and import it; True where pairs came out."""
    rng = random.Random(f"{form} {seed}")
    shutil.rmtree(work, ignore_errors=True)
    folder = work / "ledger"
    shutil.copytree(sample, folder)
    damage(folder, rng)
    return checked_import(_ledger(form, folder), folder, work, **_options(form, rng))


# --- tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_samples_import_when_whole(samples: dict[str, Path], tmp_path: Path, form: str) -> None:
    imported = import_ledger(_ledger(form, samples[form]), out=tmp_path / "pairs")
    whole(tmp_path / "pairs", imported.pairs)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(form=st.sampled_from(FORMS), seed=st.integers(0, 2**32))
def test_damage_raises_input_errors_only(
    samples: dict[str, Path], tmp_path: Path, form: str, seed: int
) -> None:
    survive(form, seed, samples[form], tmp_path / "work")


@pytest.mark.parametrize("form", ["floating", "csv", "zip"])
def test_an_earlier_import_outlives_a_damaged_ledger(
    samples: dict[str, Path], tmp_path: Path, form: str
) -> None:
    folder, out = tmp_path / "ledger", tmp_path / "pairs"
    shutil.copytree(samples[form], folder)
    ledger = _ledger(form, folder)
    import_ledger(ledger, out=out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    ledger.write_bytes(ledger.read_bytes()[:60])
    with pytest.raises(InputError):
        import_ledger(ledger, out=out)
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {path.name for path in tmp_path.iterdir()} == {"ledger", "pairs"}
