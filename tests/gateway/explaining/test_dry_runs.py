"""`POST /v1/notifications?dry_run=true`: what would become of a request, and nothing besides."""

import base64
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from delivery.outside import emails_to
from delivery.situations import SITUATIONS, Situation
from gateway.conftest import NewBody, OpenGateway
from gateway.explaining.conftest import EmailService, Engines, Followed
from support.ports import free_port
from support.servers import PATIENCE
from support.world import World
from tidings.kit.cache import open_redis
from tidings.kit.ids import now

TABLES = "select relname from pg_class where relnamespace = 'gateway'::regnamespace and relkind in ('r', 'p')"
OF_REQUESTS = {
    name: situation for name, situation in SITUATIONS.items() if "sandbox" not in situation.changed
}
WITH_LINK = {"variables": {"name": "Ada", "link": "https://example.com"}}
WOULD = {"sent": "send", "parked": "wait"}


async def dry(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """What a dry run answers."""
    answer = await client.post("/v1/notifications", params={"dry_run": True}, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def verdicts(steps: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(step["step"], step["verdict"]) for step in steps]


async def kept(
    admin: asyncpg.Connection, engines: Engines, body: dict[str, Any]
) -> tuple[dict[str, int], dict[bytes, bytes | None]]:
    """
    How many rows of each of the gateway's tables name the person or the request, and what Redis counts.

    Of them alone: the email service may be at work on what an earlier test left behind.
    """
    names = [f"%{body[name]}%" for name in ("user_id", "request_id")]
    rows = {
        name: await admin.fetchval(
            f'select count(*) from "{name}" as row where row::text like any($1)',  # noqa: S608 - of the catalogue
            names,
        )
        for (name,) in await admin.fetch(TABLES)
    }
    async with open_redis(engines.cache_url) as redis:
        kinds = ("frequency", "gateway:limits")  # contacts are kept too, as by every question for them
        keys = [key for kind in kinds async for key in redis.scan_iter(f"{kind}:*{body['user_id']}*")]
        return rows, {key: await redis.dump(key) for key in keys}


async def unknown_deliveries(admin: asyncpg.Connection, engines: Engines) -> set[str]:
    """What the email service's ledger knows and the gateway does not."""
    async with open_redis(engines.cache_url) as redis:
        delivered = {key.decode().split(":")[1] async for key in redis.scan_iter("delivery:*")}
    return delivered - {str(one) for (one,) in await admin.fetch("select id from notifications")}


@pytest.mark.parametrize("situation", OF_REQUESTS.values(), ids=OF_REQUESTS)
async def test_it_says_what_then_happens(
    *,
    caller: httpx.AsyncClient,
    admin: asyncpg.Connection,
    world: World,
    engines: Engines,
    body: dict[str, Any],
    explained: Followed,
    situation: Situation,
) -> None:
    """A dry run and the request itself end alike, and only the request leaves something behind."""
    body |= msgspec.to_builtins(situation.changed)
    if situation.arrange is not None:
        await situation.arrange(world, body["user_id"])
    before = await kept(admin, engines, body), await unknown_deliveries(admin, engines)
    said = await dry(caller, body)
    assert (await kept(admin, engines, body), await unknown_deliveries(admin, engines)) == before

    answer = await caller.post("/v1/notifications", json=body)
    if answer.status_code != 202:
        assert (said["would"], said["code"]) == ("not_send", answer.json()["code"])
        assert said["steps"][-1]["verdict"] == "stopped"
        return
    happened = await explained(caller, answer.json()["id"])
    assert (happened["status"], happened["reason"]) == situation.ends
    assert (said["would"], said["reason"]) == (WOULD.get(happened["status"], "not_send"), happened["reason"])
    assert said["code"] is None
    assert "+00:00" not in f"{said}{happened}"  # moments are written one way everywhere
    of_the_worker = verdicts(said["channels"][0]["steps"])
    assert situation.decides in of_the_worker
    decided = [one for one in verdicts(happened["steps"]) if one[0] not in {"provider", "claim"}]
    assert [one for one in of_the_worker if one[0] != "provider"] == [
        one for one in decided if one[0] not in {"accepted", "dispatch", "status", "dead_letter"}
    ][1:]


async def test_it_sends_nothing(
    caller: httpx.AsyncClient, email_service: EmailService, body: dict[str, Any], address: str
) -> None:
    """Nothing arrives, and the request id is as unused as before."""
    for _ in range(3):
        said = await dry(caller, body)
        assert said["would"] == "send"
        assert said["channels"][0]["steps"][-1]["detail"] == "smtp: it would be tried first"
    found = await caller.get("/v1/notifications", params={"request_id": body["request_id"]})
    assert found.json()["notifications"] == []
    assert await emails_to(email_service.simulator, address) == []


async def test_a_used_key(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """A repeated request would be answered as before; another one with its key would be refused."""
    first = (await caller.post("/v1/notifications", json=body)).json()["id"]
    again = await dry(caller, body)
    other = await dry(caller, body | {"variables": {"name": "Grace"}})
    assert (again["would"], again["code"], again["replay_of"]) == ("not_send", None, first)
    assert (other["would"], other["code"]) == ("not_send", "idempotency_key_reused")
    assert verdicts(again["steps"]) == [("idempotency", "stopped")]


async def test_a_used_business_key(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """Within its time, a business key would make no second notification."""
    keyed = body | {"dedupe_key": f"order-{body['request_id']}"}
    free = await dry(caller, keyed)
    first = (await caller.post("/v1/notifications", json=keyed)).json()["id"]
    held = await dry(caller, keyed | {"request_id": f"{body['request_id']}-again"})
    assert (free["would"], ("dedupe", "passed") in verdicts(free["steps"])) == ("send", True)
    assert (held["would"], held["replay_of"]) == ("not_send", first)
    assert verdicts(held["steps"])[-1] == ("dedupe", "stopped")


async def test_a_limit_that_is_used_up(
    open_gateway: OpenGateway, engines: Engines, email_service: EmailService, body: dict[str, Any]
) -> None:
    """Dry runs use up no limit on notifications, and tell of one that is."""
    known = {"email_url": email_service.url, "cache_url": engines.cache_url, "limit_patience": PATIENCE}
    async with open_gateway(**known, limit_recipient_per_hour=1) as client:
        for _ in range(3):
            assert (await dry(client, body))["would"] == "send"
        assert (await client.post("/v1/notifications", json=body)).status_code == 202
        said = await dry(client, body | {"request_id": f"{body['request_id']}-second"})
    assert (said["would"], said["code"]) == ("not_send", "rate_limited")
    assert verdicts(said["steps"])[-1] == ("limits", "stopped")
    assert "`recipient`" in said["detail"]


async def test_a_channel_service_that_is_down(open_gateway: OpenGateway, body: dict[str, Any]) -> None:
    """Its steps are unknown; the gateway's own decisions are told all the same."""
    async with open_gateway(email_url=f"http://127.0.0.1:{free_port()}") as client:
        down = await dry(client, body)
    async with open_gateway() as client:
        untold = await dry(client, body)
    for said, words in ((down, "does not answer"), (untold, "TIDINGS_GATEWAY_EMAIL_URL")):
        assert (said["would"], said["reason"]) == ("unknown", "service_unavailable")
        assert ("request", "passed") in verdicts(said["steps"])
        assert verdicts(said["channels"][0]["steps"]) == [("channel_service", "unknown")]
        assert words in said["detail"]


async def test_one_trace_for_each_channel(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """Each further channel is asked as well; what is best of all is what would become of it."""
    said = await dry(caller, body | {"also": ["push"]} | WITH_LINK)
    assert [(one["channel"], one["would"]) for one in said["channels"]] == [
        ("email", "send"),
        ("push", "unknown"),
    ]
    assert said["would"] == "send"


async def test_a_fallback(caller: httpx.AsyncClient, world: World, body: dict[str, Any]) -> None:
    """It waits for the first channel; where that can never be used, it is due at once."""
    body |= WITH_LINK
    push_first = body | {"channel": "push", "fallback": {"channel": "email", "after_seconds": 60}}
    said = await dry(caller, push_first)
    assert [(one["would"], one["fallback"]) for one in said["channels"]] == [
        ("unknown", False),
        ("wait", True),
    ]
    email_first = body | {"fallback": {"channel": "push"}}
    await world.users.http.put(f"/users/{body['user_id']}/preferences", json={"email": False})
    said = await dry(caller, email_first)
    assert [one["would"] for one in said["channels"]] == ["not_send", "unknown"]


async def test_for_later(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """What is sent for later waits until then, and its channel is asked about that moment."""
    later = (now() + timedelta(hours=5)).isoformat()
    said = await dry(caller, body | {"send_at": later})
    assert said["would"] == "wait"
    assert said["until"] == said["steps"][-1]["until"]
    assert ("schedule", "waits") in verdicts(said["steps"])
    assert said["channels"][0]["steps"][-1]["detail"] == "smtp: it would be tried first"


async def test_files_are_not_fetched(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """Attachments are checked by the gateway and then left out: nothing is stored or fetched."""
    file = {"filename": "a.txt", "content": base64.b64encode(b"text").decode()}
    linked = {"filename": "b.txt", "url": f"http://127.0.0.1:{free_port()}/b.txt"}
    said = await dry(caller, body | {"email": {"attachments": [file, linked]}})
    assert said["would"] == "send"
    assert verdicts(said["channels"][0]["steps"])[0] == ("attachments", "skipped")


async def test_without_a_key(caller: httpx.AsyncClient, new_body: NewBody) -> None:
    """What the request lacks is told as what it would be refused for."""
    said = await dry(caller, new_body(request_id=None))
    assert (said["would"], said["code"]) == ("not_send", "missing_request_id")
    assert verdicts(said["steps"]) == [("request", "stopped")]
    with_header = await dry(caller, new_body(request_id=None), **{"Idempotency-Key": '"of-the-header"'})
    assert with_header["code"] is None


async def test_only_services_may_ask_for_rehearsals(email_service: EmailService) -> None:
    """A channel's service answers no stranger."""
    async with httpx.AsyncClient(base_url=email_service.url) as stranger:
        assert (await stranger.post("/rehearsals", json={})).status_code == 401
