"""Contact look-ups: many at once, from Redis or from PostgreSQL, and always right."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from support.polling import eventually
from support.servers import ValkeyNode, client_of, open_schema
from tidings.contracts.users import NewUser, UserPatch
from tidings.kit.cache import open_redis
from tidings.users.app import open_app
from tidings.users.contacts.finding import ContactCache
from tidings.users.contacts.store import ContactStore
from tidings.users.people.store import UserStore
from tidings.users.settings import UsersSettings

AddUser = Callable[..., Awaitable[str]]


async def contact_of(users: httpx.AsyncClient, user_id: str) -> dict[str, Any]:
    contact: dict[str, Any] = (await users.get(f"/users/{user_id}/contact")).json()
    return contact


async def email_wanted(users: httpx.AsyncClient, user_id: str) -> bool:
    return (await contact_of(users, user_id))["preferences"]["email"] is True


async def address(users: httpx.AsyncClient, user_id: str) -> object:
    return (await contact_of(users, user_id))["email"]


async def suppressed(users: httpx.AsyncClient, user_id: str) -> object:
    return (await contact_of(users, user_id))["email_suppressed"]


@pytest.fixture
def own_valkey() -> Iterator[ValkeyNode]:
    """A Valkey server that this test may stop."""
    node = ValkeyNode()
    yield node
    node.stop()


@pytest.fixture
async def on_own_valkey(
    users_settings: UsersSettings, own_valkey: ValkeyNode, service_token: Callable[..., str]
) -> AsyncIterator[httpx.AsyncClient]:
    """The service on a Valkey server that this test may stop."""
    settings = msgspec.structs.replace(users_settings, cache_url=own_valkey.url)
    async with open_app(settings) as app, client_of(app, service_token("users")) as client:
        yield client


async def test_a_contact_says_how_to_reach_a_person(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A contact holds address, language, zone, preferences and devices; the same read twice."""
    user_id = await add_user(name="Ada", locale="en", time_zone="Europe/Lisbon", attributes={"plan": "gold"})
    first = await users.get(f"/users/{user_id}/contact")
    second = await users.get(f"/users/{user_id}/contact")
    assert first.json() == second.json()
    assert first.json() == {
        "user_id": user_id,
        "email": "ada@example.com",
        "email_suppressed": None,
        "name": "Ada",
        "locale": "en",
        "time_zone": "Europe/Lisbon",
        "preferences": {
            "email": True,
            "push": True,
            "categories": {},
            "quiet_hours": [],
            "frequency_caps": [],
        },
        "tokens": [],
    }


async def test_many_contacts_are_read_at_once(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Known ids are answered as they were written; unknown and malformed ones are left out."""
    ids = [await add_user(name=f"Person {number}") for number in range(5)]
    await users.get(f"/users/{ids[0]}/contact")  # this one is cached, the others are not
    asked = [*ids[:4], ids[4].upper(), ids[0], str(uuid4()), "no-uuid", ""]
    answer = await users.post("/contacts", json={"user_ids": asked})
    contacts = answer.json()["contacts"]

    assert answer.status_code == 200
    assert contacts.keys() == {*ids[:4], ids[4].upper()}
    assert [contacts[asked[n]]["name"] for n in range(5)] == [f"Person {n}" for n in range(5)]


async def test_five_hundred_ids_are_the_most(users: httpx.AsyncClient) -> None:
    """500 ids fit in one look-up; 501 are refused and the field is named."""
    ids = [str(uuid4()) for _ in range(501)]
    fits = await users.post("/contacts", json={"user_ids": ids[:500]})
    refused = await users.post("/contacts", json={"user_ids": ids})
    assert (fits.status_code, fits.json()["contacts"]) == (200, {})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "$.user_ids"


async def test_no_ids_are_no_contacts(users: httpx.AsyncClient) -> None:
    """An empty look-up has an empty answer."""
    assert (await users.post("/contacts", json={"user_ids": []})).json()["contacts"] == {}


async def test_a_change_shows_in_the_next_look_up(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Whoever switched a channel off is not reached on it from the next look-up on, cached or not."""
    user_id = await add_user()
    for wanted in (False, True, False):
        assert await email_wanted(users, user_id) is not wanted
        await users.put(f"/users/{user_id}/preferences", json={"email": wanted})
        assert await email_wanted(users, user_id) is wanted


async def test_every_change_of_a_person_shows_in_the_next_look_up(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Patched, put, imported: no cache goes on with the old address."""
    user_id = await add_user(external_id="moved", email="first@example.com")
    assert await address(users, user_id) == "first@example.com"
    await users.patch(f"/users/{user_id}", json={"email": "second@example.com"})
    assert await address(users, user_id) == "second@example.com"
    await users.put("/users/external/moved", json={"email": "third@example.com"})
    assert await address(users, user_id) == "third@example.com"
    await users.post(
        "/users/import",
        content=b'{"external_id": "moved", "email": "fourth@example.com"}',
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert await address(users, user_id) == "fourth@example.com"


async def test_a_suppressed_address_is_marked(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """The strongest reason that holds is told, from the look-up after it came until the one after it went."""
    user_id = await add_user(email="Suppressed@Example.com")
    assert await suppressed(users, user_id) is None
    entries = []
    for reason in ("unsubscribe", "manual", "hard_bounce", "complaint"):
        body = {"email": "suppressed@example.com", "reason": reason}
        entries.append((await users.post("/suppressions", json=body)).json()["id"])
        assert await suppressed(users, user_id) == reason
    for entry, left in zip(reversed(entries), ["hard_bounce", "manual", "unsubscribe", None], strict=True):
        await users.delete(f"/suppressions/{entry}")
        assert await suppressed(users, user_id) == left


async def test_a_suppressed_device_is_left_out(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """No channel is told of a token that must not be written to; the person still has the device."""
    user_id = await add_user()
    for token in ("spared", "suppressed"):
        await users.post(f"/users/{user_id}/tokens", json={"provider": "fcm", "token": token})
    assert len((await contact_of(users, user_id))["tokens"]) == 2
    await users.post("/suppressions", json={"token": "suppressed", "reason": "invalid"})
    assert [token["token"] for token in (await contact_of(users, user_id))["tokens"]] == ["spared"]
    assert len((await users.get(f"/users/{user_id}")).json()["tokens"]) == 2


async def test_categories_travel_with_contacts(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Who sends needs them to know what a person wants; a new one is there within a moment."""
    asked = {"user_ids": [await add_user()]}
    assert "security" in (await users.post("/contacts", json=asked)).json()["categories"]
    await users.put("/categories/contests", json={"name": "Contests", "email": False})

    async def is_known() -> bool:
        known = (await users.post("/contacts", json=asked)).json()["categories"]
        return "contests" in known and known["contests"]["email"] is False

    await eventually(is_known)


async def test_a_cached_contact_is_served_from_redis(
    users: httpx.AsyncClient, add_user: AddUser, valkey_url: str
) -> None:
    """After one look-up the contact is in Redis, for a minute at most."""
    user_id = await add_user()
    await users.post("/contacts", json={"user_ids": [user_id]})
    async with open_redis(valkey_url) as redis:
        assert 0 < await redis.ttl(f"users:contact:{user_id}") <= 60


async def test_what_redis_holds_and_nobody_can_read_is_looked_up_again(
    users: httpx.AsyncClient, add_user: AddUser, valkey_url: str
) -> None:
    """A cached value of another version of the service does no harm."""
    user_id = await add_user()
    async with open_redis(valkey_url) as redis:
        await redis.set(f"users:contact:{user_id}", b"\x81\xa3odd\x01", ex=60)
    assert await email_wanted(users, user_id) is True


async def test_a_reader_that_was_overtaken_does_not_bring_back_the_past(
    users_settings: UsersSettings,
) -> None:
    """A look-up reads, a change commits, and only then the look-up fills the cache: the change stays."""
    async with (
        open_schema(users_settings.database_url, "users") as database,
        open_redis(users_settings.cache_url) as redis,
    ):
        cache = ContactCache(redis)
        store = UserStore(database, cache.forget)
        user_id = (await store.add_user(NewUser(), actor="test")).id
        read_before = await ContactStore(database).contacts([user_id])
        await store.change_user(user_id, UserPatch(email=None), actor="test")
        await cache.keep(read_before)
        assert await cache.read([user_id]) == {}


async def test_look_ups_and_changes_at_once_end_with_the_last_change(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Many readers and one writer: what is read after the last answer is the last change."""
    user_id = await add_user()

    async def read() -> None:
        for _ in range(30):
            await email_wanted(users, user_id)

    async def write() -> None:
        for number in range(15):
            await users.put(f"/users/{user_id}/preferences", json={"email": number % 2 == 1})

    await asyncio.gather(read(), write(), read())
    await users.put(f"/users/{user_id}/preferences", json={"email": False})
    assert await email_wanted(users, user_id) is False


async def test_without_redis_the_answers_are_the_same(
    on_own_valkey: httpx.AsyncClient, own_valkey: ValkeyNode, add_user: AddUser
) -> None:
    """Redis stops: reads and changes go on, and nothing old is read when it is back."""
    user_id = await add_user()
    assert await email_wanted(on_own_valkey, user_id) is True
    own_valkey.stop()
    assert await email_wanted(on_own_valkey, user_id) is True
    changed = await on_own_valkey.put(f"/users/{user_id}/preferences", json={"email": False})
    assert changed.status_code == 200
    assert await email_wanted(on_own_valkey, user_id) is False

    async def is_ready_without() -> bool:
        ready = await on_own_valkey.get("/health/ready")
        return (ready.status_code, ready.json()["checks"]["redis"]["status"]) == (200, "warn")

    await eventually(is_ready_without)  # PostgreSQL has two seconds to answer
    own_valkey.start()
    assert await email_wanted(on_own_valkey, user_id) is False


async def test_a_redis_that_takes_no_writes_is_not_believed(
    users_settings: UsersSettings,
    own_valkey: ValkeyNode,
    service_token: Callable[..., str],
    add_user: AddUser,
) -> None:
    """A change that Redis was not told of is still seen at once, although Redis has the old contact."""
    user_id = await add_user()
    hasty = msgspec.structs.replace(users_settings, cache_url=own_valkey.hasty_url)
    async with (
        open_app(hasty) as app,
        client_of(app, service_token("users")) as users,
        open_redis(own_valkey.url) as redis,
    ):

        async def is_cached() -> bool:
            return await email_wanted(users, user_id) and await holds_contact(redis, user_id)

        await eventually(is_cached)
        await redis.client_pause(60_000, all=False)
        await users.put(f"/users/{user_id}/preferences", json={"email": False})
        assert await holds_contact(redis, user_id)
        assert await email_wanted(users, user_id) is False
        await redis.client_unpause()


async def holds_contact(redis: Redis, user_id: str) -> bool:
    value = await redis.get(f"users:contact:{UUID(user_id)}")
    return isinstance(value, bytes) and user_id.encode() in value
