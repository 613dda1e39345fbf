"""Storing people and what they want."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

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
    assert read.json()["preferences"].items() >= {"email": True, "push": True}.items()
    assert read.json()["tokens"] == []
    assert read.json()["erased_at"] is None


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


async def test_an_address_may_be_in_any_script(users: httpx.AsyncClient) -> None:
    """Internationalised addresses are taken (RFC 6531), and the same letters are the same address (NFC)."""
    created = await users.post("/users", json={"email": "Jose\u0301@EXÄMPLE.de", "name": "שלום 👩‍💻"})
    assert created.json()["email"] == "José@exämple.de"
    assert created.json()["name"] == "שלום 👩‍💻"


@pytest.mark.parametrize(
    ("given", "kept"), [("PT-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("ES-419", "es-419"), ("de", "de")]
)
async def test_a_locale_is_kept_as_it_is_usually_written(
    users: httpx.AsyncClient, given: str, kept: str
) -> None:
    """The case of a language tag means nothing, so each has one form (RFC 5646)."""
    assert (await users.post("/users", json={"locale": given})).json()["locale"] == kept


async def test_an_external_id_is_unique(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The caller's own id names one person; a second with the same is a conflict."""
    await add_user(external_id="crm-2")
    again = await users.post("/users", json={"external_id": "crm-2"})
    assert again.status_code == 409
    assert again.json()["code"] == "external_id_taken"
    assert again.json()["errors"][0]["field"] == "$.external_id"


async def test_an_unknown_person_is_a_404(users: httpx.AsyncClient) -> None:
    """An id nobody has, and what is no id at all, get the same stable code on every path."""
    for user_id in (str(uuid4()), "no-uuid", "%00"):
        path = f"/users/{user_id}"
        answers = [
            await users.get(path),
            await users.get(f"{path}/contact"),
            await users.get(f"{path}/export"),
            await users.patch(path, json={}),
            await users.delete(path),
            await users.post(f"{path}/tokens", json={"provider": "fcm", "token": f"t-{user_id}"}),
        ]
        assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "unknown_user")] * 6


async def test_a_patch_changes_what_it_names(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """What is left out stays, null clears, attributes are merged as deep as they go (RFC 7396)."""
    attributes = {"plan": "gold", "address": {"city": "Porto", "zip": "4000"}, "tags": [1, 2]}
    user_id = await add_user(name="Ada", locale="pt-PT", attributes=attributes)
    changes = {
        "name": None,
        "time_zone": "Europe/Lisbon",
        "attributes": {"plan": None, "address": {"city": "Lisboa", "zip": None}, "tags": [3]},
    }
    answer = await users.patch(
        f"/users/{user_id}",
        content=msgspec.json.encode(changes),
        headers={"Content-Type": "application/merge-patch+json"},
    )
    person = answer.json()

    assert answer.status_code == 200, answer.text
    assert (person["name"], person["email"], person["locale"]) == (None, "ada@example.com", "pt-PT")
    assert person["time_zone"] == "Europe/Lisbon"
    assert person["attributes"] == {"address": {"city": "Lisboa"}, "tags": [3]}
    assert person["updated_at"] > person["created_at"]
    assert (await users.get(f"/users/{user_id}")).json() == person


async def test_patches_at_once_are_all_kept(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Of many writers to one person none overwrites what another wrote elsewhere."""
    user_id = await add_user(attributes={"first": 0})
    patches = [{"attributes": {f"key-{number}": number}} for number in range(6)]
    await asyncio.gather(*(users.patch(f"/users/{user_id}", json=patch) for patch in patches))
    attributes = (await users.get(f"/users/{user_id}")).json()["attributes"]
    assert attributes == {"first": 0, **{f"key-{number}": number for number in range(6)}}


async def test_a_patch_cannot_take_an_external_id(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """An id that someone else has is a conflict, and the person stays as before."""
    await add_user(external_id="taken")
    user_id = await add_user(name="Ada")
    answer = await users.patch(f"/users/{user_id}", json={"external_id": "taken", "name": "Eve"})
    assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken")
    assert (await users.get(f"/users/{user_id}")).json()["name"] == "Ada"


async def test_a_person_is_put_under_an_id_of_the_caller(users: httpx.AsyncClient) -> None:
    """The first PUT adds (201), the next replaces (200): what it leaves out is cleared, devices stay."""
    first = await users.put("/users/external/crm-9", json={"name": "Ada", "locale": "en"})
    user_id = first.json()["id"]
    await users.post(f"/users/{user_id}/tokens", json={"provider": "fcm", "token": "put-1"})
    second = await users.put("/users/external/crm-9", json={"external_id": "crm-9", "name": "Ada L."})
    location = second.request.url.join(second.headers["location"])

    assert (first.status_code, second.status_code) == (201, 200)
    assert (second.json()["id"], second.json()["external_id"]) == (user_id, "crm-9")
    assert (second.json()["name"], second.json()["locale"]) == ("Ada L.", None)
    assert [token["token"] for token in second.json()["tokens"]] == ["put-1"]
    assert (await users.get(location)).json() == second.json()


async def test_puts_of_one_person_at_once_make_one_person(users: httpx.AsyncClient) -> None:
    """However the requests interleave, exactly one of them added the person."""
    puts = [users.put("/users/external/raced", json={"name": f"{number}"}) for number in range(6)]
    answers = await asyncio.gather(*puts)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_body_cannot_contradict_the_path(users: httpx.AsyncClient) -> None:
    """An external id in the body that is not the path's is refused."""
    answer = await users.put("/users/external/one", json={"external_id": "two"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "$.external_id"
