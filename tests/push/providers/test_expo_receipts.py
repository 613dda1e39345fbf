"""Expo's receipts: how they are asked for, and what each answer means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from push.answers import answering, serving
from push.ways import Outside, open_way
from support.ports import free_port
from tidings.client.http import open_session
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Refused, Taken
from tidings.push.providers.configs import ExpoConfig
from tidings.push.providers.expo_receipts import ExpoReceipts
from tidings.push.receipts.asking import Asking, NoReceipts


@asynccontextmanager
async def expo_at(url: str, access_token: str | None = None) -> AsyncIterator[ExpoReceipts]:
    async with open_session() as session:
        yield ExpoReceipts("expo", ExpoConfig(url=url, access_token=access_token), session)


async def test_a_receipt_of_a_push(outside: Outside) -> None:
    """A push that was taken has a receipt by its ticket; a ticket of nobody's has none."""
    async with open_way("expo", outside) as way, expo_at(f"{outside.url}/expo") as expo:
        taken = await way.send()
        assert isinstance(taken, Taken)
        ticket = taken.provider_ref or ""
        receipts = await expo.receipts([ticket, "unknown"])
    assert not isinstance(receipts, Refused)
    assert {one: type(receipt) for one, receipt in receipts.items()} == {ticket: Taken}


@pytest.mark.parametrize(
    ("answer", "owner"),
    [
        (web.Response(text="no JSON"), ErrorOwner.OUTAGE),
        (web.json_response({"data": [1]}), ErrorOwner.OUTAGE),
        (web.json_response({"errors": [{"code": "TOO_MANY_REQUESTS"}]}), ErrorOwner.THROTTLE),
        (web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401), ErrorOwner.CREDENTIAL),
        (web.Response(status=502), ErrorOwner.OUTAGE),
    ],
    ids=["no JSON", "another JSON", "too fast", "unauthorized", "bad gateway"],
)
async def test_an_answer_without_receipts(answer: web.Response, owner: ErrorOwner) -> None:
    """Whatever is no receipt is said to be somebody's affair, and never a receipt."""
    async with answering(answer) as url, expo_at(url) as expo:
        refused = await expo.receipts(["1"])
    assert isinstance(refused, Refused)
    assert refused.owner is owner


@pytest.mark.parametrize(
    ("said", "owner", "dead"),
    [
        ({"details": {"error": "DeviceNotRegistered"}}, ErrorOwner.RECIPIENT, True),
        ({"details": {"error": "MessageTooBig"}}, ErrorOwner.CONTENT, False),
        ({"details": {"error": "ProviderError"}}, ErrorOwner.OUTAGE, False),
        ({"details": None, "message": "?"}, ErrorOwner.CONTENT, False),
    ],
    ids=["dead", "too big", "Apple's fault", "no word"],
)
async def test_each_error_has_an_owner(said: dict[str, object], owner: ErrorOwner, *, dead: bool) -> None:
    """A receipt's error decides who has to act; what is neither yes nor no is no receipt yet."""
    others = {"2": {"status": "perhaps"}, "3": {"status": 7}, "4": "no object"}
    body = {"data": {"1": {"status": "error", **said}, **others}}
    async with answering(web.json_response(body)) as url, expo_at(url) as expo:
        receipts = await expo.receipts(["1", *others])
    assert isinstance(receipts, dict)
    assert list(receipts) == ["1"]
    refused = receipts["1"]
    assert (refused.owner, refused.dead) == (owner, dead)


async def test_many_tickets_share_requests() -> None:
    """A request names as many tickets as Expo and we can take; each ticket gets its own receipt."""
    asked: list[int] = []

    async def expo(request: web.Request) -> web.Response:
        ids = (await request.json())["ids"]
        asked.append(len(ids))
        return web.json_response({"data": {one: {"status": "ok"} for one in ids}})

    tickets = [str(number) for number in range(2 * ExpoReceipts.most + 1)]
    async with serving(expo) as url, expo_at(url) as provider:
        receipts = await Asking(provider).receipts(tickets)
    assert list(receipts) == tickets
    assert [receipt.provider_ref for receipt in receipts.values() if isinstance(receipt, Taken)] == tickets
    assert asked == [ExpoReceipts.most, ExpoReceipts.most, 1]


async def test_nobody_answers() -> None:
    """Without an answer nothing is known of any ticket."""
    async with expo_at(f"http://127.0.0.1:{free_port()}") as expo:
        with pytest.raises(NoReceipts, match="cannot be reached"):
            await Asking(expo).receipts(["1", "2"])
