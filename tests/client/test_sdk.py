"""The public SDK before a gateway that misbehaves."""

from typing import Any
from uuid import UUID

import pytest

from client.remote import Remote, Reply, problem
from tidings.client import RemoteProblem, RemoteUnavailable, Tidings
from tidings.contracts.codes import Channel, Status
from tidings.contracts.notifications import NewNotification
from tidings.contracts.users import NewUser, UserPatch

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
NEW_ADA = {"name": "Ada", "attributes": {}} | dict.fromkeys(("external_id", "email", "locale", "time_zone"))
USER = {"id": str(ID), "preferences": {}, "created_at": MOMENT, "updated_at": MOMENT}


def welcome(request_id: str | None = None) -> NewNotification:
    return NewNotification(channel=Channel.EMAIL, user_id="ada", template_id="welcome", request_id=request_id)


def overdone(retry_after: str) -> Reply:
    body: dict[str, Any] = {"title": "x", "status": 429, "code": "rate_limited", "detail": "too many"}
    return Reply(body, 429, headers={"Retry-After": retry_after})


async def test_a_send_is_repeated_under_one_key(remote: Remote) -> None:
    """While the gateway does not answer it is asked again, always with the same idempotency key."""
    remote.replies(problem(503, "database_unavailable"), problem(503, "x"), Reply(ACCEPTED, 202))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        accepted = await tidings.notifications.send(welcome())
    assert (accepted.id, accepted.status) == (ID, Status.ACCEPTED)
    assert [(asked.method, asked.path) for asked in remote.asked] == [("POST", "/v1/notifications")] * 3
    assert len({asked.headers["idempotency-key"] for asked in remote.asked}) == 1
    assert remote.asked[0].headers["authorization"] == "Bearer tdg_test_1"


async def test_a_request_id_is_key_enough(remote: Remote) -> None:
    """A notification with a request id of the caller's is sent as it is."""
    remote.replies(Reply(ACCEPTED, 202))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        await tidings.notifications.send(welcome("order-17"))
    assert remote.asked[0].body["request_id"] == "order-17"
    assert "idempotency-key" not in remote.asked[0].headers


async def test_a_refused_send_says_why(remote: Remote) -> None:
    """The gateway's problem reaches the caller, at the first answer."""
    remote.replies(problem(422, "unknown_template"))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        with pytest.raises(RemoteProblem) as caught:
            await tidings.notifications.send(welcome())
    assert caught.value.code == "unknown_template"
    assert [fault.field for fault in caught.value.errors] == ["$.name"]
    assert len(remote.asked) == 1


async def test_a_short_wait_that_is_asked_for_is_waited(remote: Remote) -> None:
    """A limit that is over soon is waited out, however many calls met it, and the send succeeds."""
    remote.replies(*[overdone("0")] * 4, Reply(ACCEPTED, 202))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        await tidings.notifications.send(welcome())
    assert len(remote.asked) == 5


async def test_a_long_wait_is_the_callers_to_plan(remote: Remote) -> None:
    """A quota that is used up for hours is told at once, with the wait that the gateway asks for."""
    remote.replies(overdone("3600"))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        with pytest.raises(RemoteUnavailable, match="too many") as caught:
            await tidings.notifications.send(welcome())
    assert caught.value.retry_after == 3600
    assert caught.value.problem is not None
    assert caught.value.problem.code == "rate_limited"
    assert len(remote.asked) == 1


async def test_limits_are_no_reason_to_give_the_gateway_a_rest(remote: Remote) -> None:
    """Calls that are within another limit go on, however often one was refused."""
    remote.replies(*[overdone("3600")] * 7, Reply(NOTIFICATION))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        for _ in range(7):
            with pytest.raises(RemoteUnavailable):
                await tidings.notifications.send(welcome())
        assert (await tidings.notifications.read(ID)).id == ID


async def test_a_part_that_is_down_stops_no_other(remote: Remote) -> None:
    """However often the user service failed behind the gateway, notifications are sent."""
    remote.replies(problem(503, "users_unavailable"))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        for _ in range(6):
            with pytest.raises(RemoteUnavailable):
                await tidings.users.add(NewUser())
        assert len(remote.asked) == 5
        remote.replies(Reply(ACCEPTED, 202))
        assert (await tidings.notifications.send(welcome())).id == ID


async def test_a_list_is_asked_for_page_by_page(remote: Remote) -> None:
    """A list goes on over its pages with the same filters, and asks for no page that is not needed."""
    remote.replies(
        Reply({"notifications": [NOTIFICATION] * 2, "next_cursor": "c 1"}),
        Reply({"notifications": [NOTIFICATION]}),
    )
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        found = tidings.notifications.find(request_id="order 17&x")
        first = [await anext(found), await anext(found)]
        assert len(remote.asked) == 1
        rest = [one async for one in found]
    assert (len(first), len(rest)) == (2, 1)
    assert [asked.query for asked in remote.asked] == [
        {"limit": "200", "request_id": "order 17&x"},
        {"limit": "200", "request_id": "order 17&x", "cursor": "c 1"},
    ]


async def test_a_notification_that_does_not_settle(remote: Remote) -> None:
    """Waiting ends when the time is up, and says how far the notification has come."""
    remote.replies(Reply(NOTIFICATION | {"status": "retrying", "settled": False}))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        with pytest.raises(TimeoutError, match=f"{ID} is retrying after 4 s"):
            await tidings.notifications.wait(ID, seconds=4)  # enough for a first answer


async def test_what_would_happen_twice_is_not_repeated(remote: Remote) -> None:
    """A person is not added again when an answer was lost; a change is made again."""
    remote.replies(problem(503, "database_unavailable"))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        with pytest.raises(RemoteUnavailable):
            await tidings.users.add(NewUser(name="Ada"))
        remote.replies(problem(503, "database_unavailable"), Reply(USER))
        await tidings.users.change(ID, UserPatch(name=None))
    assert [(asked.method, asked.body) for asked in remote.asked] == [
        ("POST", NEW_ADA),
        ("PATCH", {"name": None}),
        ("PATCH", {"name": None}),
    ]


async def test_an_external_id_stays_one_part_of_the_path(remote: Remote) -> None:
    """Whatever an id of the caller's has in it, no other path is asked."""
    remote.replies(Reply(USER))
    async with Tidings(remote.url, "tdg_test_1") as tidings:
        await tidings.users.put("a/../b?c#d é", NewUser())
    assert remote.asked[0].path == "/v1/users/external/a%2F..%2Fb%3Fc%23d%20%C3%A9"
