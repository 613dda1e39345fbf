"""`/webhooks/…`: what email providers report, handed on to the email service as it came.

Providers hold no API key. They sign what they send, and the email service checks that: so every header
and every byte of the body has to come through as it is.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from multidict import CIMultiDict
from yarl import URL

from tidings.client.http import open_session
from tidings.kit.breaker import Breaker
from tidings.kit.errors import Unavailable
from tidings.kit.telemetry import trace_headers

SECONDS = 5.0
"""Providers wait ten seconds and more for an answer, and repeat themselves without one."""
CONNECTIONS = 20
MAX_BODY_BYTES = 5 * 1024 * 1024
FAILURES = 5
REST_SECONDS = 2.0
ANSWERED_HEADERS = ("content-type", "retry-after")

# About one connection and not about the message (RFC 9110, section 7.6.1), or written anew by us.
_OWN_TO_A_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

log = structlog.get_logger(__name__)


class Webhooks:
    """Hands webhooks on to the email service at `base_url`; while that is down, providers are put off."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._breaker = Breaker(failures=FAILURES, seconds=REST_SECONDS)

    async def hand_on(self, provider: str, request: Request[Any, Any, Any]) -> ASGIResponse:
        """The email service's own answer.

        Raises:
            Unavailable: it does not answer. Providers send again what gets no 2xx.
        """
        body = await request.body()
        if not self._breaker.admits():
            raise _unavailable()
        try:
            answer = await self._ask(provider, request, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._breaker.failed()
            log.warning("webhook_not_handed_on", provider=provider, error=repr(error))
            raise _unavailable() from error
        # Whatever it answers, it works: one provider's trouble must not put off the others.
        self._breaker.succeeded()
        return answer

    async def _ask(self, provider: str, request: Request[Any, Any, Any], body: bytes) -> ASGIResponse:
        query = request.scope["query_string"].decode("ascii")
        path = f"/webhooks/{quote(provider, safe='')}{'?' if query else ''}{query}"
        async with self._session.post(
            URL(self._base_url + path, encoded=True),
            data=BytesIO(body),  # aiohttp warns of long bytes
            headers=_headers(request.scope["headers"]),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            allow_redirects=False,
        ) as answer:
            kept = {name: answer.headers[name] for name in ANSWERED_HEADERS if name in answer.headers}
            return ASGIResponse(
                body=await answer.read(),
                status_code=answer.status,
                media_type=kept.pop("content-type", None),
                headers=kept,
            )


@asynccontextmanager
async def open_webhooks(base_url: str | None) -> AsyncIterator[Webhooks | None]:
    """What hands webhooks on; None where no email service is named.

    It has connections of its own, so that a storm of webhooks leaves those of accepting alone.
    """
    if base_url is None:
        yield None
        return
    async with open_session(connections=CONNECTIONS) as session:
        yield Webhooks(session, base_url)


def webhook_routes(webhooks: Webhooks | None) -> list[HTTPRouteHandler]:
    """The route for webhooks, where there is somebody to hand them on to."""
    return [] if webhooks is None else [take_webhook]


@post(
    "/webhooks/{provider:str}",
    status_code=HTTPStatus.OK,
    include_in_schema=False,
    request_max_body_size=MAX_BODY_BYTES,
)
async def take_webhook(
    provider: FromPath[str], request: Request[Any, Any, Any], webhooks: NamedDependency[Webhooks]
) -> ASGIResponse:
    """Hand a provider's webhook on."""
    return await webhooks.hand_on(provider, request)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    ours = trace_headers()
    replaced = _OWN_TO_A_HOP | {name.lower() for name in ours}
    headers = CIMultiDict(ours)
    for name, value in raw:
        if (text := name.decode("latin-1")) not in replaced:
            headers.add(text, value.decode("utf-8", "surrogateescape"))
    return headers


def _unavailable() -> Unavailable:
    return Unavailable(
        "The email service does not answer now; send it again", code="email_unavailable", retry_after=5
    )
