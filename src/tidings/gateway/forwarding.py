"""`/v1/users…` and `/v1/templates…`: the same API as their services have, behind the gateway's keys."""

from collections.abc import Mapping

import aiohttp
from litestar import Request, Response, route
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from yarl import URL

from tidings.kit.auth import Principal, ServiceTokens, authenticated
from tidings.kit.errors import Unavailable
from tidings.kit.telemetry import trace_headers

SECONDS = 10
KEPT_HEADERS = ("content-type", "location", "retry-after")


class Forwarder:
    """Hands requests on to one service, with a token that carries the caller's scopes."""

    def __init__(
        self, session: aiohttp.ClientSession, tokens: ServiceTokens, services: Mapping[str, str]
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._services = services

    async def forward(self, service: str, request: Request[Principal, None, State]) -> Response[bytes]:
        """The service's own answer, whatever it is.

        Raises:
            Unavailable: the service does not answer.
        """
        path = request.scope["raw_path"].decode("ascii").removeprefix("/v1")
        query = request.scope["query_string"].decode("ascii")
        base = self._services[service].rstrip("/")
        # Taken as it is: a client that resolves dot segments would climb out of the service's own paths.
        url = URL(f"{base}{path}{'?' if query else ''}{query}", encoded=True)
        token = self._tokens.sign(service, sorted(request.user.scopes))
        headers = {**trace_headers(), "Authorization": f"Bearer {token}"}
        if "content-type" in request.headers:
            headers["Content-Type"] = request.headers["content-type"]
        try:
            async with self._session.request(
                request.method,
                url,
                data=await request.body(),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                f"The {service} service does not answer now", code=f"{service}_unavailable"
            ) from error
        kept = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        media_type = kept.pop("content-type", "application/json")
        return Response(body, status_code=answer.status, headers=kept, media_type=media_type)


def forwarded(service: str) -> HTTPRouteHandler:
    """A route for everything below `/v1/<service>`."""

    @route(
        [f"/v1/{service}", f"/v1/{service}/{{rest:path}}"],
        http_method=["GET", "POST", "PUT", "PATCH", "DELETE"],
        guards=[authenticated],
        status_code=200,
        include_in_schema=False,
    )
    async def hand_on(
        request: Request[Principal, None, State], forwarder: NamedDependency[Forwarder]
    ) -> Response[bytes]:
        return await forwarder.forward(service, request)

    return hand_on
