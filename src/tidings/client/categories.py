"""Client of the public API for what people can switch on and off."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.contracts.users import Categories, Category, NewCategory

PATH = "/v1/categories"
REPEATS = 3


class CategoriesClient:
    """Categories of notifications. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    def find(self) -> AsyncIterator[Category]:
        """All categories, by id."""
        return each(self._http, Categories, PATH, lambda page: page.categories)

    async def read(self, category_id: str) -> Category:
        """A category."""
        return await self._http.read(Category, _path(category_id))

    async def put(self, category_id: str, category: NewCategory) -> Category:
        """Store or replace a category; what people chose for it stays."""
        answer = await self._http.call("PUT", _path(category_id), body=category, attempts=REPEATS)
        return answer.read(Category)

    async def delete(self, category_id: str) -> None:
        """Delete a category."""
        await self._http.call("DELETE", _path(category_id))


def _path(category_id: str) -> str:
    return f"{PATH}/{quote(category_id, safe='')}"
