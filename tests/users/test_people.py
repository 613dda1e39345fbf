"""Storing people and what they want."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx

AddUser = Callable[..., Awaitable[str]]


async def test_a_person_is_stored_and_read_back(users: httpx.AsyncClient) -> None:
    """What was posted is what is read, at the address in Location, with an id sorted by time."""
    person = {
        "external_id": "crm-1",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "locale": "pt-BR",
        "time_zone": "Europe/Lisbon",
        "attributes": {"plan": "gold", "seats": [1, 2], "nested": {"deep": None}},
    }
    created = await users.post("/users", json=person)
    location = created.request.url.join(created.headers["location"])
    read = await users.get(location)

    assert created.status_code == 201
    assert read.json() == created.json()
    assert person.items() <= read.json().items()
    assert UUID(read.json()["id"]).version == 7
    assert read.json()["preferences"] == {"email": True, "push": True}
    assert read.json()["tokens"] == []


async def test_a_person_may_have_no_address_at_all(users: httpx.AsyncClient) -> None:
    """Every field is optional: who has only a phone gets push only."""
    created = await users.post("/users", json={})
    assert created.status_code == 201
    assert created.json()["email"] is None


async def test_attributes_may_be_nested_deep(users: httpx.AsyncClient) -> None:
    """Attributes belong to the caller: their shape is kept, however deep."""
    attributes: dict[str, Any] = {"leaf": "ü \U0001f600"}
    for _ in range(300):
        attributes = {"deeper": [attributes]}
    created = await users.post("/users", json={"attributes": attributes})
    assert created.status_code == 201
    assert created.json()["attributes"] == attributes


async def test_the_email_address_is_normalised(users: httpx.AsyncClient) -> None:
    """The domain is case-insensitive and kept in lower case; the local part is the recipient's own."""
    created = await users.post("/users", json={"email": "Ada.Lovelace@EXAMPLE.Com"})
    assert created.json()["email"] == "Ada.Lovelace@example.com"


async def test_an_external_id_is_unique(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The caller's own id names one person; a second with the same is a conflict."""
    await add_user(external_id="crm-2")
    again = await users.post("/users", json={"external_id": "crm-2"})
    assert again.status_code == 409
    assert again.json()["code"] == "external_id_taken"
    assert again.json()["errors"][0]["field"] == "$.external_id"


async def test_preferences_are_replaced_as_a_whole(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A channel that the new preferences leave out is on again."""
    user_id = await add_user()
    await users.put(f"/users/{user_id}/preferences", json={"email": False})
    before = (await users.get(f"/users/{user_id}")).json()
    answer = await users.put(f"/users/{user_id}/preferences", json={"push": False})
    after = (await users.get(f"/users/{user_id}")).json()

    assert before["preferences"] == {"email": False, "push": True}
    assert answer.json() == after["preferences"] == {"email": True, "push": False}
    assert after["updated_at"] > before["updated_at"]


async def test_an_unknown_person_is_a_404(users: httpx.AsyncClient) -> None:
    """An id nobody has, and what is no id at all, get the same stable code on every path."""
    for user_id in (str(uuid4()), "no-uuid", "%00"):
        path = f"/users/{user_id}"
        answers = [
            await users.get(path),
            await users.get(f"{path}/contact"),
            await users.put(f"{path}/preferences", json={}),
            await users.post(f"{path}/tokens", json={"provider": "fcm", "token": f"t-{user_id}"}),
        ]
        assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "unknown_user")] * 4
