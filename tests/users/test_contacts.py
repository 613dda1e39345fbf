"""Contact look-ups: many at once, from Redis or from PostgreSQL, and always right."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from support.servers import ValkeyNode, client_of
from tidings.contracts.http import ChannelPreferences, NewUser
from tidings.kit.cache import open_redis
from tidings.kit.database import open_database
from tidings.users.app import open_app
from tidings.users.contacts import ContactCache
from tidings.users.settings import UsersSettings
from tidings.users.store import UserStore

AddUser = Callable[..., Awaitable[str]]


async def email_wanted(users: httpx.AsyncClient, user_id: str) -> bool:
    contact = (await users.get(f"/users/{user_id}/contact")).json()
    wanted: bool = contact["preferences"]["email"]
    return wanted


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
        "name": "Ada",
        "locale": "en",
        "time_zone": "Europe/Lisbon",
        "preferences": {"email": True, "push": True},
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
    assert (fits.status_code, fits.json()) == (200, {"contacts": {}})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "$.user_ids"


async def test_no_ids_are_no_contacts(users: httpx.AsyncClient) -> None:
    """An empty look-up has an empty answer."""
    assert (await users.post("/contacts", json={"user_ids": []})).json() == {"contacts": {}}


async def test_a_change_shows_in_the_next_look_up(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Whoever switched a channel off is not reached on it from the next look-up on, cached or not."""
    user_id = await add_user()
    for wanted in (False, True, False):
        assert await email_wanted(users, user_id) is not wanted
        await users.put(f"/users/{user_id}/preferences", json={"email": wanted})
        assert await email_wanted(users, user_id) is wanted


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
        open_database(users_settings.database_url, schema="users", package="tidings.users") as database,
        open_redis(users_settings.cache_url) as redis,
    ):
        cache = ContactCache(redis)
        store = UserStore(database, cache.forget)
        user_id = (await store.add_user(NewUser())).id
        read_before = await store.contacts([user_id])
        await store.set_preferences(user_id, ChannelPreferences(email=False))
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
    ready = await on_own_valkey.get("/health/ready")
    assert changed.status_code == 200
    assert await email_wanted(on_own_valkey, user_id) is False
    assert (ready.status_code, ready.json()["checks"]["redis"]["status"]) == (200, "warn")

    own_valkey.start()
    assert await email_wanted(on_own_valkey, user_id) is False


async def test_a_redis_that_takes_no_writes_is_not_believed(
    on_own_valkey: httpx.AsyncClient, own_valkey: ValkeyNode, add_user: AddUser
) -> None:
    """A change that Redis was not told of is still seen at once, although Redis has the old contact."""
    user_id = await add_user()
    assert await email_wanted(on_own_valkey, user_id) is True
    async with open_redis(own_valkey.url) as redis:
        await redis.client_pause(60_000, all=False)
        await on_own_valkey.put(f"/users/{user_id}/preferences", json={"email": False})
        assert await holds_contact(redis, user_id)
        assert await email_wanted(on_own_valkey, user_id) is False
        await redis.client_unpause()


async def holds_contact(redis: Redis, user_id: str) -> bool:
    value = await redis.get(f"users:contact:{UUID(user_id)}")
    return isinstance(value, bytes) and user_id.encode() in value
