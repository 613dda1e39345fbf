"""API keys from their making to their end."""

from datetime import timedelta

import asyncpg
import httpx
import pytest

from gateway.conftest import API_KEY, TEST_API_KEY, OpenGateway
from gateway.credentials.conftest import NewKey, bearer, told
from support.polling import eventually
from tidings.kit.ids import now

KEYS = "/v1/api-keys"


async def opens(client: httpx.AsyncClient, key: str, path: str = KEYS) -> bool:
    return (await client.get(path, headers=bearer(key))).status_code == 200


async def test_a_key_is_shown_once(gateway: httpx.AsyncClient, admin: asyncpg.Connection) -> None:
    """The answer to its making holds the key and is not cached; nothing else ever shows it."""
    made = await gateway.post(KEYS, json={"name": "billing", "role": "viewer"})
    key, path = made.json()["key"], made.headers["location"]
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert key.startswith(made.json()["prefix"])
    assert key.startswith("tdg_live_")
    found = await gateway.get(path)
    assert found.json() == {name: value for name, value in made.json().items() if name != "key"}
    stored = await admin.fetchval("select string_agg(k::text, '') from api_keys k")
    logged = await admin.fetchval("select string_agg(a::text, '') from audit_log a")
    assert key not in found.text + (await gateway.get(KEYS)).text + stored + logged


async def test_a_key_does_what_its_role_says(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """A role stands for its scopes: a viewer reads notifications, and sees no keys."""
    key = (await new_key(scopes=None, role="viewer"))["key"]
    assert await opens(gateway, key, "/v1/notifications")
    assert not await opens(gateway, key)


async def test_pages_of_keys(fresh: httpx.AsyncClient) -> None:
    """Keys come newest first, in pages that neither overlap nor leave one out."""
    for number in range(3):
        await fresh.post(KEYS, json={"name": f"key {number}", "scopes": ["users:read"]})
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = (await fresh.get(KEYS, params={"limit": "2", **cursor})).json()
        found += [key["name"] for key in page["api_keys"]]
        cursor = {"cursor": page["next_cursor"]}
    assert found == ["key 2", "key 1", "key 0", "bootstrap", "bootstrap"]
    assert page["next_cursor"] is None
    assert told(await fresh.get(KEYS, params={"cursor": "7"})) == (400, "bad_cursor")


async def test_a_rotated_key_has_two_secrets_for_a_while(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """Within the overlap both secrets are good, for the same key, and there may be more than two."""
    made = await new_key()
    old = made["key"]
    for _ in range(2):
        rotated = await gateway.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_seconds": 3_600})
        assert rotated.status_code == 200
        assert rotated.json()["id"] == made["id"]
        assert rotated.json()["prefix"] == rotated.json()["key"][:13]
        assert await opens(gateway, old)
        assert await opens(gateway, rotated.json()["key"])


async def test_a_leaked_secret_ends_at_once(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """Without an overlap all older secrets end with the rotation, also those of earlier rotations."""
    made = await new_key()
    path = f"{KEYS}/{made['id']}/rotate"
    second = (await gateway.post(path, json={"overlap_seconds": 3_600})).json()["key"]
    third = (await gateway.post(path, json={"overlap_seconds": 0})).json()["key"]
    assert [await opens(gateway, key) for key in (made["key"], second, third)] == [False, False, True]


async def test_a_first_key_that_was_rotated_away_stays_away(
    open_gateway: OpenGateway, fresh_url: str
) -> None:
    """Starting again with the old first key in the environment does not bring it back."""
    async with open_gateway(database_url=fresh_url) as gateway:
        first = next(key for key in (await gateway.get(KEYS)).json()["api_keys"] if key["mode"] == "live")
        path = f"{KEYS}/{first['id']}/rotate"
        key = (await gateway.post(path, json={"overlap_seconds": 0})).json()["key"]
        await gateway.post(path, json={"overlap_seconds": 0}, headers=bearer(key))
    async with open_gateway(database_url=fresh_url) as gateway:
        assert told(await gateway.get(KEYS)) == (401, "unknown_api_key")


async def test_a_revoked_key_ends_here_at_once_and_elsewhere_soon(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_key: NewKey
) -> None:
    """The gateway that revokes a key refuses it from then on, and another that remembers it soon after."""
    made = await new_key()
    async with open_gateway() as other:
        assert await opens(gateway, made["key"])
        assert await opens(other, made["key"])
        for _ in range(2):
            assert (await gateway.delete(f"{KEYS}/{made['id']}")).status_code == 204
        assert told(await gateway.get(KEYS, headers=bearer(made["key"]))) == (401, "unknown_api_key")

        async def refused_elsewhere() -> bool:
            return not await opens(other, made["key"])

        await eventually(refused_elsewhere)
    assert (await gateway.get(f"{KEYS}/{made['id']}")).json()["revoked_at"] is not None
    rotated = await gateway.post(f"{KEYS}/{made['id']}/rotate", json={})
    assert told(rotated) == (409, "ended_api_key")


async def test_a_key_ends_when_it_expires(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, new_key: NewKey
) -> None:
    """A key with an end is good until then, and so is what replaces its secret."""
    made = await new_key(expires_at=(now() + timedelta(hours=1)).isoformat())
    assert await opens(gateway, made["key"])
    other = await new_key()
    await admin.execute("update api_keys set expires_at = now() where id = $1", other["id"])
    assert told(await gateway.get(KEYS, headers=bearer(other["key"]))) == (401, "unknown_api_key")
    assert told(await gateway.post(f"{KEYS}/{other['id']}/rotate", json={})) == (409, "ended_api_key")


async def test_when_a_key_was_last_used_is_stored(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_key: NewKey
) -> None:
    """Uses are written down together, at the latest when the gateway stops."""
    used, unused = await new_key(), await new_key()
    before = now()
    async with open_gateway() as other:
        assert await opens(other, used["key"])
    last = [(await gateway.get(f"{KEYS}/{made['id']}")).json()["last_used_at"] for made in (used, unused)]
    assert last[1] is None
    assert last[0] >= before.strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "", None), ("DELETE", "", None), ("POST", "/rotate", {})],
)
async def test_a_key_that_is_not_there(
    gateway: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    """Whatever is asked of an unknown key is a 404."""
    url = f"{KEYS}/01990c3e-8a10-7b2f-9c64-2d1e0f3a4b5c{path}"
    assert told(await gateway.request(method, url, json=body)) == (404, "unknown_api_key")


async def test_the_last_key_that_makes_keys_is_not_revoked_by_accident(fresh: httpx.AsyncClient) -> None:
    """Without it nobody could get in again, so that is a 409, unless `force` says it is meant."""
    keys = (await fresh.get(KEYS)).json()["api_keys"]
    last = next(key["id"] for key in keys if key["mode"] == "live")
    assert told(await fresh.delete(f"{KEYS}/{last}")) == (409, "last_api_key")
    await fresh.post(KEYS, json={"name": "reader", "role": "operator"})
    assert told(await fresh.delete(f"{KEYS}/{last}")) == (409, "last_api_key")
    another = (await fresh.post(KEYS, json={"name": "manager", "role": "admin"})).json()
    assert (await fresh.delete(f"{KEYS}/{last}")).status_code == 204
    forced = await fresh.delete(
        f"{KEYS}/{another['id']}", params={"force": "true"}, headers=bearer(another["key"])
    )
    assert forced.status_code == 204
    assert told(await fresh.get(KEYS, headers=bearer(another["key"]))) == (401, "unknown_api_key")


async def test_first_keys_may_do_everything(gateway: httpx.AsyncClient) -> None:
    """The keys from the environment hold every scope."""
    for key in (API_KEY, TEST_API_KEY):
        assert await opens(gateway, key)
