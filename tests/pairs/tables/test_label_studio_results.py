"""Exports of Label Studio that we did not set up, and files that are none.

What comes back of our own projects is tested where they are written, in `exporting`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardscribe.errors import InputError
from hazardscribe.pairs.ledger.importing import import_ledger
from hazardscribe.pairs.read import read_pairs
from hazardscribe.pairs.tables.label_studio_results import HAZARD

MakePhoto = Callable[..., Path]


def save(path: Path, tasks: Any) -> Path:
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=" + quote("site/照 片+1.jpg"),
        "/data/upload/3/" + quote("0a1b2c3d-照 片+1.jpg"),
        "照 片+1.jpg",
    ],
)
def test_tasks_of_another_make(tmp_path: Path, make_photo: MakePhoto, address: str) -> None:
    make_photo("site/照 片+1.jpg")
    text = {"from_name": "caption", "type": "textarea", "value": {"text": ["文一", "文二"]}}
    task = {"data": {"picture": address, "地点": 3}, "annotations": [{"result": [text]}]}
    again = read_pairs(save(tmp_path / "p.json", [task]), photos=tmp_path / "site")
    assert list(again.frame["description"]) == ["文一 文二"]
    assert list(again.frame["地点"]) == ["3"]


# What Label Studio 1.23.2 made of photos that were uploaded into it.
UPLOADS = {
    "IMG_0001.JPG": "b5a6536b-IMG_0001.JPG",
    "a b#1.png": "be7633d7-a_b1.png",
    "c&d=e.jpg": "be1d7fa6-cde.jpg",
    "tilde~(1).bmp": "cffeec9d-tilde1.bmp",
    "Ünï.jpeg": "ba2343e6-%C3%9Cn%C3%AF.jpeg",
    "加+号.jpg": "3379de47-%E5%8A%A0%E5%8F%B7.jpg",
    "照 片一.jpg": "a78d3df3-%E7%85%A7_%E7%89%87%E4%B8%80.jpg",
    "百分%20比.webp": "742015b9-%E7%99%BE%E5%88%8620%E6%AF%94.webp",
    "隐患—“引号”.jpg": "bc93b01c-%E9%9A%90%E6%82%A3%E5%BC%95%E5%8F%B7.jpg",
}


def uploaded(address: str) -> dict[str, Any]:
    """A task of an uploaded photo, as the export has it where the project is not ours."""
    text = {"from_name": "caption", "to_name": "img", "type": "textarea"}
    made = {"result": [text | {"value": {"text": [f"文{address}"]}}], "was_cancelled": False}
    return {"annotations": [made], "data": {"image": f"/data/upload/2/{address}"}, "meta": {}}


@pytest.mark.parametrize("where", ["originals", "zip", "kept"])
def test_uploaded_photos_are_found_by_the_names_they_had_and_by_those_they_got(
    tmp_path: Path, make_photo: MakePhoto, where: str
) -> None:
    for name, address in UPLOADS.items():
        make_photo(f"photos/{unquote(address) if where == 'kept' else name}")
    done = save(tmp_path / "p.json", [uploaded(address) for address in UPLOADS.values()])
    photos = tmp_path / "photos"
    if where == "zip":
        photos = Path(shutil.make_archive(str(tmp_path / "all"), "zip", photos))
    else:
        again = read_pairs(done, photos=photos)
        names = list(UPLOADS) if where == "originals" else [unquote(a) for a in UPLOADS.values()]
        assert [Path(photo).name for photo in again.frame["photo"]] == names
    imported = import_ledger(done, photos=photos, dry_run=True)
    assert imported.pairs == len(UPLOADS)
    assert imported.account.left == []


def test_an_upload_that_could_be_several_photos_is_none(
    tmp_path: Path, make_photo: MakePhoto
) -> None:
    for name in ("a b.jpg", "a_b.jpg", "c.jpg"):
        make_photo(f"photos/{name}")
    tasks = [uploaded("0a1b2c3d-a_b.jpg"), uploaded("0a1b2c3d-c.jpg")]
    again = read_pairs(save(tmp_path / "p.json", tasks), photos=tmp_path / "photos")
    assert [Path(photo).name for photo in again.frame["photo"]] == ["c.jpg"]
    assert [(one.reason, "fits 2 files" in one.detail) for one in again.rejected] == [
        ("photo_missing", True)
    ]


# Head and first rows of the CSV and the TSV that Label Studio 1.23.2 exported of a project of ours.
CSV = (
    '"annotation_id","annotator","created_at","description","description_before","hazard","id",'
    '"image","lead_time","photo","row","split","updated_at"\r\n'
    '4,"1","2026-11-27T09:25:41.161522Z","第二次标注","a b","",4,'
    '"/data/local-files/?d=photos/3293ac16.jpg",4.418,"photos/3293ac16.jpg",'
    '"{""row_file"":""pairs.csv"",""row_number"":4}","train","2026-11-27T09:25:41.161544Z"\r\n'
    '3,"1","2026-11-27T09:25:32.647448Z","a b","a b","yes",4,'
    '"/data/local-files/?d=photos/3293ac16.jpg",1.906,"photos/3293ac16.jpg",'
    '"{""row_file"":""pairs.csv"",""row_number"":4}","train","2026-11-27T09:25:32.647475Z"\r\n'
)


@pytest.mark.parametrize("name", ["p.csv", "p.tsv"])
def test_an_export_as_csv_is_told_to_be_made_again(tmp_path: Path, name: str) -> None:
    text = CSV.replace(",", "\t") if name == "p.tsv" else CSV
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    for read in (read_pairs, partial(import_ledger, dry_run=True)):
        with pytest.raises(InputError, match=r'as CSV or TSV.*export it again as "JSON"'):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a Label Studio export"),
        ('{"a": 1}', "is not a Label Studio export"),
        ('[{"photo": "a.jpg", "description": "x"}]', r"must end in \.jsonl"),
        ('[{"image": "a.jpg", "annotation_id": 1}]', "JSON-MIN"),
        ('[{"data": {"image": "a.jpg"}, "annotations": 3}]', "not_annotated 1"),
        ('[{"data": {"image": "a.jpg"}, "annotations": [{"result": 3}]}]', "empty_description 1"),
        ('[1, {"data": {}, "annotations": [{"result": []}]}]', "bad_row 1"),
    ],
)
def test_what_is_no_export_is_told(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_pairs(tmp_path / "p.json")


_KEYS = ["data", "image", "photo", "row", "split", "annotations", "result", "value", "text", "type"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(
    data=json_values,
    annotations=json_values,
    result=st.lists(json_values, max_size=3),
    kind=st.sampled_from(["textarea", "choices"]),
    value=json_values,
)
def test_odd_exports_end_in_our_own_errors(
    tmp_path_factory: pytest.TempPathFactory,
    data: Any,
    annotations: Any,
    result: list[Any],
    kind: str,
    value: Any,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    result = [*result, {"type": kind, "from_name": HAZARD, "value": value}]
    tasks = [
        {"data": data, "annotations": annotations},
        {
            "data": {"image": "x.jpg"} | (data if isinstance(data, dict) else {}),
            "annotations": [{"result": result}],
        },
    ]
    with pytest.raises(InputError):
        read_pairs(save(folder / "odd.json", tasks), check_photos=False)
