"""The audit log: what changes of keys leave in it, how it is read, and that it stays."""

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.credentials.conftest import NewKey, bearer, told
from tidings.kit.ids import now

LOG = "/v1/audit-log"


async def entries(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(LOG, params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])


async def test_every_change_of_a_key_is_there(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """Making, rotating and revoking leave an entry each, with who did it and in which request."""
    manager, made = await new_key("*"), await new_key("users:read")
    path, headers = f"/v1/api-keys/{made['id']}", bearer(manager["key"])
    await gateway.post(f"{path}/rotate", json={}, headers=headers)
    for _ in range(2):
        answer = await gateway.delete(path, headers=headers)
    found = await entries(gateway, actor=manager["id"])
    assert [(entry["action"], entry["subject"]) for entry in found] == [
        ("api_key.revoked", made["id"]),
        ("api_key.rotated", made["id"]),
    ]
    assert found[0]["correlation_id"] is not None
    assert answer.headers["x-correlation-id"] != found[0]["correlation_id"]
    creation = await entries(gateway, action="api_key.created")
    assert creation[0]["subject"] == made["id"]
    assert creation[0]["detail"] == {"name": "shop", "scopes": ["users:read"], "role": None, "mode": "live"}


async def test_a_new_signing_key_is_there(fresh: httpx.AsyncClient) -> None:
    """The first signing key is the gateway's doing, the next that of the key that asked for it."""
    await fresh.post("/v1/tokens", json={})
    rotated = (await fresh.post("/v1/tokens/rotate-keys")).json()
    second, first = await entries(fresh, action="signing_key.created")
    assert (first["actor"], first["detail"]) == ("gateway", {"replaces": None})
    assert (second["subject"], second["detail"]) == (rotated["kid"], {"replaces": first["subject"]})
    assert second["actor"] in {key["id"] for key in (await fresh.get("/v1/api-keys")).json()["api_keys"]}


async def test_what_is_refused_leaves_no_entry(gateway: httpx.AsyncClient, new_key: NewKey) -> None:
    """The log holds what was done, not what was tried."""
    weak = await new_key("api-keys:write")
    await gateway.post("/v1/api-keys", json={"name": "x", "role": "admin"}, headers=bearer(weak["key"]))
    assert await entries(gateway, actor=weak["id"]) == []


async def test_pages_and_filters(fresh: httpx.AsyncClient) -> None:
    """Entries come newest first, by page, by action and from a moment on."""
    start = now()
    for number in range(3):
        await fresh.post("/v1/api-keys", json={"name": f"key {number}", "role": "viewer"})
    first = (await fresh.get(LOG, params={"limit": 2})).json()
    second = (await fresh.get(LOG, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    names = [entry["detail"]["name"] for entry in first["entries"] + second["entries"]]
    assert (names, second["next_cursor"]) == (["key 2", "key 1", "key 0"], None)
    assert len(await entries(fresh, since=start.isoformat())) == 3
    assert await entries(fresh, since=(start + timedelta(hours=1)).isoformat()) == []
    assert await entries(fresh, action="api_key.revoked") == []
    newest = first["entries"][0]
    assert await entries(fresh, subject=newest["subject"]) == [newest]


async def test_the_pages_of_another_services_log(gateway: httpx.AsyncClient) -> None:
    """The logs of the user and template services are read with the same parameters and cursors."""
    start = now().isoformat()
    for _ in range(3):
        await gateway.post("/v1/users", json={})
    asked = {"service": "users", "action": "user.created", "since": start, "limit": "2"}
    first = (await gateway.get(LOG, params=asked)).json()
    second = (await gateway.get(LOG, params={**asked, "cursor": first["next_cursor"]})).json()
    assert (len(first["entries"]), len(second["entries"]), second["next_cursor"]) == (2, 1, None)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"cursor": "7"}, 400, "bad_cursor"),
        ({"since": "2026-01-01T00:00:00"}, 422, "naive_time"),
        ({"since": "0001-01-01T00:00:00+14:00"}, 422, "invalid_request"),
        ({"service": "users", "since": "9999-12-31T23:59:59-12:00"}, 422, "invalid_request"),
        ({"since": "yesterday"}, 422, "invalid_request"),
        ({"limit": "201"}, 422, "invalid_request"),
        ({"actor": "nul\0"}, 422, "invalid_request"),
        ({"action": "nul\0"}, 422, "invalid_request"),
        ({"subject": "nul\0"}, 422, "invalid_request"),
        ({"service": "email"}, 422, "invalid_request"),
        ({"service": "users", "cursor": "7"}, 400, "bad_cursor"),
    ],
)
async def test_a_question_that_does_not_fit(
    gateway: httpx.AsyncClient, params: dict[str, str], status: int, code: str
) -> None:
    """A moment needs its offset, a cursor comes from a page, and U+0000 is in no entry."""
    assert told(await gateway.get(LOG, params=params)) == (status, code)


@pytest.mark.parametrize(
    "statement",
    ["update audit_log set actor = 'nobody'", "delete from audit_log where false", "truncate audit_log"],
)
async def test_nobody_changes_the_log(admin: asyncpg.Connection, statement: str) -> None:
    """PostgreSQL refuses to change or delete entries, even for a superuser."""
    with pytest.raises(asyncpg.RaiseError, match="append only"):
        await admin.execute(statement)
