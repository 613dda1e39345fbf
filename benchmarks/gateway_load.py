"""Requests at the gateway: how many it takes, how soon it answers, and what each process spends on one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from urllib.parse import urlsplit

import aiohttp
import msgspec
from email_throughput import TEMPLATE_ID, Works
from http_load import Job, Result, run_job

AT_ONCE = 50
SINGLES = 8_000
BATCHES, ITEMS = 20, 1_000
BATCHES_AT_ONCE = 4
OFFERED = 500.0
OFFERED_SECONDS = 20
BULK = 100_000
CRITICAL = 300
CRITICAL_EVERY = 0.1

_NUMBERS = count(step=10_000_000)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load did: the client's result, and CPU seconds by process, for so many notifications."""

    result: Result
    cpu: dict[str, float]
    notifications: int

    @property
    def per_second(self) -> float:
        """Notifications accepted a second."""
        return self.notifications / self.result.seconds


@asynccontextmanager
async def worker_paused(works: Works) -> AsyncIterator[None]:
    """The email worker stopped, so that only accepting is measured: what is accepted waits in the queue."""
    worker = works.stack.service_pid("email")
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


async def singles(works: Works, requests: int = SINGLES) -> Load:
    """`requests` notifications one by one, over as many connections as keep the gateway busy."""
    bodies = [_body(works, person) for person in works.people]
    return await _run(works, bodies, requests=requests, connections=AT_ONCE)


async def offered(works: Works) -> Load:
    """So many a second, whether or not the gateway keeps up."""
    bodies = [_body(works, person) for person in works.people]
    requests = int(OFFERED * OFFERED_SECONDS)
    return await _run(works, bodies, requests=requests, connections=AT_ONCE, rate=OFFERED)


async def batches(works: Works, requests: int = BATCHES, priority: str = "normal") -> Load:
    """`requests` batches of 1,000."""
    return await _run(
        works,
        [_batch(works, priority)],
        requests=requests,
        connections=BATCHES_AT_ONCE,
        path="/v1/notifications/batch",
        each=ITEMS,
    )


async def critical_among_bulk(works: Works) -> list[float]:
    """Seconds from acceptance until sent, ascending, of critical ones while 100,000 bulk ones wait."""
    await batches(works, BULK // ITEMS, "bulk")
    headers = {"Authorization": f"Bearer {works.stack.ready['api_key']}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        ids = []
        for number in range(CRITICAL):
            person = works.people[number % len(works.people)]
            request = works.stack.request(user_id=person, template_id=TEMPLATE_ID, priority="critical")
            async with http.post(f"{works.stack.gateway}/v1/notifications", json=request) as answer:
                answer.raise_for_status()
                ids.append((await answer.json())["id"])
            await asyncio.sleep(CRITICAL_EVERY)
        return sorted([await _seconds_to_sent(http, works, notification_id) for notification_id in ids])


async def _seconds_to_sent(http: aiohttp.ClientSession, works: Works, notification_id: str) -> float:
    while True:
        async with http.get(f"{works.stack.gateway}/v1/notifications/{notification_id}") as answer:
            notification = await answer.json()
        for step in notification["timeline"]:
            if step["status"] == "sent":
                accepted = datetime.fromisoformat(notification["accepted_at"])
                return (datetime.fromisoformat(step["at"]) - accepted).total_seconds()
        await asyncio.sleep(1)


async def _run(
    works: Works,
    bodies: list[str],
    *,
    requests: int,
    connections: int,
    rate: float | None = None,
    path: str = "/v1/notifications",
    each: int = 1,
) -> Load:
    url = urlsplit(works.stack.gateway)
    job = Job(
        host=url.hostname or "",
        port=url.port or 80,
        path=path,
        key=works.stack.ready["api_key"],
        bodies=bodies,
        requests=requests,
        connections=connections,
        rate=rate,
        first=next(_NUMBERS),
    )
    before = works.cpu()
    result = await run_job(job)
    if set(result.statuses) != {"202"}:
        raise ValueError(f"The gateway answered {result.statuses}")
    return Load(result, {name: used - before[name] for name, used in works.cpu().items()}, requests * each)


def _body(works: Works, person: str) -> str:
    request = works.stack.request(user_id=person, template_id=TEMPLATE_ID, request_id="benchmark-@N@")
    return msgspec.json.encode(request).decode()


def _batch(works: Works, priority: str) -> str:
    items = [
        {"request_id": f"batch-@N@-{number}", "user_id": works.people[number % len(works.people)]}
        for number in range(ITEMS)
    ]
    shared = works.stack.request(template_id=TEMPLATE_ID, priority=priority)
    del shared["request_id"], shared["user_id"]
    return msgspec.json.encode({"defaults": shared, "notifications": items}).decode()
