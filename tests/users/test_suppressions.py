"""The suppression list: who must not be written to, for how long, and what a success changes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from support.servers import ValkeyNode, client_of
from tidings.contracts.users import SuppressionReason
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

AddUser = Callable[..., Awaitable[str]]


def fresh_address() -> str:
    return f"{uuid4().hex}@example.com"


def soon(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


async def suppress(users: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    answer = await users.post("/suppressions", json={"reason": "manual", **fields})
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(users: httpx.AsyncClient, **params: str | int | bool) -> list[dict[str, Any]]:
    answer = await users.get("/suppressions", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["suppressions"]
    return found


async def expire(database_url: str, entry_id: str) -> None:
    """Let an entry's time be over, as it is on a later day."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("update users.suppressions set expires_at = now() where id = $1", entry_id)
    await connection.close()


async def why_suppressed(users: httpx.AsyncClient, user_id: str) -> str | None:
    answer = await users.get(f"/users/{user_id}/contact")
    reason: str | None = answer.json()["email_suppressed"]
    return reason


async def test_an_address_is_added_and_listed(users: httpx.AsyncClient) -> None:
    """What was posted is what is listed, with an id and when it came."""
    address = fresh_address()
    answer = await users.post(
        "/suppressions", json={"email": address, "reason": "complaint", "source": "feedback loop"}
    )
    entry = answer.json()
    assert answer.status_code == 201
    said = {"email": address, "reason": "complaint", "source": "feedback loop"}
    assert said.items() <= entry.items()
    assert UUID(entry["id"]).version == 7
    assert (entry["token"], entry["expires_at"]) == (None, None)
    assert await listed(users, email=address) == [entry]


@pytest.mark.parametrize("reason", list(SuppressionReason))
async def test_a_reason_has_its_own_expiry(users: httpx.AsyncClient, reason: SuppressionReason) -> None:
    """What is presumed dead expires after 30 days; what a person said, never."""
    entry = await suppress(users, email=fresh_address(), reason=reason)
    if reason in {SuppressionReason.HARD_BOUNCE, SuppressionReason.INVALID}:
        lifetime = datetime.fromisoformat(entry["expires_at"]) - datetime.fromisoformat(entry["created_at"])
        assert timedelta(days=30, minutes=-1) < lifetime < timedelta(days=30, minutes=1)
    else:
        assert entry["expires_at"] is None


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"days": 2}, {"days": 9}, {"days": 9}),
        ({"days": 9}, {"days": 2}, {"days": 9}),
        ({"days": 2}, None, None),
        (None, {"days": 2}, None),
    ],
)
async def test_of_two_expiries_the_later_counts(
    users: httpx.AsyncClient,
    first: dict[str, float] | None,
    second: dict[str, float] | None,
    kept: dict[str, float] | None,
) -> None:
    """The same address and reason again is the same entry, and never ends earlier for it."""
    address = fresh_address()
    given = [soon(**delta) if delta else None for delta in (first, second)]
    answers = [
        await users.post("/suppressions", json={"email": address, "reason": "manual", "expires_at": moment})
        for moment in given
    ]
    before, after = (answer.json() for answer in answers)
    assert [answer.status_code for answer in answers] == [201, 200]
    assert after["id"] == before["id"]
    if kept is None:
        assert after["expires_at"] is None
    else:
        assert datetime.fromisoformat(after["expires_at"]) == max(
            datetime.fromisoformat(moment) for moment in given if moment
        )


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Ada.{}@Example.COM", "ada.{}@example.com"),
        ("ada.{}@example.com", "ADA.{}@EXAMPLE.com"),
        ("ada.{}@bücher.example", "ada.{}@xn--bcher-kva.example"),
        ("ada.{}@XN--BCHER-KVA.example", "Ada.{}@Bücher.example"),
        ("ada.{}@bu\u0308cher.example", "ada.{}@b\u00fccher.example"),
    ],
)
async def test_an_address_is_known_in_every_spelling(
    users: httpx.AsyncClient, add_user: AddUser, stored: str, asked: str
) -> None:
    """Case, Punycode and Unicode forms are one address: to the list, to a contact, and to a success."""
    unique = uuid4().hex
    stored, asked = stored.format(unique), asked.format(unique)
    user_id = await add_user(email=asked)
    entry = await suppress(users, email=stored, reason="hard_bounce")
    assert [found["id"] for found in await listed(users, email=asked)] == [entry["id"]]
    assert await why_suppressed(users, user_id) == "hard_bounce"
    await users.post("/suppressions/success", json={"email": asked})
    assert await listed(users, email=stored) == []


async def test_a_token_may_be_longer_than_an_index_entry(users: httpx.AsyncClient) -> None:
    """The longest token is added, found again, and unique."""
    token = uuid4().hex * 128
    first = await suppress(users, token=token)
    again = await suppress(users, token=token)
    assert first["token"] == token
    assert again["id"] == first["id"]
    assert [found["id"] for found in await listed(users, token=token)] == [first["id"]]


async def test_contacts_follow_the_list_at_once(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A contact that was cached is not when its address or device is added to the list or taken off."""
    address, token = fresh_address(), uuid4().hex
    user_id = await add_user(email=address)
    await users.post(f"/users/{user_id}/tokens", json={"provider": "fcm", "token": token})

    async def contact() -> tuple[str | None, int]:
        found = (await users.get(f"/users/{user_id}/contact")).json()
        return found["email_suppressed"], len(found["tokens"])

    seen = [await contact()]
    by_email = await suppress(users, email=address)
    seen.append(await contact())
    by_token = await suppress(users, token=token)
    seen.append(await contact())
    for entry in (by_email, by_token):
        await users.delete(f"/suppressions/{entry['id']}")
        seen.append(await contact())
    assert seen == [(None, 1), ("manual", 1), ("manual", 0), (None, 0), (None, 1)]


async def test_a_success_clears_what_was_presumed_dead(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """Bounces and invalid addresses are disproved by a message that arrives; a person's word is not."""
    address = fresh_address()
    user_id = await add_user(email=address)
    for reason in SuppressionReason:
        await suppress(users, email=address, reason=reason)
    answers = [await users.post("/suppressions/success", json={"email": address}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    kept = {entry["reason"] for entry in await listed(users, email=address)}
    assert kept == {"complaint", "unsubscribe", "manual"}
    assert await why_suppressed(users, user_id) == "complaint"


async def test_what_has_expired_is_over(users: httpx.AsyncClient, module_database: str) -> None:
    """An expired entry is listed only when asked for, and the address can be added anew."""
    address = fresh_address()
    first = await suppress(users, email=address, expires_at=soon(days=1), source="first")
    await expire(module_database, first["id"])
    assert await listed(users, email=address) == []
    assert [entry["id"] for entry in await listed(users, email=address, expired=True)] == [first["id"]]
    answer = await users.post(
        "/suppressions", json={"email": address, "reason": "manual", "source": "second"}
    )
    assert answer.status_code == 201
    assert await listed(users, email=address) == [answer.json()]
    assert answer.json()["source"] == "second"
    assert answer.json()["expires_at"] is None


async def test_taking_off_twice_is_no_error(users: httpx.AsyncClient) -> None:
    """An entry that is gone, or never was, stays away; only what is no id is a 404."""
    entry = await suppress(users, email=fresh_address())
    ids = [entry["id"], entry["id"], str(uuid4()), "no-uuid"]
    answers = [await users.delete(f"/suppressions/{one}") for one in ids]
    assert [answer.status_code for answer in answers] == [204, 204, 204, 404]
    assert answers[-1].json()["code"] == "unknown_suppression"


async def test_the_list_is_read_in_pages(users: httpx.AsyncClient) -> None:
    """Newest first, each page after the other, filtered by reason, and every entry once."""
    added = [await suppress(users, email=fresh_address(), reason="unsubscribe") for _ in range(5)]
    seen: list[str] = []
    params: dict[str, str | int] = {"reason": "unsubscribe", "limit": 2}
    while True:
        page = (await users.get("/suppressions", params=params)).json()
        assert {entry["reason"] for entry in page["suppressions"]} <= {"unsubscribe"}
        seen += [entry["id"] for entry in page["suppressions"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen[:5] == [entry["id"] for entry in reversed(added)]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        ({"reason": "manual"}, ["$"]),
        ({"reason": "manual", "email": "ada@example.com", "token": "t"}, ["$"]),
        ({"reason": "manual", "email": "ada"}, ["$.email"]),
        ({"reason": "manual", "token": ""}, ["$.token"]),
        ({"reason": "manual", "token": "nul\0", "source": "\0"}, ["$.token", "$.source"]),
        ({"reason": "manual", "token": "t" * 4097}, ["$.token"]),
        ({"reason": "bored", "token": "t"}, ["$.reason"]),
        ({"token": "t"}, ["$.reason"]),
        ({"reason": "manual", "token": "t", "expires_at": "2020-01-01T00:00:00Z"}, ["$.expires_at"]),
        ({"reason": "manual", "token": "t", "expires_at": "2090-01-01T00:00:00"}, ["$.expires_at"]),
        ({"reason": "manual", "token": "t", "expires_at": "9999-12-31T23:59:59-12:00"}, ["$.expires_at"]),
        ({"reason": "manual", "token": "t", "expires_at": "0001-01-01T00:00:00+12:00"}, ["$.expires_at"]),
    ],
)
async def test_an_entry_that_does_not_fit_is_refused(
    users: httpx.AsyncClient, entry: dict[str, Any], fields: list[str]
) -> None:
    """Every fault is a 422 that says which field."""
    answer = await users.post("/suppressions", json=entry)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == fields


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("email=ada", 422, "invalid_request"),
        ("email=%00", 422, "invalid_request"),
        ("reason=bored", 422, "invalid_request"),
        ("limit=0", 422, "invalid_request"),
        ("limit=201", 422, "invalid_request"),
        ("expired=maybe", 422, "invalid_request"),
        ("cursor=no-uuid", 400, "bad_cursor"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(
    users: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    """A list that would be empty for a misspelt filter would mislead."""
    answer = await users.get(f"/suppressions?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("query", ["token=%00", "token=%ff", f"token={'t' * 4096}"])
async def test_any_token_may_be_asked_for(users: httpx.AsyncClient, query: str) -> None:
    """A token that could not be stored is simply not on the list."""
    answer = await users.get(f"/suppressions?{query}")
    assert (answer.status_code, answer.json()["suppressions"]) == (200, [])


async def test_reports_at_once_are_one_entry(users: httpx.AsyncClient) -> None:
    """Of several workers that report the same bounce one adds the entry; the latest expiry counts."""
    address = fresh_address()
    expiries = [soon(days=days) for days in range(1, 9)]
    answers = await asyncio.gather(
        *(
            users.post("/suppressions", json={"email": address, "reason": "manual", "expires_at": moment})
            for moment in expiries
        )
    )
    (entry,) = await listed(users, email=address)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert {answer.json()["id"] for answer in answers} == {entry["id"]}
    assert datetime.fromisoformat(entry["expires_at"]) == datetime.fromisoformat(expiries[-1])


async def test_a_bounce_and_a_success_at_once_leave_the_list_and_contacts_alike(
    users: httpx.AsyncClient, add_user: AddUser
) -> None:
    """Whichever comes last, the contact says what the list says."""
    address = fresh_address()
    user_id = await add_user(email=address)
    for _ in range(5):
        await asyncio.gather(
            suppress(users, email=address, reason="invalid"),
            users.post("/suppressions/success", json={"email": address}),
            users.get(f"/users/{user_id}/contact"),
        )
        on_list = bool(await listed(users, email=address))
        assert (await why_suppressed(users, user_id) is not None) == on_list


async def test_the_list_counts_while_redis_is_down(
    users_settings: UsersSettings, service_token: Callable[..., str], add_user: AddUser
) -> None:
    """Without Redis, the next look-up still sees what was added."""
    valkey = ValkeyNode()
    settings = msgspec.structs.replace(users_settings, cache_url=valkey.url)
    address = fresh_address()
    user_id = await add_user(email=address)
    try:
        async with open_app(settings) as app, client_of(app, service_token("users")) as client:
            assert await why_suppressed(client, user_id) is None
            valkey.stop()
            await suppress(client, email=address, reason="complaint")
            assert await why_suppressed(client, user_id) == "complaint"
    finally:
        valkey.stop()


async def test_reading_is_not_writing(
    users_settings: UsersSettings, service_token: Callable[..., str]
) -> None:
    """The list is read with `users:read` and changed with `users:write`; without a credential, nothing."""
    async with open_app(users_settings) as app:
        reader = client_of(app, service_token("users", "users:read"))
        stranger = client_of(app)
        answers = [
            await reader.get("/suppressions"),
            await reader.post("/suppressions", json={"token": "t", "reason": "manual"}),
            await reader.post("/suppressions/success", json={"email": "ada@example.com"}),
            await reader.delete(f"/suppressions/{uuid4()}"),
            await stranger.get("/suppressions"),
        ]
    assert [answer.status_code for answer in answers] == [200, 403, 403, 403, 401]


async def test_addresses_are_checked_before_they_are_written_to(
    users: httpx.AsyncClient, module_database: str
) -> None:
    """Of several addresses those on the list are told, as they were given, and none whose entry expired."""
    bounced, expired, unknown = fresh_address(), fresh_address(), fresh_address()
    await suppress(users, email=bounced, reason="hard_bounce")
    entry = await suppress(users, email=expired, expires_at=soon(days=1))
    asked = {"emails": [bounced.upper(), expired, unknown]}
    before = await users.post("/suppressions/check", json=asked)
    await expire(module_database, entry["id"])
    after = await users.post("/suppressions/check", json=asked)
    assert sorted(before.json()["suppressed"]) == sorted([bounced.upper(), expired])
    assert after.json()["suppressed"] == [bounced.upper()]
