"""Lists of the public API: filters as query parameters, and page after page."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from tidings.client.http import ServiceHttp

T = TypeVar("T")

PAGE = 200
"""How many are asked for at once: the most that the services answer."""

Word = str | int | bool | datetime | UUID
Filter = Word | Collection[str] | None


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
        params = {**params, "cursor": page.next_cursor}


def query(**filters: Filter) -> Mapping[str, str | Sequence[str]]:
    """Query parameters; what is None is left out, and what has several values is repeated."""
    return {name: _words(value) for name, value in filters.items() if value is not None}


def _words(value: Word | Collection[str]) -> str | Sequence[str]:
    match value:
        case str() | int() | datetime() | UUID():
            return _word(value)
        case _:
            return [_word(one) for one in value]


def _word(value: Word) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
    return str(value)
