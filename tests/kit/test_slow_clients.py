"""Clients that send slowly: they are let go, and hold up nobody."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from kit.slow_process import running
from support.slow_sender import heard, problem_in

HEAD = b"POST /take HTTP/1.1\r\nHost: service\r\nContent-Length: %d\r\n\r\n"
SLOW_SECONDS = 1.0


@pytest.fixture(scope="module")
async def service() -> AsyncIterator[httpx.AsyncClient]:
    """A service that waits a second for clients."""
    async with running(slow_client_seconds=SLOW_SECONDS) as (_, client):
        yield client


async def connect(service: httpx.AsyncClient) -> tuple[StreamReader, StreamWriter]:
    return await asyncio.open_connection(service.base_url.host, service.base_url.port)


async def test_a_body_that_drips(service: httpx.AsyncClient) -> None:
    """A body that comes byte by byte is a 408 with a correlation id, and the connection is closed."""
    problem = problem_in(await heard(service.base_url, at_once=HEAD % 1000, slowly=b"x" * 1000))
    assert (problem["status"], problem["code"]) == (408, "too_slow")
    assert problem["correlation_id"]


async def test_a_body_that_stops(service: httpx.AsyncClient) -> None:
    """A body of which the rest never comes is a 408."""
    assert problem_in(await heard(service.base_url, at_once=HEAD % 1000 + b"x" * 500))["code"] == "too_slow"


async def test_a_large_body_has_more_time(service: httpx.AsyncClient) -> None:
    """A body that comes fast enough may take longer than the limit, and is taken whole."""
    parts, first = 40, b"x" * 40 * 1024  # which earns it the seconds in which this process may stand still

    async def body() -> AsyncIterator[bytes]:
        yield first
        for _ in range(parts):
            await asyncio.sleep(2 * SLOW_SECONDS / parts)  # the slowness itself
            yield b"x" * 1024

    assert (await service.post("/take", content=body())).text == f"{len(first) + parts * 1024} bytes"


async def test_a_head_that_drips(service: httpx.AsyncClient) -> None:
    """A head that is never finished is a 408, on a new connection and after another request."""
    slowly = b"GET /health/live HTTP/1.1\r\nX-Slow: " + b"x" * 1000
    first = await heard(service.base_url, slowly=slowly)
    assert problem_in(first)["code"] == "too_slow"
    later = await heard(service.base_url, at_once=HEAD % 4 + b"full", slowly=slowly)
    taken, _, refused = later.partition(b"4 bytes")
    assert taken.startswith(b"HTTP/1.1 201")
    assert problem_in(refused)["code"] == "too_slow"


async def test_a_connection_on_which_nothing_comes(service: httpx.AsyncClient) -> None:
    """Who connects and says nothing is let go without a word."""
    assert await heard(service.base_url) == b""


async def test_the_rest_of_a_refused_body(service: httpx.AsyncClient) -> None:
    """A body that was answered before it came whole is not waited for without end."""
    head = b"POST /nowhere HTTP/1.1\r\nHost: service\r\nContent-Length: 1000\r\n\r\n"
    answer = await heard(service.base_url, at_once=head, slowly=b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 404")


async def test_others_are_not_held_up() -> None:
    """While hundreds of bodies and heads do not come, another client's requests are answered."""
    # Longer than it may take until those who connect here at once get round to what they say.
    async with running(slow_client_seconds=8 * SLOW_SECONDS) as (_, service), AsyncExitStack() as stack:

        async def stall(at_once: bytes) -> StreamReader:
            reader, writer = await connect(service)
            stack.callback(writer.close)
            writer.write(at_once)
            return reader

        slow = await asyncio.gather(*(stall(text) for text in [HEAD % 1000, b"GET /he"] * 200))
        answers = await asyncio.gather(*(service.post("/take", content=b"quick") for _ in range(50)))
        assert {answer.text for answer in answers} == {"5 bytes"}
        async with asyncio.timeout(30):
            said = await asyncio.gather(*(reader.read() for reader in slow))
        assert {problem_in(answer)["code"] for answer in said} == {"too_slow"}
