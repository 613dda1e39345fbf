"""`/v1/users…` and `/v1/templates…` behind the gateway's keys."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import httpx
import pytest

from gateway.conftest import API_KEY, OpenGateway
from gateway.keys import add_key
from support.ports import free_port
from support.serving import serving
from support.world import World, fresh_address
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings


async def test_a_person_is_added_and_read_through_the_gateway(gateway: httpx.AsyncClient) -> None:
    """The user service's answers come through as they are, Location and status too."""
    address = fresh_address()
    added = await gateway.post("/v1/users", json={"email": address, "name": "Grace"})
    user_id = added.json()["id"]
    read = await gateway.get(f"/v1/users/{user_id}")
    switched = await gateway.put(f"/v1/users/{user_id}/preferences", json={"email": False})

    assert (added.status_code, read.status_code, switched.status_code) == (201, 200, 200)
    assert str(added.url.join(added.headers["Location"])).endswith(f"/v1/users/{user_id}")
    assert read.json()["email"] == address
    assert read.headers["Content-Type"] == "application/json"


async def test_queries_and_odd_paths_come_through(gateway: httpx.AsyncClient) -> None:
    """Path and query reach the service as they were sent."""
    user_id = (await gateway.post("/v1/users", json={})).json()["id"]
    device = {"provider": "fcm", "token": f"token-{uuid4()}"}
    token_id = (await gateway.post(f"/v1/users/{user_id}/tokens", json=device)).json()["id"]
    path = f"/v1/users/{user_id}/tokens/{token_id}?reason=a%20%26%20b%2B"
    template = await gateway.get("/v1/templates/welcome", params={"version": "1"})
    assert (await gateway.delete(path)).status_code == 204
    assert (await gateway.get(f"/v1/users/{user_id}")).json()["tokens"] == []
    assert template.json()["version"] == 1


async def test_a_refusal_comes_through(gateway: httpx.AsyncClient) -> None:
    """What the service refuses is its own problem document, with the one correlation id."""
    headers = {"X-Correlation-ID": "asked-1"}
    answer = await gateway.post("/v1/users", json={"emial": "a@example.com"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["correlation_id"] == answer.headers["X-Correlation-ID"] == "asked-1"
    assert answer.json()["instance"] == "/v1/users"


async def test_the_keys_scopes_are_carried(gateway: httpx.AsyncClient, admin: asyncpg.Connection) -> None:
    """Who may only read users may read them through the gateway, and nothing else."""
    key = await add_key(admin, "users:read")
    headers = {"Authorization": f"Bearer {key}"}
    user_id = (await gateway.post("/v1/users", json={})).json()["id"]
    read = await gateway.get(f"/v1/users/{user_id}", headers=headers)
    add = await gateway.post("/v1/users", json={}, headers=headers)
    template = await gateway.get("/v1/templates/welcome", headers=headers)
    assert read.status_code == 200
    assert [(answer.status_code, answer.json()["code"]) for answer in (add, template)] == [
        (403, "missing_scope"),
        (403, "missing_scope"),
    ]


async def test_the_keys_id_is_carried(gateway: httpx.AsyncClient, admin: asyncpg.Connection) -> None:
    """Who changed a person or a template through the gateway is that key, in the log of that service."""
    key = await add_key(admin, "users:write", "templates:write")
    key_id = str(await admin.fetchval("select id from api_keys where digest = sha256($1)", key.encode()))
    headers = {"Authorization": f"Bearer {key}"}
    user_id = (await gateway.post("/v1/users", json={}, headers=headers)).json()["id"]
    await gateway.put("/v1/partials/footer-of-key", json={"source": "bye"}, headers=headers)
    found = [
        (await gateway.get("/v1/audit-log", params={"service": service, "actor": key_id})).json()["entries"]
        for service in ("users", "templates", "gateway")
    ]
    assert [[(entry["action"], entry["subject"]) for entry in entries] for entries in found] == [
        [("user.created", user_id)],
        [("partial.created", "footer-of-key")],
        [],
    ]


async def test_no_key_opens_nothing(gateway: httpx.AsyncClient) -> None:
    """Without a key the service is not even asked."""
    answer = await gateway.get("/v1/users/7", headers={"Authorization": "Bearer tdg_live_unknown"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_api_key")


@pytest.mark.parametrize("path", ["metrics", "schema", "health/ready", "contacts"])
@pytest.mark.parametrize("up", ["..", "%2e%2e", "..%2f..", "%2E%2E%2Fx/%2e%2e"])
async def test_only_the_services_own_paths_are_forwarded(
    gateway: httpx.AsyncClient, up: str, path: str
) -> None:
    """No path climbs out of `/v1/users` to what a service keeps to its own machine."""
    for start in (f"/v1/users/{up}/{path}", f"/v1/users/x/{up}/{up}/{path}"):
        answer = await gateway.get(start)
        assert answer.status_code in {404, 405}, answer.text


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/v1/users", "users"),
        ("/v1/templates/x", "templates"),
        ("/v1/audit-log?service=users", "users"),
        ("/v1/audit-log?service=templates", "templates"),
    ],
)
async def test_a_service_that_is_down(open_gateway: OpenGateway, path: str, service: str) -> None:
    """A service that does not answer is a 503 that names it and says when to try again."""
    async with open_gateway(**{f"{service}_url": f"http://127.0.0.1:{free_port()}"}) as gateway:
        answer = await gateway.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, f"{service}_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_url_that_ends_in_a_slash(open_gateway: OpenGateway, world: World) -> None:
    """An operator may write a service's address with a slash at the end."""
    async with open_gateway(templates_url=f"{world.templates.url}/") as gateway:
        assert (await gateway.get("/v1/templates/welcome")).status_code == 200


async def test_an_import_streams_through(settings: GatewaySettings) -> None:
    """An import is passed on as it comes, both ways: progress comes back while lines still go out."""
    port = free_port()
    async with open_app(settings) as app, serving(app, port) as url:
        lines = [f'{{"external_id": "import-{uuid4()}", "name": "Person {n}"}}\n' for n in range(1_200)]
        progressed = asyncio.Event()

        async def upload() -> AsyncIterator[bytes]:
            yield "".join(lines[:600]).encode()
            await progressed.wait()
            yield "".join(lines[600:]).encode()

        headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {API_KEY}"}
        found: list[dict[str, Any]] = []
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/v1/users/import", data=upload(), headers=headers) as answer,
        ):
            async for line in answer.content:
                found.append(json.loads(line))
                progressed.set()  # only what came back lets the rest go out
    assert found[0]["progress"]["lines"] == 500
    assert found[-1]["summary"]["created"] == 1_200
