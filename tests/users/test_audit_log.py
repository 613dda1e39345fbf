"""The user service's audit log: each change of a person, a device, a choice or a list leaves an entry."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from support.audit import Write, entries, write_operations
from support.servers import SERVICE_SECRET
from tidings.client.links import unsubscribe_path
from tidings.kit.auth import ServiceTokens
from users.conftest import MAX_DEVICES, AddUser

CHANGE_NOTHING = {("post", "/contacts"), ("post", "/suppressions/check")}
ADDRESS = "ada.lovelace@example.com"


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> str:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def a_user(client: httpx.AsyncClient) -> dict[str, str]:
    return {"user_id": await made(client, "/users", {"email": ADDRESS, "name": "Ada"})}


async def a_device(client: httpx.AsyncClient) -> dict[str, str]:
    user = await a_user(client)
    path = f"/users/{user['user_id']}/tokens"
    return user | {"token_id": await made(client, path, {"provider": "fcm", "token": f"token-{uuid4()}"})}


async def a_category(client: httpx.AsyncClient) -> dict[str, str]:
    name = f"c-{uuid4()}"
    assert (await client.put(f"/categories/{name}", json=CATEGORY)).status_code == 201
    return {"category_id": name}


async def a_suppression(client: httpx.AsyncClient) -> dict[str, str]:
    return {"suppression_id": await made(client, "/suppressions", bounced(f"{uuid4()}@example.com"))}


async def a_dead_address(client: httpx.AsyncClient) -> dict[str, str]:
    await client.post("/suppressions", json=bounced(ADDRESS))
    return {}


def bounced(address: str) -> dict[str, Any]:
    return {"email": address, "reason": "hard_bounce", "source": f"550 no {address} here"}


CATEGORY = {"name": "News", "description": "Now and then"}
PEOPLE = '{"email": "grace@example.com"}\n{"name": "Ada"}\n'

WRITES = [
    Write(route="/users", action="user.created", body={"email": ADDRESS}),
    Write(
        method="put", route="/users/external/{external_id}", action="user.created", body={"email": ADDRESS}
    ),
    Write(
        method="patch",
        route="/users/{user_id}",
        action="user.changed",
        body={"email": "king@example.com"},
        prepare=a_user,
    ),
    Write(method="delete", route="/users/{user_id}", action="user.erased", prepare=a_user),
    Write(
        route="/users/import",
        action="users.imported",
        body=PEOPLE,
        headers={"Content-Type": "application/x-ndjson"},
    ),
    Write(
        method="put",
        route="/users/{user_id}/preferences",
        action="preferences.changed",
        body={"email": False},
        prepare=a_user,
    ),
    Write(
        route="/users/{user_id}/tokens",
        action="device.registered",
        body={"provider": "fcm", "token": f"secret-{uuid4()}"},
        prepare=a_user,
    ),
    Write(
        method="delete",
        route="/users/{user_id}/tokens/{token_id}",
        action="device.removed",
        prepare=a_device,
    ),
    Write(method="put", route="/categories/{category_id}", action="category.created", body=CATEGORY),
    Write(method="delete", route="/categories/{category_id}", action="category.deleted", prepare=a_category),
    Write(route="/suppressions", action="suppression.added", body=bounced(f"{uuid4()}@example.com")),
    Write(
        method="delete",
        route="/suppressions/{suppression_id}",
        action="suppression.removed",
        prepare=a_suppression,
    ),
    Write(
        route="/suppressions/success",
        action="suppression.removed",
        body={"email": ADDRESS},
        prepare=a_dead_address,
    ),
]


async def test_every_write_is_looked_at_here(users: httpx.AsyncClient) -> None:
    """A new route that changes something needs its entry, and its line among the writes."""
    assert await write_operations(users) == {write.operation for write in WRITES} | CHANGE_NOTHING


@pytest.mark.parametrize("write", WRITES, ids=lambda write: "-".join(write.operation))
async def test_a_write_leaves_one_entry(users: httpx.AsyncClient, write: Write) -> None:
    """Each successful write is one entry, which says who did what, and holds no address or token."""
    found = await write.send(users)
    assert [(entry["actor"], entry["action"]) for entry in found] == [("tests", write.action)]
    assert "example.com" not in str(found)
    assert "secret-" not in str(found)


async def test_an_entry_names_the_fields_and_never_what_they_hold(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """What changed of a person is told by the names of the fields that are other now than before."""
    user_id = await add_user(name="Ada", locale="en")
    await users.patch(f"/users/{user_id}", json={"name": "Ada", "locale": "fr", "attributes": {"a": 1}})
    await users.put(f"/users/{user_id}/preferences", json={"push": False})
    said = [(entry["action"], entry["detail"]) for entry in await entries(users, subject=user_id)]
    assert said == [
        ("preferences.changed", {"fields": ["push"]}),
        ("user.changed", {"fields": ["locale", "attributes"]}),
        ("user.created", {"fields": ["name", "email", "locale"]}),
    ]


async def test_what_changes_nothing_leaves_no_entry(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Erasing or deleting twice, the same words again, and a device that starts again are not recorded."""
    gone, kept, token = await add_user(), await add_user(name="Ada"), f"token-{uuid4()}"
    await users.delete(f"/users/{gone}")
    await users.post(f"/users/{kept}/tokens", json={"provider": "fcm", "token": token})
    newest = (await entries(users, limit="1"))[0]["id"]
    for answer in (
        await users.delete(f"/users/{gone}"),
        await users.patch(f"/users/{kept}", json={"name": "Ada"}),
        await users.put(f"/users/{kept}/preferences", json={}),
        await users.post(f"/users/{kept}/tokens", json={"provider": "fcm", "token": token}),
        await users.delete(f"/users/{kept}/tokens/{uuid4()}"),
        await users.delete("/categories/never-there"),
        await users.delete(f"/suppressions/{uuid4()}"),
        await users.post("/suppressions/success", json={"email": "well@example.com"}),
    ):
        assert answer.is_success, answer.text
    assert (await entries(users, limit="1"))[0]["id"] == newest


async def test_what_is_refused_leaves_no_entry(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The log holds what was done, not what was tried."""
    external_id, user_id = str(uuid4()), await add_user()
    await add_user(external_id=external_id)
    newest = (await entries(users, limit="1"))[0]["id"]
    answer = await users.patch(f"/users/{user_id}", json={"external_id": external_id})
    assert answer.status_code == 409
    assert (await entries(users, limit="1"))[0]["id"] == newest


async def test_a_device_that_moves_says_from_whom(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A token that another person had is registered anew, with who lost it."""
    first, second = await add_user(), await add_user()
    device = {"provider": "fcm", "token": f"token-{uuid4()}"}
    for user_id in (first, second):
        token_id = (await users.post(f"/users/{user_id}/tokens", json=device)).json()["id"]
    moved, _ = await entries(users, subject=token_id)
    assert moved["detail"] == {"user_id": second, "provider": "fcm", "moved_from": first}


async def test_devices_over_the_limit_are_recorded_too(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The device that has to go for a new one has an entry of its own, in the same request."""
    user_id = await add_user()
    ids = [
        await made(users, f"/users/{user_id}/tokens", {"provider": "fcm", "token": f"token-{uuid4()}"})
        for _ in range(MAX_DEVICES + 1)
    ]
    removed = (await entries(users, subject=ids[0]))[0]
    assert (removed["action"], removed["detail"]["why"]) == ("device.removed", "device_limit")
    assert removed["correlation_id"] == (await entries(users, subject=ids[-1]))[0]["correlation_id"]


async def test_an_import_has_an_entry_for_each_batch_stored(users: httpx.AsyncClient) -> None:
    """Batches are stored one by one, so each has its entry, with the counts, under the import's one id."""
    lines = "".join(f'{{"external_id": "{uuid4()}"}}\n' for _ in range(501))
    headers = {"Content-Type": "application/x-ndjson"}
    await users.post("/users/import", content=lines, headers=headers)
    last, first = (await entries(users, action="users.imported"))[:2]
    assert first["subject"] == last["subject"]
    assert (first["detail"], last["detail"]) == (
        {"created": 500, "updated": 0},
        {"created": 1, "updated": 0},
    )


async def test_a_recipients_own_choice_is_recorded_as_theirs(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Whoever unsubscribes with the link in a message is `recipient` in the log; twice is one entry."""
    user_id = await add_user()
    for _ in range(2):
        answer = await users.post(unsubscribe_path(SERVICE_SECRET, UUID(user_id), "marketing"))
        assert answer.status_code == 200, answer.text
    found = await entries(users, subject=user_id, actor="recipient")
    assert [(entry["action"], entry["detail"]) for entry in found] == [
        ("preferences.changed", {"fields": ["categories"]})
    ]


async def test_on_whose_behalf(users: httpx.AsyncClient) -> None:
    """The gateway's token says whose request it hands on, and that is who did it."""
    key_id = str(uuid4())
    token = ServiceTokens("gateway", SERVICE_SECRET).sign("users", on_behalf_of=key_id)
    answer = await users.post("/users", json={}, headers={"Authorization": f"Bearer {token}"})
    (entry,) = await entries(users, actor=key_id)
    assert entry["subject"] == answer.json()["id"]


async def test_only_services_read_it(users: httpx.AsyncClient, service_token: Callable[..., str]) -> None:
    """A token without the scope is refused; callers ask the gateway."""
    headers = {"Authorization": f"Bearer {service_token('users', 'users:read')}"}
    answer = await users.get("/audit-log", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize(
    "statement",
    ["update audit_log set actor = 'nobody'", "delete from audit_log where false", "truncate audit_log"],
)
async def test_nobody_changes_the_log(module_database: str, users: httpx.AsyncClient, statement: str) -> None:
    """PostgreSQL refuses to change or delete entries, even for a superuser."""
    assert (await users.get("/audit-log")).status_code == 200
    connection = await asyncpg.connect(module_database, server_settings={"search_path": "users"})
    try:
        with pytest.raises(asyncpg.RaiseError, match="append only"):
            await connection.execute(statement)
    finally:
        await connection.close()
