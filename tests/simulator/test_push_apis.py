"""OneSignal and Expo take what their documents allow, and refuse in their own words."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from simulator.running import Simulator
from tidings.simulator.push_apis.onesignal import APP_ID

ONESIGNAL = {"Authorization": "Key simulator-key"}
TOKEN = "ExponentPushToken[abc]"


def subscription() -> str:
    """A subscription of somebody: the beginning of its id is none that stands for nobody."""
    return f"a{str(uuid4())[1:]}"


def notification(**changes: object) -> dict[str, Any]:
    """A OneSignal request that is in order, with changes."""
    return {
        "app_id": APP_ID,
        "include_subscription_ids": [subscription()],
        "contents": {"en": "Hello"},
        **changes,
    }


async def onesignal(simulator: Simulator, body: object, **headers: str) -> httpx.Response:
    return await simulator.http.post("/onesignal/notifications", json=body, headers={**ONESIGNAL, **headers})


async def expo(simulator: Simulator, body: object, **headers: str) -> httpx.Response:
    return await simulator.http.post("/expo/--/api/v2/push/send", json=body, headers=headers)


async def pushes(simulator: Simulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await simulator.http.get("/api/push")).json()["pushes"]
    return found


async def test_onesignal_takes_a_notification(simulator: Simulator) -> None:
    """A notification in order is answered with its id and listed as it was sent."""
    sent = notification()
    answer = await onesignal(simulator, sent)
    (push,) = await pushes(simulator)
    assert answer.json()["id"] == push["name"]
    assert (push["provider"], push["message"]) == ("onesignal", sent)


async def test_people_see_title_and_body_of_each(simulator: Simulator) -> None:
    """The page of pushes shows the words of every provider's messages, wherever they stand in them."""
    await onesignal(simulator, notification(headings={"en": "One title"}, contents={"en": "One body"}))
    await expo(simulator, {"to": TOKEN, "title": "Expo title", "body": "Expo body"})
    page = (await simulator.http.get("/pushes")).text
    for words in ("One title", "One body", "Expo title", "Expo body"):
        assert words in page


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"app_id": "another"}, 400, "app_id not found"),
        ({"include_subscription_ids": []}, 400, "You must include which players"),
        ({"include_subscription_ids": ["abc"]}, 400, "not a valid UUID): abc"),
        ({"contents": {"de": "Hallo"}}, 400, "English language content"),
        ({"idempotency_key": "abc"}, 400, "idempotency_key must be a valid UUID"),
        ({"ttl": 2_419_201}, 400, "ttl"),
        ({"contents": "Hello"}, 400, "contents"),
    ],
    ids=str,
)
async def test_what_onesignal_refuses(
    simulator: Simulator, changes: dict[str, Any], status: int, words: str
) -> None:
    """Each fault of a request is answered with a list of sentences."""
    answer = await onesignal(simulator, notification(**changes))
    assert answer.status_code == status
    assert words in answer.json()["errors"][0]
    assert await pushes(simulator) == []


@pytest.mark.parametrize("key", ["", "Key another", "Bearer simulator-key"])
async def test_onesignal_wants_its_key(simulator: Simulator, key: str) -> None:
    """Another key, or none, is answered 403."""
    answer = await onesignal(simulator, notification(), Authorization=key)
    assert answer.status_code == 403
    assert answer.json()["errors"][0].startswith("Access denied.")


async def test_onesignal_recognises_a_repeat(simulator: Simulator) -> None:
    """The same key gets the same answer, marked as a repeated one, and nothing more is sent."""
    sent = notification(idempotency_key=str(uuid4()))
    first, second = [await onesignal(simulator, sent) for _ in range(2)]
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(await pushes(simulator)) == 1


async def test_onesignal_sends_to_those_it_knows(simulator: Simulator) -> None:
    """Subscriptions of nobody are listed, and the others get theirs; where none is left the id is empty."""
    known, unknown, off = subscription(), f"dead{str(uuid4())[4:]}", f"0ff0{str(uuid4())[4:]}"
    partly = await onesignal(simulator, notification(include_subscription_ids=[known, unknown, off]))
    nobody = await onesignal(simulator, notification(include_subscription_ids=[unknown]))
    switched_off = await onesignal(simulator, notification(include_subscription_ids=[off]))
    assert partly.json()["errors"] == {"invalid_player_ids": [unknown]}
    assert nobody.json() == {"id": "", "errors": {"invalid_player_ids": [unknown]}}
    assert switched_off.json() == {"id": "", "errors": ["All included players are not subscribed"]}
    assert [push["token"] for push in await pushes(simulator)] == [known]


async def test_expo_answers_one_and_many(simulator: Simulator) -> None:
    """One message gets a ticket, a list of them a list of tickets in its order."""
    one = await expo(simulator, {"to": TOKEN, "title": "Hi"})
    many = await expo(simulator, [{"to": TOKEN}, {"to": "ExponentPushToken[dead]"}, {"to": "x"}])
    assert one.json()["data"]["status"] == "ok"
    assert [ticket["status"] for ticket in many.json()["data"]] == ["ok", "error", "error"]
    assert [push["token"] for push in await pushes(simulator)] == [TOKEN, TOKEN]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"to": "ExponentPushToken[dead1]"}, "DeviceNotRegistered"),
        ({"to": "ExponentPushToken[rate1]"}, "MessageRateExceeded"),
        ({"to": "ExponentPushToken[mismatch1]"}, "MismatchSenderId"),
        ({"to": "ExponentPushToken[credentials1]"}, "InvalidCredentials"),
        ({"to": "no token"}, "DeviceNotRegistered"),
        ({"to": TOKEN, "body": "x" * 4_097}, "MessageTooBig"),
    ],
    ids=str,
)
async def test_what_expos_tickets_say(simulator: Simulator, message: dict[str, str], error: str) -> None:
    """A message that cannot be sent has its error in the ticket, with status 200."""
    answer = await expo(simulator, message)
    assert answer.status_code == 200
    assert answer.json()["data"]["details"] == {"error": error}
    assert await pushes(simulator) == []


@pytest.mark.parametrize(
    "body", [{}, [], {"to": 7}, [{"to": TOKEN}] * 101, "x"], ids=lambda body: str(body)[:20]
)
async def test_what_expo_refuses(simulator: Simulator, body: object) -> None:
    """A request that has not the documented shape is refused as a whole."""
    answer = await expo(simulator, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "VALIDATION_ERROR"
    assert await pushes(simulator) == []


async def test_expo_knows_one_access_token(simulator: Simulator) -> None:
    """Without a token Expo takes all; another one than its own it refuses."""
    assert (await expo(simulator, {"to": TOKEN}, Authorization="Bearer simulator-key")).status_code == 200
    refused = await expo(simulator, {"to": TOKEN}, Authorization="Bearer another")
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["code"] == "UNAUTHORIZED"
