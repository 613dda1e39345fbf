"""What providers refuse or drop, from the caller's side."""

from typing import Any

import pytest

from support.stack import Stack

pytestmark = pytest.mark.journey


def statuses(notification: dict[str, Any]) -> list[str]:
    return [step["status"] for step in notification["timeline"]]


async def test_recipient_refused(world: Stack) -> None:
    """A recipient that the server refuses fails at once, with the server's words."""
    person = {"name": "Rita", "email": "rita@example.com"}
    user = (await world.http.post(f"{world.gateway}/v1/users", json=person)).json()["id"]
    await world.faults({"provider": "smtp", "smtp_code": 550})
    settled = await world.wait_settled(await world.accept(request_id="refused", user_id=user))
    assert statuses(settled) == ["accepted", "queued", "failed"]
    assert settled["reason"] == "recipient_refused"
    assert settled["timeline"][-1]["detail"].startswith("550 ")
    assert await world.inbox() == []


async def test_transient_refusal_then_success(world: Stack) -> None:
    """A server that is busy twice is asked again, and the third attempt is delivered."""
    await world.faults({"provider": "smtp", "smtp_code": 451, "times": 2})
    settled = await world.wait_settled(await world.accept(request_id="busy-twice"))
    assert statuses(settled) == ["accepted", "queued", "retrying", "retrying", "sent"]
    assert len(await world.inbox()) == 1


@pytest.mark.parametrize(
    "fault",
    [{"smtp_code": 451}, {"drop_connection": True}, {"drop_response": True}],
    ids=["451", "dropped-before-the-body", "dropped-after-the-body"],
)
async def test_retried_until_exhausted(
    world: Stack, fault: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """What keeps failing is retried with backoff, then dead-lettered with the last words."""
    # Left to itself the breaker would open on these failures and those before, and let the message wait.
    await world.restart("email")
    await world.faults({"provider": "smtp", **fault})
    settled = await world.wait_settled(await world.accept(request_id=request.node.name))
    assert statuses(settled) == ["accepted", "queued", *["retrying"] * 3, "dead_lettered"]
    assert settled["reason"] == "attempts_exhausted"
    assert [step["attempt"] for step in settled["timeline"]] == [0, 0, 1, 2, 3, 4]


async def test_unregistered_device(world: Stack) -> None:
    """A device that FCM no longer knows is taken from its user, and the notification fails."""
    user = (await world.http.post(f"{world.gateway}/v1/users", json={"name": "Joan"})).json()["id"]
    token = {"provider": "fcm", "token": "unregistered-device:APA91b" + "x" * 120}
    await world.http.post(f"{world.gateway}/v1/users/{user}/tokens", json=token)
    settled = await world.wait_settled(await world.accept("push", request_id="gone", user_id=user))
    assert (settled["status"], settled["reason"]) == ("failed", "recipient_refused")
    assert "UNREGISTERED" in settled["timeline"][-1]["detail"]
    assert (await world.http.get(f"{world.gateway}/v1/users/{user}")).json()["tokens"] == []
    again = await world.wait_settled(await world.accept("push", request_id="gone-2", user_id=user))
    assert again["reason"] == "no_push_token"


async def test_fcm_unavailable(world: Stack) -> None:
    """A 503 with Retry-After is tried again, not before the time that was asked for."""
    await world.faults({"provider": "fcm", "status": 503, "retry_after": 2, "times": 1})
    settled = await world.wait_settled(await world.accept("push", request_id="fcm-503"))
    waiting, sent = settled["timeline"][-2:]
    assert (waiting["status"], sent["status"]) == ("retrying", "sent")
    assert sent["at"] >= waiting["next_attempt_at"][:19]
    assert len(await world.pushes()) == 1
