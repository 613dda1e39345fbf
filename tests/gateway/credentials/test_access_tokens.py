"""Access tokens: what they may do, where, and until when."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import jwt
import msgspec
import pytest

from gateway.conftest import API_KEY, TEST_API_KEY, NewBody, OpenGateway
from gateway.credentials.conftest import NewKey, NewToken, bearer, told
from support.polling import eventually
from support.ports import free_port
from support.servers import PATIENCE, SERVICE_SECRET, client_of, provision
from support.serving import serving
from support.world import World
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.kit.ids import now
from tidings.users.app import open_app as open_users
from tidings.users.settings import UsersSettings


@pytest.fixture(scope="module")
async def users(settings: GatewaySettings, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A user service that knows a gateway with a listener of its own."""
    port = free_port()
    async with open_app(msgspec.structs.replace(settings, port=port)) as app, serving(app, port):
        others = UsersSettings(
            port=0,
            service_secret=SERVICE_SECRET,
            database_url=await provision(world.database_url, "users"),
            cache_url=world.cache_url,
            database_seconds=PATIENCE,
            gateway_url=f"http://127.0.0.1:{port}",
        )
        async with open_users(others) as users_app, client_of(users_app) as client:
            yield client


async def test_a_token_stands_for_its_key(
    gateway: httpx.AsyncClient, new_body: NewBody, new_token: NewToken
) -> None:
    """A token does what the key may, in the key's name: what both send is one and the same."""
    body = new_body()
    first = await gateway.post("/v1/notifications", json=body)
    token = await new_token(API_KEY)
    again = await gateway.post("/v1/notifications", json=body, headers=bearer(token))
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_token_may_do_less_than_its_key(gateway: httpx.AsyncClient) -> None:
    """The scopes asked for are those it has, and its answer says so and is not cached."""
    wanted = {"scopes": ["users:read", "notifications:read"], "seconds": 60}
    answer = await gateway.post("/v1/tokens", json=wanted)
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json().pop("access_token")
    assert {name: value for name, value in answer.json().items() if name != "access_token"} == {
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": "notifications:read users:read",
    }
    assert (await gateway.get("/v1/notifications", headers=bearer(token))).status_code == 200
    assert told(await gateway.get("/v1/api-keys", headers=bearer(token))) == (403, "missing_scope")


async def test_a_token_may_not_do_more_than_its_key(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """A scope that the key lacks is a 403 that names it."""
    key = (await new_key("users:read"))["key"]
    refused = await gateway.post("/v1/tokens", json={"scopes": ["users:write"]}, headers=bearer(key))
    assert told(refused) == (403, "cannot_grant")
    assert "users:write" in refused.json()["detail"]


async def test_a_token_cannot_prolong_itself(gateway: httpx.AsyncClient, new_token: NewToken) -> None:
    """A token is given for an API key only."""
    token = await new_token(API_KEY)
    assert told(await gateway.post("/v1/tokens", json={}, headers=bearer(token))) == (403, "api_key_required")


async def test_a_token_lives_an_hour_at_most(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """Between a second and an hour, and no longer than its key."""
    for seconds, status in ((0, 422), (1, 200), (3_600, 200), (3_601, 422)):
        assert (await gateway.post("/v1/tokens", json={"seconds": seconds})).status_code == status
    key = (await new_key("users:read", expires_at=(now() + timedelta(seconds=90)).isoformat()))["key"]
    answer = await gateway.post("/v1/tokens", json={"seconds": 3_600}, headers=bearer(key))
    assert answer.json()["expires_in"] <= 90


async def test_a_test_key_gives_test_tokens(
    gateway: httpx.AsyncClient, new_body: NewBody, new_token: NewToken
) -> None:
    """What is sent with a test key's token reaches no real provider either."""
    headers = bearer(await new_token(TEST_API_KEY))
    sent = await gateway.post("/v1/notifications", json=new_body(), headers=headers)
    found = await gateway.get(f"/v1/notifications/{sent.json()['id']}", headers=headers)
    assert found.json()["sandbox"] is True


async def test_another_gateway_takes_the_token(open_gateway: OpenGateway, new_token: NewToken) -> None:
    """All gateways share the signing keys."""
    headers = bearer(await new_token(API_KEY, scopes=["notifications:read"]))
    async with open_gateway() as other:
        assert (await other.get("/v1/notifications", headers=headers)).status_code == 200


async def test_a_token_ends_with_its_key(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_key: NewKey, new_token: NewToken
) -> None:
    """Once its key is revoked a token is refused there at once, and at other gateways soon after."""
    made = await new_key("notifications:read")
    headers = bearer(await new_token(made["key"]))
    async with open_gateway() as other:
        assert (await other.get("/v1/notifications", headers=headers)).status_code == 200
        assert (await gateway.get("/v1/notifications", headers=headers)).status_code == 200
        await gateway.delete(f"/v1/api-keys/{made['id']}")
        assert told(await gateway.get("/v1/notifications", headers=headers)) == (401, "invalid_token")

        async def refused_elsewhere() -> bool:
            return (await other.get("/v1/notifications", headers=headers)).status_code == 401

        await eventually(refused_elsewhere)


async def test_a_service_checks_tokens_by_itself(
    gateway: httpx.AsyncClient, users: httpx.AsyncClient, new_token: NewToken
) -> None:
    """The user service takes a token with the public keys alone, also one signed after a rotation."""
    for _ in range(2):
        token = await new_token(API_KEY, scopes=["users:read"])
        assert (await users.get("/users", headers=bearer(token))).status_code == 200
        refused = await users.post("/users", json={"name": "Ada"}, headers=bearer(token))
        assert told(refused) == (403, "missing_scope")
        assert (await gateway.post("/v1/tokens/rotate-keys")).status_code == 200


async def test_a_service_refuses_what_the_gateway_refuses(users: httpx.AsyncClient) -> None:
    """A token signed with a key that the gateway does not publish is worth nothing anywhere."""
    forged = jwt.encode({"sub": "x"}, SERVICE_SECRET, headers={"typ": "at+jwt", "kid": "unknown"})
    assert told(await users.get("/users", headers=bearer(forged))) == (401, "invalid_token")
