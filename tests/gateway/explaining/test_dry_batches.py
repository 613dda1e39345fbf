"""`POST /v1/notifications/batch?dry_run=true`: of each notification what its own dry run says."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, OpenGateway
from gateway.explaining.conftest import EmailService, Engines
from gateway.explaining.test_dry_runs import dry, kept, unknown_deliveries
from gateway.test_refusals import assert_problem
from support.answering import answering, http
from support.polling import eventually
from support.ports import free_port
from support.servers import PATIENCE
from support.serving import serving
from tidings.client import Tidings
from tidings.contracts.batches import NewBatch
from tidings.contracts.explaining import Rehearsal, Would
from tidings.contracts.notifications import NewNotification
from tidings.gateway.app import open_app
from tidings.gateway.batching.dry_runs import AT_ONCE
from tidings.gateway.settings import GatewaySettings
from tidings.kit.ids import now

BATCH = "/v1/notifications/batch"
WOULD_SEND = msgspec.json.encode(Rehearsal(would=Would.SEND, decisions=[])).decode()


async def dry_batch(
    client: httpx.AsyncClient,
    items: list[Any],
    *,
    defaults: dict[str, Any] | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """What a dry run of a batch answers, once it is seen that each item is answered in its place."""
    body = {"notifications": items} | ({} if defaults is None else {"defaults": defaults})
    headers = {"Idempotency-Key": key} if key else {}
    answer = await client.post(BATCH, params={"dry_run": True}, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert [item["index"] for item in said["items"]] == list(range(len(items)))
    for would in ("send", "wait", "not_send", "unknown"):
        assert said[would] == sum(item["would"] == would for item in said["items"])
    return said


async def test_each_is_told_what_it_would_be_told_alone(
    caller: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    """Whatever would become of an item, its answer is that of the same request alone, and its place."""
    used = body | {"request_id": f"{body['request_id']}-used"}
    first = (await caller.post("/v1/notifications", json=used)).json()["id"]
    items = [
        body,
        body | {"send_at": (now() + timedelta(hours=5)).isoformat()},
        body | {"also": ["push"], "variables": {"name": "Ada", "link": "https://example.com"}},
        body | {"user_id": "nobody"},
        body | {"variables": {}},
        body | {"dedupe_seconds": 60},
        used,
    ]
    said = await dry_batch(caller, items)
    alone = [await dry(caller, item) for item in items]
    assert said["items"] == [one | {"index": index} for index, one in enumerate(alone)]
    assert [item["would"] for item in said["items"]] == ["send", "wait", "send", *["not_send"] * 4]
    assert said["items"][-1]["replay_of"] == first


async def test_one_that_cannot_be_read(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """It stops only itself, and is told what the batch would refuse it for."""
    said = await dry_batch(caller, [7, body | {"chanel": "email"}, body])
    assert [item["code"] for item in said["items"]] == ["invalid_request", "invalid_request", None]
    assert "$.chanel" in said["items"][1]["detail"]
    assert [(step["step"], step["verdict"]) for step in said["items"][1]["steps"]] == [("request", "stopped")]


async def test_keys_of_the_batch(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """Items without a `request_id` have the keys that the batch itself would give them."""
    request_id = body.pop("request_id")
    key = f'"{request_id}"'
    keyless = await dry_batch(caller, [body])
    assert keyless["items"][0]["code"] == "missing_request_id"
    taken = await caller.post(BATCH, json={"notifications": [body]}, headers={"Idempotency-Key": key})
    said = await dry_batch(caller, [body, body, body | {"request_id": f"own-{request_id}"}], key=key)
    assert [item["replay_of"] for item in said["items"]] == [taken.json()["items"][0]["id"], None, None]


async def test_with_defaults(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """What items have in common is read as the batch itself would read it."""
    defaults = {name: body[name] for name in ("channel", "template_id", "user_id")}
    items = [{"request_id": "own-variables", "variables": {"name": "Ada"}}, {"request_id": "none"}]
    said = await dry_batch(caller, items, defaults=defaults)
    assert [item["code"] for item in said["items"]] == [None, "missing_variable"]


async def test_nothing_is_left(
    caller: httpx.AsyncClient, admin: asyncpg.Connection, engines: Engines, body: dict[str, Any]
) -> None:
    """No row, no count and no delivery, however many items there are."""
    items = [body | {"request_id": f"{body['request_id']}-{number}"} for number in range(50)]
    before = await kept(admin, engines, body), await unknown_deliveries(admin, engines)
    assert (await dry_batch(caller, items))["send"] == len(items)
    assert (await kept(admin, engines, body), await unknown_deliveries(admin, engines)) == before


async def test_it_counts_as_one_request(
    open_gateway: OpenGateway, engines: Engines, email_service: EmailService, body: dict[str, Any]
) -> None:
    """It uses up no limit on notifications, tells each item of one that is, and is refused as a request."""
    known = {"email_url": email_service.url, "cache_url": engines.cache_url, "limit_patience": PATIENCE}
    items = [body | {"request_id": f"{body['request_id']}-{number}"} for number in range(3)]
    async with open_gateway(**known, limit_recipient_per_hour=1) as client:
        assert (await dry_batch(client, items))["send"] == 3
        assert (await client.post("/v1/notifications", json=body)).status_code == 202
        said = await dry_batch(client, items)
    assert {(item["would"], item["code"]) for item in said["items"]} == {("not_send", "rate_limited")}


async def test_workers_are_asked_a_few_at_a_time(open_gateway: OpenGateway, body: dict[str, Any]) -> None:
    """All batches together ask about eight notifications at once, and no single dry run waits for them."""
    items = [body | {"request_id": f"{body['request_id']}-{number}"} for number in range(20)]
    async with (
        answering(http(200, WOULD_SEND, Content_Type="application/json")) as workers,
        open_gateway(email_url=workers.url) as client,
        asyncio.TaskGroup() as group,
    ):
        workers.speak.clear()
        batches = [group.create_task(dry_batch(client, items)) for _ in range(2)]
        await eventually(lambda: len(workers.requests) == AT_ONCE)
        single = group.create_task(dry(client, body))
        await eventually(lambda: len(workers.requests) > AT_ONCE)
        assert len(workers.requests) == AT_ONCE + 1
        assert body["request_id"].encode() + b'"' in workers.requests[-1]
        workers.speak.set()
    assert (await single)["would"] == "send"
    assert [(await one)["send"] for one in batches] == [len(items)] * 2


async def test_a_channel_service_that_is_down(open_gateway: OpenGateway, body: dict[str, Any]) -> None:
    """What it alone could say is unknown, of each item."""
    items = [body | {"request_id": f"{body['request_id']}-{number}"} for number in range(20)]
    async with open_gateway(email_url=f"http://127.0.0.1:{free_port()}") as client:
        assert (await dry_batch(client, items))["unknown"] == len(items)


@pytest.mark.parametrize("batch", [{"notifications": []}, {"notifications": [{}], "other": 1}])
async def test_what_is_no_batch(caller: httpx.AsyncClient, batch: dict[str, Any]) -> None:
    """It is refused as a whole, as without `dry_run`."""
    answer = await caller.post(BATCH, params={"dry_run": True}, json=batch)
    assert_problem(answer, 422, "invalid_request", *(fault["field"] for fault in answer.json()["errors"]))


async def test_from_python(
    settings: GatewaySettings, email_service: EmailService, body: dict[str, Any]
) -> None:
    """The client takes the batch that it would send, and tells of each item what `dry_run` tells."""
    known = msgspec.structs.replace(settings, email_url=email_service.url)
    whole = msgspec.convert(body, NewNotification)
    async with (
        open_app(known) as app,
        serving(app, free_port()) as url,
        Tidings(url, API_KEY) as tidings,
    ):
        said = await tidings.notifications.dry_run_batch(NewBatch(notifications=[whole, {}]))
    assert [(item.index, item.would) for item in said.items] == [(0, Would.SEND), (1, Would.NOT_SEND)]
