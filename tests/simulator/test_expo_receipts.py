"""Expo's receipts: for the pushes that it gave tickets for, as their tokens want them."""

from typing import Any

import httpx
import pytest

from simulator.running import Simulator

API = "/expo/--/api/v2/push"


async def ticket(simulator: Simulator, inside: str) -> str:
    answer = await simulator.http.post(f"{API}/send", json={"to": f"ExponentPushToken[{inside}]"})
    return str(answer.json()["data"]["id"])


async def ask(simulator: Simulator, body: object, **headers: str) -> httpx.Response:
    return await simulator.http.post(f"{API}/getReceipts", json=body, headers=headers)


async def receipts(simulator: Simulator, *tickets: str) -> dict[str, Any]:
    found: dict[str, Any] = (await ask(simulator, {"ids": tickets})).json()["data"]
    return found


async def test_a_receipt_for_each_ticket(simulator: Simulator) -> None:
    """The token decides what its receipt says; a ticket that is not known is left out."""
    good, dead = await ticket(simulator, "x"), await ticket(simulator, "later-dead")
    found = await receipts(simulator, good, dead, "unknown")
    assert found.pop(good) == {"status": "ok"}
    receipt = found.pop(dead)
    assert (receipt["status"], receipt["details"]) == ("error", {"error": "DeviceNotRegistered"})
    assert found == {}


async def test_late_and_never(simulator: Simulator) -> None:
    """One receipt is there when it is asked for again, another never."""
    never, second = await ticket(simulator, "later-never"), await ticket(simulator, "later-second")
    assert await receipts(simulator, never, second) == {}
    assert await receipts(simulator, never, second) == {second: {"status": "ok"}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ids": "1"}, "VALIDATION_ERROR"),
        ([], "VALIDATION_ERROR"),
        ({"ids": ["1"] * 1001}, "PUSH_TOO_MANY_RECEIPTS"),
    ],
    ids=["text", "list", "too many"],
)
async def test_what_is_refused(simulator: Simulator, body: object, code: str) -> None:
    """A request that is not in order is refused with Expo's code."""
    answer = await ask(simulator, body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


async def test_another_access_token(simulator: Simulator) -> None:
    """An access token that Expo does not know is refused."""
    assert (await ask(simulator, {"ids": []}, Authorization="Bearer another")).status_code == 401


async def test_faults_of_receipts_alone(simulator: Simulator) -> None:
    """A fault may meet the receipts of one device, while pushes are taken and others have theirs."""
    fault = {"provider": "expo_receipts", "status": 429, "retry_after": 7, "match": "later-dead"}
    (await simulator.http.put("/api/faults", json=[fault])).raise_for_status()
    good, dead = await ticket(simulator, "x"), await ticket(simulator, "later-dead")
    assert list(await receipts(simulator, good)) == [good]
    refused = await ask(simulator, {"ids": [dead]})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
