"""To Label Studio and back: what people confirmed comes home, and nothing else."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from export_files import photo
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from hazardscribe.errors import InputError
from hazardscribe.pairs.descriptions import clean_text, is_empty
from hazardscribe.pairs.exporting.label_studio import (
    label_config,
    write_predictions,
    write_tasks,
)
from hazardscribe.pairs.read import Pairs, read_pairs
from hazardscribe.pairs.tables.label_studio_results import HAZARD, TEXT

MakePairs = Callable[..., Pairs]
Task = dict[str, Any]


@pytest.fixture
def pairs(tmp_path: Path, make_pairs: MakePairs) -> Pairs:
    rows = []
    for i in range(4):
        photo(tmp_path / f"照 片{i}.jpg", i)
        row = {
            "photo": f"照 片{i}.jpg",
            "description": f"描述{i}",
            "split": ("train", "validation")[i % 2],
            "检查地点": f"{i}号楼",
            "hazard": str(i % 2),
            "image": "another column",
        }
        rows.append(row)
    return make_pairs(rows)


def tasks_of(folder: Path) -> list[Task]:
    tasks: list[Task] = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    return tasks


def annotation(
    text: str | list[str] | None, when: str = "2026-01-01T00:00:00.000000Z", **more: Any
) -> Task:
    result = []
    if text is not None:
        value = {"text": [text] if isinstance(text, str) else text}
        result.append({"from_name": TEXT, "to_name": "photo", "type": "textarea", "value": value})
    if (choice := more.pop("choice", None)) is not None:
        value = {"choices": [choice]}
        result.append({"from_name": HAZARD, "to_name": "photo", "type": "choices", "value": value})
    return {"was_cancelled": False, "result": result, "updated_at": when} | more


def accept(task: Task) -> Task:
    """What Label Studio exports once somebody pressed Submit and changed nothing."""
    done = copy.deepcopy(task)
    result = [one | {"origin": "prediction"} for one in task["predictions"][0]["result"]]
    done["annotations"] = [annotation(None) | {"result": result}]
    return done | {"id": 7, "drafts": [], "meta": {}, "total_annotations": 1}


def save(path: Path, tasks: Any) -> Path:
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return path


def test_what_was_accepted_comes_back_as_it_was(pairs: Pairs, tmp_path: Path) -> None:
    folder = write_tasks(pairs, tmp_path / "review", language="zh")
    done = save(tmp_path / "project-1.json", [accept(task) for task in tasks_of(folder)])
    again = read_pairs(done, photos=folder)
    same = [name for name in pairs.frame if name != "photo"]
    assert again.frame[same].to_dict("list") == pairs.frame[same].to_dict("list")
    assert list(again.frame["description_before"]) == list(pairs.frame["description"])
    for old, new in zip(pairs.frame["photo"], again.frame["photo"], strict=True):
        assert Path(old).read_bytes() == Path(new).read_bytes()
    assert again.rejected == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5),
    other=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
@example(texts=["\u2028未戴", "\x00a", "</View>"], other='"\\\u0085')
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], other: str
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    photo(folder / "a.jpg")
    lines = [{"photo": "a.jpg", "description": "描述", "split": "train", "备注": other}]
    (folder / "p.jsonl").write_text(json.dumps(lines[0]), encoding="utf-8")
    pairs = read_pairs(folder / "p.jsonl", check_photos=False)
    pairs.frame = pairs.frame.loc[[0] * len(texts)].reset_index(drop=True)
    review = write_tasks(pairs, folder / "review", language="en")
    tasks = [
        task | {"annotations": [annotation(text)]}
        for task, text in zip(tasks_of(review), texts, strict=True)
    ]
    kept = [clean_text(text) for text in texts if not is_empty(clean_text(text))]
    done = save(review / "done.json", tasks)
    if not kept:
        with pytest.raises(InputError, match="none of"):
            read_pairs(done, check_photos=False)
        return
    again = read_pairs(done, check_photos=False)
    assert list(again.frame["description"]) == kept
    assert set(again.frame["备注"]) == {other}
    assert again.rows_read == len(texts)
    assert [one.reason for one in again.rejected] == ["empty_description"] * (
        len(texts) - len(kept)
    )


def test_of_several_annotations_the_newest_that_was_not_skipped(
    pairs: Pairs, tmp_path: Path
) -> None:
    folder = write_tasks(pairs, tmp_path / "review", language="zh")
    tasks = tasks_of(folder)
    tasks[0]["annotations"] = [
        annotation("旧的", "2026-01-01T00:00:00Z"),
        annotation("新的", "2026-01-02T08:00:00.5+08:00", choice="no"),
        annotation("跳过的", "2026-01-03T00:00:00Z", was_cancelled=True),
        annotation("较旧的", "2026-01-02T00:00:00Z"),
    ]
    tasks[1]["annotations"] = [annotation("x", was_cancelled=True)]
    tasks[2]["annotations"] = []
    tasks[3]["annotations"] = [annotation("无")]
    again = read_pairs(save(tmp_path / "p.json", tasks), photos=folder)
    assert list(again.frame["description"]) == ["新的"]
    assert list(again.frame["hazard"]) == ["0"]
    assert list(again.frame["description_before"]) == ["描述0"]
    reasons = [(one.row, one.reason) for one in again.rejected]
    assert reasons == [(2, "skipped"), (3, "not_annotated"), (4, "empty_description")]
    assert (again.rows_read, again.rows_imported) == (4, 1)


def test_predictions_alone_never_become_pairs(pairs: Pairs, tmp_path: Path) -> None:
    folder = write_tasks(pairs, tmp_path / "review", language="zh")
    with pytest.raises(InputError, match="not_annotated 4"):
        read_pairs(folder / "tasks.json")


def test_a_choice_overrides_the_hazard_column_and_none_leaves_it(
    pairs: Pairs, tmp_path: Path
) -> None:
    folder = write_tasks(pairs, tmp_path / "review", language="zh")
    tasks = tasks_of(folder)
    choices = ["yes", "无隐患", None, "?"]
    for task, choice in zip(tasks, choices, strict=True):
        task["annotations"] = [annotation("文", choice=choice)]
    again = read_pairs(save(tmp_path / "p.json", tasks), photos=folder)
    assert list(again.frame["hazard"]) == ["1", "0", "0", "1"]


def test_the_folder_is_all_that_label_studio_needs(pairs: Pairs, tmp_path: Path) -> None:
    folder = tmp_path / "review"
    folder.mkdir()
    (folder / "project-1.json").write_text("somebody's work")
    write_tasks(pairs, folder, language="zh")
    assert (folder / "project-1.json").read_text() == "somebody's work"
    data = tasks_of(folder)[0]["data"]
    assert data["image"] == f"/data/local-files/?d={data['photo']}"
    assert (folder / data["photo"]).is_file()
    for language in ("zh", "en"):
        view = ElementTree.fromstring(label_config(language))
        controls = {node.get("name"): node for node in view if node.get("toName")}
        assert set(controls) == {TEXT, HAZARD}
        [image] = view.findall("Image")
        assert image.get("value") == "$image"
        assert {node.get("toName") for node in controls.values()} == {image.get("name")}
    results = tasks_of(folder)[1]["predictions"][0]["result"]
    assert [(one["from_name"], one["type"], one["value"]) for one in results] == [
        (TEXT, "textarea", {"text": ["描述1"]}),
        (HAZARD, "choices", {"choices": ["yes"]}),
    ]
    steps = (folder / "README.txt").read_text("utf-8")
    # Without the test of the connection Label Studio 1.23.2 goes no further.
    for step in ("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT", "Test Connection", "not Save & Sync"):
        assert step in steps


def test_a_zip_holds_the_same_and_is_the_same_each_time(pairs: Pairs, tmp_path: Path) -> None:
    folder = write_tasks(pairs, tmp_path / "review", language="zh", photo_url="http://x/我 的/")
    first = write_tasks(pairs, tmp_path / "a.zip", language="zh", photo_url="http://x/我 的/")
    with zipfile.ZipFile(first) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert inside == {name: path.read_bytes() for name, path in files.items()}
    second = write_tasks(pairs, tmp_path / "b.zip", language="zh", photo_url="http://x/我 的/")
    assert first.read_bytes() == second.read_bytes()
    assert tasks_of(folder)[0]["data"]["image"].startswith("http://x/我 的/photos/")


def test_what_browsers_do_not_show_has_a_copy_to_look_at(
    tmp_path: Path, make_pairs: MakePairs
) -> None:
    photo(tmp_path / "a.tif")
    pairs = make_pairs([{"photo": "a.tif", "description": "描述"}])
    folder = write_tasks(pairs, tmp_path / "review", language="zh")
    [task] = tasks_of(folder)
    shown = folder / task["data"]["image"].removeprefix("/data/local-files/?d=")
    assert Image.open(shown).format == "JPEG"
    done = save(folder / "done.json", [accept(task)])
    [back] = read_pairs(done).frame["photo"]
    assert Path(back).read_bytes() == (tmp_path / "a.tif").read_bytes()


def test_predictions_of_a_model(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    good = {
        "photo": str(tmp_path / "a.jpg"),
        "ai_description": "未戴安全帽",
        "confidence": 0.8,
        "alternatives": ["未穿反光衣"],
        "error": None,
    }
    bad = good | {"photo": "gone.jpg", "ai_description": "", "error": "missing: gone.jpg"}
    folder = write_predictions([good, bad], tmp_path / "review", language="zh")
    [task] = tasks_of(folder)
    first, second = task["predictions"]
    assert (first["score"], first["result"][0]["value"]) == (0.8, {"text": ["未戴安全帽"]})
    assert second["result"][0]["value"] == {"text": ["未穿反光衣"]}
    task["annotations"] = [annotation("两人未戴安全帽")]
    again = read_pairs(save(folder / "done.json", [task]))
    [line] = again.frame[["description", "description_before"]].to_dict("records")
    assert line == {"description": "两人未戴安全帽", "description_before": "未戴安全帽"}
    with pytest.raises(InputError, match="nothing to review"):
        write_predictions([bad], tmp_path / "other", language="zh")


def test_a_draft_that_doubt_held_back_stands_ready_to_be_corrected(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    for draft, said in (("未戴安全帽", "未戴安全帽"), (None, "无法判断，请人工核实")):
        record = {
            "photo": str(tmp_path / "a.jpg"),
            "ai_description": "无法判断，请人工核实",
            "confidence": 0.1,
            "doubt": "unsure",
            "draft": draft,
            "alternatives": [],
            "error": None,
        }
        folder = write_predictions([record], tmp_path / "review", language="zh")
        [task] = tasks_of(folder)
        assert task["predictions"][0]["result"][0]["value"] == {"text": [said]}


@pytest.mark.parametrize("name", ["README.txt", "tasks.json"])
def test_files_of_somebody_else_are_not_written_over(
    name: str, pairs: Pairs, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=f"holds a {name} that is of no export"):
        write_tasks(pairs, tmp_path, language="zh")
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    (tmp_path / name).unlink()
    (tmp_path / "label_config.xml").write_text("cut off", encoding="utf-8")
    write_tasks(pairs, tmp_path, language="zh")
    write_tasks(pairs, tmp_path, language="zh")


def test_a_place_that_cannot_be_written(pairs: Pairs, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("review", "review.zip"):
        with pytest.raises(InputError, match="cannot be written here"):
            write_tasks(pairs, tmp_path / "file" / name, language="zh")


def test_each_photo_is_digested_once(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hazardscribe.pairs import write

    seen: list[Path] = []
    digest = write.photo_digest
    monkeypatch.setattr(write, "photo_digest", lambda photo: seen.append(photo) or digest(photo))
    write_tasks(pairs, tmp_path / "review", language="zh")
    assert sorted(seen) == sorted({Path(photo) for photo in pairs.frame["photo"]})
