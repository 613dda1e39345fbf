"""Limits around the routes: every authenticated request is counted, and every answer says what is left."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.types import (
    ASGIApp,
    HTTPResponseStartEvent,
    Message,
    Receive,
    Scope,
    Send,
)

from tidings.gateway.limits.counters import Counters, Standing
from tidings.gateway.limits.policies import policies_of
from tidings.gateway.limits.tally import CallerLimits, Tally
from tidings.gateway.settings import GatewaySettings
from tidings.kit.auth import Principal
from tidings.kit.cache import open_redis

COUNTS_ITSELF = "counts_itself"
"""An option of routes that count their requests together with what is in them, in one round trip."""


@asynccontextmanager
async def open_limits(settings: GatewaySettings) -> AsyncIterator[CallerLimits]:
    """The limits that the settings ask for, counted in Redis; without one nothing is limited."""
    policies = policies_of(settings)
    if settings.cache_url is None:
        yield CallerLimits(None, policies)
        return
    async with open_redis(settings.cache_url) as redis:
        counters = Counters(redis, patience=settings.limit_patience)
        try:
            yield CallerLimits(counters, policies)
        finally:
            await counters.finish()


async def count_request(limits: CallerLimits, request: Request[Principal | None, Any, Any]) -> None:
    """Count an authenticated request; in `before_request`: after the guards, before its body is read.

    Raises:
        TooManyRequests: the caller asks too often.
    """
    caller = request.scope.get("user")
    if caller is None:  # the route is open to all
        return
    tally = request.scope["state"]["tally"] = limits.tally(caller)
    if not request.route_handler.opt.get(COUNTS_ITSELF):
        await tally.count_request()


def tally_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Tally:
    """The account of the request at hand."""
    tally: Tally = connection.scope["state"]["tally"]
    return tally


def tell_what_is_left(app: ASGIApp) -> ASGIApp:
    """Middleware: what is left of each limit that was counted, in the headers of the answer."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                tally: Tally | None = scope["state"].get("tally")
                if tally is not None:
                    await tally.settle()
                    _add_headers(message, tally.standings.values())
            await send(message)

        await app(scope, receive, send_with_limits)

    return middleware


def _add_headers(message: HTTPResponseStartEvent, standings: Collection[Standing]) -> None:
    if standings:
        headers = MutableScopeHeaders(message)
        headers["RateLimit-Policy"] = ", ".join(one.limit.policy for one in standings)
        headers["RateLimit"] = ", ".join(
            f'"{one.limit.name}";r={one.left};t={one.seconds}' for one in standings
        )
