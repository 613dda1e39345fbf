"""Callers who send slowly: they are cut off, and the others are served meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.conftest import API_KEY, NewBody
from gateway.faults.conftest import Running, StartGateway
from support.slow_sender import heard, problem_in

SLOW_SECONDS = 4.0
"""More than a test stands still between a connection and its first byte: that is cut off without a word."""


def head_of(path: str) -> bytes:
    """The head of a request, but for its end."""
    return (
        f"POST /v1/{path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {API_KEY}\r\n"
    ).encode()


@pytest.fixture(scope="module")
async def gateway(start_gateway: StartGateway) -> AsyncIterator[Running]:
    """A gateway that waits a few seconds for callers."""
    async with start_gateway(slow_client_seconds=SLOW_SECONDS) as gateway:
        yield gateway


@pytest.mark.parametrize("path", ["notifications", "notifications/batch", "users", "templates"])
async def test_a_body_that_drips(gateway: Running, path: str) -> None:
    """A body that never comes whole is a 408, at the gateway's own paths and at those it hands on."""
    at_once = head_of(path) + b"Content-Length: 1000\r\n\r\n"
    answer = await heard(gateway.http.base_url, at_once=at_once, slowly=b" " * 1000)
    assert problem_in(answer)["code"] == "too_slow"


async def test_others_are_served(gateway: Running, new_body: NewBody) -> None:
    """While a thousand requests drip, those of another caller are taken."""
    slow = []
    head = head_of("notifications") + b"Content-Length: 1000\r\n"
    url = gateway.http.base_url
    for number in range(1000):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        # Every other one does not even finish its head.
        writer.write(head + (b"\r\n{" if number % 2 else b""))
        slow.append((reader, writer))
    answers = await asyncio.gather(
        *(gateway.http.post("/v1/notifications", json=new_body()) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {httpx.codes.ACCEPTED}
    said = await asyncio.gather(*(reader.read() for reader, _ in slow))
    assert {problem_in(answer)["code"] for answer in said} == {"too_slow"}
    for _, writer in slow:
        writer.close()
