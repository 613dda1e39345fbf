"""What goes on around every route of the public API: limits, known parameters, idempotency keys."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router
from litestar.types import ASGIApp, ControllerRouterHandler

from tidings.gateway.describing import described
from tidings.gateway.idempotency.once import Once
from tidings.gateway.limits.enforcing import count_request, tell_what_is_left
from tidings.gateway.limits.tally import CallerLimits
from tidings.gateway.query_parameters import KnownParameters
from tidings.kit.auth import Principal


def public_router(limits: CallerLimits, once: Once, routes: Sequence[ControllerRouterHandler]) -> Router:
    """The routes; what is decided here comes after their guards and before a body is read."""
    known = KnownParameters()

    async def begin(request: Request[Principal | None, Any, Any]) -> Response[bytes] | None:
        await count_request(limits, request)
        known.check(request)
        return await once.begin(request)

    # A function and no bound method: Litestar copies a router with all that hangs on it, but for functions.
    def keep_answers(app: ASGIApp) -> ASGIApp:
        return once.keep_answers(app)

    return Router(
        path="/",
        route_handlers=[described(route) for route in routes],
        before_request=begin,
        middleware=[tell_what_is_left, keep_answers],
    )
