"""Any ledger at all, whole or damaged: a sentence or a whole folder of pairs, never anything else.

`make fuzz` looks for ten minutes (MINUTES=60 for longer, SEED=7 for other examples) and says how
many ledgers it tried. What hypothesis finds it makes small and prints.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import hypothesis
import pytest
from checked_import import checked_import
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_ledgers import Drawn, ledgers, write
from test_import_damage import damage

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "split_numbered": st.just(True),
        "keep_unseeable": st.just(True),
        "columns": st.sampled_from([{"photo": "备注"}, {"description": "AI描述"}]),
        "split": st.sampled_from(["group=地点", "group=备注"]),
    },
)
DAMAGE = st.booleans().flatmap(lambda yes: st.integers(0, 2**32) if yes else st.none())


def survive(drawn: Drawn, options: dict[str, object], seed: int | None, work: Path) -> bool:
    """Write the ledger, damage it (with a seed) and import it; True where pairs came out."""
    shutil.rmtree(work, ignore_errors=True)
    ledger = write(drawn, work / "ledger")
    if seed is not None:
        damage(work / "ledger", random.Random(seed))
    return checked_import(ledger, work / "ledger", work, **options)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=ledgers(), options=OPTIONS, seed=DAMAGE)
def test_any_ledger(
    tmp_path: Path, drawn: Drawn, options: dict[str, object], seed: int | None
) -> None:
    survive(drawn, options, seed, tmp_path / "work")


@pytest.mark.extended
def test_any_ledger_for_minutes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """One hypothesis run after the other, each with a seed of its own, until the time is up."""
    end = time.monotonic() + 60 * float(os.environ.get("HAZARDSCRIBE_FUZZ_MINUTES", "1"))
    number = int(os.environ.get("HAZARDSCRIBE_FUZZ_SEED", "0")) * 1_000_000
    tried = damaged = paired = 0

    @settings(
        max_examples=200,
        deadline=None,
        derandomize=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn=ledgers(), options=OPTIONS, seed=DAMAGE)
    def one(drawn: Drawn, options: dict[str, object], seed: int | None) -> None:
        nonlocal tried, damaged, paired
        if time.monotonic() > end:
            return
        tried += 1
        damaged += seed is not None
        paired += survive(drawn, options, seed, tmp_path / "work")

    while time.monotonic() < end:
        hypothesis.seed(number)(one)()
        number += 1
    with capsys.disabled():
        print(f"\n{tried} ledgers, {damaged} of them damaged; {paired} gave pairs")
    assert tried
