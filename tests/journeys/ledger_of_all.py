"""Many notifications at once, and what became of each: the counts that the promise is about."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from support.stack import Stack

CALLERS = 25


@dataclass(frozen=True)
class Counts:
    """How many were accepted, how each settled, and how many arrived more often than once."""

    accepted: int
    settled: Counter[str]
    missing: int
    duplicates: int

    def __str__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.settled.items()))
        return f"{self.accepted} accepted: {states}; {self.missing} missing, {self.duplicates} duplicates"


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


async def counted(world: Stack, ids: Sequence[str], *, within: float = 120.0) -> Counts:
    """What became of them, once each has settled."""
    slots = asyncio.Semaphore(CALLERS)

    async def one(notification_id: str) -> str:
        async with slots:
            return str((await world.wait_settled(notification_id, within=within))["status"])

    settled = Counter(await asyncio.gather(*map(one, ids)))
    arrived = Counter(email["message_id"].strip("<>").split("@")[0] for email in await world.inbox())
    copies = [arrived[notification_id] for notification_id in ids]
    counts = Counts(
        accepted=len(ids),
        settled=settled,
        missing=copies.count(0),
        duplicates=sum(number - 1 for number in copies if number),
    )
    print(counts)  # noqa: T201 - the proof is to be seen, with `pytest -s` and beside a failure
    return counts
