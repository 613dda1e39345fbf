"""What becomes of one delivery: how the broker's message is settled, and what is reported."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from delivery.conftest import MAX_ATTEMPTS, RETRY_DELAYS, NewMessage
from delivery.desk import Desk, open_desk
from delivery.outside import emails_to, misbehave
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from support.serving import serving
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay
from tidings.kit.ids import now


async def test_sent(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """The email is in the inbox, the message acknowledged, and the server's words are reported."""
    message = new_message()
    assert await desk.deliver(message) == Acknowledge()
    event = await reports.settled(message.notification_id)
    (email,) = await emails_to(simulator, address)

    assert (event.status, event.attempt, event.provider) == (Status.SENT, 1, "smtp")
    assert event.detail is not None
    assert event.detail.startswith("250 2.0.0 Ok")
    assert (email["subject"], email["text"].strip(), email["to"]) == ("Welcome, Ada", "Hello Ada", [address])
    assert email["message_id"] == f"<{message.notification_id}@mail.example.com>"
    assert email["return_path"] == "hello@mail.example.com"


async def test_a_refused_recipient_fails_at_once(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """550 is final at the first attempt, and the server's words stand in the report and the dead letter."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 550, "text": "5.1.1 Nobody of this name"})
    settlement = await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    assert settlement == DeadLetter(Reason.RECIPIENT_REFUSED, "550 5.1.1 Nobody of this name")
    assert (event.status, event.reason, event.attempt) == (Status.FAILED, Reason.RECIPIENT_REFUSED, 1)
    assert event.detail == "550 5.1.1 Nobody of this name"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"smtp_code": 451}, Reason.PROVIDER_UNAVAILABLE),
        ({"smtp_code": 421, "stage": "connect"}, Reason.PROVIDER_UNAVAILABLE),
        ({"smtp_code": 450}, Reason.PROVIDER_THROTTLED),
        ({"drop_connection": True}, Reason.PROVIDER_UNAVAILABLE),
        ({"drop_connection": True, "stage": "mail"}, Reason.PROVIDER_UNAVAILABLE),
        ({"smtp_code": 451, "stage": "data"}, Reason.PROVIDER_UNAVAILABLE),
        ({"drop_connection": True, "stage": "data"}, Reason.OUTCOME_UNKNOWN),
    ],
    ids=str,
)
async def test_a_passing_failure_is_tried_again(
    *,
    settings: EmailSettings,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
    fault: dict[str, Any],
    reason: Reason,
) -> None:
    """A transient refusal or a lost connection is retried after its step; then the email goes out once."""
    message = new_message()
    await misbehave(simulator, {**fault, "times": 1})
    async with open_desk(settings) as desk:  # its own connections: a kept one meets no fault at connect
        settlement = await desk.deliver(message)
        waiting = await reports.next_of(message.notification_id)
        again = await desk.deliver(message, attempt=2)

    assert isinstance(settlement, Delay)
    assert settlement.counted
    assert RETRY_DELAYS[0] <= settlement.seconds <= RETRY_DELAYS[0] * 1.2
    assert (waiting.status, waiting.reason, waiting.attempt) == (Status.RETRYING, reason, 1)
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at >= waiting.at + timedelta(seconds=RETRY_DELAYS[0])
    assert again == Acknowledge()
    assert len(await emails_to(simulator, address)) == 1


async def test_an_answer_that_was_lost_is_ambiguous(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """A connection lost after the body is reported as unknown; the retry has the same Message-ID."""
    message = new_message()
    await misbehave(simulator, {"drop_response": True, "times": 1})
    settlement = await desk.deliver(message)
    unknown = await reports.next_of(message.notification_id)
    again = await desk.deliver(message, attempt=2)
    emails = await emails_to(simulator, address)

    assert isinstance(settlement, Delay)
    assert (unknown.status, unknown.reason) == (Status.RETRYING, Reason.OUTCOME_UNKNOWN)
    assert again == Acknowledge()
    assert len(emails) == 2
    assert len({email["message_id"] for email in emails}) == 1


async def test_the_last_attempt_ends_in_a_dead_letter(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """When the attempts are used up, the report and the dead letter say why the last one failed."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451})
    settlement = await desk.deliver(message, attempt=MAX_ATTEMPTS)
    event = await reports.settled(message.notification_id)
    assert isinstance(settlement, DeadLetter)
    assert (settlement.reason, settlement.detail) == (Reason.ATTEMPTS_EXHAUSTED, event.detail)
    assert (event.status, event.attempt) == (Status.DEAD_LETTERED, MAX_ATTEMPTS)
    assert event.detail is not None
    assert "451 4.3.0" in event.detail


async def test_an_expired_message_is_never_sent(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """A message whose time has passed ends expired, on whatever attempt."""
    message = new_message(expires_at=now() - timedelta(seconds=1))
    assert await desk.deliver(message, attempt=2) == Acknowledge()
    event = await reports.settled(message.notification_id)
    assert (event.status, event.reason, event.attempt) == (Status.EXPIRED, Reason.EXPIRED, 2)
    assert await emails_to(simulator, address) == []


async def test_who_switched_email_off_gets_none(
    *, desk: Desk, simulator: Simulator, reports: Reports, world: World, new_message: NewMessage, address: str
) -> None:
    """A preference suppresses, even when it was set after the notification was accepted."""
    message = new_message()
    (
        await world.users.http.put(f"/users/{message.user_id}/preferences", json={"email": False})
    ).raise_for_status()
    assert await desk.deliver(message) == Acknowledge()
    event = await reports.settled(message.notification_id)
    assert (event.status, event.reason) == (Status.SUPPRESSED, Reason.CHANNEL_SWITCHED_OFF)
    assert await emails_to(simulator, address) == []


async def test_who_has_had_enough_gets_no_more(
    *, desk: Desk, simulator: Simulator, reports: Reports, world: World, new_message: NewMessage, address: str
) -> None:
    """A frequency cap lets so many through, also when the first is tried twice, and suppresses the rest."""
    first, second = new_message(), new_message()
    cap = {"frequency_caps": [{"most": 1, "per": "day"}]}
    (await world.users.http.put(f"/users/{first.user_id}/preferences", json=cap)).raise_for_status()
    await misbehave(simulator, {"smtp_code": 451, "times": 1})
    assert isinstance(await desk.deliver(first), Delay)
    assert await desk.deliver(first, attempt=2) == Acknowledge()
    assert await desk.deliver(second) == Acknowledge()
    event = await reports.settled(second.notification_id)
    assert (event.status, event.reason) == (Status.SUPPRESSED, Reason.FREQUENCY_CAPPED)
    assert len(await emails_to(simulator, address)) == 1


@pytest.mark.parametrize(
    ("changed", "reason", "word"),
    [
        ({"user_id": "0198c0de-0000-7000-8000-000000000000"}, Reason.UNKNOWN_USER, "no user"),
        ({"template_id": "no-such-template"}, Reason.UNKNOWN_TEMPLATE, "no-such-template"),
        ({"template_version": 99}, Reason.UNKNOWN_TEMPLATE, "welcome"),
        ({"template_id": "push-only"}, Reason.TEMPLATE_LACKS_CHANNEL, "push-only"),
        ({"variables": {}}, Reason.RENDER_FAILED, "name"),
    ],
    ids=str,
)
async def test_what_can_never_be_sent_fails(
    *,
    desk: Desk,
    reports: Reports,
    new_message: NewMessage,
    changed: dict[str, Any],
    reason: Reason,
    word: str,
) -> None:
    """What no retry can mend fails at once, with words that name what is wrong."""
    message = new_message(**changed)
    settlement = await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    assert isinstance(settlement, DeadLetter)
    assert (event.status, event.reason, settlement.reason) == (Status.FAILED, reason, reason)
    assert event.detail is not None
    assert word in event.detail


@pytest.fixture(scope="module", autouse=True)
async def push_only(world: World) -> None:
    """A template that has no email."""
    await world.add_template("push-only", {"push": {"title": "Hi"}})


async def test_who_has_no_address_cannot_be_reached(
    desk: Desk, reports: Reports, world: World, new_message: NewMessage
) -> None:
    """A person without an email address fails, and the reason says so."""
    message = new_message(user_id=await world.add_user())
    assert isinstance(await desk.deliver(message), DeadLetter)
    event = await reports.settled(message.notification_id)
    assert (event.status, event.reason) == (Status.FAILED, Reason.NO_EMAIL_ADDRESS)


@pytest.mark.parametrize("body", [b"no JSON", b"{}", b"\xff", b'{"schema": 2}'], ids=repr)
async def test_a_malformed_message_is_a_dead_letter(desk: Desk, body: bytes) -> None:
    """Bytes that are no message are put aside, not tried again."""
    settlement = await desk.deliver_body(body)
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize("service", ["users", "templates"])
async def test_a_service_that_is_down_costs_no_attempt(
    settings: EmailSettings, reports: Reports, new_message: NewMessage, service: str
) -> None:
    """Without the user or the template service a message is parked; even its last attempt is kept."""
    message = new_message()
    down = msgspec.structs.replace(settings, **{f"{service}_url": f"http://127.0.0.1:{free_port()}"})
    async with open_desk(down) as desk:
        settlement = await desk.deliver(message, attempt=MAX_ATTEMPTS)
    event = await reports.next_of(message.notification_id)
    assert isinstance(settlement, Delay)
    assert not settlement.counted
    assert (event.status, event.reason, event.attempt) == (
        Status.PARKED,
        Reason.SERVICE_UNAVAILABLE,
        MAX_ATTEMPTS,
    )
    assert event.detail is not None
    assert service in event.detail


async def test_a_service_that_is_back_is_found_again(
    settings: EmailSettings, world: World, new_message: NewMessage
) -> None:
    """A parked message goes out when the service is back, over the same client."""
    port = free_port()
    moved = msgspec.structs.replace(settings, users_url=f"http://127.0.0.1:{port}")
    message = new_message()
    async with open_desk(moved) as desk:
        assert isinstance(await desk.deliver(message), Delay)
        async with serving(world.users.app, port):
            assert await desk.deliver(message) == Acknowledge()


async def test_a_refused_sender_parks(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """What only the operator can mend uses up no attempt of the recipient's message."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 535, "stage": "mail"})
    settlement = await desk.deliver(message, attempt=MAX_ATTEMPTS)
    event = await reports.next_of(message.notification_id)
    assert isinstance(settlement, Delay)
    assert not settlement.counted
    assert (event.status, event.reason) == (Status.PARKED, Reason.CREDENTIAL_REFUSED)


async def test_what_cannot_be_reported_is_not_settled(
    settings: EmailSettings, simulator: Simulator, new_message: NewMessage, address: str
) -> None:
    """Without a broker to report to, the message is kept; handed out again, it is not sent again."""
    message = new_message()
    cut_off = msgspec.structs.replace(settings, broker_url=f"amqp://127.0.0.1:{free_port()}/")
    async with open_desk(cut_off) as desk:
        settlement = await desk.deliver(message)
    assert isinstance(settlement, Delay)
    assert not settlement.counted
    async with open_desk(settings) as other:
        assert await other.deliver(message, redelivered=True) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 1
