"""Of the requests with one `dedupe_key`, only the first within its time becomes a notification."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import settings as at_most
from hypothesis import strategies as st

from gateway.conftest import NewBody, OpenGateway
from gateway.keys import add_key
from gateway.test_refusals import assert_problem
from support.polling import eventually
from support.servers import PATIENCE, open_schema
from support.world import World
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import GatewayStore
from tidings.kit.ids import new_id


async def count_of(admin: asyncpg.Connection, dedupe_key: str) -> int:
    """How many notifications name the key in their metadata."""
    found: int = await admin.fetchval(
        "select count(*) from notifications where message -> 'metadata' ->> 'key' = $1", dedupe_key
    )
    return found


@pytest.fixture
def keyed(new_body: NewBody) -> NewBody:
    """Makes bodies with one business key, which is also in their metadata."""
    key = str(new_id())

    def make(**changed: object) -> dict[str, Any]:
        return new_body(**{"dedupe_key": key, "metadata": {"key": key}, **changed})

    return make


async def test_the_second_is_the_first(
    gateway: httpx.AsyncClient, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """Another request with the same business key is answered with the first's id, and nothing is sent."""
    body, other = keyed(), keyed(variables={"name": "Grace"}, also=["push"])
    other["variables"]["link"] = "https://example.com"
    first = await gateway.post("/v1/notifications", json=body)
    second = await gateway.post("/v1/notifications", json=other)
    assert "deduplicated" not in first.json()
    assert (second.status_code, second.json()["deduplicated"]) == (202, True)
    assert second.json()["id"] == first.json()["id"]
    assert second.json()["request_id"] == other["request_id"]
    assert second.headers["Location"] == first.headers["Location"]
    assert "others" not in second.json()
    assert "Idempotent-Replayed" not in second.headers
    assert await count_of(admin, body["dedupe_key"]) == 1


async def test_each_repeat_is_answered_as_before(gateway: httpx.AsyncClient, keyed: NewBody) -> None:
    """Both requests, repeated, get their own first answers; another body under the second's key does not."""
    bodies = [keyed(), keyed()]
    before = [await gateway.post("/v1/notifications", json=body) for body in bodies]
    after = [await gateway.post("/v1/notifications", json=body) for body in bodies]
    assert [answer.json() for answer in after] == [answer.json() for answer in before]
    assert all(answer.headers["Idempotent-Replayed"] == "true" for answer in after)
    changed = bodies[1] | {"variables": {"name": "Grace"}}
    assert_problem(await gateway.post("/v1/notifications", json=changed), 422, "idempotency_key_reused")


async def test_a_repeat_outlives_the_window(
    gateway: httpx.AsyncClient, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """After its window the key is free: a new request is sent, and the folded one keeps its first answer."""
    body, folded = keyed(), keyed()
    first = await gateway.post("/v1/notifications", json=body)
    second = await gateway.post("/v1/notifications", json=folded)
    await admin.execute("update dedupe_keys set expires_at = now() where key = $1", body["dedupe_key"])
    third = await gateway.post("/v1/notifications", json=keyed())
    again = await gateway.post("/v1/notifications", json=folded)
    assert "deduplicated" not in third.json()
    assert third.json()["id"] != first.json()["id"]
    assert again.json() == second.json()


async def test_the_window_is_as_long_as_asked(
    gateway: httpx.AsyncClient, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """An hour without `dedupe_seconds`, and with it what it says, from the first's acceptance on."""
    for seconds, expected in ((None, 3600), (60, 60)):
        body = keyed(dedupe_key=str(new_id()), dedupe_seconds=seconds)
        await gateway.post("/v1/notifications", json=body)
        window = await admin.fetchval(
            """
            select extract(epoch from d.expires_at - n.accepted_at) from dedupe_keys d
            join notifications n on n.id = d.notification_id where d.key = $1
            """,
            body["dedupe_key"],
        )
        assert window == expected


async def test_a_window_needs_a_key(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """`dedupe_seconds` alone would do nothing, so it is refused, and null takes a batch's default away."""
    answer = await gateway.post("/v1/notifications", json=new_body(dedupe_seconds=60))
    assert_problem(answer, 422, "invalid_request", "$.dedupe_seconds")
    assert "give a `dedupe_key`" in answer.json()["detail"]
    items = [new_body(), new_body() | {"dedupe_seconds": None}, new_body(dedupe_key=str(new_id()))]
    batch = {"defaults": {"dedupe_seconds": 60}, "notifications": items}
    told = (await gateway.post("/v1/notifications/batch", json=batch)).json()["items"]
    assert [item.get("problem", {}).get("code") for item in told] == ["invalid_request", None, None]
    assert told[0]["problem"]["detail"] == answer.json()["detail"]


async def test_many_at_once_through_two_gateways(
    gateway: httpx.AsyncClient, second_gateway: httpx.AsyncClient, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """Of 100 concurrent requests with one business key, at two gateways, exactly one is sent."""
    bodies = [keyed() for _ in range(100)]
    answers = await asyncio.gather(
        *(
            (gateway, second_gateway)[number % 2].post("/v1/notifications", json=body)
            for number, body in enumerate(bodies)
        )
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("deduplicated" not in answer.json() for answer in answers) == 1
    assert await count_of(admin, bodies[0]["dedupe_key"]) == 1


@at_most(max_examples=30)
@given(picks=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=24))
async def test_keys_of_both_kinds_in_any_mixture(
    gateway: httpx.AsyncClient,
    second_gateway: httpx.AsyncClient,
    new_body: NewBody,
    picks: list[tuple[int, int]],
) -> None:
    """However request and business keys meet, at two gateways at once, each business key has one sender."""
    salt = str(new_id())
    # The same request always has the same business key.
    bodies = [
        new_body(request_id=f"{salt}-{request}-{business}", dedupe_key=f"{salt}-{business}")
        for request, business in picks
    ]
    answers = await asyncio.gather(
        *(
            (gateway, second_gateway)[number % 2].post("/v1/notifications", json=body)
            for number, body in enumerate(bodies)
        )
    )
    ids: defaultdict[str, set[str]] = defaultdict(set)
    senders: defaultdict[str, set[str]] = defaultdict(set)
    for body, answer in zip(bodies, answers, strict=True):
        assert answer.status_code == 202, answer.text
        ids[body["dedupe_key"]].add(answer.json()["id"])
        if "deduplicated" not in answer.json():
            senders[body["dedupe_key"]].add(body["request_id"])
    assert {key: len(found) for key, found in ids.items()} == dict.fromkeys(ids, 1)
    assert {key: len(found) for key, found in senders.items()} == dict.fromkeys(ids, 1)


async def test_keys_are_swept_when_their_time_is_over(
    gateway: httpx.AsyncClient, settings: GatewaySettings, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """A business key is deleted after its window, and no sooner."""
    over, held = keyed(), keyed(dedupe_key=str(new_id()))
    for body in (over, held):
        await gateway.post("/v1/notifications", json=body)
    await admin.execute("update dedupe_keys set expires_at = now() where key = $1", over["dedupe_key"])
    async with open_schema(settings.database_url, "gateway") as database:
        store = GatewayStore(database, lifetime=timedelta(hours=24))
        while await store.drop_expired_keys(limit=1_000):
            pass

    async def is_kept(body: dict[str, Any]) -> bool:
        query = "select exists (select from dedupe_keys where key = $1)"
        return bool(await admin.fetchval(query, body["dedupe_key"]))

    async def is_gone() -> bool:  # or a gateway is just deleting it, which is skipped here
        return not await is_kept(over)

    await eventually(is_gone)
    assert await is_kept(held)


async def test_keys_of_two_callers_do_not_meet(
    gateway: httpx.AsyncClient, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """A business key belongs to its caller."""
    mine = await gateway.post("/v1/notifications", json=keyed())
    key = await add_key(admin, "*")
    theirs = await gateway.post("/v1/notifications", json=keyed(), headers={"Authorization": f"Bearer {key}"})
    assert theirs.status_code == 202
    assert "deduplicated" not in theirs.json()
    assert mine.json()["id"] != theirs.json()["id"]


async def test_what_is_refused_holds_no_key(gateway: httpx.AsyncClient, keyed: NewBody) -> None:
    """A request that is refused leaves its business key free."""
    refused = await gateway.post("/v1/notifications", json=keyed(variables={}))
    taken = await gateway.post("/v1/notifications", json=keyed())
    assert (refused.status_code, taken.status_code) == (422, 202)
    assert "deduplicated" not in taken.json()


async def test_files_of_a_folded_request(
    gateway: httpx.AsyncClient, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """The files of a request that folds are not kept."""
    email = {"attachments": [{"filename": f"{new_id()}.txt", "content": "VGhhbmsgeW91IQo="}]}
    await gateway.post("/v1/notifications", json=keyed())
    answer = await gateway.post("/v1/notifications", json=keyed(email=email))
    assert answer.json()["deduplicated"]
    kept = "select count(*) from attachments where filename = $1"
    assert await admin.fetchval(kept, email["attachments"][0]["filename"]) == 0


async def test_in_a_batch(gateway: httpx.AsyncClient, keyed: NewBody) -> None:
    """Items with one business key become one notification, and each item says whose."""
    items = [keyed() for _ in range(3)]
    answer = await gateway.post(
        "/v1/notifications/batch", json={"defaults": {"dedupe_seconds": 60}, "notifications": items}
    )
    told = answer.json()["items"]
    assert answer.json()["accepted"] == 3
    assert len({item["id"] for item in told}) == 1
    assert [item.get("deduplicated", False) for item in told].count(False) == 1


async def test_what_folds_does_not_count(
    world: World, open_gateway: OpenGateway, keyed: NewBody, admin: asyncpg.Connection
) -> None:
    """A folded request gives back what it took from its caller's limits."""
    limiting = {"cache_url": world.cache_url, "limit_patience": PATIENCE, "limit_notifications_per_day": 2}
    async with open_gateway(**limiting) as gateway:
        gateway.headers["Authorization"] = f"Bearer {await add_key(admin, '*')}"
        for _ in range(4):
            await gateway.post("/v1/notifications", json=keyed())

        async def one_is_left() -> bool:
            limits = (await gateway.get("/v1/limits")).json()["limits"]
            return any(one["name"] == "day" and one["remaining"] == 1 for one in limits)

        await eventually(one_is_left)
