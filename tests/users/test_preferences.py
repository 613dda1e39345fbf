"""What people want: stored, refused, and changed by several at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from support.servers import ValkeyNode, client_of, open_schema
from tidings.contracts.codes import Channel
from tidings.contracts.users import NewUser
from tidings.kit.database import Database
from tidings.users.app import open_app
from tidings.users.people.store import UserStore
from tidings.users.preferences.rules import switched
from tidings.users.preferences.store import PreferencesStore
from tidings.users.settings import UsersSettings

AddUser = Callable[..., Awaitable[str]]

EVERYTHING = {
    "email": False,
    "push": True,
    "categories": {"marketing": {"email": None, "push": False}, "security": {"email": True, "push": None}},
    "quiet_hours": [
        {"days": ["fri", "sat"], "start": "22:00", "end": "07:30", "channels": ["push"]},
        {"days": ["sun"], "start": "00:00", "end": "23:59", "channels": ["email", "push"]},
    ],
    "frequency_caps": [{"most": 3, "per": "day", "channel": "email"}],
}
DEFAULTS = {"email": True, "push": True, "categories": {}, "quiet_hours": [], "frequency_caps": []}


@pytest.fixture
async def database(users_settings: UsersSettings, users: httpx.AsyncClient) -> AsyncIterator[Database]:
    """The user service's database, which the running service has migrated."""
    assert not users.is_closed
    async with open_schema(users_settings.database_url, "users") as opened:
        yield opened


async def nobody_to_tell(_: Collection[UUID]) -> None:
    """Where no cache is used."""


async def test_preferences_are_read_as_they_were_written(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Everything that can be chosen is kept, and told by the person and the contact as well."""
    user_id = await add_user()
    before = await users.get(f"/users/{user_id}/preferences")
    answer = await users.put(f"/users/{user_id}/preferences", json=EVERYTHING)
    read = await users.get(f"/users/{user_id}/preferences")
    person = await users.get(f"/users/{user_id}")
    contact = await users.get(f"/users/{user_id}/contact")

    assert before.json() == DEFAULTS
    assert answer.status_code == 200, answer.text
    assert answer.json() == read.json() == EVERYTHING
    assert person.json()["preferences"] == contact.json()["preferences"] == EVERYTHING


async def test_preferences_are_replaced_as_a_whole(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """What the new preferences leave out is the default again, and the person counts as changed."""
    user_id = await add_user()
    await users.put(f"/users/{user_id}/preferences", json=EVERYTHING)
    before = (await users.get(f"/users/{user_id}")).json()
    answer = await users.put(f"/users/{user_id}/preferences", json={"push": False})
    after = (await users.get(f"/users/{user_id}")).json()

    assert answer.json() == after["preferences"] == DEFAULTS | {"push": False}
    assert after["updated_at"] > before["updated_at"]


async def test_nobody_has_no_preferences(users: httpx.AsyncClient) -> None:
    """An id nobody has, and what is no id at all, are a 404."""
    for user_id in (str(uuid4()), "no-uuid", "%00"):
        path = f"/users/{user_id}/preferences"
        answers = [await users.get(path), await users.put(path, json={})]
        assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "unknown_user")] * 2


async def test_an_erased_person_wants_nothing(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Of an erased person no preferences are read or stored."""
    user_id = await add_user()
    await users.delete(f"/users/{user_id}")
    path = f"/users/{user_id}/preferences"
    answers = [await users.get(path), await users.put(path, json={})]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(410, "erased_user")] * 2


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"categories": {"weather": {"email": False}}}, "$.categories['weather']"),
        ({"categories": {"security": {"email": False}}}, "$.categories['security'].email"),
        ({"quiet_hours": [{"start": "22:00", "end": "22:00"}]}, "$.quiet_hours[0].end"),
        ({"quiet_hours": [{"start": "24:00", "end": "07:00"}]}, "$.quiet_hours[0].start"),
        ({"quiet_hours": [{"start": "22:00\n", "end": "07:00"}]}, "$.quiet_hours[0].start"),
        ({"quiet_hours": [{"start": "2\u0663:00", "end": "07:00"}]}, "$.quiet_hours[0].start"),
        ({"quiet_hours": [{"days": [], "start": "22:00", "end": "07:00"}]}, "$.quiet_hours[0].days"),
        ({"quiet_hours": [{"days": ["someday"], "start": "1", "end": "2"}]}, "$.quiet_hours[0].days[0]"),
        ({"frequency_caps": [{"most": -1, "per": "day"}]}, "$.frequency_caps[0].most"),
        ({"frequency_caps": [{"most": 1, "per": "minute"}]}, "$.frequency_caps[0].per"),
        ({"email": "no"}, "$.email"),
        ({"sms": True}, "$.sms"),
    ],
)
async def test_a_wish_that_does_not_fit_is_named(
    users: httpx.AsyncClient, add_user: AddUser, wish: dict[str, Any], field: str
) -> None:
    """Every fault is a 422 that says which field, and nothing is stored."""
    user_id = await add_user()
    answer = await users.put(f"/users/{user_id}/preferences", json={"push": False, **wish})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid_request"
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert (await users.get(f"/users/{user_id}/preferences")).json() == DEFAULTS


async def test_who_names_an_unknown_category_is_told_the_known_ones(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Every fault is told at once, with what would have been right."""
    wishes = {"weather": {"email": False}, "security": {"email": False, "push": False}}
    answer = await users.put(f"/users/{await add_user()}/preferences", json={"categories": wishes})
    unknown, *required = answer.json()["errors"]
    assert "marketing, security, transactional" in unknown["message"]
    assert [fault["field"] for fault in required] == [
        "$.categories['security'].email",
        "$.categories['security'].push",
    ]


async def test_what_is_stored_may_be_sent_back(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A choice outlives its category and its freedom: who writes back what was read is not refused."""
    for name in ("gone", "fixed"):
        await users.put(f"/categories/{name}", json={"name": name})
    user_id = await add_user()
    path = f"/users/{user_id}/preferences"
    wishes = {"gone": {"email": False}, "fixed": {"push": False}}
    await users.put(path, json={"categories": wishes})
    await users.delete("/categories/gone")
    await users.put("/categories/fixed", json={"name": "fixed", "required": True})

    read = (await users.get(path)).json()
    again = await users.put(path, json=read | {"email": False})
    other = await users.put(path, json={"categories": {"gone": {"push": False}}})
    assert again.status_code == 200
    assert again.json() == read | {"email": False}
    assert other.status_code == 422


async def test_of_two_writers_one_wins_whole(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Preferences sent at once are never mixed, and what is read is what was stored last."""
    user_id = await add_user()
    path = f"/users/{user_id}/preferences"
    others = [DEFAULTS | {"frequency_caps": [{"most": n, "per": "day", "channel": None}]} for n in range(6)]
    answers = await asyncio.gather(*(users.put(path, json=wishes) for wishes in others))
    stored = (await users.get(path)).json()
    contact = (await users.get(f"/users/{user_id}/contact")).json()

    assert [answer.json() for answer in answers] == others
    assert stored in others
    assert contact["preferences"] == stored


async def test_switches_turned_at_once_are_all_turned(database: Database) -> None:
    """Who unsubscribes from several categories in the same moment gets none of them any more."""
    user = await UserStore(database, nobody_to_tell).add_user(NewUser(), actor="test")
    store = PreferencesStore(database, nobody_to_tell)
    turns = [("marketing", channel) for channel in Channel] + [(None, Channel.PUSH)]
    await asyncio.gather(
        *(
            store.change(
                user.id, partial(switched, category=category, channel=channel, wanted=False), actor="test"
            )
            for category, channel in turns
        )
    )
    preferences = await store.read(user.id)
    assert preferences.push is False
    assert (preferences.categories["marketing"].email, preferences.categories["marketing"].push) == (
        False,
        False,
    )


async def test_a_change_counts_while_redis_is_down(
    users_settings: UsersSettings, service_token: Callable[..., str], add_user: AddUser
) -> None:
    """Without Redis, the next look-up still sees the new preferences."""
    valkey = ValkeyNode()
    settings = msgspec.structs.replace(users_settings, cache_url=valkey.url)
    user_id = await add_user()
    try:
        async with open_app(settings) as app, client_of(app, service_token("users")) as client:
            await client.get(f"/users/{user_id}/contact")
            valkey.stop()
            answer = await client.put(f"/users/{user_id}/preferences", json={"email": False})
            contact = await client.get(f"/users/{user_id}/contact")
    finally:
        valkey.stop()
    assert answer.status_code == 200
    assert contact.json()["preferences"]["email"] is False
