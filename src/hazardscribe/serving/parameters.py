"""Names that a route does not know are refused: a misspelt filter would else choose everything.

    router = APIRouter(dependencies=[KNOWN_QUERY])

Monitors' routes, the page and OpenAI's form take any query: its clients and caches add their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from hazardscribe.serving.errors import ApiError


async def known_query(request: Request) -> None:
    """Refuse a query with names that the route does not have, or with one of them twice.

    Raises:
        ApiError: 422, naming them and those that there are.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    if given:
        route = request.scope["route"]
        assert isinstance(route, APIRoute)
        check_names(given, list(_names(route.dependant)))


def _names(dependant: Dependant) -> Iterator[str]:
    """The query of a route, with what its dependencies ask for."""
    yield from (field.alias for field in dependant.query_params)
    for part in dependant.dependencies:
        yield from _names(part)


KNOWN_QUERY = Depends(known_query)


def check_names(given: Iterable[str], known: Collection[str], many: Collection[str] = ()) -> None:
    """Refuse names that are not known, and those given twice that are none of `many`.

    Raises:
        ApiError: 422, naming them and those that there are.
    """
    seen: set[str] = set()
    for name in given:
        shown = name[:80] or "-"
        if name not in known:
            names = ", ".join(known)
            zh = f"可用的有：{names}。" if names else "它不接受参数。"
            en = f"There are: {names}." if names else "This address takes none."
            raise ApiError(
                422,
                "unknown_parameter",
                f"这个地址没有参数 {shown}。{zh}",
                f"There is no parameter {shown} here. {en}",
            )
        if name in seen and name not in many:
            raise ApiError(
                422,
                "unknown_parameter",
                f"参数 {shown} 只能出现一次。",
                f"The parameter {shown} may be given once.",
            )
        seen.add(name)
