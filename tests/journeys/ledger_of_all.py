"""Many notifications at once, and what became of each: the counts that the promise is about."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from support.polling import eventually
from support.stack import Stack
from tidings.contracts.codes import Status

CALLERS = 25
PAGE = 100

Arrivals = Counter[tuple[str, str]]
"""How often each notification arrived at each address or device."""


@dataclass(frozen=True)
class Counts:
    """How many were accepted, how each settled, and how many arrived more often than once.

    `settled_twice` are those with two ends in their timelines.
    """

    accepted: int
    settled: Counter[str]
    settled_twice: int
    missing: int
    duplicates: int

    def __str__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.settled.items()))
        return (
            f"{self.accepted} accepted: {states}; {self.settled_twice} settled twice, "
            f"{self.missing} missing, {self.duplicates} duplicates"
        )


async def accept_many(
    world: Stack, run: str, count: int, *, channel: str = "email", **fields: object
) -> list[str]:
    """Hand in `count` requests, as fast as they are taken."""
    slots = asyncio.Semaphore(CALLERS)

    async def one(number: int) -> str:
        async with slots:
            return await world.accept(channel, request_id=f"{run}-{number}", **fields)

    return await asyncio.gather(*(one(number) for number in range(count)))


async def accept_steadily(
    world: Stack, run: str, *, per_second: int, seconds: int, channel: str = "email", **fields: object
) -> list[str]:
    """Hand in `per_second` requests a second for so many seconds, whatever becomes of them."""
    ids: list[str] = []
    started = monotonic()
    for second in range(seconds):
        ids += await accept_many(world, f"{run}-{second}", per_second, channel=channel, **fields)
        await asyncio.sleep(max(0.0, started + second + 1 - monotonic()))  # the offered rate itself
    return ids


async def emails(world: Stack) -> Arrivals:
    """The emails in the simulator's inbox."""
    return Counter((email["message_id"].strip("<>").split("@")[0], "person") for email in await world.inbox())


async def pushes(world: Stack) -> Arrivals:
    """The pushes that the simulator took: each carries its notification's id in its data."""
    return Counter(
        (_data(push["message"])["notification_id"], push["token"]) for push in await world.pushes()
    )


async def counted(
    world: Stack,
    ids: Sequence[str],
    *,
    arrivals: Callable[[Stack], Awaitable[Arrivals]] = emails,
    within: float = 300.0,
) -> Counts:
    """What became of them, once each has settled."""
    # The newest, mostly the last to settle, is asked for first: whoever asks for all of them all the
    # time takes the processor from those who work.
    await world.wait_settled(ids[-1], within=within)
    await eventually(partial(_all_settled, world, ids), within=within)
    slots = asyncio.Semaphore(CALLERS)

    async def one(notification_id: str) -> tuple[str, int]:
        async with slots:
            found = await world.notification(notification_id)
        return str(found["status"]), len(ends_of(found))

    settled = await asyncio.gather(*map(one, ids))
    mine = set(ids)
    arrived = {place: count for place, count in (await arrivals(world)).items() if place[0] in mine}
    counts = Counts(
        accepted=len(ids),
        settled=Counter(status for status, _ in settled),
        settled_twice=sum(ends > 1 for _, ends in settled),
        missing=len(mine - {notification_id for notification_id, _ in arrived}),
        duplicates=sum(count - 1 for count in arrived.values()),
    )
    print(counts)  # noqa: T201 - the proof is to be seen, with `pytest -s` and beside a failure
    return counts


def ends_of(notification: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of its timeline that settle it as a whole, not a single device of several."""
    return [
        step for step in notification["timeline"] if step["target"] is None and Status(step["status"]).settled
    ]


async def _all_settled(world: Stack, ids: Sequence[str]) -> bool:
    """Whether they are, asked for by the page."""
    left, cursor = set(ids), None
    while left:
        params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        page = (await world.http.get(f"{world.gateway}/v1/notifications", params=params)).json()
        ours = [each for each in page["notifications"] if each["id"] in left]
        if not all(each["settled"] for each in ours):
            return False
        left -= {each["id"] for each in ours}
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return not left


def _data(message: dict[str, Any]) -> dict[str, Any]:
    """What the app gets: of a Web Push message the whole, of others a part."""
    data: dict[str, Any] = message.get("data") or message["notification"]
    return data
