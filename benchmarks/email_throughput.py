"""Emails through the whole pipeline: how many a second, and what each process spends on one."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp
import psutil
from smtp_sink import Sink

from tidings.contracts.queues import EMAIL_QUEUE, topology
from tidings.kit.auth import ServiceTokens
from tidings.kit.broker import open_broker

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.commands import folder_for_homes
from support.polling import eventually
from support.postgres import PostgresNode
from support.rabbitmq import RabbitNode
from support.servers import ValkeyNode
from support.stack import Stack

EMAILS = 10_000
WARM_UP = 500
PEOPLE = 500
AT_ONCE = 20
IN_HAND = 200
"""More than the worker takes from the queue ahead of its work."""
MOST_SECONDS = 60.0

TEMPLATE_ID = "benchmark-order"
TEXT = "Thank you for your order, {{ name }}. We pack it tonight and send it within two days.\n" * 25
ROW = '<p style="margin: 0; padding: 4px; font-family: sans-serif; color: #1a1a1a">{{ name }}</p>\n'
EMAIL = {"subject": "Your order is on its way, {{ name }}", "text": TEXT, "html": ROW * 23}
"""Two texts of 2 KiB, as in `mime.py`."""

R = TypeVar("R")
Cpu = dict[str, float]


@dataclass(frozen=True, slots=True)
class Works:
    """Everything at work: the stack, the engines below it, and the secret that its services share."""

    stack: Stack
    sink: Sink
    secret: str
    broker_url: str
    cache_url: str
    database_url: str
    people: list[str]

    def url(self, service: str) -> str:
        """Where a service answers."""
        return str(self.stack.ready["services"][service]["url"])

    def cpu(self) -> Cpu:
        """Seconds of CPU that each process, or family of processes, has used so far."""
        postgres = Path(parse_qs(urlsplit(self.database_url).query)["host"][0]) / "postmaster.pid"
        pids = {name: self.stack.service_pid(name) for name in ("email", "users", "templates", "gateway")}
        pids |= {
            "RabbitMQ": _child("beam.smp"),
            "PostgreSQL": int(postgres.read_text().split()[0]),
            "Valkey": _child("valkey-server"),
            "the sink": self.sink.pid,
        }
        return {name: _used_by(pid) for name, pid in pids.items()}


@asynccontextmanager
async def open_works(sink: Sink, settings: Mapping[str, str] | None = None) -> AsyncIterator[Works]:
    """RabbitMQ, PostgreSQL, Valkey and all services, with `sink` as the SMTP server, and 500 people.

    `settings` are further variables of the services' environment.
    """
    secret = secrets.token_hex(32)
    env = {
        "TIDINGS_SERVICE_SECRET": secret,
        "TIDINGS_EMAIL_SMTP_HOST": "127.0.0.1",
        "TIDINGS_EMAIL_SMTP_PORT": str(sink.port),
        **(settings or {}),
    }
    with _engines() as engines, folder_for_homes() as folder:
        stack = await Stack.start(folder / "home", env=env, options=engines)
        try:
            urls = engines["broker"], engines["cache"], engines["database"]
            works = Works(stack, sink, secret, *urls, people=[])
            works.people.extend(await _add_content(works))
            yield works
        finally:
            await stack.stop()


async def through_the_pipeline(works: Works) -> Cpu:
    """Send `EMAILS`; the CPU seconds that each process used, from the first one's start to the last's end.

    They wait in the queue while the worker is stopped, so that accepting them is no part of it.
    """
    await _accept(works, WARM_UP)
    await eventually(lambda: works.sink.mails == WARM_UP, within=MOST_SECONDS)
    worker = works.stack.service_pid("email")
    os.kill(worker, signal.SIGSTOP)
    try:
        await _accept(works, EMAILS)
        async with open_broker(works.broker_url, topology()) as broker:

            async def queued() -> bool:
                return await broker.depth(EMAIL_QUEUE) >= EMAILS - IN_HAND

            await eventually(queued, within=MOST_SECONDS)
        works.sink.reset()
        before = works.cpu()
    finally:
        os.kill(worker, signal.SIGCONT)
    await eventually(lambda: works.sink.mails == EMAILS, within=MOST_SECONDS)
    await eventually(partial(_all_tracked, works), within=MOST_SECONDS)
    return {name: used - before[name] for name, used in works.cpu().items()}


@contextmanager
def _engines() -> Iterator[Mapping[str, str]]:
    """The URLs of the three engines, as `tidings up` is told them."""
    rabbit, postgres = RabbitNode(), PostgresNode(durable=True)
    valkey = ValkeyNode()
    try:
        rabbit.start()
        postgres.start()
        yield {"broker": rabbit.url, "database": postgres.admin_dsn, "cache": valkey.url}
    finally:
        valkey.stop()
        postgres.remove()
        rabbit.remove()


async def _add_content(works: Works) -> list[str]:
    """Publish the template and store the people; returns their ids."""
    async with _authorized(ServiceTokens("benchmark", works.secret).sign("templates")) as http:
        template = {"id": TEMPLATE_ID, "content": {"en": {"email": EMAIL}}}
        async with http.post(f"{works.url('templates')}/templates", json=template) as answer:
            answer.raise_for_status()
    async with _authorized(ServiceTokens("benchmark", works.secret).sign("users")) as http:
        users = f"{works.url('users')}/users"

        async def add(number: int) -> str:
            person = {"name": "Ada Lovelace", "email": f"ada{number}@example.com"}
            async with http.post(users, json=person) as answer:
                answer.raise_for_status()
                return str((await answer.json())["id"])

        return await _each(add, PEOPLE)


async def _accept(works: Works, emails: int) -> None:
    """Hand in so many requests at the gateway."""
    async with _authorized(works.stack.ready["api_key"]) as http:

        async def post(number: int) -> None:
            request = works.stack.request(user_id=works.people[number % PEOPLE], template_id=TEMPLATE_ID)
            async with http.post(f"{works.stack.gateway}/v1/notifications", json=request) as answer:
                answer.raise_for_status()

        await _each(post, emails)


async def _each(work: Callable[[int], Awaitable[R]], count: int) -> list[R]:
    """The results of `work` for 0 up to `count`, some at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> R:
        async with free:
            return await work(number)

    return await asyncio.gather(*(one(number) for number in range(count)))


def _authorized(token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})


async def _all_tracked(works: Works) -> bool:
    """Whether the gateway has written down that all were sent."""
    async with aiohttp.ClientSession() as http, http.get(f"{works.stack.gateway}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    counted = 'tidings_tracked_events_total{status="sent"} '
    return any(
        float(line.removeprefix(counted)) >= WARM_UP + EMAILS for line in lines if line.startswith(counted)
    )


def _child(name: str) -> int:
    return next(one.pid for one in psutil.Process().children(recursive=True) if one.name() == name)


def _used_by(pid: int) -> float:
    root = psutil.Process(pid)
    families = [root, *root.children(recursive=True)]
    times = [process.cpu_times() for process in families]
    return sum(time.user + time.system + time.children_user + time.children_system for time in times)
