"""Cancelling one notification: 200 and it is never sent, or 409; never "maybe"."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from gateway.cancelling.conftest import Desk, in_a_while, report
from gateway.conftest import NewBody, OpenGateway
from gateway.queues import taking
from support.polling import eventually
from support.servers import ValkeyNode
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent
from tidings.delivery.ledger import Claim, Ledger, open_ledger
from tidings.delivery.outcome import Taken
from tidings.gateway.cancelling.ledger import CancelLedger
from tidings.kit.broker.port import Broker
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

AN_HOUR_LATER = """
update notifications
set send_at = send_at - interval '1 hour', dispatch_at = dispatch_at - interval '1 hour'
where id = any($1::uuid[])
"""
SETTLED = [Status.SENT, Status.DELIVERED, Status.FAILED, Status.SUPPRESSED, Status.EXPIRED]


def event(
    notification_id: UUID, status: Status, attempt: int = 1, reason: Reason | None = None
) -> StatusEvent:
    return StatusEvent(
        notification_id=notification_id, status=status, attempt=attempt, reason=reason, at=now()
    )


def cancels_in(found: dict[str, object]) -> list[object]:
    """The details of the timeline's steps that say `cancelled`."""
    timeline = found["timeline"]
    assert isinstance(timeline, list)
    return [step["detail"] for step in timeline if step["status"] == "cancelled"]


async def test_what_is_queued_is_cancelled(desk: Desk, ledger: Ledger) -> None:
    """The answer is the notification as it is now, with the reason; no worker can claim it any more."""
    sent = await desk.send_queued()
    answer = await desk.cancel(sent, reason="The order was withdrawn")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["id"], found["status"], found["settled"]) == (str(sent), "cancelled", True)
    assert [step["status"] for step in found["timeline"]] == ["accepted", "queued", "cancelled"]
    assert cancels_in(found) == ["The order was withdrawn"]
    assert await ledger.claim(sent, "email", "smtp") is Claim.CANCELLED


async def test_cancelling_again_is_the_same(desk: Desk, other_desk: Desk) -> None:
    """However often and wherever it is asked for, each answer is a 200, and it is cancelled once."""
    sent = await desk.send_queued()
    answers = await asyncio.gather(*(one.cancel(sent) for one in (desk, other_desk) * 5))
    again = await desk.cancel(sent, reason="Too late to say why")
    assert {answer.status_code for answer in (*answers, again)} == {200}
    assert cancels_in(again.json()) == [None]


async def test_what_is_being_sent_is_refused(desk: Desk, ledger: Ledger) -> None:
    """Once a worker has claimed it, it is too late; if nothing went out after all, it can be cancelled."""
    sent = await desk.send_queued()
    assert await ledger.claim(sent, "email", "smtp") is Claim.GRANTED
    answer = await desk.cancel(sent)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_sending")
    assert "queued" in answer.json()["detail"]
    await ledger.release(sent, "email")
    assert (await desk.cancel(sent)).status_code == 200


async def test_what_was_sent_a_moment_ago_is_refused(desk: Desk, ledger: Ledger) -> None:
    """Even before the gateway has heard of the send."""
    sent = await desk.send_queued()
    await ledger.record(sent, "email", Taken(provider="smtp", at=now()))
    answer = await desk.cancel(sent)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_sending")
    assert (await desk.read(sent))["status"] == "queued"


@pytest.mark.parametrize("status", SETTLED)
async def test_what_is_settled_is_refused(desk: Desk, broker: Broker, status: Status) -> None:
    """The refusal says in which state it is."""
    sent = await desk.send_queued()
    await report(broker, event(sent, status))
    await desk.wait_for(sent, status)
    answer = await desk.cancel(sent)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_settled")
    assert status in answer.json()["detail"]


@pytest.mark.parametrize("status", [Status.RETRYING, Status.PARKED])
async def test_what_waits_for_another_attempt_is_cancelled(
    desk: Desk, broker: Broker, status: Status
) -> None:
    """Between attempts, too; in the timeline it follows the attempt before it."""
    sent = await desk.send_queued()
    await report(broker, event(sent, status, reason=Reason.PROVIDER_UNAVAILABLE))
    await desk.wait_for(sent, status)
    found = (await desk.cancel(sent)).json()
    assert [step["status"] for step in found["timeline"]] == ["accepted", "queued", status, "cancelled"]


@pytest.mark.parametrize("unknown", [uuid4(), "no-id"])
async def test_an_unknown_one(desk: Desk, unknown: UUID | str) -> None:
    """What is no notification's id is a 404."""
    answer = await desk.cancel(unknown)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_notification")


@pytest.mark.parametrize("reason", ["", "x" * 201, "a\0b", 7])
async def test_a_reason_that_cannot_be_kept(desk: Desk, reason: object) -> None:
    """A reason is a text of 1 to 200 characters."""
    answer = await desk.cancel(uuid4(), reason=reason)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "$.reason"


async def test_what_is_not_due_needs_no_redis(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """What was sent for later and is not due yet is decided by the database alone."""
    desk = Desk(gateway, new_body)
    sent = await desk.send(send_at=in_a_while())
    assert [(await desk.cancel(sent)).status_code for _ in range(2)] == [200, 200]
    assert (await desk.read(sent))["status"] == "cancelled"


async def test_what_was_cancelled_never_comes_due(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """It is not handed to the broker when its moment comes; what is due after it is."""
    desk = Desk(gateway, new_body)
    sent, after = [await desk.send(send_at=in_a_while(hours=1)) for _ in range(2)]
    assert (await desk.cancel(sent)).status_code == 200
    async with taking(world.broker_url, "email.queue") as taken:
        await admin.execute(AN_HOUR_LATER, [sent, after])
        await eventually(lambda: str(after) in taken.ids)
        assert str(sent) not in taken.ids


async def test_redis_away(
    open_gateway: OpenGateway, own_valkey: ValkeyNode, new_body: NewBody, ledger: Ledger
) -> None:
    """What a worker may have is not decided without Redis: 503, and nothing has changed; later it is."""
    async with open_gateway(cache_url=own_valkey.url) as http, open_redis(own_valkey.url) as redis:
        desk = Desk(http, new_body)
        sent = await desk.send_queued()
        own_valkey.stop()
        answer = await desk.cancel(sent)
        assert (answer.status_code, answer.json()["code"]) == (503, "cache_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await desk.read(sent))["status"] == "queued"
        own_valkey.start()
        # It has lost everything, and no worker has written down yet what it did meanwhile.
        assert (await desk.cancel(sent)).status_code == 503
        async with open_ledger(redis):
            assert (await desk.cancel(sent)).status_code == 200
    assert await ledger.history(sent) == {}  # that of another Redis


async def test_no_redis(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """A gateway that was given no Redis says so, for all that is not waiting for its moment."""
    desk = Desk(gateway, new_body)
    answer = await desk.cancel(await desk.send_queued())
    assert (answer.status_code, answer.json()["code"]) == (503, "cache_unavailable")
    assert "TIDINGS_CACHE_URL" in answer.json()["detail"]


async def test_a_gateway_that_dies_between_the_two_steps(desk: Desk, world: World, broker: Broker) -> None:
    """What is barred in the ledger, and not written down, is written down when a worker meets it."""
    barred, asked_again = await desk.send_queued(), await desk.send_queued()
    async with open_redis(world.cache_url) as redis:
        assert set((await CancelLedger(redis).bar([barred, asked_again])).values()) == {True}
    await report(broker, event(barred, Status.CANCELLED, attempt=0))
    await desk.wait_for(barred, Status.CANCELLED)
    assert (await desk.cancel(barred)).status_code == 200
    assert cancels_in((await desk.cancel(asked_again, reason="Again")).json()) == ["Again"]


async def test_late_reports_change_nothing(desk: Desk, broker: Broker) -> None:
    """What workers found before they could see the cancel is in the timeline, and the state stays."""
    sent, marker = await desk.send_queued(), await desk.send_queued()
    assert (await desk.cancel(sent)).status_code == 200
    await report(
        broker,
        event(sent, Status.CANCELLED, attempt=0),
        event(sent, Status.RETRYING),
        event(sent, Status.FAILED, 2, Reason.UNKNOWN_USER),
        event(sent, Status.SUPPRESSED, 2),
        event(marker, Status.FAILED),
    )
    await desk.wait_for(marker, Status.FAILED)
    found = await desk.read(sent)
    assert (found["status"], found["reason"], cancels_in(found)) == ("cancelled", None, [None])


async def test_proof_of_a_send_is_believed(desk: Desk, broker: Broker) -> None:
    """What went out unseen, while Redis was away, is `sent` in the end: what the person has got counts."""
    sent = await desk.send_queued()
    assert (await desk.cancel(sent)).status_code == 200
    await report(broker, event(sent, Status.SENT))
    await desk.wait_for(sent, Status.SENT)
    assert (await desk.cancel(sent)).json()["code"] == "already_settled"
