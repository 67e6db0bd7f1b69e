"""A store on either database, photos to put into it, and the routes over it."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import postgres
import pytest
from PIL import Image

from hazardscribe.serving.engine import Described
from hazardscribe.serving.schemas import Finding, NewFinding, Suggestion
from hazardscribe.serving.store.store import Store

Picture = Callable[..., bytes]


@pytest.fixture(scope="session")
def picture() -> Picture:
    """An uploaded photo, another for each seed."""

    def make(seed: int = 0, size: tuple[int, int] = (64, 48), kind: str = "JPEG", **options: Any):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@dataclass
class Place:
    """Where a store lies; opened again, it must hold what it held."""

    url: str
    photos: Path
    opened: list[Store] = field(default_factory=list)

    def open(self) -> Store:
        self.opened.append(Store.open(self.url, self.photos))
        return self.opened[-1]


@pytest.fixture(scope="session")
def _server() -> Iterator[str]:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install psycopg[binary]")
    with postgres.server() as address:
        yield address


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.extended)],
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place for a store, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        import psycopg

        address = request.getfixturevalue("_server")
        name = f"store_{secrets.token_hex(6)}"
        with psycopg.connect(address.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = address.format(name)
    place = Place(url, tmp_path / "photos")
    yield place
    for store in place.opened:
        store.close()
    if request.param == "postgresql":
        with psycopg.connect(address.format("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


Confirm = Callable[..., Finding]


@pytest.fixture
def confirm(store: Store) -> Confirm:
    """Take a finding into the ledger; fields of NewFinding by name."""

    def make(text: str = "一名工人未佩戴安全帽", photos: Any = (), **fields: Any) -> Finding:
        by = fields.pop("by", "张三")
        return store.confirm(NewFinding(text=text, **fields), photos, by)[0]

    return make


@pytest.fixture
def say(store: Store) -> Callable[..., str]:
    """Let the model say something; the id."""

    def make(
        text: str = "未戴安全帽", model: str = "m1", categories: Any = (), **fields: Any
    ) -> str:
        fields = {"draft": text, **fields}
        suggestions = [Suggestion(category=name, share=1) for name in categories]
        return store.remember([Described(text=text, suggestions=suggestions, **fields)], model)[0]

    return make
