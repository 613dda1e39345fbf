"""A rehearsal says what then happens, and leaves nothing behind."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from delivery.conftest import NewMessage, Ways
from delivery.desk import Desk, open_desk, resting
from delivery.outside import emails_to, misbehave, smtp
from delivery.situations import SITUATIONS, Situation, add_templates
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from support.world import World
from tidings.contracts.codes import Reason, Status, Step, Verdict
from tidings.contracts.explaining import Would
from tidings.contracts.messages import Decision
from tidings.email.settings import EmailSettings
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

AT_THE_DOOR = {Step.PROVIDER, Step.CLAIM}
FOUND = {Status.SENT: Would.SEND, Status.PARKED: Would.WAIT}
FAILURES = 5


@pytest.fixture(scope="module", autouse=True)
async def templates(world: World) -> None:
    await add_templates(world)


@pytest.fixture
async def redis(world: World) -> AsyncIterator[Redis]:
    async with open_redis(world.cache_url) as redis:
        yield redis


async def kept_by_workers(redis: Redis) -> dict[bytes, bytes | None]:
    """What workers count and write down about messages."""
    keys = [key for kind in ("delivery", "frequency", "budget") async for key in redis.scan_iter(f"{kind}:*")]
    return {key: await redis.dump(key) for key in keys}


def before_the_door(decisions: list[Decision]) -> list[Decision]:
    return [one for one in decisions if one.step not in AT_THE_DOOR]


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
async def test_it_says_what_then_happens(
    *,
    desk: Desk,
    world: World,
    redis: Redis,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
    situation: Situation,
) -> None:
    """The rehearsal of a message and its delivery decide alike, step by step; one of them leaves a trace."""
    message = new_message(**situation.changed)
    if situation.arrange is not None:
        await situation.arrange(world, message.user_id)
    before = await kept_by_workers(redis)
    rehearsed = await desk.works.rehearser.rehearse(message, now())
    assert await kept_by_workers(redis) == before
    assert await emails_to(simulator, address) == []

    await desk.deliver(message)
    event = await reports.next_of(message.notification_id)

    assert (event.status, event.reason) == situation.ends
    assert situation.decides in [(one.step, one.verdict) for one in rehearsed.decisions]
    assert before_the_door(event.trace) == rehearsed.decisions[: len(before_the_door(event.trace))]
    assert (rehearsed.would, rehearsed.reason) == (FOUND.get(event.status, Would.NOT_SEND), event.reason)
    assert rehearsed.detail == (None if event.status is Status.SENT else event.detail)
    if rehearsed.until is not None:
        assert event.next_attempt_at is not None
        assert rehearsed.until <= event.next_attempt_at


async def test_it_names_who_would_be_tried_and_who_not(
    *,
    ways: Ways,
    simulator: Simulator,
    second: Simulator,
    reports: Reports,
    new_message: NewMessage,
) -> None:
    """A provider that rests is skipped in the rehearsal as in the delivery; what it said stays out."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451, "text": "4.3.0 said of somebody@example.com"})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        with resting(desk, "one"):
            for _ in range(FAILURES):
                await desk.deliver(new_message())
        rehearsed = await desk.works.rehearser.rehearse(message, now())
        await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    *_, skipped, tried = rehearsed.decisions
    *_, skipped_too, claimed, took = event.trace
    assert rehearsed.would is Would.SEND
    assert tried == Decision(Step.PROVIDER, Verdict.PASSED, "two: it would be tried first")
    assert (claimed, took) == (
        Decision(Step.CLAIM, Verdict.PASSED, "two"),
        Decision(Step.PROVIDER, Verdict.TRIED, "two: taken"),
    )
    for one in (skipped, skipped_too):
        assert (one.step, one.verdict) == (Step.PROVIDER, Verdict.SKIPPED)
        assert (one.detail or "").startswith("one: provider_unavailable until 20")
        assert "somebody@example.com" not in (one.detail or "")


async def test_it_waits_where_nobody_may_be_tried(
    ways: Ways, simulator: Simulator, new_message: NewMessage
) -> None:
    """With the only provider at rest it would wait, until that may be tried."""
    await misbehave(simulator, {"smtp_code": 451})
    async with open_desk(ways(smtp("one", simulator))) as desk:
        with resting(desk, "one"):
            for _ in range(FAILURES):
                await desk.deliver(new_message())
        at = now()
        rehearsed = await desk.works.rehearser.rehearse(new_message(), at)
    assert (rehearsed.would, rehearsed.reason) == (Would.WAIT, Reason.PROVIDER_UNAVAILABLE)
    assert rehearsed.until is not None
    assert rehearsed.until > at


async def test_it_takes_no_place_in_a_budget(
    ways: Ways, redis: Redis, simulator: Simulator, new_message: NewMessage
) -> None:
    """A day's last place is not taken by rehearsals; once it is taken, they say so."""
    settings = ways(smtp("scarce", simulator, per_day=1))
    async with open_desk(settings) as desk, open_desk(settings) as other:
        for _ in range(3):
            assert (await desk.works.rehearser.rehearse(new_message(), now())).would is Would.SEND
        assert await redis.keys("budget:email:scarce") == []
        await other.deliver(new_message())
        rehearsed = await desk.works.rehearser.rehearse(new_message(), now())
    await redis.delete("budget:email:scarce")
    assert (rehearsed.would, rehearsed.reason) == (Would.WAIT, Reason.BUDGET_SPENT)
    assert (rehearsed.decisions[-1].detail or "").startswith("scarce: budget_spent until ")


async def test_it_looks_ahead(desk: Desk, new_message: NewMessage) -> None:
    """A message for later is judged by the clock of then: it expires before."""
    message = new_message(expires_at=now() + timedelta(hours=1))
    rehearsed = await desk.works.rehearser.rehearse(message, now() + timedelta(hours=2))
    assert (rehearsed.would, rehearsed.reason) == (Would.NOT_SEND, Reason.EXPIRED)


async def test_users_down_is_a_wait(settings: EmailSettings, new_message: NewMessage) -> None:
    """While the user service does not answer, it would wait for that, as a delivery does."""
    async with open_desk(replace(settings, users_url=f"http://127.0.0.1:{free_port()}")) as cut_off:
        rehearsed = await cut_off.works.rehearser.rehearse(new_message(), now())
    assert (rehearsed.would, rehearsed.reason) == (Would.WAIT, Reason.SERVICE_UNAVAILABLE)
    assert rehearsed.decisions[-1] == Decision(Step.CONTACT, Verdict.WAITS, Reason.SERVICE_UNAVAILABLE)
