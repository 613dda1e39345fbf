"""Looking people up, many at once."""

import asyncio
from uuid import UUID, uuid4

import pytest

from client.remote import Remote, Reply, problem
from tidings.client.http import RemoteUnavailable, ServiceHttp
from tidings.client.users import UsersClient
from tidings.contracts.users import SuppressionReason

ADA = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
CONTACT = {"user_id": str(ADA), "email": "ada@example.com", "preferences": {"email": True, "push": False}}


@pytest.fixture
def users(http: ServiceHttp) -> UsersClient:
    return UsersClient(http)


async def test_concurrent_look_ups_share_requests(users: UsersClient, remote: Remote) -> None:
    """However many callers ask at once, the first is asked for at once and the others together."""
    remote.replies(Reply({"contacts": {str(ADA): CONTACT}}))
    first = asyncio.create_task(users.contact(str(ADA)))
    await asyncio.sleep(0)
    asked_for = [str(ADA), "nobody", *(str(uuid4()) for _ in range(40))]
    found = await asyncio.gather(*(users.contact(user_id) for user_id in asked_for))
    assert [contact.user_id if contact else None for contact in found] == [ADA, *[None] * 41]
    assert await first == found[0]
    assert len(remote.asked) == 2
    assert {(asked.method, asked.path) for asked in remote.asked} == {("POST", "/contacts")}


async def test_the_same_person_is_asked_for_once(users: UsersClient, remote: Remote) -> None:
    """Callers that want the same contact in one request all get it."""
    remote.replies(Reply({"contacts": {str(ADA): CONTACT}}))
    found = await asyncio.gather(*(users.contact(str(ADA)) for _ in range(10)))
    assert [contact and contact.email for contact in found] == ["ada@example.com"] * 10
    assert all(asked.body == {"user_ids": [str(ADA)]} for asked in remote.asked)


async def test_a_request_holds_no_more_than_the_service_takes(users: UsersClient, remote: Remote) -> None:
    """A burst of more than 500 look-ups becomes several requests."""
    remote.replies(Reply({"contacts": {}}))
    await asyncio.gather(*(users.contact(str(number)) for number in range(1_200)))
    sizes = [len(asked.body["user_ids"]) for asked in remote.asked]
    assert sum(sizes) == 1_200
    assert max(sizes) <= 500


async def test_a_look_up_is_repeated_and_then_given_up(users: UsersClient, remote: Remote) -> None:
    """A service that is down for a moment is not noticed; one that stays down is told to every caller."""
    remote.replies(problem(503, "database_unavailable"), Reply({"contacts": {}}))
    assert await users.contact("nobody") is None
    remote.replies(problem(503, "database_unavailable"))
    results = await asyncio.gather(*(users.contact("nobody") for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [RemoteUnavailable] * 3


async def test_a_token_is_removed_with_its_reason(users: UsersClient, remote: Remote) -> None:
    """The device and why it went are named; as it may be repeated, it is."""
    token_id = uuid4()
    remote.replies(problem(503, "database_unavailable"), Reply())
    await users.remove_token(ADA, token_id, reason="unregistered")
    assert [(asked.method, asked.path, asked.query) for asked in remote.asked] == [
        ("DELETE", f"/users/{ADA}/tokens/{token_id}", {"reason": "unregistered"})
    ] * 2


async def test_an_address_is_suppressed_with_its_reason(users: UsersClient, remote: Remote) -> None:
    """The address, why and who says so are sent, made to fit; as it may be repeated, it is."""
    remote.replies(problem(503, "database_unavailable"), Reply())
    await users.suppress(
        email="ada@example.com", reason=SuppressionReason.HARD_BOUNCE, source="550 \0" + "x" * 600
    )
    sent = {
        "email": "ada@example.com",
        "token": None,
        "reason": "hard_bounce",
        "source": "550 " + "x" * 496,
        "expires_at": None,
    }
    assert [(asked.method, asked.path, asked.body) for asked in remote.asked] == [
        ("POST", "/suppressions", sent)
    ] * 2


async def test_a_push_token_is_suppressed(users: UsersClient, remote: Remote) -> None:
    """A device is named by its token."""
    await users.suppress(token="device-1", reason=SuppressionReason.INVALID, source="fcm")
    assert remote.asked[0].body["token"] == "device-1"
    assert remote.asked[0].body["email"] is None


async def test_a_success_is_reported(users: UsersClient, remote: Remote) -> None:
    """The address that took a message is named; a service that stays down is told."""
    remote.replies(Reply(status=204))
    await users.succeeded("ada@example.com")
    assert [(asked.method, asked.path, asked.body) for asked in remote.asked] == [
        ("POST", "/suppressions/success", {"email": "ada@example.com"})
    ]
    remote.replies(problem(503, "database_unavailable"))
    with pytest.raises(RemoteUnavailable):
        await users.succeeded("ada@example.com")
