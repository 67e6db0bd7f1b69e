"""The pages under docs: links lead somewhere, and what they list of the server is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
_FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)")


def _text(page: Path) -> str:
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The headings as GitHub makes addresses of them."""
    headings = re.findall(r"^#+ +(.*)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_what_is_there(page: Path) -> None:
    for link in _LINK.findall(_text(page)):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name}: {link}"


def test_the_api_s_page_names_every_error_code() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "src" / "hazardscribe" / "serving").rglob("*.py")
    )
    codes = set(re.findall(r"ApiError\(\s*\d{3},\s*\"(\w+)\"", source))
    codes |= set(re.findall(r"(?:_not_ready|_bad_photo)\(\s*\"(\w+)\"", source))
    codes |= set(re.findall(r"^ +\d{3}: \(\s*\"(\w+)\"", source, re.MULTILINE))  # of Starlette
    codes |= set(re.findall(r"^    \"(\w+)\": \(\s*\d{3},", source, re.MULTILINE))  # of photos
    codes |= set(re.findall(r"refusal = \(\s*\d{3},\s*\"(\w+)\"", source))  # of the store
    assert len(codes) > 35
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = page[page.index("## Errors") :]
    assert sorted(code for code in codes if f"`{code}`" not in table) == []


def test_the_api_s_page_names_every_path() -> None:
    pytest.importorskip("fastapi")
    from hazardscribe.serving.routes import describe, export, health, ledger, openai

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    routes = [
        one for part in (describe, export, health, ledger, openai) for one in part.router.routes
    ]
    paths = {str(one.path) for one in routes if hasattr(one, "path")}
    assert len(paths) > 12
    for path in paths:
        assert re.sub(r"\{\w+(?::path)?\}", "{id}", path).removesuffix("/{id}") in page, path


def test_the_page_on_operations_names_every_metric() -> None:
    pytest.importorskip("prometheus_client")
    from hazardscribe.serving.metrics import Metrics

    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    metrics = [one for one in Metrics().registry.collect() if one.name.startswith("hazardscribe_")]
    assert len(metrics) >= 6
    for one in metrics:
        name = f"{one.name}_total" if one.type == "counter" else one.name
        assert f"| `{name}` | {one.type} |" in page, name


def test_prometheus_rules_ask_for_what_the_server_counts() -> None:
    pytest.importorskip("prometheus_client")
    from ruamel.yaml import YAML

    from hazardscribe.serving.metrics import Metrics

    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    blocks = [
        YAML(typ="safe").load(one) for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    [groups] = [block["groups"] for block in blocks if "groups" in block]
    [scrape] = [block["scrape_configs"] for block in blocks if "scrape_configs" in block]
    metrics = Metrics()
    metrics.request("POST", "/v1/describe", 429, 0.1)
    text = metrics.text().decode()
    rules = [rule["expr"] for group in groups for rule in group["rules"]]
    names = {name for rule in rules for name in re.findall(r"hazardscribe_\w+", rule)}
    assert len(names) == 2
    assert [name for name in names if f"# TYPE {name} " not in text] == []
    assert 'hazardscribe_requests_total{method="POST",route="/v1/describe",status="429"}' in text
    assert f'up{{job="{scrape[0]["job_name"]}"}} == 0' in rules
