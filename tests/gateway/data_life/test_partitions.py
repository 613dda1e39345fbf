"""Notifications are kept by week, and a week's partition is there before the week is."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from gateway.conftest import NewBody
from gateway.data_life.conftest import Opened
from gateway.data_life.stored import Stored, id_of
from support.polling import eventually
from tidings.gateway.data_life.weeks import Week
from tidings.kit.ids import now


async def partitions(stored: Stored, table: str = "notifications") -> list[str]:
    rows = await stored.connection.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::text::regclass", table
    )
    return sorted(row["name"].removeprefix(f"{table}_") for row in rows)


async def outside(stored: Stored) -> int:
    count: int = await stored.connection.fetchval(
        "select (select count(*) from notifications_default) + (select count(*) from events_default)"
    )
    return count


async def all_are_made(stored: Stored) -> bool:
    """Whether those of five weeks are there, which waits for as long as the tables are in use."""
    return len(await partitions(stored)) == len(await partitions(stored, "events")) == 6


async def test_partitions_are_made_ahead(opened: Opened, stored: Stored, new_body: NewBody) -> None:
    """A gateway that started has this week's partition and the next four, and writes into it."""
    weeks = [week.suffix for week in Week.of(now()).following(4)]
    async with opened() as gateway:
        answer = await gateway.post("/v1/notifications", json=new_body())
        assert answer.status_code == 202, answer.text
        await eventually(lambda: all_are_made(stored))
    assert await partitions(stored) == await partitions(stored, "events") == [*weeks, "default"]
    assert await stored.count(f"notifications_{weeks[0]}") == 1


async def test_gateways_that_start_at_once_make_each_of_them_once(opened: Opened, stored: Stored) -> None:
    """Whoever comes second finds them there."""
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(opened()) for _ in range(3)))
        await eventually(lambda: all_are_made(stored))
    assert len(await partitions(stored)) == 6


async def test_what_found_no_partition_moves_into_it(opened: Opened, stored: Stored) -> None:
    """Rows of this week that were in the default partition are in the week's, and read as before."""
    kept = await stored.notification(now())
    assert await outside(stored) == 2
    async with opened() as gateway:
        await eventually(lambda: all_are_made(stored))
        found = (await gateway.get(f"/v1/notifications/{kept}")).json()
    assert await outside(stored) == 0
    assert [step["status"] for step in found["timeline"]] == ["accepted", "sent"]


async def test_a_clock_that_is_years_ahead_loses_nothing(opened: Opened, stored: Stored) -> None:
    """An id of a far future is kept in the default partition, can be read, and shows in the metrics."""
    far = now() + timedelta(days=9_000)
    lost = await stored.notification(far)
    async with opened() as gateway:
        found = await gateway.get(f"/v1/notifications/{lost}")
        listed = (await gateway.get("/v1/notifications")).json()["notifications"]

        async def it_shows() -> bool:
            return "tidings_notifications_outside_partitions 1.0" in (await gateway.get("/metrics")).text

        await eventually(it_shows)  # it is counted once the partitions are made, which may have to wait
    assert found.status_code == 200
    assert [one["id"] for one in listed] == [str(lost)]


async def test_pages_go_on_from_week_to_week(opened: Opened, stored: Stored) -> None:
    """A list is in the order of ids, whatever partition they are in."""
    newest = now()
    moments = [newest - timedelta(days=4 * number) for number in range(8)]
    for moment in moments:
        await stored.week(moment)
    ids = [str(await stored.notification(moment)) for moment in moments]
    found: list[str] = []
    async with opened() as gateway:
        cursor: str | None = ""
        while cursor is not None:
            params: dict[str, str | int] = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = (await gateway.get("/v1/notifications", params=params)).json()
            found += [one["id"] for one in page["notifications"]]
            cursor = page.get("next_cursor")
    assert found == ids


def test_ids_and_weeks_agree() -> None:
    """An id lies in the week of the moment at which it was made, also at its ends."""
    week = Week.of(now())
    last = week.monday + timedelta(days=7) - timedelta(milliseconds=1)
    assert week.monday.weekday() == 0
    assert week.first < id_of(week.monday) < id_of(last) < week.end
    assert Week.of(last) == week != Week.of(last + timedelta(milliseconds=1))
