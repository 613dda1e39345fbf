"""`/schema/users` and `/schema/templates`: what the gateway hands on, described as its callers see it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from cachetools import TTLCache
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.gateway.forwarding import FORWARDED
from tidings.kit.api_page.page import page_of
from tidings.kit.auth import from_this_machine
from tidings.kit.description import HEADERS, JSON_PATH
from tidings.kit.errors import Unavailable

KEPT_SECONDS = 300.0
"""A service that was updated is described as it was for no longer than that."""


@dataclass(frozen=True, slots=True)
class ServicePage:
    """A service's API in both forms."""

    html: bytes
    json: bytes


class ServicePages:
    """Fetches the services' own descriptions, and keeps them for five minutes."""

    def __init__(self, services: Mapping[str, ServiceHttp]) -> None:
        self._services = services
        self._kept: TTLCache[str, ServicePage] = TTLCache(len(services), KEPT_SECONDS)

    async def page(self, service: str) -> ServicePage:
        """The description of what is handed on to a service.

        Raises:
            Unavailable: the service does not answer.
        """
        kept = self._kept.get(service)
        if kept is None:
            document = _below_v1(service, await self._description(service))
            html = await asyncio.to_thread(page_of, document, json_url=f"{service}{JSON_PATH}")
            kept = self._kept[service] = ServicePage(html.encode(), msgspec.json.encode(document))
        return kept

    async def _description(self, service: str) -> dict[str, Any]:
        try:
            return await self._services[service].read(dict[str, Any], f"/schema{JSON_PATH}")
        except (RemoteUnavailable, RemoteProblem) as error:
            raise Unavailable(
                f"The {service} service, which describes itself, does not answer now",
                code=f"{service}_unavailable",
            ) from error


def service_page_routes() -> list[HTTPRouteHandler]:
    """A page, and the same for programs, for each service that requests are handed on to."""
    return [route for service in FORWARDED for route in _routes(service)]


def _routes(service: str) -> list[HTTPRouteHandler]:
    path = f"/schema/{service}"

    @get(path, guards=[from_this_machine], include_in_schema=False, media_type="text/html")
    async def show(service_pages: NamedDependency[ServicePages]) -> Response[bytes]:
        return Response((await service_pages.page(service)).html, headers=HEADERS)

    @get(path + JSON_PATH, guards=[from_this_machine], include_in_schema=False, media_type="application/json")
    async def tell(service_pages: NamedDependency[ServicePages]) -> Response[bytes]:
        return Response((await service_pages.page(service)).json, headers=HEADERS)

    return [show, tell]


def _below_v1(service: str, document: dict[str, Any]) -> dict[str, Any]:
    names = FORWARDED[service]
    words = (
        f"What the gateway hands on to the {service} service. Every write takes an `Idempotency-Key`, as the "
        "gateway's own do, and what the gateway itself refuses is described at `/schema`."
    )
    return {
        **document,
        "info": {**document["info"], "description": words},
        "paths": {
            f"/v1{path}": item for path, item in document["paths"].items() if path.split("/")[1] in names
        },
    }
