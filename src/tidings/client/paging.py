"""Lists of the public API: filters as query parameters, and page after page."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from tidings.client.http import ServiceHttp

T = TypeVar("T")

PAGE = 200
"""How many are asked for at once: the most that the services answer."""

Filter = str | int | bool | datetime | UUID | None


class Page(Protocol):
    """A part of a list."""

    @property
    def next_cursor(self) -> str | None:
        """What asks for the next part; None at the end."""


P = TypeVar("P", bound=Page)


async def each(
    http: ServiceHttp,
    page_kind: type[P],
    path: str,
    items: Callable[[P], Sequence[T]],
    **filters: Filter,
) -> AsyncIterator[T]:
    """Everything on a list that fits, asked for page by page as it is taken.

    Raises:
        RemoteProblem: refused, perhaps one of the filters.
        RemoteUnavailable: no answer, tried three times.
    """
    params = query(limit=PAGE, **filters)
    while True:
        page = await http.read(page_kind, path, params=params)
        for item in items(page):
            yield item
        if page.next_cursor is None:
            return
        params["cursor"] = page.next_cursor


def query(**filters: Filter) -> dict[str, str]:
    """Query parameters; what is None is left out."""
    return {name: _word(value) for name, value in filters.items() if value is not None}


def _word(value: Filter) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
    return str(value)
