"""The same request again is the same notification; the same key for another request is refused."""

import asyncio
import json
import random
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as at_most
from hypothesis import strategies as st

from gateway.conftest import NewBody, OpenGateway
from support.polling import eventually
from support.servers import PATIENCE, open_schema
from support.world import World
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import BATCH_SECONDS, GatewayStore

JSON = {"Content-Type": "application/json"}

text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def shuffled(value: object, chance: random.Random) -> object:
    """The same JSON value with its objects' members in another order."""
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        return {name: shuffled(member, chance) for name, member in members}
    return [shuffled(member, chance) for member in value] if isinstance(value, list) else value


async def count_of(admin: asyncpg.Connection, request_id: str) -> int:
    found: int = await admin.fetchval("select count(*) from notifications where request_id = $1", request_id)
    return found


async def test_the_same_request_again(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A repeated request gets the first answer again, marked as replayed, and there is one row."""
    body = new_body()
    first, again = [await gateway.post("/v1/notifications", json=body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await count_of(admin, body["request_id"]) == 1


async def test_the_same_key_for_another_request(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """Another body under a used key is refused, and the answer names the notification that has it."""
    body = new_body()
    first = await gateway.post("/v1/notifications", json=body)
    other = await gateway.post("/v1/notifications", json={**body, "variables": {"name": "Grace"}})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert first.json()["id"] in other.json()["detail"]


async def test_the_header_beats_the_body(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """With an Idempotency-Key, quoted or not, `request_id` is a name and no key."""
    body = new_body()

    async def post(key: str) -> str:
        answer = await gateway.post("/v1/notifications", json=body, headers={"Idempotency-Key": key})
        assert answer.json()["request_id"] == body["request_id"]
        return str(answer.json()["id"])

    key = body["request_id"]
    first, quoted, other = await post(f"{key}-a"), await post(f'"{key}-a"'), await post(f"{key}-b")
    assert first == quoted
    assert first != other


@pytest.mark.parametrize("key", ["k" * 256, '""'], ids=["too-long", "empty"])
@pytest.mark.parametrize("path", ["/v1/notifications", "/v1/notifications/batch"])
async def test_a_header_that_is_no_key(
    gateway: httpx.AsyncClient, new_body: NewBody, path: str, key: str
) -> None:
    """A key has 1 to 255 characters, as on every other write: one that is none is refused, not ignored."""
    body = new_body() if path.endswith("notifications") else {"notifications": [new_body()]}
    answer = await gateway.post(path, json=body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "1 to 255 printable characters" in answer.json()["detail"]


async def test_a_key_alone_is_enough(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """Without `request_id` the Idempotency-Key takes its place."""
    key = new_body()["request_id"]
    headers = {"Idempotency-Key": key}
    answer = await gateway.post("/v1/notifications", json=new_body(request_id=None), headers=headers)
    assert (answer.status_code, answer.json()["request_id"]) == (202, key)


async def test_one_key_at_once_through_two_gateways(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """200 concurrent requests with one key, at two gateways, are one notification with one first answer."""
    body = new_body()
    async with open_gateway() as second:
        answers = await asyncio.gather(
            *(which.post("/v1/notifications", json=body) for _ in range(100) for which in (gateway, second))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await count_of(admin, body["request_id"]) == 1


async def test_many_keys_at_once_through_two_gateways(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_body: NewBody
) -> None:
    """Batches that have keys in common, in any order, do not block one another."""
    bodies = [new_body() for _ in range(40)]
    requests = [body for body in bodies for _ in range(6)]
    random.Random(7).shuffle(requests)  # noqa: S311 - an order, no secret
    async with open_gateway() as second:
        answers = await asyncio.gather(
            *(
                (gateway, second)[number % 2].post("/v1/notifications", json=body)
                for number, body in enumerate(requests)
            )
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 40
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 40


async def test_new_and_repeated_requests_that_meet(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """In a batch where some keys are taken, the others make all their notifications, and none is lost."""
    both = {"variables": {"name": "Ada", "link": "https://example.com"}, "also": ["push"]}
    taken = [new_body(**more) for _ in range(10) for more in ({}, both)]
    new = [new_body(**more) for _ in range(10) for more in ({}, both)]
    earlier = [(await gateway.post("/v1/notifications", json=body)).json()["id"] for body in taken]
    mixed = [body for pair in zip(taken, new, strict=True) for body in pair]
    answers = await asyncio.gather(*(gateway.post("/v1/notifications", json=body) for body in mixed))
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json()["id"] for answer in answers[::2]] == earlier
    assert all("Idempotent-Replayed" in answer.headers for answer in answers[::2])
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers[1::2])
    for body in mixed:
        assert await count_of(admin, body["request_id"]) == 1 + len(body.get("also", []))


async def test_a_key_is_free_again_after_a_day(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A key used more than 24 hours ago makes a new notification, even for another body."""
    body = new_body()
    first = (await gateway.post("/v1/notifications", json=body)).json()
    await admin.execute(
        """
        update idempotency_keys
        set accepted_at = accepted_at - interval '24 hours', expires_at = expires_at - interval '24 hours'
        where notification_id = $1
        """,
        UUID(first["id"]),
    )
    changed = {**body, "variables": {"name": "Grace"}}
    second = await gateway.post("/v1/notifications", json=changed)
    again = await gateway.post("/v1/notifications", json=changed)
    assert (second.status_code, again.headers.get("Idempotent-Replayed")) == (202, "true")
    assert "Idempotent-Replayed" not in second.headers
    assert first["id"] != second.json()["id"] == again.json()["id"]


async def test_a_key_that_is_claimed_anew_does_not_hold_up_the_sweep(
    gateway: httpx.AsyncClient, settings: GatewaySettings, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """Expired keys are deleted but for those in use: waiting for who claims several could deadlock."""
    claimed, over = new_body(), new_body()
    for body in (claimed, over):
        await gateway.post("/v1/notifications", json=body)
    keys = [body["request_id"] for body in (claimed, over)]
    async with (
        open_schema(settings.database_url, "gateway") as database,
        database.transaction(limit=BATCH_SECONDS) as connection,
    ):
        # Locked before its time is over, as gateways sweep too, and so that its time can still be changed.
        await connection.execute("select from idempotency_keys where key = $1 for key share", keys[0])
        await admin.execute("update idempotency_keys set expires_at = now() where key = any($1)", keys)
        async with asyncio.timeout(PATIENCE * 2 / 3):  # before the transaction is cut, which would end a wait
            while await GatewayStore(database).drop_expired_keys(limit=1_000):
                pass
        # While it is still locked: afterwards any gateway that sweeps deletes it.
        left = await admin.fetch("select key from idempotency_keys where key = any($1)", keys)
    assert [row["key"] for row in left] == keys[:1]


async def test_keys_of_two_callers_do_not_meet(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_body: NewBody
) -> None:
    """A key belongs to its caller: another API key may use the same for another request."""
    body = new_body()
    mine = await gateway.post("/v1/notifications", json=body)
    async with open_gateway(bootstrap_api_key="tdg_live_" + "o" * 32) as other:
        other.headers["Authorization"] = "Bearer tdg_live_" + "o" * 32
        theirs = await other.post("/v1/notifications", json={**body, "variables": {"name": "Grace"}})
    assert (mine.status_code, theirs.status_code) == (202, 202)
    assert mine.json()["id"] != theirs.json()["id"]


@at_most(max_examples=40)
@given(variables=st.dictionaries(text, values, max_size=4), seed=st.integers(0, 2**32))
async def test_what_means_the_same_is_replayed(
    gateway: httpx.AsyncClient, new_body: NewBody, variables: dict[str, Any], seed: int
) -> None:
    """Bodies that differ only in the order of members and in white space are one request."""
    body = new_body(variables={"name": "Ada", **variables})
    first = await gateway.post("/v1/notifications", content=json.dumps(body), headers=JSON)
    order = random.Random(seed)  # noqa: S311 - an order, no secret
    spread = json.dumps(shuffled(body, order), indent=seed % 4, ensure_ascii=seed % 2 == 0)
    again = await gateway.post("/v1/notifications", content=spread, headers=JSON)
    assert first.status_code == 202, first.text
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


@at_most(max_examples=40)
@given(one=st.dictionaries(text, values, max_size=3), other=st.dictionaries(text, values, max_size=3))
async def test_what_differs_in_a_value_conflicts(
    gateway: httpx.AsyncClient, new_body: NewBody, one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Bodies under one key are one request exactly when their values are equal, types included."""
    body = new_body(variables={"name": "Ada", "extra": one})
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    first = await gateway.post("/v1/notifications", json=body)
    again = await gateway.post(
        "/v1/notifications", json={**body, "variables": {"name": "Ada", "extra": other}}
    )
    assert first.status_code == 202
    assert again.status_code == (202 if same else 422)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, "1"), ([], {}), (None, ""), (1, 1.5)])
async def test_equal_is_not_the_same(
    gateway: httpx.AsyncClient, new_body: NewBody, one: object, other: object
) -> None:
    """Values that programs may take for equal are different requests."""
    body = new_body(variables={"name": "Ada", "value": one})
    await gateway.post("/v1/notifications", json=body)
    answer = await gateway.post(
        "/v1/notifications", json={**body, "variables": {"name": "Ada", "value": other}}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_new_template_version_does_not_disturb_a_replay(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """Who repeats a request gets the first answer, although it would now be refused."""
    template_id = await world.add_template("replayed", {"email": {"subject": "v1", "text": "v1"}})
    body = new_body(template_id=template_id)
    first = await gateway.post("/v1/notifications", json=body)
    content = {"content": {"en": {"email": {"subject": "v2 {{ code }}", "text": "v2"}}}}
    (await world.templates.http.put(f"/templates/{template_id}", json=content)).raise_for_status()

    async def refused() -> bool:
        answer = await gateway.post("/v1/notifications", json=new_body(template_id=template_id))
        return answer.status_code == 422

    await eventually(refused)
    again = await gateway.post("/v1/notifications", json=body)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_keys_outlive_a_release(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A request without email options is known by the digest that gateways without them took of it."""
    body = new_body()
    await gateway.post("/v1/notifications", json=body)
    as_before = {
        **{name: body[name] for name in ("request_id", "channel", "user_id", "template_id", "variables")},
        "locale": None,
        "priority": "normal",
        "expires_at": None,
        "metadata": {},
    }
    kept = await admin.fetchval("select fingerprint from idempotency_keys where key = $1", body["request_id"])
    assert kept == sha256(msgspec.json.encode(as_before)).digest()
