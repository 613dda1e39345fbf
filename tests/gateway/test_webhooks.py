"""`/webhooks/…`: what providers report comes to the email service as it was sent."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, Response, route

from gateway.conftest import OpenGateway
from gateway.test_refusals import assert_problem
from support.polling import eventually
from support.ports import free_port
from support.serving import serving


@dataclass
class FarSide:
    """Something in the email service's place: remembers what came, and answers as it is told."""

    port: int = field(default_factory=free_port)
    status: int = 200
    came: list[tuple[str, list[tuple[bytes, bytes]], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """It is there for as long as the block runs."""

        @route("/{rest:path}", http_method=["POST", "GET"], status_code=200, request_max_body_size=None)
        async def anything(request: Request[Any, Any, Any]) -> Response[bytes]:
            path = request.scope["raw_path"].decode()
            query = request.scope["query_string"].decode()
            self.came.append((f"{path}?{query}", list(request.scope["headers"]), await request.body()))
            return Response(b"taken", status_code=self.status, headers={"Retry-After": "7", "X-Own": "1"})

        async with serving(Litestar([anything], openapi_config=None, logging_config=None), self.port):
            yield


@pytest.fixture
async def far_side() -> AsyncIterator[FarSide]:
    """It answers."""
    far_side = FarSide()
    async with far_side.answering():
        yield far_side


@asynccontextmanager
async def provider(open_gateway: OpenGateway, email_url: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client without an API key, of a gateway that knows this email service."""
    async with open_gateway(email_url=email_url) as client:
        del client.headers["Authorization"]
        yield client


async def test_a_webhook_comes_through_as_it_is(open_gateway: OpenGateway, far_side: FarSide) -> None:
    """Path, query, every header, also one that comes twice, and the body byte for byte."""
    body = gzip.compress(b'{"event": "delivered"} \x00\xff')
    headers = [
        (b"Content-Type", b"application/json; charset=latin-1"),
        (b"Content-Encoding", b"gzip"),
        (b"Authorization", b"Basic aG9vazpzZWNyZXQ="),
        (b"X-Signature", b"sha256=\xc3\xbc"),
        (b"X-Many", b"1"),
        (b"X-Many", b"2"),
    ]
    async with provider(open_gateway, f"{far_side.url}/") as client:
        answer = await client.post("/webhooks/send%20grid?token=a%2Bb", content=body, headers=headers)
    ((path, came, content),) = far_side.came
    assert path == "/webhooks/send%20grid?token=a%2Bb"
    assert content == body
    for name, value in headers:
        assert (name.lower(), value) in came
    assert dict(came)[b"x-correlation-id"].decode() == answer.headers["X-Correlation-ID"]


async def test_the_answer_is_the_email_services(open_gateway: OpenGateway, far_side: FarSide) -> None:
    """The provider sees its status and its words; what is only between services stays there."""
    far_side.status = 401
    async with provider(open_gateway, far_side.url) as client:
        answer = await client.post("/webhooks/ses", content=b"{}")
    assert (answer.status_code, answer.content, answer.headers["Retry-After"]) == (401, b"taken", "7")
    assert "X-Own" not in answer.headers


async def test_a_webhook_may_have_five_mebibytes(open_gateway: OpenGateway, far_side: FarSide) -> None:
    """A larger one is refused, and the email service hears nothing of it."""
    async with provider(open_gateway, far_side.url) as client:
        largest = await client.post("/webhooks/ses", content=b"a" * 5 * 1024 * 1024)
        larger = await client.post("/webhooks/ses", content=b"a" * (5 * 1024 * 1024 + 1))
    assert largest.status_code == 200
    assert_problem(larger, 413, "body_too_large")
    assert [len(content) for _, _, content in far_side.came] == [5 * 1024 * 1024]


@pytest.mark.parametrize("path", ["..", "%2e%2e", "..%2fmetrics", "x/y", "x%2f..%2f..%2fmetrics", "%00"])
async def test_only_webhooks_come_through(open_gateway: OpenGateway, far_side: FarSide, path: str) -> None:
    """No name of a provider climbs out to other paths of the email service."""
    async with provider(open_gateway, far_side.url) as client:
        await client.post(f"/webhooks/{path}", content=b"{}")
        assert (await client.get("/webhooks/ses")).status_code == 405
    assert all(came.startswith("/webhooks/") and came.count("/") == 2 for came, _, _ in far_side.came)


async def test_without_an_email_service(open_gateway: OpenGateway) -> None:
    """Where none is named, there is nothing at these paths."""
    async with provider(open_gateway, None) as client:
        assert_problem(await client.post("/webhooks/ses", content=b"{}"), 404, "no_such_path")


async def test_the_email_service_is_down(open_gateway: OpenGateway) -> None:
    """Providers are put off with a 503; soon after it is back, their webhooks come through again."""
    far_side = FarSide()
    async with provider(open_gateway, far_side.url) as client:
        for _ in range(8):
            answer = await client.post("/webhooks/ses", content=b"{}")
            assert_problem(answer, 503, "email_unavailable")
            assert int(answer.headers["Retry-After"]) >= 1

        async def comes_through() -> bool:
            return (await client.post("/webhooks/ses", content=b"{}")).status_code == 200

        async with far_side.answering():
            await eventually(comes_through)


async def test_one_providers_trouble_is_its_own(open_gateway: OpenGateway, far_side: FarSide) -> None:
    """However often the email service refuses a webhook, the next one still reaches it."""
    far_side.status = 503
    async with provider(open_gateway, far_side.url) as client:
        statuses = [(await client.post("/webhooks/ses", content=b"{}")).status_code for _ in range(8)]
    assert statuses == [503] * 8
    assert len(far_side.came) == 8
