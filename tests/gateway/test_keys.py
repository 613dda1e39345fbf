"""API keys: what the table holds, what a scope allows, and how a key ends."""

from collections.abc import Callable

import asyncpg
import httpx
import pytest

from gateway.conftest import API_KEY, NewBody, OpenGateway
from gateway.keys import add_key


async def test_the_table_holds_no_key(gateway: httpx.AsyncClient, admin: asyncpg.Connection) -> None:
    """Only digests and a harmless prefix are stored: a stolen table opens nothing."""
    assert (await gateway.get("/v1/notifications")).status_code == 200
    rows = await admin.fetch("select k::text as whole, prefix from api_keys k")
    assert rows
    assert not [row for row in rows if API_KEY in row["whole"] or API_KEY.encode().hex() in row["whole"]]
    assert {len(row["prefix"]) for row in rows} == {13}


async def test_a_first_key_is_made_known_once(open_gateway: OpenGateway, admin: asyncpg.Connection) -> None:
    """Starting again with the same first key adds no second one."""
    async with open_gateway():
        before = await admin.fetchval("select count(*) from api_keys")
    async with open_gateway() as gateway:
        assert (await gateway.get("/v1/notifications")).status_code == 200
    assert await admin.fetchval("select count(*) from api_keys") == before


async def test_a_revoked_key_is_refused(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, admin: asyncpg.Connection
) -> None:
    """A revoked key opens nothing at a gateway that did not see it lately."""
    key = await add_key(admin, "notifications:read")
    headers = {"Authorization": f"Bearer {key}"}
    assert (await gateway.get("/v1/notifications", headers=headers)).status_code == 200
    await admin.execute("update api_keys set revoked_at = now() where digest = sha256($1)", key.encode())
    async with open_gateway() as fresh:
        answer = await fresh.get("/v1/notifications", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_api_key")


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("notifications:read", "POST", "/v1/notifications"),
        ("notifications:write", "GET", "/v1/notifications"),
        ("notifications:write", "GET", "/v1/notifications/7"),
        ("notifications:write", "POST", "/internal/api-keys/check"),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(
    *,
    gateway: httpx.AsyncClient,
    admin: asyncpg.Connection,
    new_body: NewBody,
    scope: str,
    method: str,
    path: str,
) -> None:
    """A key without the scope of an operation is told which one it lacks."""
    headers = {"Authorization": f"Bearer {await add_key(admin, scope)}"}
    answer = await gateway.request(method, path, json=new_body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_services_ask_whose_key_it_is(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, service_token: Callable[..., str]
) -> None:
    """A service is told the scopes of a key that a caller showed it, or that nobody has it."""
    key = await add_key(admin, "users:read", "users:write")
    headers = {"Authorization": f"Bearer {service_token('gateway')}"}
    known = await gateway.post("/internal/api-keys/check", json={"key": key}, headers=headers)
    unknown = await gateway.post("/internal/api-keys/check", json={"key": key + "x"}, headers=headers)
    assert (known.status_code, known.json()["scopes"]) == (200, ["users:read", "users:write"])
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_api_key")


async def test_no_key_tells_whose_key_it_is(gateway: httpx.AsyncClient) -> None:
    """Not even a key with every scope may try out others: only services may."""
    answer = await gateway.post("/internal/api-keys/check", json={"key": "tdg_live_" + "x" * 40})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_a_token_for_another_service_is_worth_nothing(
    gateway: httpx.AsyncClient, service_token: Callable[..., str]
) -> None:
    """A service token opens the gateway only if it was made for the gateway."""

    async def status(audience: str) -> int:
        headers = {"Authorization": f"Bearer {service_token(audience)}"}
        return (await gateway.get("/v1/notifications", headers=headers)).status_code

    assert (await status("gateway"), await status("users")) == (200, 401)
