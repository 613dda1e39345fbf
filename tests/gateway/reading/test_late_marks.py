"""What is read of a notification whose reports are faster than the gateway's own mark."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from gateway.reading.conftest import Workers, step
from support.polling import eventually
from tidings.contracts.codes import Status
from tidings.kit.ids import now


async def test_what_is_settled_stays_as_it_was(
    gateway: httpx.AsyncClient, workers: Workers, admin: asyncpg.Connection
) -> None:
    """Marked queued after its worker's report, it is in no way another, and not updated again."""
    one = await workers.accept(send_at=(now() + timedelta(hours=1)).isoformat())  # so it is not marked yet
    await workers.report([step(one, Status.SENT)])
    settled: dict[str, Any] = {}

    async def is_settled() -> bool:
        settled.update(await read(gateway, one))
        return bool(settled["settled"])

    await eventually(is_settled)
    await admin.execute("update notifications set dispatch_at = now() where id = $1", one)
    await eventually(lambda: is_marked(admin, one))
    assert await read(gateway, one) == settled


async def read(gateway: httpx.AsyncClient, notification_id: UUID) -> dict[str, Any]:
    return dict((await gateway.get(f"/v1/notifications/{notification_id}")).json())


async def is_marked(admin: asyncpg.Connection, notification_id: UUID) -> bool:
    query = "select dispatch_at is null from notifications where id = $1"
    return bool(await admin.fetchval(query, notification_id))
