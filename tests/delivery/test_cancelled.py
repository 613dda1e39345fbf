"""What was cancelled: of a cancel and the claims of workers exactly one wins, and then nothing goes out."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from delivery.conftest import NewMessage
from delivery.desk import Desk
from delivery.outside import emails_to, misbehave
from simulator.running import Simulator
from support.polling import eventually
from support.reports import Reports
from support.servers import ValkeyNode
from support.world import World
from tidings.contracts.codes import Status
from tidings.contracts.ledger import WORKERS_HERE
from tidings.delivery.ledger import Claim, Ledger, open_ledger
from tidings.delivery.outcome import Cancelled, Taken
from tidings.gateway.cancelling.ledger import AT_ONCE, CancelLedger
from tidings.kit.broker.port import Acknowledge, Delay
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

TAKEN = Taken(provider="smtp", at=now())


@pytest.fixture(scope="module")
async def redis(world: World) -> AsyncIterator[Redis]:
    """A client of the workers' server."""
    async with open_redis(world.cache_url) as redis:
        yield redis


@pytest.fixture
async def ledger(redis: Redis) -> AsyncIterator[Ledger]:
    """The ledger as a worker sees it."""
    async with open_ledger(redis) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def gateway(redis: Redis) -> CancelLedger:
    """The ledger as a gateway sees it."""
    return CancelLedger(redis)


async def decided(ledger: CancelLedger, notification_id: UUID) -> bool:
    """What the ledger says; a caller who hears nothing, since Redis is busy, asks again."""
    told: dict[UUID, bool] = {}
    while not told:
        told = await ledger.bar([notification_id])
    return told[notification_id]


async def test_a_cancel_and_a_claim_exclude_each_other(redis: Redis) -> None:
    """Of notifications cancelled by two gateways and claimed by two workers at once, each goes one way."""
    ids = [uuid4() for _ in range(2 * AT_ONCE)]
    async with open_ledger(redis) as one, open_ledger(redis) as other:

        async def cancels() -> dict[UUID, bool]:
            return {each: await decided(CancelLedger(redis), each) for each in ids}

        async def claims(ledger: Ledger) -> dict[UUID, object]:
            # One by one, as the gateways, and from the other end: they meet on the way, and both win some.
            return {each: await ledger.claim(each, "email", "smtp") for each in reversed(ids)}

        mine, theirs, told, told_too = await asyncio.gather(claims(one), claims(other), cancels(), cancels())
    assert told == told_too
    assert set(told.values()) == {True, False}
    for each, cancelled in told.items():
        expected = {Claim.CANCELLED} if cancelled else {Claim.GRANTED, Claim.BUSY}
        assert {mine[each], theirs[each]} == expected


async def test_many_are_barred_in_one_go(ledger: Ledger, gateway: CancelLedger) -> None:
    """Of more than fit into one call each gets its own answer."""
    ids = [uuid4() for _ in range(2 * AT_ONCE + 1)]
    sending = set(ids[::2])
    await asyncio.gather(*(ledger.claim(one, "email", "smtp") for one in sending))
    assert await gateway.bar(ids) == {one: one not in sending for one in ids}


async def test_what_surely_did_not_go_out_can_be_cancelled(ledger: Ledger, gateway: CancelLedger) -> None:
    """After a release the way is free; after a send, or one without an answer, it is not."""
    released, sent, unsure = uuid4(), uuid4(), uuid4()
    for one in (released, sent, unsure):
        await ledger.claim(one, "email", "smtp")
    await ledger.release(released, "email")
    await ledger.record(sent, "email", TAKEN)
    await ledger.release(unsure, "email", unsure="smtp")
    assert await gateway.bar([released, sent, unsure]) == {released: True, sent: False, unsure: False}
    assert await ledger.history(released) == Cancelled()


async def test_one_device_stands_for_all(ledger: Ledger, gateway: CancelLedger) -> None:
    """Once one device is sent to there is nothing to cancel; once it is cancelled no device is sent to."""
    begun, cancelled = uuid4(), uuid4()
    await ledger.claim(begun, "device-1", "fcm")
    assert await gateway.bar([begun, cancelled]) == {begun: False, cancelled: True}
    assert await ledger.claim(begun, "device-2", "fcm") is Claim.GRANTED
    devices = ("device-1", "device-2")
    assert {await ledger.claim(cancelled, one, "fcm") for one in devices} == {Claim.CANCELLED}


async def test_a_cancel_is_kept_for_weeks(redis: Redis, ledger: Ledger, gateway: CancelLedger) -> None:
    """Longer than a message waits; claims that come to nothing do not shorten it."""
    notification_id = uuid4()
    await gateway.bar([notification_id])
    await ledger.claim(notification_id, "email", "smtp")
    assert await redis.ttl(f"delivery:{notification_id}") > 29 * 86_400


@pytest.mark.usefixtures("ledger")
async def test_a_redis_of_others_decides_nothing(
    own_valkey: ValkeyNode, redis: Redis, gateway: CancelLedger
) -> None:
    """Where no worker has its ledger, as in a Redis that lost everything, nobody is told "cancelled"."""
    async with open_redis(own_valkey.url) as others:
        assert await CancelLedger(others).bar([uuid4()]) == {}
    assert await CancelLedger(None).bar([uuid4()]) == {}
    assert await redis.exists(WORKERS_HERE)
    assert list((await gateway.bar([uuid4()])).values()) == [True]


@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_cancelled_message_is_dropped(
    *,
    desk: Desk,
    gateway: CancelLedger,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
    attempt: int,
) -> None:
    """Whether it is new or comes back, it is acknowledged and reported as cancelled, and nobody gets it."""
    message = new_message()
    await gateway.bar([message.notification_id])
    assert await desk.deliver(message, attempt=attempt) == Acknowledge()
    event = await reports.settled(message.notification_id)
    assert (event.status, event.attempt, event.reason) == (Status.CANCELLED, 0, None)
    assert await emails_to(simulator, address) == []


async def test_what_would_be_tried_again_is_dropped(
    *,
    desk: Desk,
    gateway: CancelLedger,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """Between two attempts it can be cancelled, and then no look-up is made for it any more."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451, "times": 1})
    assert isinstance(await desk.deliver(message), Delay)
    assert await gateway.bar([message.notification_id]) == {message.notification_id: True}
    lost = msgspec.structs.replace(message, user_id=str(uuid4()))
    assert await desk.deliver(lost, attempt=2) == Acknowledge()
    assert (await reports.settled(message.notification_id)).status is Status.CANCELLED
    assert str(message.notification_id) not in reports.dead_letters
    assert await emails_to(simulator, address) == []


async def test_what_went_out_unclaimed_is_not_cancelled(
    *,
    own_valkey: ValkeyNode,
    desk_on_own_valkey: Desk,
    reports: Reports,
    new_message: NewMessage,
) -> None:
    """A send while Redis was away is written down before any cancel is decided there again."""
    message = new_message()
    own_valkey.stop()
    assert await desk_on_own_valkey.deliver(message) == Acknowledge()
    assert (await reports.settled(message.notification_id)).status is Status.SENT
    own_valkey.start()
    told: dict[UUID, bool] = {}
    async with open_redis(own_valkey.url) as redis:

        async def decided() -> bool:
            told.update(await CancelLedger(redis).bar([message.notification_id]))
            return bool(told)

        await eventually(decided)
    assert told == {message.notification_id: False}
