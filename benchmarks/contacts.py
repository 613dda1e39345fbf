"""How long the user service takes for 500 contacts: in one call and one by one, cold and cached.

Run `.venv/bin/python benchmarks/contacts.py`. It starts PostgreSQL, Valkey and the service on this
machine, adds 500 people with a device each, and ends after about half a minute. The client is part of
what is measured: it shares the machine.
"""

import asyncio
import gc
import os
import secrets
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import aiohttp
import msgspec
from redis.asyncio import Redis

from tidings.contracts.users import Contact, ContactQuery, Contacts, User
from tidings.kit.auth import ServiceTokens

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.polling import eventually
from support.ports import free_port
from support.postgres import PostgresNode
from support.servers import ValkeyNode

PEOPLE = 500
ROUNDS = 100
ROUNDS_ONE_BY_ONE = 3
START_SECONDS = 60

Call = Callable[[], Awaitable[object]]


async def main() -> None:
    with engines() as urls:
        async with service(*urls) as http, Redis.from_url(urls[1]) as redis:
            ids = await add_people(http)
            # What this process imported is no part of a call that the collector happens to interrupt.
            gc.collect()
            gc.freeze()
            print(f"{PEOPLE} contacts with a device each, milliseconds\n")
            print(f"{'':32}{'median':>10}{'p99':>10}{'rounds':>10}")
            for name, call, rounds in (
                ("one call", partial(one_call, http, ids), ROUNDS),
                ("one by one", partial(one_by_one, http, ids, at_once=1), ROUNDS_ONE_BY_ONE),
                ("one by one, 20 at once", partial(one_by_one, http, ids, at_once=20), ROUNDS_ONE_BY_ONE),
            ):
                await show(f"{name}, cold", call, rounds, before=redis.flushall)
                await show(f"{name}, cached", call, rounds, before=redis.ping)


async def one_call(http: aiohttp.ClientSession, ids: list[str]) -> None:
    query = msgspec.json.encode(ContactQuery(user_ids=ids))
    async with http.post("/contacts", data=query, headers={"Content-Type": "application/json"}) as answer:
        found = msgspec.json.decode(await answer.read(), type=Contacts).contacts
    if len(found) != PEOPLE:
        raise RuntimeError(f"{len(found)} of {PEOPLE} contacts were found")


async def one_by_one(http: aiohttp.ClientSession, ids: list[str], *, at_once: int) -> None:
    free = asyncio.Semaphore(at_once)

    async def one(user_id: str) -> None:
        async with free, http.get(f"/users/{user_id}/contact") as answer:
            msgspec.json.decode(await answer.read(), type=Contact)

    await asyncio.gather(*(one(user_id) for user_id in ids))


async def show(name: str, call: Call, rounds: int, *, before: Call) -> None:
    await call()
    took = []
    for _ in range(rounds):
        await before()
        started = perf_counter()
        await call()
        took.append((perf_counter() - started) * 1_000)
    p99 = statistics.quantiles(took, n=100, method="inclusive")[-1]
    print(f"{name:32}{statistics.median(took):10.1f}{p99:10.1f}{rounds:10}")


async def add_people(http: aiohttp.ClientSession) -> list[str]:
    """Store the people and a device for each; returns their ids."""
    ids = []
    for number in range(PEOPLE):
        async with http.post("/users", json={"name": "Ada", "email": f"ada{number}@example.com"}) as answer:
            ids.append(msgspec.json.decode(await answer.read(), type=User).id)
        device = {"provider": "fcm", "token": secrets.token_urlsafe(120), "platform": "android"}
        async with http.post(f"/users/{ids[-1]}/tokens", json=device) as answer:
            answer.raise_for_status()
    return [str(user_id) for user_id in ids]


@contextmanager
def engines() -> Iterator[tuple[str, str]]:
    """The URLs of a PostgreSQL and a Valkey server that run as long as the block does."""
    postgres, valkey = PostgresNode(), ValkeyNode()
    try:
        postgres.start()
        yield postgres.admin_dsn, valkey.url
    finally:
        valkey.stop()
        postgres.remove()


@asynccontextmanager
async def service(database_url: str, cache_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The user service as a process of its own, and a client that may do everything there."""
    port, secret = free_port(), secrets.token_hex(32)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from tidings.users.app import main; main()",
        env={
            **os.environ,
            "TIDINGS_PORT": str(port),
            "TIDINGS_SERVICE_SECRET": secret,
            "TIDINGS_DATABASE_URL": database_url,
            "TIDINGS_CACHE_URL": cache_url,
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    headers = {"Authorization": f"Bearer {ServiceTokens('benchmark', secret).sign('users')}"}
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http:
            await eventually(lambda: _answers(http), within=START_SECONDS)
            yield http
    finally:
        process.terminate()
        await process.wait()


async def _answers(http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get("/health/live") as answer:
            return answer.ok
    except aiohttp.ClientError:
        return False


if __name__ == "__main__":
    asyncio.run(main())
