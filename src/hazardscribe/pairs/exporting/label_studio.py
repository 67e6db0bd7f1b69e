"""Tasks for Label Studio, in which people correct descriptions, and all that goes with them.

The texts travel as predictions, which Label Studio puts into the text field to be corrected; what
it exports afterwards is read back by `pairs/tables/label_studio_results.py`. Written is a folder,
or a zip of it:

    tasks.json          to be imported into a project
    label_config.xml    the project's labelling interface
    photos/             each photo once, under the digest of its bytes, and a JPEG to look at of
                        each TIFF, which browsers do not show
    README.txt          how to serve the photos from one's own machine (label_studio_readme.txt)

Photos are named by address; the default one is that of Label Studio's local file serving, so
nothing leaves the machine.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from hazardscribe.errors import InputError
from hazardscribe.files import write_whole
from hazardscribe.pairs.columns import AI_KEY, FIRST_COLUMNS
from hazardscribe.pairs.exporting.pictures import upright_copy
from hazardscribe.pairs.records import Pairs
from hazardscribe.pairs.tables.cells import cell_text
from hazardscribe.pairs.tables.label_studio_results import BEFORE, HAZARD, TEXT, view_name
from hazardscribe.pairs.write import copy_to, photo_name
from hazardscribe.pairs.yes_no import read_yes_no

LOCAL_FILES = "/data/local-files/?d="
"""Address of Label Studio's local file serving; a path below its document root follows."""

PHOTO = "photo"
"""Name of the picture in the labelling interface."""

YES, NO = "yes", "no"

_WORDS = {
    "zh": ("请改正隐患描述；看不清或不是现场照片时请跳过", "照片中有隐患吗？", "有隐患", "无隐患"),
    "en": (
        "Correct the description; skip photos that cannot be judged",
        "Does the photo show a hazard?",
        "Hazard",
        "No hazard",
    ),
}


@dataclass(frozen=True, slots=True)
class _Task:
    """One photo to be looked at.

    Attributes:
        photo: its file.
        texts: what may be said of it, best first; empty for none.
        score: how sure the model is, 0..1.
        split: of the pair.
        row: all other columns, and where the row stood first.
    """

    photo: Path
    texts: Sequence[str]
    score: float | None = None
    split: str = ""
    row: Mapping[str, str | int] = field(default_factory=dict)


def write_tasks(
    pairs: Pairs, out: str | Path, *, language: str, photo_url: str = LOCAL_FILES
) -> Path:
    """Write pairs as tasks whose descriptions are to be corrected.

    Args:
        pairs: what to review.
        out: a folder (what else lies in it stays), or a .zip file.
        language: `zh` or `en`, of the labelling interface.
        photo_url: put before `photos/NAME` to make the address of each photo.

    Returns:
        The folder or zip file.

    Raises:
        InputError: it cannot be written.
        PhotoError: a photo has gone since the pairs were read.
    """
    kept = [str(name) for name in pairs.frame if name not in FIRST_COLUMNS[:3]]
    tasks = []
    for line in pairs.frame.to_dict("records"):
        row = {
            name: value if isinstance(value := line[name], int) else cell_text(value)
            for name in kept
        }
        task = _Task(
            Path(line["photo"]),
            [cell_text(line["description"])],
            split=line["split"],
            row=row,
        )
        tasks.append(task)
    return _write(tasks, Path(out), language, photo_url, by="ledger")


def write_predictions(
    records: Iterable[Mapping[str, Any]],
    out: str | Path,
    *,
    language: str,
    photo_url: str = LOCAL_FILES,
) -> Path:
    """Write what the model said of photos as tasks to be corrected.

    Further descriptions of a photo become further predictions. Where doubt held the model's draft
    back, it is the draft that stands ready: what was said in its place describes nothing. Photos
    that could not be described are left out.

    Args:
        records: as `hazardscribe describe` writes them: photo (a path), ai_description,
            confidence, doubt, draft, alternatives, error.
        out, language, photo_url: as in `write_tasks`.

    Raises:
        InputError: nothing is left, or it cannot be written.
        PhotoError: a photo has gone since it was described.
    """
    tasks = [
        _Task(
            Path(record["photo"]),
            [_said(record), *(record.get("alternatives") or [])],
            score=record.get("confidence"),
        )
        for record in records
        if not record.get("error")
    ]
    if not tasks:
        raise InputError(f"{out}: none of the photos could be described; nothing to review")
    return _write(tasks, Path(out), language, photo_url, by="hazardscribe")


def _said(record: Mapping[str, Any]) -> str:
    return (record.get("doubt") and record.get("draft")) or record.get(AI_KEY) or ""


def label_config(language: str) -> str:
    """The labelling interface in Label Studio's XML."""
    text, question, yes, no = map(quoteattr, _WORDS[language])
    return f"""\
<View>
  <Image name="{PHOTO}" value="$image" zoom="true" zoomControl="true" rotateControl="true"/>
  <Header value={text}/>
  <TextArea name="{TEXT}" toName="{PHOTO}" rows="3" editable="true" maxSubmissions="1"/>
  <Header value={question}/>
  <Choices name="{HAZARD}" toName="{PHOTO}" choice="single" showInline="true">
    <Choice value={yes} alias="{YES}"/>
    <Choice value={no} alias="{NO}"/>
  </Choices>
</View>
"""


def _write(tasks: list[_Task], out: Path, language: str, photo_url: str, *, by: str) -> Path:
    names: dict[Path, str] = {}
    for task in tasks:
        if task.photo not in names:
            names[task.photo] = f"photos/{photo_name(task.photo)}"
    views = {name: view_name(name) for name in names.values() if view_name(name) != name}
    listed = [_task(task, names[task.photo], photo_url, by) for task in tasks]
    readme = (resources.files(__package__) / "label_studio_readme.txt").read_text(encoding="utf-8")
    texts = {
        "label_config.xml": label_config(language),
        "README.txt": readme.format(prefix=photo_url),
        # Last: a folder with tasks is whole.
        "tasks.json": json.dumps(listed, ensure_ascii=False, indent=1) + "\n",
    }
    try:
        if out.suffix.lower() == ".zip":
            out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(out, lambda draft: _zip(draft, names, views, texts))
        else:
            # Ours are written in this order, so that one alone is of somebody else.
            if (alone := _first_alone(out, list(texts))) is not None:
                raise InputError(
                    f"{out}: holds a {alone} that is of no export of hazardscribe and would be "
                    "written over; name another folder"
                )
            (out / "photos").mkdir(parents=True, exist_ok=True)
            for photo, name in names.items():
                copy_to(photo, out / name)
                if name in views:
                    write_whole(
                        out / views[name], partial(Path.write_bytes, data=upright_copy(photo))
                    )
            for name, text in texts.items():
                content = text.encode("utf-8")
                write_whole(out / name, partial(Path.write_bytes, data=content))
    except OSError as error:
        raise InputError(
            f"{out}: the tasks cannot be written here ({error.strerror or error}); free space or "
            "name another folder"
        ) from error
    return out


def _first_alone(folder: Path, names: Sequence[str]) -> str | None:
    """The first of the names that is in the folder although an earlier one is not."""
    there = [(folder / name).exists() for name in names]
    gap = there.index(False) if False in there else len(names)
    return next(
        (name for name, is_there in zip(names[gap:], there[gap:], strict=True) if is_there), None
    )


def _task(task: _Task, name: str, photo_url: str, by: str) -> dict[str, Any]:
    texts = [cell_text(text) for text in task.texts]
    data = {
        # A path within a query or a path: slashes stay, all else is quoted.
        "image": photo_url + quote(view_name(name)),
        "photo": name,
        BEFORE: texts[0],
        "split": task.split,
        "row": dict(task.row),
    }
    hazard = read_yes_no(task.row.get(HAZARD))
    predictions = []
    for number, text in enumerate(texts):
        results: list[dict[str, Any]] = []
        if text:
            results.append(_result("t", TEXT, "textarea", {"text": [text]}))
        if hazard is not None:
            results.append(_result("h", HAZARD, "choices", {"choices": [YES if hazard else NO]}))
        if results:
            version = by if number == 0 else f"{by}, alternative {number}"
            prediction: dict[str, Any] = {"model_version": version, "result": results}
            if task.score is not None and number == 0:
                prediction["score"] = task.score
            predictions.append(prediction)
    return {"data": data, "predictions": predictions}


def _result(key: str, control: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": key, "from_name": control, "to_name": PHOTO, "type": kind, "value": value}


def _zip(
    draft: Path, names: Mapping[Path, str], views: Mapping[str, str], texts: Mapping[str, str]
) -> None:
    with zipfile.ZipFile(draft, "w") as archive:
        for name, photo in sorted({name: photo for photo, name in names.items()}.items()):
            with photo.open("rb") as source, archive.open(_entry(name), "w") as target:
                shutil.copyfileobj(source, target)
            if name in views:
                archive.writestr(_entry(views[name]), upright_copy(photo))
        for name, text in texts.items():
            archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), text.encode("utf-8"))


def _entry(name: str, compress: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """An entry without date and system, so that equal content gives equal bytes."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.create_system, entry.external_attr = compress, 3, 0o644 << 16
    return entry
