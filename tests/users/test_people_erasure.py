"""Erasing a person: nothing personal is left, and nothing falls over what is not there."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import httpx

AddUser = Callable[..., Awaitable[str]]

SECRETS = {
    "external_id": "secret-id",
    "name": "Secret Name",
    "email": "secret@example.com",
    "locale": "pt-PT",
    "time_zone": "Europe/Lisbon",
    "attributes": {"note": "secret"},
}


async def register(users: httpx.AsyncClient, user_id: str, token: str) -> httpx.Response:
    return await users.post(f"/users/{user_id}/tokens", json={"provider": "fcm", "token": token})


async def test_nothing_personal_is_left(users: httpx.AsyncClient, module_database: str) -> None:
    """No table holds a word of an erased person; the id and the times stay."""
    user_id = (await users.post("/users", json=SECRETS)).json()["id"]
    removed = (await register(users, user_id, "secret-removed")).json()["id"]
    await users.delete(f"/users/{user_id}/tokens/{removed}", params={"reason": "secret"})
    await register(users, user_id, "secret-kept")
    await users.put(f"/users/{user_id}/preferences", json={"email": False})
    answer = await users.delete(f"/users/{user_id}")
    tombstone = (await users.get(f"/users/{user_id}")).json()

    assert answer.status_code == 204
    assert tombstone["erased_at"] is not None
    assert {name: tombstone[name] for name in SECRETS} == dict.fromkeys(SECRETS) | {"attributes": {}}
    assert tombstone["preferences"]["email"] is True
    assert tombstone["tokens"] == []
    connection = await asyncpg.connect(module_database)
    for table in ("users", "push_tokens", "removed_push_tokens"):
        rows = await connection.fetch(f"select t::text from users.{table} t where t::text like '%ecret%'")  # noqa: S608 - our own names
        assert rows == []
    await connection.close()


async def test_erasing_twice_is_no_error(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The second request finds the work done and leaves the time of the first."""
    user_id = await add_user()
    answers = [await users.delete(f"/users/{user_id}")]
    first = (await users.get(f"/users/{user_id}")).json()
    answers.append(await users.delete(f"/users/{user_id}"))
    assert [answer.status_code for answer in answers] == [204, 204]
    assert (await users.get(f"/users/{user_id}")).json() == first


async def test_an_erased_person_is_neither_reached_nor_changed(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Every write is a 410 that says so, the contact too, and a look-up of many leaves the person out."""
    user_id = await add_user()
    await users.get(f"/users/{user_id}/contact")  # now it is cached
    await users.delete(f"/users/{user_id}")
    answers = [
        await users.patch(f"/users/{user_id}", json={"name": "Eve"}),
        await register(users, user_id, "late"),
        await users.put(f"/users/{user_id}/preferences", json={}),
        await users.get(f"/users/{user_id}/contact"),
    ]
    found = await users.post("/contacts", json={"user_ids": [user_id]})
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(410, "erased_user")] * 4
    assert found.json()["contacts"] == {}


async def test_an_erased_person_is_in_no_list(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Lists are of people who can be reached."""
    user_id = await add_user(locale="mt")
    assert len((await users.get("/users", params={"locale": "mt"})).json()["users"]) == 1
    await users.delete(f"/users/{user_id}")
    everyone = (await users.get("/users", params={"limit": 200})).json()["users"]
    assert user_id not in {user["id"] for user in everyone}


async def test_the_external_id_is_free_again(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Whoever comes back is someone new, with nothing of before."""
    before = await add_user(external_id="back")
    await register(users, before, "back")
    await users.delete(f"/users/{before}")
    after = await users.put("/users/external/back", json={})
    assert after.status_code == 201
    assert after.json()["id"] != before
    assert after.json()["tokens"] == []


async def test_a_device_registered_during_an_erasure_does_not_survive_it(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Whichever comes first, the erased person has no device."""
    for number in range(10):
        user_id = await add_user()
        await asyncio.gather(
            *(register(users, user_id, f"raced-{number}-{device}") for device in range(3)),
            users.delete(f"/users/{user_id}"),
        )
        assert (await users.get(f"/users/{user_id}")).json()["tokens"] == []


async def test_the_export_has_all_that_is_known(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The person, removed devices with the reason, and the entries of the suppression list on them."""
    user_id = await add_user(email="export@example.com", attributes={"plan": "gold"})
    removed = (await register(users, user_id, "export-1")).json()["id"]
    await users.delete(f"/users/{user_id}/tokens/{removed}", params={"reason": "UNREGISTERED"})
    await register(users, user_id, "export-2")
    for entry in ({"email": "EXPORT@example.com"}, {"token": "export-1"}, {"email": "other@example.com"}):
        added = await users.post("/suppressions", json={**entry, "reason": "manual"})
        assert added.status_code == 201, added.text
    export = (await users.get(f"/users/{user_id}/export")).json()

    assert export["user"] == (await users.get(f"/users/{user_id}")).json()
    assert [(r["token"], r["reason"]) for r in export["removed_tokens"]] == [("export-1", "UNREGISTERED")]
    assert UUID(export["removed_tokens"][0]["id"]) == UUID(removed)
    assert {s["email"] or s["token"] for s in export["suppressions"]} == {"EXPORT@example.com", "export-1"}
