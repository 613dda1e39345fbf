"""What surrounds every request: the ids that follow it, one access log line, and its metrics."""

from time import perf_counter

import structlog
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Histogram
from structlog.contextvars import clear_contextvars

from tidings.kit.telemetry import continue_trace

log = structlog.get_logger("tidings.access")

REQUEST_SECONDS = Histogram(
    "tidings_http_request_seconds",
    "Time to answer HTTP requests, by route and status class",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
UNLOGGED_PATH = "unlogged_path"
"""An option of routes whose path holds a credential: it is kept out of the log."""
_QUIET = ("/health", "/metrics")


def follow_requests(app: ASGIApp) -> ASGIApp:
    """Middleware: bind the ids, answer with `X-Correlation-ID`, log and measure."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        clear_contextvars()
        correlation_id, _ = continue_trace(Headers.from_scope(scope))
        started, status = perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders(message)["X-Correlation-ID"] = correlation_id
            await send(message)

        try:
            await app(scope, receive, send_with_id)
        finally:
            _note(scope, status, perf_counter() - started)

    return middleware


def _note(scope: HTTPScope, status: int, seconds: float) -> None:
    route = scope.get("path_template") or "unmatched"
    REQUEST_SECONDS.labels(scope["method"], route, f"{status // 100}xx").observe(seconds)
    if not scope["path"].startswith(_QUIET):
        log.info(
            "request",
            method=scope["method"],
            path=route if _is_unlogged(scope) else scope["path"],
            status=status,
            ms=round(seconds * 1000, 2),
        )


def _is_unlogged(scope: HTTPScope) -> bool:
    try:
        handler = scope["route_handler"]
    except KeyError:  # no route was found
        return False
    return bool(handler.opt.get(UNLOGGED_PATH))
