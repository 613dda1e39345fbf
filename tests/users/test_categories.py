"""The kinds of notification that people may switch on and off."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.servers import client_of
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

NEWS = {"name": "News", "description": "Once a month", "required": False, "email": True, "push": False}
SEEDED = {"general": False, "transactional": True, "security": True, "marketing": False}
"""Whether each is required."""


async def test_the_built_in_categories_are_there(users: httpx.AsyncClient) -> None:
    """A new service knows what must be told, and marketing, which may be switched off."""
    found = {name: (await users.get(f"/categories/{name}")).json() for name in SEEDED}
    assert {name: category["required"] for name, category in found.items()} == SEEDED
    assert all(category["email"] and category["push"] and category["name"] for category in found.values())


async def test_a_category_is_added_read_and_replaced(users: httpx.AsyncClient) -> None:
    """PUT answers 201 for a new category and 200 for one it replaces as a whole."""
    added = await users.put("/categories/news", json=NEWS)
    read = await users.get("/categories/news")
    replaced = await users.put("/categories/news", json={"name": "The news"})
    assert (added.status_code, added.json()) == (201, {"id": "news", **NEWS})
    assert read.json() == added.json()
    defaults = {"description": "", "required": False, "email": True, "push": True}
    assert (replaced.status_code, replaced.json()) == (200, {"id": "news", "name": "The news", **defaults})


async def test_a_category_is_deleted(users: httpx.AsyncClient) -> None:
    """It is gone from look-up and list; deleting it twice is no error."""
    await users.put("/categories/short-lived", json=NEWS)
    answers = [await users.delete("/categories/short-lived") for _ in range(2)]
    read = await users.get("/categories/short-lived")
    listed = (await users.get("/categories", params={"limit": 200})).json()["categories"]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert (read.status_code, read.json()["code"]) == (404, "unknown_category")
    assert "short-lived" not in {category["id"] for category in listed}


@pytest.mark.parametrize("name", ["security", "transactional"])
async def test_what_is_built_in_stays(users: httpx.AsyncClient, name: str) -> None:
    """Built-in categories may be renamed, and neither deleted nor made optional."""
    refused = [
        await users.delete(f"/categories/{name}"),
        await users.put(f"/categories/{name}", json={"name": "Other"}),
    ]
    renamed = await users.put(f"/categories/{name}", json={"name": "Your safety", "required": True})
    assert [(a.status_code, a.json()["code"]) for a in refused] == [(409, "built_in_category")] * 2
    assert renamed.status_code == 200


async def test_categories_are_listed_in_pages(users: httpx.AsyncClient) -> None:
    """Each page continues the one before, in the order of the ids, and the last has no cursor."""
    for number in range(5):
        await users.put(f"/categories/page-{number}", json=NEWS)
    everything = (await users.get("/categories", params={"limit": 200})).json()
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await users.get("/categories", params=params)).json()
        seen += page["categories"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == everything["categories"]
    assert everything["next_cursor"] is None
    ids = [category["id"] for category in seen]
    assert ids == sorted(ids)
    assert {f"page-{number}" for number in range(5)} <= set(ids)


@pytest.mark.parametrize("cursor", ["", "Not a slug", "%00", "x" * 101])
async def test_a_cursor_that_no_page_gave_is_refused(users: httpx.AsyncClient, cursor: str) -> None:
    """Only what a page gave continues it."""
    answer = await users.get("/categories", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("path", "category", "fields"),
    [
        ("news", {}, ["$.name"]),
        ("news", {"name": ""}, ["$.name"]),
        ("news", {"name": "nul\0", "description": "\0"}, ["$.name", "$.description"]),
        ("news", {"name": "News", "sms": True}, ["$.sms"]),
        ("news", {"name": "News", "required": True, "email": False, "push": False}, ["$.email", "$.push"]),
        ("Not%20a%20slug", {"name": "News"}, ["$.category_id"]),
        ("news%0A", {"name": "News"}, ["$.category_id"]),
    ],
)
async def test_a_category_that_does_not_fit_is_refused(
    users: httpx.AsyncClient, path: str, category: dict[str, Any], fields: list[str]
) -> None:
    """Every fault is a 422 that says which field, and what is required is on."""
    answer = await users.put(f"/categories/{path}", json=category)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == fields


@pytest.mark.parametrize("path", ["weather", "Not%20a%20slug", "%00"])
async def test_an_unknown_category_is_a_404(users: httpx.AsyncClient, path: str) -> None:
    """An id no category has, or could have."""
    answer = await users.get(f"/categories/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_category")


async def test_a_new_category_is_one_for_the_first_writer(users: httpx.AsyncClient) -> None:
    """Of writers at once one adds the category and the others replace it."""
    answers = await asyncio.gather(
        *(users.put("/categories/contended", json=NEWS | {"name": f"Writer {n}"}) for n in range(8))
    )
    read = (await users.get("/categories/contended")).json()
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert read in [answer.json() for answer in answers]


async def test_reading_is_not_writing(
    users_settings: UsersSettings, service_token: Callable[..., str]
) -> None:
    """Categories are read with `users:read` and changed with `users:write`; without a credential, nothing."""
    async with open_app(users_settings) as app:
        reader = client_of(app, service_token("users", "users:read"))
        stranger = client_of(app)
        answers = [
            await reader.get("/categories"),
            await reader.get("/categories/marketing"),
            await reader.put("/categories/news", json=NEWS),
            await reader.delete("/categories/news"),
            await stranger.get("/categories"),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 403, 403, 401]


async def test_two_hundred_categories_are_the_most(users: httpx.AsyncClient) -> None:
    """They travel with every look-up, so there is a limit; those that are there can still be replaced."""
    there = len((await users.get("/categories", params={"limit": 200})).json()["categories"])
    for number in range(there, 199):
        await users.put(f"/categories/full-{number}", json=NEWS)
    answers = await asyncio.gather(*(users.put(f"/categories/last-{n}", json=NEWS) for n in range(4)))
    replaced = await users.put("/categories/full-198", json=NEWS)
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert refused == ["too_many_categories"] * 3
    assert replaced.status_code == 200
