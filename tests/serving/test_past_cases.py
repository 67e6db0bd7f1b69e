"""What a server suggests from a company's own past cases."""

from __future__ import annotations

import shutil
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import httpx
import numpy as np
import pytest
from running_server import make_app, running

from hazardscribe import verbs
from hazardscribe.describing.similar import PastCase
from hazardscribe.serving.past_cases import PastCases, suggest
from hazardscribe.serving.settings import ServeSettings
from hazardscribe.training.recipe import Recipe

BRIEF = {"device": "cpu", "max_new_tokens": 6}


@pytest.fixture(scope="module")
def model(start, pairs, tmp_path_factory) -> Path:
    """A model with an alignment head: two steps of training."""
    recipe = Recipe(start=str(start), steps=2, batch_size=4, max_text_tokens=8)
    return verbs.train(pairs, recipe, tmp_path_factory.mktemp("run") / "run").model


@pytest.fixture(
    scope="module",
    params=["photo,description,category,place,measure", "照片,隐患描述,隐患类别,检查地点,整改措施"],
)
def ledger(request, photos, tmp_path_factory) -> Path:
    """Pairs with what else a ledger says."""
    folder = tmp_path_factory.mktemp("past")
    lines = [request.param]
    for i, photo in enumerate(photos[:6]):
        shutil.copyfile(photo, folder / f"{i}.png")
        category = ("电气", "消防", "")[i % 3]
        lines.append(f"{i}.png,隐患{i}，联系13812345678,{category},{i}号楼,立即整改")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def case(similarity: float, category: str | None) -> PastCase:
    return PastCase("a.png", ("x",), similarity, "", {"category": category} if category else {})


def test_categories_are_those_of_the_nearest_cases_that_bear_one():
    cases = [case(0.9, "消防"), case(0.8, "电气"), case(0.7, "电气"), case(0.6, None)]
    found = suggest([*cases, case(0.5, "其他"), case(0.4, "燃气设施")])
    assert [(one.category, round(one.share, 2)) for one in found] == [
        ("电气", 0.4),
        ("消防", 0.2),  # the nearest of those that occur once
        ("其他", 0.2),
    ]
    assert suggest([case(0.9, None)]) == []


def test_what_is_shown_of_a_case_names_nobody_and_is_bounded():
    personal = "联系13812345678" + "长" * 3000
    facts = {"category": " 电气 ", "place": personal, "responsible": "张三"}
    asked = []

    def nearest(vector, k):
        asked.append(k)
        blank = PastCase("b.png", ("y",), -1.0000001, "", {"category": " "})
        return [PastCase("a.png", (personal,), 1.0000001, "", facts), blank, *[blank] * (k - 2)]

    cases = PastCases(Path("none"), None, None)
    assert cases.look_up(np.zeros(3)) == ([], [])  # until they are loaded
    cases._index = SimpleNamespace(nearest=nearest)
    shown, suggestions = cases.look_up(np.zeros(3))
    assert (asked, len(shown)) == ([15], 3)
    assert (shown[0].similarity, shown[1].similarity) == (1.0, -1.0)
    for text in (shown[0].text, shown[0].place):
        assert "13812345678" not in text
        assert len(text) == 2000
    assert [one.category for one in suggestions] == ["电气"]


def test_past_cases_that_cannot_be_loaded_leave_the_server_running(monkeypatch, caplog):
    for error, told in ((CancelledError(), None), (RuntimeError("/secret"), "failed")):
        cases = PastCases(Path("none"), None, None)
        monkeypatch.setattr(cases, "_load", Mock(side_effect=error))
        cases.start()
        cases.join()
        assert (cases.error, cases.ready, bool(caplog.records)) == (told, False, bool(told))


def test_a_photo_of_the_ledger_finds_its_own_row(model, ledger):
    settings = ServeSettings(model=model, data=ledger, **BRIEF)
    app = make_app(settings)
    with running(app) as address:
        app.state.engine.cases.join(120)
        assert app.state.engine.cases.ready, app.state.engine.cases.error
        files = [("photos", (ledger / f"{i}.png").read_bytes()) for i in range(6)]
        all_six = httpx.post(f"{address}/v1/describe", files=files, timeout=60).json()
        # Of whichever split.
        for i, one in enumerate(all_six["descriptions"]):
            assert one["similar"][0]["text"].startswith(f"隐患{i}")
        one = all_six["descriptions"][1]
        nearest = one["similar"][0]
        assert len(one["similar"]) == 3
        assert nearest["similarity"] == pytest.approx(1, abs=1e-3)
        assert (nearest["category"], nearest["place"]) == ("消防", "1号楼")
        assert "13812345678" not in nearest["text"]  # a telephone number of the ledger
        assert {s["category"] for s in one["suggestions"]} == {"电气", "消防"}
        categories = httpx.get(f"{address}/v1/session").json()["categories"]
        assert set(categories[:2]) == {"电气", "消防"}


def test_describing_does_without_where_they_cannot_be_compared(start, ledger, caplog):
    app = make_app(ServeSettings(model=start, data=ledger, **BRIEF))
    with running(app) as address:
        app.state.engine.cases.join(120)
        assert "alignment_head" in app.state.engine.cases.error
        files = [("photos", (ledger / "1.png").read_bytes())]
        answer = httpx.post(f"{address}/v1/describe", files=files, timeout=60)
        assert answer.json()["descriptions"][0]["similar"] == []
    assert "left out" in caplog.text


def test_the_same_model_has_the_same_id_wherever_it_lies(model, start, tmp_path):
    from hazardscribe.serving.model_id import model_id

    copy = Path(shutil.copytree(model, tmp_path / "mine" / "model"))
    one, other = model_id(model, "card"), model_id(copy, "card")
    assert one.partition("@")[2] == other.partition("@")[2]
    assert (one.partition("@")[0], other.partition("@")[0]) == ("run", "mine")
    assert model_id(start, "card") not in (one, other)
    assert model_id(model, "another prompt") != one
