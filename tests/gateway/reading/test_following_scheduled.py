"""Following a notification that waits for its moment."""

from datetime import timedelta

import asyncpg

from gateway.reading.conftest import Follow, Workers, told
from tidings.kit.ids import now


async def test_it_tells_when_it_is_due(follow: Follow, workers: Workers, admin: asyncpg.Connection) -> None:
    """The reader hears at once until when it waits, and of its leaving soon after it is due."""
    one = await workers.accept(send_at=(now() + timedelta(hours=1)).isoformat())
    due = now() + timedelta(seconds=0.5)
    await admin.execute("update notifications set send_at = $2, dispatch_at = $2 where id = $1", one, due)
    async with follow(f"/v1/notifications/{one}/events") as reader:
        accepted, scheduled, queued = await reader.take(3)
    assert told([accepted, scheduled, queued]) == [("accepted", 0), ("scheduled", 0), ("queued", 0)]
    assert scheduled.data["next_attempt_at"] == due.isoformat().replace("+00:00", "Z")
