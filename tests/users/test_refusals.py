"""What the user service refuses, and how it says so."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from support.servers import client_of
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

AddUser = Callable[..., Awaitable[str]]
ServiceDatabase = Callable[[str], Awaitable[str]]


# The example of RFC 8291, section 5.
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
BROWSER = {"endpoint": "https://push.example.com/1", "keys": {"p256dh": P256DH, "auth": AUTH}}


def browser(endpoint: str = "https://push.example.com/1", **keys: str) -> dict[str, Any]:
    subscription = {"endpoint": endpoint, "keys": {"p256dh": P256DH, "auth": AUTH, **keys}}
    return {"provider": "webpush", "subscription": subscription}


@pytest.mark.parametrize(
    ("person", "field"),
    [
        ({"email": "ada"}, "$.email"),
        ({"email": "ada@@example.com"}, "$.email"),
        ({"email": "ada@example.com\r\nBcc: eve@example.com"}, "$.email"),
        ({"email": f"{'a' * 250}@example.com"}, "$.email"),
        ({"email": 7}, "$.email"),
        ({"time_zone": "Europe/Atlantis"}, "$.time_zone"),
        ({"time_zone": "Europe"}, "$.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "$.time_zone"),
        ({"time_zone": ""}, "$.time_zone"),
        ({"locale": "english please"}, "$.locale"),
        ({"locale": "xx-YY"}, "$.locale"),
        ({"name": "nul\0"}, "$.name"),
        ({"external_id": ""}, "$.external_id"),
        ({"attributes": {"deep": [{"nul\0": 1}]}}, "$.attributes"),
        ({"attributes": []}, "$.attributes"),
        ({"e_mail": "ada@example.com"}, "$.e_mail"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(
    users: httpx.AsyncClient, person: dict[str, Any], field: str
) -> None:
    """Every fault is a 422 problem that says which field and why."""
    answer = await users.post("/users", json=person)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"email": "ada"}, "$.email"),
        ({"locale": "xx"}, "$.locale"),
        ({"time_zone": "Mars/Olympus"}, "$.time_zone"),
        ({"external_id": ""}, "$.external_id"),
        ({"attributes": None}, "$.attributes"),
        ({"attributes": {"nul\0": 1}}, "$.attributes"),
        ({"id": "x"}, "$.id"),
    ],
)
async def test_a_patch_that_does_not_fit_is_refused(
    users: httpx.AsyncClient, add_user: AddUser, patch: dict[str, Any], field: str
) -> None:
    """The same for changes, and nothing of them is stored."""
    user_id = await add_user(name="Ada")
    answer = await users.patch(f"/users/{user_id}", json={"name": "Eve", **patch})
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert (await users.get(f"/users/{user_id}")).json()["name"] == "Ada"


async def test_every_fault_is_told_at_once(users: httpx.AsyncClient) -> None:
    """A caller need not repair one field to hear of the next."""
    answer = await users.post("/users", json={"email": "ada", "time_zone": "Mars/Olympus", "name": "\0"})
    assert {fault["field"] for fault in answer.json()["errors"]} == {"$.email", "$.time_zone", "$.name"}


@pytest.mark.parametrize(
    ("token", "field"),
    [
        ({"provider": "pigeon", "token": "t"}, "$.provider"),
        ({"provider": "fcm", "token": ""}, "$.token"),
        ({"provider": "fcm", "token": "t" * 4097}, "$.token"),
        ({"provider": "fcm", "token": "nul\0"}, "$.token"),
        ({"provider": "fcm", "token": "t", "platform": "toaster"}, "$.platform"),
        ({"provider": "fcm"}, "$.token"),
        ({"provider": "fcm", "token": "t", "locale": "xx"}, "$.locale"),
        ({"provider": "fcm", "token": "t", "time_zone": "Mars/Olympus"}, "$.time_zone"),
        ({"provider": "fcm", "token": "t", "subscription": BROWSER}, "$.subscription"),
        ({"provider": "webpush"}, "$.subscription"),
        ({"provider": "webpush", "token": "t", "subscription": BROWSER}, "$.token"),
        (browser(endpoint="http://push.example.com/1"), "$.subscription.endpoint"),
        (browser(endpoint="http://localhost.example.com/1"), "$.subscription.endpoint"),
        (browser(endpoint="https://"), "$.subscription.endpoint"),
        (browser(endpoint="https://user@push.example.com/1"), "$.subscription.endpoint"),
        (browser(endpoint="https://push.example.com:99999/1"), "$.subscription.endpoint"),
        (browser(endpoint="https://push.example.com/1\r\nHost: eve"), "$.subscription.endpoint"),
        (browser(p256dh="AAAA"), "$.subscription.keys.p256dh"),
        (browser(p256dh="B" * 87), "$.subscription.keys.p256dh"),
        (browser(p256dh="no base64!"), "$.subscription.keys.p256dh"),
        (browser(auth="AAAA"), "$.subscription.keys.auth"),
    ],
)
async def test_a_device_that_does_not_fit_is_refused(
    users: httpx.AsyncClient, add_user: AddUser, token: dict[str, Any], field: str
) -> None:
    """The same for push tokens."""
    answer = await users.post(f"/users/{await add_user()}/tokens", json=token)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name": "\\ud800"}',
    ],
)
async def test_a_body_that_is_no_person_is_refused(users: httpx.AsyncClient, body: bytes) -> None:
    """Broken JSON and the wrong kind of JSON are the caller's fault, never a 500."""
    answer = await users.post("/users", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["code"] in {"malformed_request", "invalid_request"}


async def test_reading_is_not_writing(
    users_settings: UsersSettings, service_token: Callable[..., str], add_user: AddUser
) -> None:
    """A credential does what its scopes say; without one, nothing."""
    user_id = await add_user()
    async with open_app(users_settings) as app:
        reader = client_of(app, service_token("users", "users:read"))
        writer = client_of(app, service_token("users", "users:write"))
        stranger, neighbour = client_of(app), client_of(app, service_token("templates"))
        answers = [
            await reader.get(f"/users/{user_id}/contact"),
            await reader.post("/users", json={}),
            await writer.post("/users", json={}),
            await writer.post("/contacts", json={"user_ids": []}),
            await stranger.get(f"/users/{user_id}"),
            await neighbour.get(f"/users/{user_id}"),
        ]
    assert [answer.status_code for answer in answers] == [200, 403, 201, 403, 401, 401]


async def test_the_role_sees_no_other_schema(
    users_settings: UsersSettings, service_database: ServiceDatabase
) -> None:
    """A query into a neighbour's table fails, whoever writes it."""
    await service_database("templates")
    connection = await asyncpg.connect(users_settings.database_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("create table templates.theirs (id int)")
    finally:
        await connection.close()
