"""Exports of Label Studio that we did not set up, and files that are none.

What comes back of our own projects is tested where they are written, in `exporting`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazardscribe.errors import InputError
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
