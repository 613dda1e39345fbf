"""Writes to a service, and what each leaves in its audit log."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tidings.kit.ids import now

WRITES = frozenset({"post", "put", "patch", "delete"})

Prepare = Callable[[httpx.AsyncClient], Awaitable[dict[str, str]]]


async def nothing(_: httpx.AsyncClient) -> dict[str, str]:
    """A write that needs nothing to be there."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Write:
    """One successful call of a route, and the `action` that it leaves in the log.

    `prepare` makes what the call needs, and returns what stands for the route's parameters; a parameter it
    does not name has a fresh value.
    """

    route: str
    action: str
    method: str = "post"
    body: Any = None
    prepare: Prepare = nothing
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> tuple[str, str]:
        """Method and path, as the OpenAPI description has them."""
        return self.method, self.route

    async def send(self, client: httpx.AsyncClient) -> list[dict[str, Any]]:
        """Make the call, and return the entries that it left."""
        fresh = {"external_id": f"id-{uuid4()}", "category_id": f"c-{uuid4()}", "name": f"p-{uuid4()}"}
        path = self.route.format_map(fresh | await self.prepare(client))
        correlation_id = f"write-{uuid4()}"
        content = {"content": self.body} if isinstance(self.body, str) else {"json": self.body}
        answer = await client.request(
            self.method.upper(),
            path,
            headers={"X-Correlation-ID": correlation_id, **self.headers},
            **({} if self.body is None else content),
        )
        assert answer.is_success, answer.text
        return [entry for entry in await entries(client) if entry["correlation_id"] == correlation_id]


async def entries(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    """The newest entries of a service's log, newest first."""
    answer = await client.get("/audit-log", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])


async def write_operations(client: httpx.AsyncClient) -> set[tuple[str, str]]:
    """Every operation of the service's OpenAPI description that is not a GET."""
    paths = (await client.get("/schema/openapi.json")).json()["paths"]
    return {(method, path) for path, item in paths.items() for method in WRITES & item.keys()}


async def add_old_entries(database_url: str, schema: str, *, days: float, count: int = 1) -> None:
    """Put entries into a service's log that are so many days old, as a superuser; each has `old` as actor."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": schema})
    try:
        await connection.execute(
            """
            insert into audit_log (id, at, actor, action, subject, detail)
            select gen_random_uuid(), $1, 'old', 'thing.changed', number::text, '{}'
            from generate_series(1, $2::int) as number
            """,
            now() - timedelta(days=days),
            count,
        )
    finally:
        await connection.close()
