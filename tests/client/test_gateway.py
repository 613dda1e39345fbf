"""The public SDK."""

from uuid import UUID

import pytest

from client.remote import Remote, Reply, problem
from tidings.client import GatewayClient, RemoteProblem
from tidings.contracts.codes import Channel, Status
from tidings.contracts.notifications import NewNotification

ID = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
MOMENT = "2026-01-31T12:00:00Z"
ACCEPTED = {"id": str(ID), "request_id": "order-17", "status": "accepted", "accepted_at": MOMENT}
NOTIFICATION = {
    "id": str(ID),
    "request_id": "order-17",
    "channel": "email",
    "user_id": "ada",
    "template_id": "welcome",
    "priority": "normal",
    "status": "sent",
    "settled": True,
    "accepted_at": MOMENT,
    "updated_at": MOMENT,
}


def welcome(request_id: str | None = None) -> NewNotification:
    return NewNotification(channel=Channel.EMAIL, user_id="ada", template_id="welcome", request_id=request_id)


async def test_a_send_is_repeated_under_one_key(remote: Remote) -> None:
    """While the gateway does not answer it is asked again, always with the same idempotency key."""
    remote.replies(problem(503, "database_unavailable"), problem(503, "x"), Reply(ACCEPTED, 202))
    async with GatewayClient.open(remote.url, "tdg_test_1") as gateway:
        accepted = await gateway.send(welcome())
    assert (accepted.id, accepted.status) == (ID, Status.ACCEPTED)
    assert [(asked.method, asked.path) for asked in remote.asked] == [("POST", "/v1/notifications")] * 3
    assert len({asked.headers["idempotency-key"] for asked in remote.asked}) == 1
    assert remote.asked[0].headers["authorization"] == "Bearer tdg_test_1"


async def test_a_request_id_is_key_enough(remote: Remote) -> None:
    """A notification with a request id of the caller's is sent as it is."""
    remote.replies(Reply(ACCEPTED, 202))
    async with GatewayClient.open(remote.url, "tdg_test_1") as gateway:
        await gateway.send(welcome("order-17"))
    assert remote.asked[0].body["request_id"] == "order-17"
    assert "idempotency-key" not in remote.asked[0].headers


async def test_a_refused_send_says_why(remote: Remote) -> None:
    """The gateway's problem reaches the caller, at the first answer."""
    remote.replies(problem(422, "unknown_template"))
    async with GatewayClient.open(remote.url, "tdg_test_1") as gateway:
        with pytest.raises(RemoteProblem) as caught:
            await gateway.send(welcome())
    assert caught.value.problem.code == "unknown_template"
    assert len(remote.asked) == 1


async def test_a_notification_is_followed(remote: Remote) -> None:
    """One is read by its id with its timeline, or found by the caller's own request id."""
    timeline = [{"status": "accepted", "at": MOMENT}, {"status": "sent", "at": MOMENT, "attempt": 1}]
    remote.replies(Reply(NOTIFICATION | {"timeline": timeline}), Reply({"notifications": [NOTIFICATION]}))
    async with GatewayClient.open(remote.url, "tdg_test_1") as gateway:
        read = await gateway.notification(ID)
        (found,) = await gateway.by_request("order 17&x")
    assert [event.status for event in read.timeline] == [Status.ACCEPTED, Status.SENT]
    assert found.id == ID
    assert [(asked.path, asked.query) for asked in remote.asked] == [
        (f"/v1/notifications/{ID}", {}),
        ("/v1/notifications", {"request_id": "order 17&x"}),
    ]
