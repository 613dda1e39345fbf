"""Many notifications in one request: each is taken or refused for itself."""

import asyncio
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, NewBody, OpenGateway
from gateway.keys import add_key
from gateway.queues import taking
from gateway.test_refusals import assert_problem
from support.polling import eventually
from support.ports import free_port
from support.serving import serving
from support.world import World
from tidings.client import Tidings
from tidings.contracts.batches import BatchDefaults, NewBatch
from tidings.contracts.notifications import NewNotification
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import DISPATCH_GRACE
from tidings.kit.ids import now

BATCH = "/v1/notifications/batch"

Answer = dict[str, Any]


async def send(
    gateway: httpx.AsyncClient,
    items: list[Any],
    *,
    defaults: dict[str, Any] | None = None,
    key: str | None = None,
) -> Answer:
    """What a batch is answered, once it is seen that each item is answered in its place."""
    body = {"notifications": items} | ({} if defaults is None else {"defaults": defaults})
    answer = await gateway.post(BATCH, json=body, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 202, answer.text
    batch: Answer = answer.json()
    assert [item["index"] for item in batch["items"]] == list(range(len(items)))
    assert batch["accepted"] == sum("id" in item for item in batch["items"])
    assert batch["refused"] == sum("problem" in item for item in batch["items"])
    assert batch["accepted"] + batch["refused"] == len(items)
    return batch


def ids_of(batch: Answer) -> list[str]:
    return [item["id"] for item in batch["items"] if "id" in item]


def codes_of(batch: Answer) -> list[str | None]:
    return [item.get("problem", {}).get("code") for item in batch["items"]]


async def test_a_thousand_at_once(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A full batch is committed whole, in few transactions, and each notification goes out once."""
    bodies = [new_body() for _ in range(1_000)]
    began = now()
    async with taking(world.broker_url, "email.queue") as taken:
        batch = await send(gateway, bodies)
        ids = ids_of(batch)
        assert len(set(ids)) == 1_000
        assert [item["request_id"] for item in batch["items"]] == [body["request_id"] for body in bodies]
        await eventually(lambda: set(ids) <= taken.ids.keys(), within=30)
        counts = {taken.ids[one] for one in ids}
        # What takes longer than that, on a slow machine, the sweeper may publish as well.
        assert counts == {1} or now() - began > DISPATCH_GRACE
    transactions = await admin.fetchval(
        "select count(distinct xmin::text) from idempotency_keys where notification_id = any($1::uuid[])", ids
    )
    assert transactions <= 20


async def test_an_item_is_read_as_if_it_had_come_alone(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """What a batch took can be read like any other notification, and repeated by a single request."""
    body = new_body(metadata={"order": "7"}, locale="pt-BR")
    [item] = (await send(gateway, [body]))["items"]
    found = (await gateway.get(f"/v1/notifications/{item['id']}")).json()
    again = await gateway.post("/v1/notifications", json=body)
    assert (found["metadata"], found["locale"]) == ({"order": "7"}, "pt-BR")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == {name: item[name] for name in ("id", "request_id", "status", "accepted_at")}


async def test_bad_items_refuse_only_themselves(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """Beside good ones, each that is malformed or cannot be delivered is refused, and says why."""
    bad: list[tuple[Any, str, list[str]]] = [
        (7, "invalid_request", ["$"]),
        (None, "invalid_request", ["$"]),
        ([], "invalid_request", ["$"]),
        ({}, "invalid_request", ["$.channel"]),
        (new_body(channel="sms"), "invalid_request", ["$.channel"]),
        (new_body(chanel="email"), "invalid_request", ["$.chanel"]),
        (new_body(email={"cc": ["no address"]}), "invalid_request", ["$.email.cc[0]"]),
        (new_body(variables={"name": "nul\0"}), "invalid_request", []),
        (new_body(request_id=None), "missing_request_id", ["$.request_id"]),
        (new_body(user_id="nobody"), "unknown_user", ["$.user_id"]),
        (new_body(template_id="no-such-template"), "unknown_template", ["$.template_id"]),
        (new_body(variables={}), "missing_variable", ["$.variables.name"]),
        (new_body(variables={"name": "n" * 2 * 1024 * 1024}), "body_too_large", []),
    ]
    items = [item for one, _, _ in bad for item in (new_body(), one)]
    batch = await send(gateway, items)
    assert batch["accepted"] == batch["refused"] == len(bad)
    assert codes_of(batch)[::2] == [None] * len(bad)
    problems = [item["problem"] for item in batch["items"][1::2]]
    for problem, (_, code, fields) in zip(problems, bad, strict=True):
        assert (problem["code"], [fault["field"] for fault in problem.get("errors", [])]) == (code, fields)
        assert problem["detail"]
        assert problem["status"] == (413 if code == "body_too_large" else 422)


async def test_an_item_is_refused_in_the_words_of_a_single_request(
    gateway: httpx.AsyncClient, new_body: NewBody
) -> None:
    """The problem of an item is the one that the same request gets when it comes alone."""
    body = new_body(variables={})
    [item] = (await send(gateway, [body]))["items"]
    alone = (await gateway.post("/v1/notifications", json=body)).json()
    assert item["problem"] == {name: alone[name] for name in ("status", "code", "detail", "errors")}


async def test_one_template_to_many(gateway: httpx.AsyncClient, world: World, new_body: NewBody) -> None:
    """Items need only what differs: their own members go first, variables and metadata name by name."""
    body = new_body(metadata={"campaign": "launch", "part": "a"}, locale="en")
    user_id, request_id = body.pop("user_id"), body.pop("request_id")
    template_id = await world.add_template(
        "launch", {"email": {"subject": "{{ name }} {{ link }}", "text": "{{ link }}"}}
    )
    defaults = {**body, "template_id": template_id, "variables": {"name": "friend", "link": "https://a.test"}}
    items: list[dict[str, Any]] = [
        {"user_id": user_id, "request_id": f"{request_id}-a"},
        {
            "user_id": user_id,
            "request_id": f"{request_id}-b",
            "variables": {"name": "Ada"},
            "metadata": {"part": "b"},
            "locale": None,
        },
        {"user_id": user_id, "request_id": f"{request_id}-c", "template_id": "no-such-template"},
        {"request_id": f"{request_id}-d"},
    ]
    batch = await send(gateway, items, defaults=defaults)
    assert codes_of(batch) == [None, None, "unknown_template", "invalid_request"]
    first, second = [(await gateway.get(f"/v1/notifications/{one}")).json() for one in ids_of(batch)]
    assert (first["metadata"], first["locale"]) == ({"campaign": "launch", "part": "a"}, "en")
    assert (second["metadata"], second["locale"]) == ({"campaign": "launch", "part": "b"}, None)
    whole = {**defaults, **items[1], "variables": {"name": "Ada", "link": "https://a.test"}}
    alone = await gateway.post("/v1/notifications", json={**whole, "metadata": second["metadata"]})
    assert (alone.status_code, alone.json()["id"]) == (202, second["id"])


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["$.notifications"]),
        ({"notifications": []}, ["$.notifications"]),
        ({"notifications": [{}] * 1_001}, ["$.notifications"]),
        ({"notifications": {}}, ["$.notifications"]),
        ({"notifications": [{}], "default": {}}, ["$.default"]),
        ({"notifications": [{}], "defaults": {"request_id": "r"}}, ["$.defaults.request_id"]),
        ({"notifications": [{}], "defaults": {"channel": "sms"}}, ["$.defaults.channel"]),
        ({"notifications": [{}], "defaults": {"variables": {"a": "b" * 65_536}}}, ["$.defaults"]),
    ],
    ids=[
        "empty",
        "none",
        "too many",
        "no list",
        "unknown",
        "one id for all",
        "bad defaults",
        "large defaults",
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(
    gateway: httpx.AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    """A body that is not a batch of 1 to 1,000, or has defaults that fit nothing, is a 422."""
    assert_problem(await gateway.post(BATCH, json=body), 422, "invalid_request", *fields)


async def test_a_body_that_is_too_large(gateway: httpx.AsyncClient) -> None:
    """More than 16 MiB is not even read."""
    answer = await gateway.post(BATCH, content=b" " * (16 * 1024 * 1024 + 1))
    assert_problem(answer, 413, "body_too_large")
    assert "in several parts" in answer.json()["detail"]


async def test_a_batch_sent_again(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """What was taken is replayed with the same ids; what was refused gets another chance."""
    good, mended = [new_body() for _ in range(20)], new_body()
    first = await send(gateway, [*good, mended | {"variables": {}}])
    again = await send(gateway, [*good, mended])
    assert ids_of(again)[:20] == ids_of(first)
    assert [item.get("replayed", False) for item in again["items"]] == [True] * 20 + [False]
    assert not any("replayed" in item for item in first["items"])


async def test_one_key_twice_in_a_batch(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """The same item twice is one notification; another one under its key is refused."""
    body = new_body()
    batch = await send(gateway, [body, body, body | {"variables": {"name": "Grace"}}])
    assert len(set(ids_of(batch))) == 1
    assert [item.get("replayed", False) for item in batch["items"][:2]] == [False, True]
    assert codes_of(batch) == [None, None, "idempotency_key_reused"]


async def test_the_same_batch_at_once_through_two_gateways(
    gateway: httpx.AsyncClient, open_gateway: OpenGateway, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """Four concurrent copies of a batch, in other orders too, are one notification for each item."""
    bodies = [new_body() for _ in range(150)]
    async with open_gateway() as second:
        batches = await asyncio.gather(
            *(
                send(which, order)
                for _ in range(2)
                for which, order in ((gateway, bodies), (second, bodies[::-1]))
            )
        )
    assert len({one for batch in batches for one in ids_of(batch)}) == 150
    fresh = [item for batch in batches for item in batch["items"] if not item.get("replayed")]
    assert len(fresh) == 150
    ids = [body["request_id"] for body in bodies]
    assert await admin.fetchval("select count(*) from notifications where request_id = any($1)", ids) == 150


async def test_a_key_for_the_whole_batch(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """With an Idempotency-Key, items without a `request_id` are known by their place."""
    key = new_body()["request_id"]
    items = [new_body(request_id=None) for _ in range(3)] + [new_body()]
    first, again = await send(gateway, items, key=key), await send(gateway, items, key=f'"{key}"')
    assert [item["request_id"] for item in first["items"][:3]] == [f"{key}/{index}" for index in range(3)]
    assert first["items"][3]["request_id"] == items[3]["request_id"]
    assert len(set(ids_of(first))) == 4
    assert ids_of(again) == ids_of(first)
    changed = await send(gateway, [items[0] | {"variables": {"name": "Grace"}}, *items[1:]], key=key)
    assert codes_of(changed) == ["idempotency_key_reused", None, None, None]


async def test_files_in_a_batch(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """Items may have attachments of their own, and share small ones."""
    one, other = (
        {"attachments": [{"filename": name, "content": "aGVsbG8="}]} for name in ("own.txt", "shared.txt")
    )
    items = [new_body(email=one), *(new_body() for _ in range(9))]
    batch = await send(gateway, items, defaults={"email": other})
    rows = await admin.fetch(
        "select notification_id::text as id, filename, content from attachments"
        " where notification_id = any($1::uuid[])",
        ids_of(batch),
    )
    assert {row["content"] for row in rows} == {b"hello"}
    names = {row["id"]: row["filename"] for row in rows}
    assert [names[one] for one in ids_of(batch)] == ["own.txt"] + ["shared.txt"] * 9


async def test_who_may_not_send_sends_no_batch(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A batch needs the same scope as a single notification."""
    headers = {"Authorization": f"Bearer {await add_key(admin, 'notifications:read')}"}
    answer = await gateway.post(BATCH, json={"notifications": [new_body()]}, headers=headers)
    assert_problem(answer, 403, "missing_scope")


async def test_a_batch_from_python(settings: GatewaySettings, new_body: NewBody) -> None:
    """The client takes whole notifications, or what the defaults lack, and tells what became of each."""
    shared = new_body(request_id=None)
    user_id = shared.pop("user_id")
    whole = msgspec.convert(new_body(), NewNotification)
    batch = NewBatch(
        defaults=msgspec.convert(shared, BatchDefaults),
        notifications=[{"user_id": user_id}, whole, {"user_id": "nobody"}],
    )
    async with (
        open_app(settings) as app,
        serving(app, free_port()) as url,
        Tidings(url, API_KEY) as tidings,
    ):
        answer = await tidings.notifications.send_batch(batch)
        assert (answer.accepted, answer.refused) == (2, 1)
        first, second, third = answer.items
        assert second.request_id == whole.request_id
        assert third.problem is not None
        assert third.problem.code == "unknown_user"
        assert first.id is not None
        assert (await tidings.notifications.read(first.id)).user_id == user_id
