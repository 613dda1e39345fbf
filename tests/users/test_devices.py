"""Registering push tokens, moving them, and taking them away."""

import asyncio
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from users.conftest import MAX_DEVICES

AddUser = Callable[..., Awaitable[str]]


async def register(users: httpx.AsyncClient, user_id: str, token: str, **fields: object) -> httpx.Response:
    return await users.post(f"/users/{user_id}/tokens", json={"provider": "fcm", "token": token, **fields})


async def tokens_of(users: httpx.AsyncClient, user_id: str) -> list[str]:
    contact = (await users.get(f"/users/{user_id}/contact")).json()
    return [token["token"] for token in contact["tokens"]]


async def test_a_device_is_part_of_its_owner(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A registered token is there when the person, or the contact, is read; the oldest first."""
    user_id = await add_user()
    first = await register(users, user_id, "part-1", platform="ios")
    second = await register(users, user_id, "part-2")
    person = (await users.get(f"/users/{user_id}")).json()

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["platform"] == "ios"
    assert person["tokens"] == [first.json(), second.json()]
    assert await tokens_of(users, user_id) == ["part-1", "part-2"]


async def test_registering_again_says_that_the_device_lives(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """An app registers at every start: the token keeps its id and what is known of it, and was just seen."""
    user_id = await add_user()
    facts = {"platform": "android", "locale": "pt-BR", "time_zone": "America/Sao_Paulo"}
    first = (await register(users, user_id, "again", **facts)).json()
    second = await register(users, user_id, "again")
    seen = second.json()["last_seen"]
    assert second.status_code == 200
    assert seen > first["last_seen"]
    assert second.json() == {**first, "last_seen": seen}
    assert facts.items() <= first.items()
    assert await tokens_of(users, user_id) == ["again"]


async def test_a_token_moves_to_its_new_owner(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Who signs in on a shared phone gets its notifications; who was there before gets none, at once."""
    before, after = await add_user(), await add_user()
    first = await register(users, before, "shared")
    assert await tokens_of(users, before) == ["shared"]

    moved = await register(users, after, "shared")
    assert (moved.status_code, moved.json()["id"]) == (200, first.json()["id"])
    assert await tokens_of(users, before) == []
    assert await tokens_of(users, after) == ["shared"]


async def test_owners_who_register_one_token_at_once_end_with_one_owner(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """However the requests interleave, one person has the device and no cache says otherwise."""
    owners = [await add_user() for _ in range(3)]
    for _ in range(4):
        await asyncio.gather(*(register(users, owner, "contested") for owner in owners * 2))
    held = [await tokens_of(users, owner) for owner in owners]
    assert sorted(held) == [[], [], ["contested"]]


async def test_a_removed_token_is_gone_and_its_reason_kept(
    users: httpx.AsyncClient, add_user: AddUser, module_database: str
) -> None:
    """Removing a dead token twice is no error; support can still see why it went."""
    user_id = await add_user()
    token_id = (await register(users, user_id, "dead")).json()["id"]
    path = f"/users/{user_id}/tokens/{token_id}"
    answers = [await users.delete(path, params={"reason": "UNREGISTERED"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert await tokens_of(users, user_id) == []
    connection = await asyncpg.connect(module_database)
    kept = await connection.fetch(
        "select token, reason from users.removed_push_tokens where id = $1", token_id
    )
    await connection.close()
    assert [tuple(row) for row in kept] == [("dead", "UNREGISTERED")]


async def test_a_token_is_removed_whatever_the_reason_says(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """A provider's words are long and odd; they never keep a dead token alive."""
    for reason in ("", "long" * 1000, "nul\0 ü “quoted”"):
        user_id = await add_user()
        token_id = (await register(users, user_id, "odd")).json()["id"]
        answer = await users.delete(f"/users/{user_id}/tokens/{token_id}", params={"reason": reason})
        assert answer.status_code == 204, answer.text
        assert await tokens_of(users, user_id) == []


async def test_a_late_removal_spares_the_new_owner(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A removal meant for the person who had the token before does not take it from the next."""
    before, after = await add_user(), await add_user()
    token_id = (await register(users, before, "late")).json()["id"]
    await register(users, after, "late")
    await users.delete(f"/users/{before}/tokens/{token_id}")
    assert await tokens_of(users, after) == ["late"]


async def test_a_removed_token_that_comes_back_is_a_new_one(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """A report about the old registration cannot remove the new one: the id differs."""
    user_id = await add_user()
    old = (await register(users, user_id, "back")).json()["id"]
    await users.delete(f"/users/{user_id}/tokens/{old}")
    new = await register(users, user_id, "back")
    await users.delete(f"/users/{user_id}/tokens/{old}")
    assert new.status_code == 201
    assert await tokens_of(users, user_id) == ["back"]


async def test_what_is_no_token_id_is_a_404(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A malformed id is a mistake of the caller, unlike a token that is gone already."""
    user_id = await add_user()
    malformed = await users.delete(f"/users/{user_id}/tokens/latest")
    gone = await users.delete(f"/users/{user_id}/tokens/{uuid4()}")
    assert (malformed.status_code, malformed.json()["code"]) == (404, "unknown_token")
    assert gone.status_code == 204


async def test_the_longest_token_is_taken(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """4,096 characters fit, though PostgreSQL's index entries do not hold as many."""
    user_id = await add_user()
    token = "".join(str(uuid4()) for _ in range(114))[:4096]
    assert (await register(users, user_id, token)).status_code == 201
    assert await tokens_of(users, user_id) == [token]


async def test_the_stalest_devices_beyond_the_limit_go(
    users: httpx.AsyncClient, add_user: AddUser, module_database: str
) -> None:
    """Of 1,000 tokens the 20 heard of last stay, and the others stay on record with the reason."""
    user_id = await add_user()
    await register(users, user_id, "many-first")
    for number in range(998):
        await register(users, user_id, f"many-{number}")
    await register(users, user_id, "many-979")  # heard of again
    await register(users, user_id, "many-last")
    contact = (await users.get(f"/users/{user_id}/contact")).json()
    connection = await asyncpg.connect(module_database)
    gone = await connection.fetch(
        "select reason, count(*) from users.removed_push_tokens where user_id = $1 group by reason", user_id
    )
    await connection.close()

    kept = {"many-last", "many-979", *(f"many-{number}" for number in range(980, 998))}
    assert {token["token"] for token in contact["tokens"]} == kept
    assert [tuple(row) for row in gone] == [("device_limit", 980)]


async def test_devices_registered_at_once_keep_to_the_limit(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """The limit holds however the requests interleave."""
    user_id = await add_user()
    for number in range(MAX_DEVICES - 2):
        await register(users, user_id, f"before-{number}")
    answers = await asyncio.gather(*(register(users, user_id, f"once-{number}") for number in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(await tokens_of(users, user_id)) == MAX_DEVICES


async def test_a_browser_is_registered_with_its_subscription(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """For Web Push the endpoint is the token; new keys for it replace the old ones."""
    user_id = await add_user()
    subscription = {"endpoint": "https://push.example.com/send/abc", "keys": browser_keys()}
    first = await users.post(
        f"/users/{user_id}/tokens", json={"provider": "webpush", "subscription": subscription}
    )
    renewed = {**subscription, "keys": browser_keys()}
    second = await users.post(
        f"/users/{user_id}/tokens", json={"provider": "webpush", "subscription": renewed}
    )
    contact = (await users.get(f"/users/{user_id}/contact")).json()

    assert (first.status_code, second.status_code) == (201, 200), first.text
    assert first.json()["token"] == subscription["endpoint"]
    assert first.json()["platform"] == "web"
    assert contact["tokens"] == [second.json()]
    assert contact["tokens"][0]["subscription"] == renewed


@pytest.mark.parametrize("host", ["localhost:8025", "127.0.0.1:8025", "[::1]:8025"])
async def test_a_push_service_on_this_machine_needs_no_tls(
    users: httpx.AsyncClient, add_user: AddUser, host: str
) -> None:
    """A browser that subscribed at a stand-in on loopback is registered, though without TLS."""
    subscription = {"endpoint": f"http://{host}/webpush/abc", "keys": browser_keys()}
    answer = await users.post(
        f"/users/{await add_user()}/tokens", json={"provider": "webpush", "subscription": subscription}
    )
    assert answer.status_code == 201, answer.text


def browser_keys() -> dict[str, str]:
    """The keys a browser makes, in unpadded base64url as `PushSubscription.toJSON()` has them."""
    point = generate_private_key(SECP256R1()).public_key()
    p256dh = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        name: urlsafe_b64encode(value).rstrip(b"=").decode()
        for name, value in {"p256dh": p256dh, "auth": secrets.token_bytes(16)}.items()
    }
