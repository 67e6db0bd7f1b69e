"""What the routes of the ledger share: the store, who may ask, and filters."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from hazardscribe.serving.auth import Caller, admin, inspector
from hazardscribe.serving.schemas import Day, Level, Outcome, Status
from hazardscribe.serving.store.errors import StoreUnavailableError
from hazardscribe.serving.store.listing import Filters
from hazardscribe.serving.store.store import Store

logger = logging.getLogger(__name__)

Inspector = Annotated[Caller, Depends(inspector)]
Admin = Annotated[Caller, Depends(admin)]
_Words = Annotated[str, Query(max_length=200)]
_Day = Annotated[Day | Literal[""], Query(description="of the day it was found; YYYY-MM-DD")]


async def _store(request: Request) -> AsyncIterator[Store]:
    try:
        yield request.app.state.store
    except StoreUnavailableError as error:
        logger.error("the ledger cannot be read or written: %s", error)
        raise


Ledger = Annotated[Store, Depends(_store)]
"""The store; the log is told where it fails, and the client in words of ours."""


def _filters(
    q: _Words = "",
    category: _Words = "",
    level: Level | Literal[""] = "",
    status: Status | Literal[""] = "",
    outcome: Outcome | Literal[""] = "",
    place: _Words = "",
    responsible: _Words = "",
    since: _Day = "",
    until: _Day = "",
) -> Filters:
    return Filters(
        *(q, category, level, status, outcome, place, responsible),
        since=since or None,
        until=until or None,
    )


FromFilters = Annotated[Filters, Depends(_filters)]
