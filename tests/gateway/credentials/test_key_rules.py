"""Who may make which key."""

from typing import Any

import httpx
import pytest

from gateway.conftest import TEST_API_KEY
from gateway.credentials.conftest import NewKey, bearer, told

KEYS = "/v1/api-keys"


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ({"scopes": ["users:read", "users:write"]}, "users:write"),
        ({"scopes": ["*"]}, "*"),
        ({"role": "admin"}, "*"),
        ({"role": "viewer"}, "notifications:read"),
    ],
)
async def test_nobody_grants_what_they_do_not_hold(
    gateway: httpx.AsyncClient, new_key: NewKey, wanted: dict[str, Any], missing: str
) -> None:
    """A key that may make keys makes none that may do more than itself, by scope or by role."""
    key = (await new_key("api-keys:write", "users:read"))["key"]
    refused = await gateway.post(KEYS, json={"name": "more", **wanted}, headers=bearer(key))
    assert told(refused) == (403, "cannot_grant")
    assert missing in refused.json()["detail"].partition("missing: ")[2].split(", ")
    granted = await gateway.post(KEYS, json={"name": "same", "scopes": ["users:read"]}, headers=bearer(key))
    assert granted.status_code == 201


async def test_rotation_is_no_way_to_more(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """Rotating a key gives its secret away, so that needs all that the key may do."""
    weak, strong = await new_key("api-keys:write"), await new_key("*")
    refused = await gateway.post(f"{KEYS}/{strong['id']}/rotate", json={}, headers=bearer(weak["key"]))
    assert told(refused) == (403, "cannot_grant")
    assert (await gateway.get(KEYS, headers=bearer(strong["key"]))).status_code == 200


async def test_a_test_key_touches_no_live_key(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """A test key makes test keys, and neither makes, rotates nor revokes a live one."""
    test, live = bearer(TEST_API_KEY), await new_key("users:read")
    path = f"{KEYS}/{live['id']}"
    wanted = {"name": "trial", "scopes": ["users:read"]}
    assert told(await gateway.post(KEYS, json=wanted, headers=test)) == (403, "cannot_grant")
    assert told(await gateway.post(f"{path}/rotate", json={}, headers=test)) == (403, "cannot_grant")
    assert told(await gateway.delete(path, headers=test)) == (403, "cannot_grant")
    made = await gateway.post(KEYS, json={**wanted, "mode": "test"}, headers=test)
    assert made.status_code == 201
    assert made.json()["key"].startswith("tdg_test_")
    assert (await gateway.delete(f"{KEYS}/{made.json()['id']}", headers=test)).status_code == 204


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"scopes": ["notifications:write"], "role": "admin"}, "$.scopes"),
        ({}, "$"),
        ({"scopes": []}, "$.scopes"),
        ({"scopes": ["everything"]}, "$.scopes[0]"),
        ({"scopes": ["api-keys:check"]}, "$.scopes[0]"),
        ({"role": "root"}, "$.role"),
        ({"role": "viewer", "name": ""}, "$.name"),
        ({"role": "viewer", "mode": "prod"}, "$.mode"),
        ({"role": "viewer", "expires_at": "2099-01-01T00:00:00"}, "$.expires_at"),
        ({"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "$.expires_at"),
    ],
)
async def test_a_request_that_does_not_fit(
    gateway: httpx.AsyncClient, changed: dict[str, Any], field: str
) -> None:
    """Scopes or a role, of those there are, and an end to come: anything else is told where it is wrong."""
    refused = await gateway.post(KEYS, json={"name": "shop", **changed})
    assert told(refused) == (422, "invalid_request")
    assert field in refused.json()["detail"] or refused.json()["errors"][0]["field"] == field


async def test_an_overlap_has_its_limit(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """An old secret lives for another seven days at most."""
    path = f"{KEYS}/{(await new_key('users:read'))['id']}/rotate"
    for seconds, status in ((604_800, 200), (604_801, 422), (-1, 422)):
        assert (await gateway.post(path, json={"overlap_seconds": seconds})).status_code == status


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("api-keys:read", "POST", KEYS),
        ("api-keys:write", "GET", KEYS),
        ("api-keys:read", "POST", "/v1/tokens/rotate-keys"),
        ("api-keys:read", "GET", "/v1/audit-log"),
    ],
)
async def test_managing_keys_needs_its_own_scopes(
    gateway: httpx.AsyncClient, new_key: NewKey, scope: str, method: str, path: str
) -> None:
    """Reading keys, changing them, and reading the audit log are three scopes."""
    key = (await new_key(scope))["key"]
    body = {"name": "shop", "role": "viewer"} if method == "POST" else None
    refused = await gateway.request(method, path, json=body, headers=bearer(key))
    assert told(refused) == (403, "missing_scope")
