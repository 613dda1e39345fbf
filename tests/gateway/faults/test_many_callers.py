"""Ten thousand callers at the same moment, each with a connection of its own."""

import asyncio
import resource
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, NewBody
from gateway.faults.conftest import PATIENCE, Running, StartGateway
from support.polling import eventually

CALLERS = 10_000
USUAL_LIMIT = 1024  # of open files, where nobody raised it
SPARE = 500  # files that are open besides


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> AsyncIterator[Running]:
    """A gateway that was started with the usual limit, among callers who have a higher one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_LIMIT, before[1]))
    # The first may wait for the last to be connected before they send.
    async with start_gateway(slow_client_seconds=PATIENCE) as gateway:
        resource.setrlimit(resource.RLIMIT_NOFILE, (CALLERS + SPARE, before[1]))
        yield gateway
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def request_of(body: dict[str, object]) -> bytes:
    content = msgspec.json.encode(body)
    head = (
        "POST /v1/notifications HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


async def answer_to(caller: tuple[StreamReader, StreamWriter], body: dict[str, object]) -> httpx.Response:
    """Send a request on an open connection, and read until the gateway closes it."""
    reader, writer = caller
    writer.write(request_of(body))
    head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *lines = head.decode().split("\r\n")
    headers = [line.split(": ", 1) for line in lines]
    return httpx.Response(int(first.split()[1]), headers=dict(headers), content=content)


@pytest.mark.timeout(900)
async def test_ten_thousand_callers(gateway: Running, new_body: NewBody, admin: asyncpg.Connection) -> None:
    """All connected at once, each is taken or told when to come back; what was taken is in the table."""
    url = gateway.http.base_url
    async with asyncio.timeout(PATIENCE):
        callers = await asyncio.gather(*(asyncio.open_connection(url.host, url.port) for _ in range(CALLERS)))
        answers = await asyncio.gather(*(answer_to(caller, new_body()) for caller in callers))
    told = Counter(answer.status_code for answer in answers)
    print(told)  # noqa: T201 - the proof is to be seen, with `pytest -s` and beside a failure
    assert told.keys() <= {202, 429, 503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code != 202)
    taken = [answer.json()["id"] for answer in answers if answer.status_code == httpx.codes.ACCEPTED]
    stored = "select count(*) from notifications where id = any($1::uuid[])"
    assert await admin.fetchval(stored, taken) == len(taken)

    async def is_well() -> bool:
        return (await gateway.http.get("/health/ready")).is_success

    await eventually(is_well)  # a check may take two seconds, and it has much to dispatch
