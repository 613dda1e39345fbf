"""What is older than it is kept goes, week by week; what is not over yet stays."""

import asyncio
from contextlib import AsyncExitStack

from gateway.conftest import NewBody
from gateway.data_life.conftest import Opened
from gateway.data_life.stored import Stored, days_ago, storing
from support.polling import eventually

OLD = days_ago(100)


async def is_gone(stored: Stored, week: str) -> bool:
    return not await stored.has_week(week)


async def has(stored: Stored, table: str, count: int) -> bool:
    return await stored.count(table) == count


async def test_an_old_week_is_dropped_whole(opened: Opened, stored: Stored) -> None:
    """Its notifications are gone with their events, files and dead letters; younger ones stay."""
    week, _ = await stored.week(OLD), await stored.week(days_ago(10))
    old, young = await stored.notification(OLD), await stored.notification(days_ago(10))
    await stored.dead_letter(OLD, old)
    letter_id = await stored.dead_letter(days_ago(10), young)
    async with opened() as gateway:
        await eventually(lambda: is_gone(stored, week))
        await eventually(lambda: has(stored, "attachments", 1))
        await eventually(lambda: has(stored, "dead_letters", 1))
        answers = [(await gateway.get(f"/v1/notifications/{one}")).status_code for one in (old, young)]
    assert answers == [404, 200]
    assert await stored.ids("dead_letters") == {letter_id}
    assert await has(stored, "events", 1)
    assert await stored.actions("partition.dropped") == [f"notifications_{week}"]


async def test_what_is_not_over_stays(opened: Opened, stored: Stored) -> None:
    """Of an old week, what waits, is parked, or changed lately stays; the rest goes row by row."""
    week = await stored.week(OLD)
    kept = {
        await stored.notification(OLD, status="scheduled"),
        await stored.notification(OLD, status="parked"),
        await stored.notification(OLD, changed=days_ago(1)),
    }
    gone = [await stored.notification(OLD) for _ in range(3)]
    async with opened():
        await eventually(lambda: has(stored, "attachments", len(kept)))
    assert await stored.ids() == kept
    assert not await is_gone(stored, week)
    assert not kept.intersection(gone)
    assert await has(stored, "events", len(kept))


async def test_with_no_retention_everything_is_kept(opened: Opened, stored: Stored) -> None:
    """`retention_days` 0: what a gateway with 90 days removes is still there."""
    week = await stored.week(OLD)
    await stored.dead_letter(OLD, old := await stored.notification(OLD))
    async with opened(retention_days=0, redact_after_days=90):
        await eventually(lambda: has(stored, "attachments", 0))
    assert await stored.ids() == {old}
    assert not await is_gone(stored, week)
    assert await has(stored, "dead_letters", 1)


async def test_two_gateways_drop_a_week_once(opened: Opened, stored: Stored) -> None:
    """Whatever both set out to do, it is done and noted once."""
    week = await stored.week(OLD)
    for _ in range(20):
        await stored.notification(OLD)
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(opened()) for _ in range(2)))
        await eventually(lambda: is_gone(stored, week))
    assert await stored.actions("partition.dropped") == [f"notifications_{week}"]


async def test_a_week_in_use_is_dropped_later(
    opened: Opened, stored: Stored, database_url: str, new_body: NewBody
) -> None:
    """While somebody reads it for long, requests are taken; once it is free, it is dropped."""
    week = await stored.week(OLD)
    await stored.notification(OLD)
    async with opened(retention_days=0) as gateway, storing(database_url) as reader:
        async with reader.connection.transaction():
            await reader.ids()
            async with opened() as other:
                answers = [await one.post("/v1/notifications", json=new_body()) for one in (gateway, other)]
                assert [answer.status_code for answer in answers] == [202, 202]
                assert await stored.has_week(week)
        async with opened():
            await eventually(lambda: is_gone(stored, week))


async def test_requests_are_taken_while_weeks_are_dropped(
    opened: Opened, stored: Stored, new_body: NewBody
) -> None:
    """Twelve weeks go under steady traffic, and every request is taken, queued and read."""
    weeks = [await stored.week(days_ago(100 + 7 * number)) for number in range(12)]
    for number in range(12):
        await stored.notification(days_ago(100 + 7 * number))
    taken: list[str] = []
    over = asyncio.Event()
    async with opened(retention_days=0) as gateway:

        async def send() -> None:
            while not over.is_set():
                answer = await gateway.post("/v1/notifications", json=new_body())
                assert answer.status_code == 202, answer.text
                taken.append(answer.json()["id"])

        senders = [asyncio.create_task(send()) for _ in range(4)]
        async with opened():
            for week in weeks:
                await eventually(lambda week=week: is_gone(stored, week))  # type: ignore[misc] # mypy cannot infer a lambda with a default
        over.set()
        await asyncio.gather(*senders)
        await eventually(lambda: _none_waits(stored))
    assert {str(one) for one in await stored.ids()} == set(taken)


async def _none_waits(stored: Stored) -> bool:
    return not await stored.connection.fetchval(
        "select exists (select from notifications where dispatch_at is not null)"
    )
