"""Following a notification that waits for its moment."""

from datetime import timedelta

from gateway.reading.conftest import Follow, Workers, told
from tidings.kit.ids import now


async def test_it_tells_when_it_is_due(follow: Follow, workers: Workers) -> None:
    """The reader hears at once until when it waits, and of its leaving soon after it is due."""
    due = now() + timedelta(seconds=0.5)
    one = await workers.accept(send_at=due.isoformat())
    async with follow(f"/v1/notifications/{one}/events") as reader:
        accepted, scheduled, queued = await reader.take(3)
    assert told([accepted, scheduled, queued]) == [("accepted", 0), ("scheduled", 0), ("queued", 0)]
    assert scheduled.data["next_attempt_at"] == due.isoformat().replace("+00:00", "Z")
