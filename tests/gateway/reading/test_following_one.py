"""Following one notification: its life so far, and each step as it becomes known."""

import httpx
import pytest

from gateway.reading.conftest import Follow, Workers, step, told
from tidings.contracts.codes import Reason, Status


async def test_a_life_from_the_start(follow: Follow, workers: Workers) -> None:
    """The reader gets every step, whichever gateway learned of it, and the stream ends with the life."""
    one = await workers.accept()
    async with follow(f"/v1/notifications/{one}/events") as reader:
        assert told(await reader.take(2)) == [("accepted", 0), ("queued", 0)]
        await workers.report([step(one, Status.RETRYING, 1, Reason.PROVIDER_THROTTLED)])
        retried = await reader.next()
        assert retried is not None
        assert (retried.data["status"], retried.data["reason"]) == ("retrying", "provider_throttled")
        assert (retried.data["notification_id"], retried.data["template_id"]) == (str(one), "welcome")
        await workers.report([step(one, Status.SENT, 2)])
        sent, last = await reader.take(2)
        assert told([sent]) == [("sent", 2)]
        assert (last.kind, last.data) == ("settled", {"status": "sent"})
        assert await reader.next() is None


async def test_going_on_after_an_event(follow: Follow, workers: Workers) -> None:
    """With the id of an event the reader gets what came after it, and nothing twice."""
    one = await workers.accept()
    path = f"/v1/notifications/{one}/events"
    async with follow(path) as reader:
        accepted, queued = await reader.take(2)
        await workers.report([step(one, Status.RETRYING, 1)])
        retried = await reader.next()
    assert retried is not None
    await workers.report([step(one, Status.RETRYING, 2), step(one, Status.SENT, 3)])
    rest = [("retrying", 2), ("sent", 3)]
    for seen, missing in (
        (accepted, [("queued", 0), ("retrying", 1), *rest]),
        (queued, [("retrying", 1), *rest]),
        (retried, rest),
    ):
        async with follow(path, after=seen.id) as reader:
            assert told(await reader.rest()) == missing


async def test_following_beyond_the_end(follow: Follow, workers: Workers) -> None:
    """What a provider says after a message was sent comes to those who ask for it."""
    one = await workers.accept()
    await workers.report([step(one, Status.SENT)])
    async with follow(f"/v1/notifications/{one}/events", follow="true") as reader:
        assert told(await reader.take(3)) == [("accepted", 0), ("queued", 0), ("sent", 1)]
        await workers.report([step(one, Status.DELIVERED, 0)])
        assert told(await reader.take(1)) == [("delivered", 0)]


@pytest.mark.parametrize(
    ("notification_id", "last_event_id", "status", "code"),
    [
        ("0198c0de-0000-7000-8000-000000000000", None, 404, "unknown_notification"),
        ("7", None, 404, "unknown_notification"),
        ("0198c0de-0000-7000-8000-000000000000", "12-34", 400, "bad_last_event_id"),
        ("0198c0de-0000-7000-8000-000000000000", "9" * 30, 400, "bad_last_event_id"),
    ],
)
async def test_what_cannot_be_followed_is_refused(
    gateway: httpx.AsyncClient, notification_id: str, last_event_id: str | None, status: int, code: str
) -> None:
    """A notification that is not there, and an id of another stream, are named."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    answer = await gateway.get(f"/v1/notifications/{notification_id}/events", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
