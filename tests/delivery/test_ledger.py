"""The delivery ledger on a real server: one of many may send, and what was sent stays sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from support.polling import eventually
from support.servers import ValkeyNode
from tidings.delivery.ledger import (
    KEPT_SECONDS,
    Abandoned,
    Claim,
    Ledger,
    LedgerUnavailable,
    Unsure,
    open_ledger,
)
from tidings.delivery.outcome import Taken
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

TAKEN = Taken(provider="smtp", provider_ref="ref-7", detail="250 2.0.0 Ok: ü \ufffd", at=now())
LIMIT_SECONDS = 20  # far above the ledger's own limits, to tell an answer from none


@pytest.fixture(scope="module")
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of the shared server."""
    async with open_redis(valkey_url) as redis:
        yield redis


@pytest.fixture
async def ledgers(redis: Redis) -> AsyncIterator[list[Ledger]]:
    """The ledger as three processes see it."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_ledger(redis)) for _ in range(3)]


@pytest.fixture
async def on_own_valkey(own_valkey: ValkeyNode) -> AsyncIterator[Ledger]:
    """A ledger on a server that this test may stop."""
    async with open_redis(own_valkey.url) as redis, open_ledger(redis) as ledger:
        yield ledger


async def test_one_of_many_claims_is_granted(ledgers: list[Ledger]) -> None:
    """Of claims made at once, in one process and in several, exactly one is granted; the rest are busy."""
    notification_id = uuid4()
    claims = await asyncio.gather(
        *(ledger.claim(notification_id, "email", "smtp") for ledger in ledgers for _ in range(20))
    )
    assert claims.count(Claim.GRANTED) == 1
    assert claims.count(Claim.BUSY) == 59


async def test_targets_are_claimed_one_by_one(ledgers: list[Ledger]) -> None:
    """Two devices of one notification do not exclude each other."""
    notification_id = uuid4()
    assert await ledgers[0].claim(notification_id, "device-1", "smtp") is Claim.GRANTED
    assert await ledgers[1].claim(notification_id, "device-2", "smtp") is Claim.GRANTED


async def test_what_was_sent_is_told_to_everyone(ledgers: list[Ledger]) -> None:
    """After a record every claim answers with it, whole, and nothing can be claimed any more."""
    notification_id = uuid4()
    await ledgers[0].claim(notification_id, "email", "smtp")
    await ledgers[0].record(notification_id, "email", TAKEN)
    assert [await ledger.claim(notification_id, "email", "smtp") for ledger in ledgers] == [TAKEN] * 3
    assert await ledgers[1].history(notification_id) == {"email": TAKEN}


async def test_what_is_being_sent_was_not_sent(ledgers: list[Ledger]) -> None:
    """A claim alone is no record of a send, and names the provider; of others nothing is known."""
    notification_id = uuid4()
    assert await ledgers[0].history(notification_id) == {}
    await ledgers[0].claim(notification_id, "email", "smtp")
    assert await ledgers[1].history(notification_id) == {"email": Unsure("smtp")}


async def test_messages_at_once_keep_apart(ledgers: list[Ledger]) -> None:
    """Of many messages claimed, recorded and released at once, each gets the answers that are its own."""
    kept, freed, sent = ([uuid4() for _ in range(70)] for _ in range(3))
    for one in (*freed, *sent):
        await ledgers[0].claim(one, "email", "smtp")
    takens = {one: Taken(provider="smtp", provider_ref=str(one), at=now()) for one in sent}
    granted, *_ = await asyncio.gather(
        asyncio.gather(*(ledgers[0].claim(one, "email", str(one)) for one in kept)),
        asyncio.gather(*(ledgers[0].release(one, "email") for one in freed)),
        asyncio.gather(*(ledgers[0].record(one, "email", taken) for one, taken in takens.items())),
    )
    assert set(granted) == {Claim.GRANTED}
    histories = [await ledgers[1].history(one) for one in (*kept, *freed, *sent)]
    assert histories[:70] == [{"email": Unsure(str(one))} for one in kept]
    assert histories[70:140] == [{}] * 70
    assert histories[140:] == [{"email": taken} for taken in takens.values()]


async def test_a_released_claim_is_free(ledgers: list[Ledger]) -> None:
    """Who surely did not send gives the claim back, and the next one is granted without a doubt."""
    notification_id = uuid4()
    for ledger in (ledgers[0], ledgers[1], ledgers[0]):
        assert await ledger.claim(notification_id, "email", "smtp") is Claim.GRANTED
        await ledger.release(notification_id, "email")


async def test_a_dead_owners_claim_is_abandoned(redis: Redis, ledgers: list[Ledger]) -> None:
    """When an owner's lease has ended, one other gets the claim, and knows that the body may be out."""
    notification_id = uuid4()
    async with open_ledger(redis) as dead:
        await dead.claim(notification_id, "email", "smtp")
        assert await ledgers[0].claim(notification_id, "email", "smtp") is Claim.BUSY
    claims = await asyncio.gather(*(ledger.claim(notification_id, "email", "smtp") for ledger in ledgers))
    assert claims.count(Abandoned("smtp")) == 1
    assert claims.count(Claim.BUSY) == 2


async def test_a_claim_is_handed_on_to_the_next_provider(redis: Redis, ledgers: list[Ledger]) -> None:
    """When an owner dies after a failover, the provider that may have the body is the second one."""
    notification_id = uuid4()
    dead = Ledger(redis)
    await dead.renew_lease()
    await dead.claim(notification_id, "email", "first")
    await dead.pass_on(notification_id, "email", "second")
    await dead.end_lease()
    assert await ledgers[0].claim(notification_id, "email", "first") == Abandoned("second")


async def test_a_doubt_is_remembered_and_no_obstacle(ledgers: list[Ledger]) -> None:
    """Which provider did not answer is known to everyone, and the next claim is granted all the same."""
    notification_id = uuid4()
    await ledgers[0].claim(notification_id, "email", "smtp")
    await ledgers[0].release(notification_id, "email", unsure="smtp")
    assert await ledgers[1].history(notification_id) == {"email": Unsure("smtp")}
    assert await ledgers[1].claim(notification_id, "email", "smtp") is Claim.GRANTED


async def test_claims_of_older_workers_are_understood(redis: Redis, ledgers: list[Ledger]) -> None:
    """Workers that wrote no provider into their claims hold them all the same; theirs is not known."""
    notification_id = uuid4()
    await redis.set("delivery-owner:older", b"1")
    await redis.hset(f"delivery:{notification_id}", "email", b"sending older")
    assert await ledgers[0].history(notification_id) == {"email": Unsure("")}
    assert await ledgers[0].claim(notification_id, "email", "smtp") is Claim.BUSY
    await redis.delete("delivery-owner:older")
    assert await ledgers[0].claim(notification_id, "email", "smtp") == Abandoned("")
    await ledgers[0].release(notification_id, "email", unsure="")
    assert await ledgers[1].history(notification_id) == {"email": Unsure("")}


async def test_nothing_is_kept_for_ever(redis: Redis, ledgers: list[Ledger]) -> None:
    """Claims and records go after a day, and a lease within seconds of its owner's death."""
    notification_id = uuid4()
    await ledgers[0].claim(notification_id, "email", "smtp")
    claimed = await redis.ttl(f"delivery:{notification_id}")
    await ledgers[0].record(notification_id, "email", TAKEN)
    recorded = await redis.ttl(f"delivery:{notification_id}")
    leases = [await redis.ttl(key) async for key in redis.scan_iter("delivery-owner:*")]
    assert 0 < claimed <= KEPT_SECONDS
    assert 0 < recorded <= KEPT_SECONDS
    assert leases
    # One that has ended since it was found is told by -2; -1 would be one without an end.
    assert all(lease != -1 and lease <= 60 for lease in leases)


async def test_without_redis_the_past_is_unknown(on_own_valkey: Ledger, own_valkey: ValkeyNode) -> None:
    """While Redis is away the ledger says so, soon; afterwards it works again."""
    own_valkey.stop()
    async with asyncio.timeout(LIMIT_SECONDS):
        with pytest.raises(LedgerUnavailable):
            await on_own_valkey.claim(uuid4(), "email", "smtp")
        with pytest.raises(LedgerUnavailable):
            await on_own_valkey.history(uuid4())
        await on_own_valkey.release(uuid4(), "email")
    own_valkey.start()
    assert await on_own_valkey.claim(uuid4(), "email", "smtp") is Claim.GRANTED


async def test_a_redis_that_hangs_is_away(own_valkey: ValkeyNode) -> None:
    """A Redis that lets one claim wait in vain is treated like one that is gone, until it answers again."""
    async with (
        open_redis(own_valkey.hasty_url) as redis,
        open_ledger(redis) as ledger,
        open_redis(own_valkey.url) as patient,
    ):
        await patient.client_pause(600_000, all=False)
        before = await connections(patient)
        for _ in range(40):
            with pytest.raises(LedgerUnavailable):
                await ledger.claim(uuid4(), "email", "smtp")
        # Each that had waited in vain would have given up its connection, as renewals of the lease do.
        assert await connections(patient) - before < 20
        await patient.client_unpause()

        async def is_back() -> bool:
            try:
                return await ledger.claim(uuid4(), "email", "smtp") is Claim.GRANTED
            except LedgerUnavailable:
                return False

        await eventually(is_back)


async def connections(redis: Redis) -> int:
    """How many the server has taken."""
    return int((await redis.info("stats"))["total_connections_received"])


async def test_a_send_that_could_not_be_recorded_is_remembered(
    on_own_valkey: Ledger, own_valkey: ValkeyNode
) -> None:
    """Redis goes away between claim and record, and comes back empty: this process does not send again."""
    notification_id = uuid4()
    await on_own_valkey.claim(notification_id, "email", "smtp")
    own_valkey.stop()
    await on_own_valkey.record(notification_id, "email", TAKEN)
    assert await on_own_valkey.claim(notification_id, "email", "smtp") == TAKEN
    own_valkey.start()
    assert await on_own_valkey.claim(notification_id, "email", "smtp") == TAKEN


async def test_a_send_that_could_not_be_recorded_is_told_to_others_later(
    on_own_valkey: Ledger, own_valkey: ValkeyNode
) -> None:
    """When Redis is back, what was sent meanwhile is written down, so that other processes know of it."""
    notification_id = uuid4()
    own_valkey.stop()
    await on_own_valkey.record(notification_id, "email", TAKEN)
    own_valkey.start()
    async with open_redis(own_valkey.url) as redis:
        other = Ledger(redis)

        async def known() -> bool:
            return await other.history(notification_id) == {"email": TAKEN}

        await eventually(known)


async def test_a_claim_survives_a_redis_that_lost_everything(
    on_own_valkey: Ledger, own_valkey: ValkeyNode
) -> None:
    """Redis restarts empty in the middle of a send: the same process still does not send it twice."""
    notification_id = uuid4()
    assert await on_own_valkey.claim(notification_id, "email", "smtp") is Claim.GRANTED
    own_valkey.stop()
    own_valkey.start()
    assert await on_own_valkey.claim(notification_id, "email", "smtp") is Claim.BUSY
