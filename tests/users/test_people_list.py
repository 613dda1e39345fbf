"""Finding people: filters, and pages by cursor."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

AddUser = Callable[..., Awaitable[str]]


async def ids(users: httpx.AsyncClient, **query: str) -> list[str]:
    answer = await users.get("/users", params=query)
    assert answer.status_code == 200, answer.text
    return [user["id"] for user in answer.json()["users"]]


async def test_pages_show_everyone_once_newest_first(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Following `next_cursor` to its end lists each person once, also while others are added."""
    added = [await add_user(locale="is") for _ in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"locale": "is", "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await users.get("/users", params=query)).json()
        seen += [user["id"] for user in page["users"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await add_user(locale="is")
    assert seen == added[::-1]


async def test_a_page_holds_whole_people(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A listed person is as one read alone, with devices."""
    user_id = await add_user(external_id="listed")
    await users.post(f"/users/{user_id}/tokens", json={"provider": "fcm", "token": "listed"})
    page = (await users.get("/users", params={"external_id": "listed"})).json()
    assert page == {"users": [(await users.get(f"/users/{user_id}")).json()], "next_cursor": None}


async def test_an_address_is_found_whatever_its_case(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """One who asks for an address may not know how its owner writes it."""
    first = await add_user(email="Grace@Example.com")
    second = await add_user(email="grace@example.com", locale="en")
    assert await ids(users, email="GRACE@example.COM") == [second, first]
    assert await ids(users, email="grace@example.com", locale="EN") == [second]
    assert await ids(users, email="gracie@example.com") == []


async def test_people_are_found_by_when_they_were_added(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """`created_from` is inclusive and `created_to` exclusive, whatever the offset they are written in."""
    made = [await add_user(locale="fo") for _ in range(3)]
    times = [(await users.get(f"/users/{user_id}")).json()["created_at"] for user_id in made]
    shifted = times[1].replace("Z", "-00:00")
    assert await ids(users, locale="fo", created_from=times[1]) == [made[2], made[1]]
    assert await ids(users, locale="fo", created_to=times[1]) == [made[0]]
    assert await ids(users, locale="fo", created_from=shifted, created_to=times[2]) == [made[1]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "$.limit"),
        ({"limit": 201}, "$.limit"),
        ({"created_from": "yesterday"}, "$.created_from"),
        ({"created_from": "2026-11-20T09:30:00"}, "$.created_from"),
        ({"created_to": "0001-01-01T00:00:00+23:59"}, "$.created_to"),
        ({"email": "nul\0"}, "$.email"),
        ({"locale": "no language"}, "$.locale"),
        ({"external_id": "nul\0"}, "$.external_id"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_named(
    users: httpx.AsyncClient, query: dict[str, Any], field: str
) -> None:
    """A wrong filter is refused, not passed over: an empty list would be believed."""
    answer = await users.get("/users", params=query)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("cursor", ["x", "1-x", "9" * 30 + "-01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a", "\0"])
async def test_a_cursor_that_no_page_gave_is_refused(users: httpx.AsyncClient, cursor: str) -> None:
    """It is not taken for the first page."""
    answer = await users.get("/users", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
