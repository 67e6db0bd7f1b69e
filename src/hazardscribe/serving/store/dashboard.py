"""Whether the model's texts are of use: what people did with them, by week, category and model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, func, literal, select

from hazardscribe.serving.schemas import CategoryCounts, Dashboard, ModelCounts, WeekCounts
from hazardscribe.serving.store.tables import findings, sayings

_Counts = Mapping[Any, Mapping[str, int]]


def dashboard(connection: Connection, this_week: date, weeks: int) -> Dashboard:
    """Counts of the last weeks.

    A record counts in the week in which it was confirmed, a rejected saying in that in which it
    was rejected, under the first category that was suggested for it.

    Args:
        connection: to the store.
        this_week: the Monday of the present week, the last that is counted.
        weeks: how many; those in which nothing happened stand there with zeros.
    """
    first = this_week - timedelta(weeks=weeks - 1)
    confirmed = select(
        findings.c.week,
        findings.c.category,
        findings.c.model,
        findings.c.outcome,
        func.count().label("count"),
    ).where(findings.c.week >= first)
    rejected = select(
        sayings.c.rejected_week,
        sayings.c.category,
        sayings.c.model,
        literal("rejected"),
        func.count(),
    ).where(sayings.c.rejected_week >= first)
    rows = [
        *connection.execute(confirmed.group_by(*list(confirmed.selected_columns)[:4])),
        *connection.execute(rejected.group_by(*list(rejected.selected_columns)[:3])),
    ]
    by_week, by_category, by_model = (
        defaultdict[Any, defaultdict[str, int]](lambda: defaultdict(int)) for _ in range(3)
    )
    for week, category, model, outcome, count in rows:
        by_week[week][outcome] += count
        by_category[category][outcome] += count
        if model is not None:  # a text that no model had a part in
            by_model[model][outcome] += count
    return Dashboard(
        weeks=[
            WeekCounts(week=week, **by_week[week])
            for week in (first + timedelta(weeks=number) for number in range(weeks))
        ],
        categories=[
            CategoryCounts(category=name, **by_category[name]) for name in _busiest(by_category)
        ],
        models=[ModelCounts(model=name, **by_model[name]) for name in _busiest(by_model)],
    )


def _busiest(counts: _Counts) -> list[str]:
    return sorted(counts, key=lambda name: (-sum(counts[name].values()), name))
