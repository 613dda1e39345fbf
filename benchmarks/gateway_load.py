"""Requests at the gateway: how many it takes, how soon it answers, and what each process spends on one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from urllib.parse import urlsplit

import aiohttp
import msgspec
from email_throughput import TEMPLATE_ID, Works
from http_load import Job, Result, run_job

from tidings.kit.ids import now

AT_ONCE = 50
SINGLES = 8_000
BATCHES, ITEMS = 20, 1_000
BATCHES_AT_ONCE = 4
OFFERED = 500.0
OFFERED_SECONDS = 20
BULK = 100_000
CRITICAL = 300
CRITICAL_EVERY = 0.1
SECONDS_AHEAD = 60
CRITICAL_DUE = 50

_NUMBERS = count(step=10_000_000)
_PERSON = count()


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


async def batches(works: Works, requests: int = BATCHES, **shared: str) -> Load:
    """`requests` batches of 1,000, with what is `shared` as their defaults."""
    return await _run(
        works,
        [_batch(works, shared)],
        requests=requests,
        connections=BATCHES_AT_ONCE,
        path="/v1/notifications/batch",
        each=ITEMS,
    )


async def critical_among_bulk(works: Works) -> list[float]:
    """Seconds from acceptance until sent, ascending, of critical ones while 100,000 bulk ones wait."""
    await batches(works, BULK // ITEMS, priority="bulk")
    async with _caller(works) as http:
        ids = []
        for _ in range(CRITICAL):
            ids.append(await _accept_critical(http, works))
            await asyncio.sleep(CRITICAL_EVERY)
        return sorted([await _seconds(http, one, "accepted_at", "sent") for one in ids])


async def due_at_once(works: Works) -> tuple[float, list[float]]:
    """Seconds until the broker has 100,000 bulk ones that are due at one moment, from that moment on.

    And by how many seconds critical ones are late, ascending, that fall due every 0.1 s from then on.
    """
    due = now() + timedelta(seconds=SECONDS_AHEAD)
    async with _caller(works) as http:
        before = await _swept(http)
        ids = [
            await _accept_critical(http, works, send_at=_text(due + number * timedelta(seconds=0.1)))
            for number in range(CRITICAL_DUE)
        ]
        await batches(works, BULK // ITEMS, priority="bulk", send_at=_text(due))
        if now() > due:
            raise TimeoutError("They were due before all of them were accepted")
        while await _swept(http) - before < BULK + CRITICAL_DUE:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.25)
        drained = (now() - due).total_seconds()
        return drained, sorted([await _seconds(http, one, "send_at", "queued") for one in ids])


def _caller(works: Works) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {works.stack.ready['api_key']}"}
    return aiohttp.ClientSession(works.stack.gateway, headers=headers)


async def _accept_critical(http: aiohttp.ClientSession, works: Works, **fields: str) -> str:
    person = works.people[next(_PERSON) % len(works.people)]
    request = works.stack.request(user_id=person, template_id=TEMPLATE_ID, priority="critical", **fields)
    async with http.post("/v1/notifications", json=request) as answer:
        answer.raise_for_status()
        return str((await answer.json())["id"])


async def _seconds(http: aiohttp.ClientSession, notification_id: str, since: str, until: str) -> float:
    """From a moment of a notification, such as `send_at`, until a step of its timeline."""
    while True:
        async with http.get(f"/v1/notifications/{notification_id}") as answer:
            notification = await answer.json()
        for step in notification["timeline"]:
            if step["status"] == until:
                began = datetime.fromisoformat(notification[since])
                return (datetime.fromisoformat(step["at"]) - began).total_seconds()
        await asyncio.sleep(1)


async def _swept(http: aiohttp.ClientSession) -> float:
    """How many the gateway's sweeper has handed to the broker."""
    async with http.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    counted = 'tidings_dispatched_total{path="swept"} '
    return sum(float(line.removeprefix(counted)) for line in lines if line.startswith(counted))


def _text(moment: datetime) -> str:
    return moment.isoformat()


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


def _batch(works: Works, fields: Mapping[str, str]) -> str:
    items = [
        {"request_id": f"batch-@N@-{number}", "user_id": works.people[number % len(works.people)]}
        for number in range(ITEMS)
    ]
    shared = works.stack.request(template_id=TEMPLATE_ID, **fields)
    del shared["request_id"], shared["user_id"]
    return msgspec.json.encode({"defaults": shared, "notifications": items}).decode()
