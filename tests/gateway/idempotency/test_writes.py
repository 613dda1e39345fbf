"""An `Idempotency-Key` on writes: done once, answered the same again, refused where it does not fit."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from gateway.conftest import TEST_API_KEY, NewBody, OpenGateway
from gateway.idempotency.conftest import KEYS, SHOP, Write, is_replay, told
from support.polling import eventually


async def keys_named(admin: asyncpg.Connection, name: str) -> int:
    """How many API keys have this name."""
    return int(await admin.fetchval("select count(*) from api_keys where name = $1", name))


async def test_a_write_is_done_once(write: Write, new_key: str, admin: asyncpg.Connection) -> None:
    """Sent again, a write is answered byte for byte as the first time, secrets and headers included."""
    named = {**SHOP, "name": f"once {new_key}"}
    first = await write(new_key, json=named)
    again = await write(f'"{new_key}"', json=named)
    assert (first.status_code, is_replay(first)) == (201, False)
    assert (again.status_code, again.content, is_replay(again)) == (201, first.content, True)
    for name in ("Location", "Cache-Control", "Content-Type"):
        assert again.headers.get(name) == first.headers.get(name)
    assert again.headers["X-Correlation-ID"] != first.headers["X-Correlation-ID"]
    assert await keys_named(admin, named["name"]) == 1


async def test_a_deletion_is_done_once(write: Write, new_key: str) -> None:
    """A deletion that is sent again is answered 204 again, without a body, where it would be a 404."""
    user_id = (await write(f"{new_key}-user", "/v1/users", json={})).json()["id"]
    device = {"token": new_key, "provider": "fcm"}
    token_id = (await write(f"{new_key}-t", f"/v1/users/{user_id}/tokens", json=device)).json()["id"]
    path = f"/v1/users/{user_id}/tokens/{token_id}"
    answers = [await write(new_key, path, method="DELETE", json=None) for _ in range(2)]
    assert [(answer.status_code, answer.content, is_replay(answer)) for answer in answers] == [
        (204, b"", False),
        (204, b"", True),
    ]


async def test_forwarded_writes_are_done_once(write: Write, new_key: str) -> None:
    """What the gateway hands on to another service is done once too."""
    first = await write(new_key, "/v1/users", json={"name": "Ada", "locale": "en"})
    again = await write(new_key, "/v1/users", json={"locale": "en", "name": "Ada"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert (again.headers["Location"], is_replay(again)) == (first.headers["Location"], True)


async def test_one_key_at_once_through_two_gateways(
    write: Write,
    open_gateway: OpenGateway,
    gateway: httpx.AsyncClient,
    new_key: str,
    admin: asyncpg.Connection,
) -> None:
    """Of 40 concurrent requests at two gateways one is done; the others are told to wait, or its answer."""
    named = {**SHOP, "name": f"at once {new_key}"}
    async with open_gateway() as second:
        answers = await asyncio.gather(
            *(write(new_key, json=named, through=one) for _ in range(20) for one in (gateway, second))
        )
    waiting = [answer for answer in answers if answer.status_code == 409]
    done = [answer for answer in answers if answer.status_code == 201]
    assert {told(answer) for answer in waiting} <= {(409, "idempotency_in_progress")}
    assert len(waiting) + len(done) == 40
    assert sum(not is_replay(answer) for answer in done) == 1
    assert len({answer.content for answer in done}) == 1
    assert await keys_named(admin, named["name"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("POST", "/v1/users", {"name": "Grace"}),
        ("POST", "/v1/users?x=1", {"name": "Ada"}),
        ("POST", "/v1/categories", {"name": "Ada"}),
        ("PUT", "/v1/users", {"name": "Ada"}),
    ],
)
async def test_a_key_is_for_one_request(
    *, write: Write, new_key: str, method: str, path: str, json: object
) -> None:
    """Another body, query, path or method under a used key is refused, and nothing is done."""
    await write(new_key, "/v1/users", json={"name": "Ada"})
    answer = await write(new_key, path, method=method, json=json)
    assert told(answer) == (422, "idempotency_key_reused")


async def test_a_refused_write_leaves_its_key_free(write: Write, new_key: str) -> None:
    """What was refused did nothing, so the mended request may have the same key."""
    refused = await write(new_key, json={"name": "shop"})
    mended = await write(new_key)
    assert (refused.status_code, mended.status_code, is_replay(mended)) == (422, 201, False)


async def test_keys_of_two_callers_do_not_meet(write: Write, new_key: str) -> None:
    """A key belongs to its caller: another one may use the same for another request."""
    mine = await write(new_key, "/v1/users", json={"name": "Ada"})
    headers = {"Authorization": f"Bearer {TEST_API_KEY}"}
    theirs = await write(new_key, "/v1/users", json={"name": "Grace"}, **headers)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_without_the_right_nothing_is_replayed(
    write: Write, gateway: httpx.AsyncClient, new_key: str
) -> None:
    """Who may not do it any more does not see the answer again."""
    made = (await gateway.post(KEYS, json={"name": "adder", "scopes": ["users:write"]})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert (await write(new_key, "/v1/users", json={}, **headers)).status_code == 201
    assert (await gateway.delete(f"{KEYS}/{made['id']}")).status_code in {200, 204}
    assert told(await write(new_key, "/v1/users", json={}, **headers)) == (401, "unknown_api_key")


@pytest.mark.parametrize("key", ["", '""', "k" * 256, "\x7f"])
async def test_what_is_no_key(write: Write, key: str) -> None:
    """A key has 1 to 255 printable characters."""
    assert told(await write(key)) == (422, "invalid_request")


async def test_a_key_is_free_again_after_its_time(
    write: Write, open_gateway: OpenGateway, new_key: str, admin: asyncpg.Connection
) -> None:
    """Once the time that the operator set is over the key makes something new."""
    async with open_gateway(idempotency_hours=2) as gateway:
        first = await write(new_key, through=gateway)
        kept = "select expires_at - now() from kept_answers where key = $1"
        assert 7_100 < (await admin.fetchval(kept, new_key)).total_seconds() <= 7_200
        await admin.execute("update kept_answers set expires_at = now() where key = $1", new_key)
        second = await write(new_key, json={**SHOP, "name": "other"}, through=gateway)
    assert (first.status_code, second.status_code, is_replay(second)) == (201, 201, False)


async def test_old_answers_are_deleted(
    write: Write, open_gateway: OpenGateway, new_key: str, admin: asyncpg.Connection
) -> None:
    """A gateway deletes answers whose time is over, from its start on."""
    await write(new_key)
    await admin.execute("update kept_answers set expires_at = now() where key = $1", new_key)

    async def is_gone() -> bool:
        return await admin.fetchval("select 1 from kept_answers where key = $1", new_key) is None

    async with open_gateway():
        await eventually(is_gone)


async def test_the_table_shows_no_secret(write: Write, new_key: str, admin: asyncpg.Connection) -> None:
    """Answers lie in the table sealed: a stolen one opens nothing."""
    secret = (await write(new_key)).json()["key"]
    row = await admin.fetchrow("select k::text as whole, sealed from kept_answers k where key = $1", new_key)
    assert row is not None
    assert b"tdg_live" not in row["sealed"]
    assert secret not in row["whole"]
    assert secret.encode().hex() not in row["whole"]


async def test_an_answer_under_another_secret(
    write: Write, open_gateway: OpenGateway, new_key: str, admin: asyncpg.Connection
) -> None:
    """An answer that cannot be opened is not made up: the caller hears that the request was done."""
    await write(new_key)
    await admin.execute("update kept_answers set sealed = sealed || '\\x00' where key = $1", new_key)
    async with open_gateway() as other:
        assert told(await write(new_key, through=other)) == (409, "answer_not_kept")


async def test_an_answer_too_long_to_keep(write: Write, new_key: str) -> None:
    """An answer of more than 256 KiB is given once; the second time the caller hears that it was done."""
    long = {"content": {"en": {"email": {"subject": "Long", "text": "x" * 300_000}}}, "id": f"long-{new_key}"}
    first = await write(new_key, "/v1/templates", json=long)
    again = await write(new_key, "/v1/templates", json=long)
    assert first.status_code == 201, first.text
    assert len(first.content) > 256 * 1024
    assert told(again) == (409, "answer_not_kept")


async def test_a_body_too_long_for_a_key(gateway: httpx.AsyncClient, new_key: str) -> None:
    """A body of more than 2 MiB, or of a length not told, is not held in memory: it takes no key."""
    line = b'{"external_id": "long", "name": "Ada"}\n'
    headers = {"Idempotency-Key": new_key, "Content-Type": "application/x-ndjson"}
    too_long = await gateway.post("/v1/users/import", content=line * 60_000, headers=headers)

    async def lines() -> AsyncIterator[bytes]:
        yield line

    streamed = await gateway.post("/v1/users/import", content=lines(), headers=headers)
    short = [await gateway.post("/v1/users/import", content=line, headers=headers) for _ in range(2)]
    assert told(too_long) == told(streamed) == (422, "too_long_for_a_key")
    assert [(answer.status_code, is_replay(answer)) for answer in short] == [(200, False), (200, True)]
    assert short[0].content == short[1].content


async def test_notifications_have_keys_of_their_own(
    write: Write, new_key: str, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """The same key may stand on a notification and on another write: they are not looked up together."""
    sent = await write(new_key, "/v1/notifications", json=new_body())
    other = await write(new_key)
    assert (sent.status_code, other.status_code) == (202, 201)
    assert await admin.fetchval("select count(*) from kept_answers where key = $1", new_key) == 1
