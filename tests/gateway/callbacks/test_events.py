"""What endpoints are told of notifications, and how it is signed."""

from datetime import timedelta

import msgspec

from gateway.callbacks.conftest import Caller, Desk, Hooks, step
from support.polling import eventually
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE, FAILED_QUEUE
from tidings.kit.broker.deadletters import DETAIL, QUEUE, REASON
from tidings.kit.broker.port import Message
from tidings.kit.ids import now


async def test_a_state_that_is_reached_is_posted_and_signed(caller: Caller, hooks: Hooks) -> None:
    """The owner's endpoint gets one event with the notification, which the reference library verifies."""
    hook = hooks.new()
    endpoint = await caller.add(hook)
    notification_id = await caller.send(metadata={"order": "17"})
    await caller.report(step(notification_id, Status.SENT))
    await hook.wait_for(1)

    (event,) = hook.verified(endpoint["secret"])
    assert event["type"] == "notification.sent"
    assert event["data"]["id"] == str(notification_id)
    assert event["data"]["metadata"] == {"order": "17"}
    assert event["data"]["status"] == "sent"


async def test_every_step_is_told_in_order(caller: Caller, hooks: Hooks) -> None:
    """Steps reported together are events of their own; the greatest sequence has the present state."""
    hook = hooks.new()
    await caller.add(hook)
    notification_id, at = await caller.send(), now()
    await caller.report(
        step(notification_id, Status.RETRYING, Reason.PROVIDER_UNAVAILABLE, at=at),
        step(notification_id, Status.SENT, attempt=2, at=at + timedelta(seconds=1)),
        step(notification_id, Status.SENT, Reason.DEFERRED, attempt=0, at=at + timedelta(seconds=2)),
        step(notification_id, Status.DELIVERED, attempt=0, at=at + timedelta(seconds=3)),
        step(notification_id, Status.DELIVERED, Reason.COMPLAINED, attempt=0, at=at + timedelta(seconds=4)),
    )
    await hook.wait_for(4)

    events = sorted(hook.events, key=lambda event: event["data"]["sequence"])
    assert {event["type"].partition(".")[2] for event in events} == {
        "sent",
        "delivered",
        "deferred",
        "complained",
    }
    assert events[-1]["data"]["status"] == "delivered"
    states = [event["data"]["status"] for event in events]
    assert states.index("delivered") > states.index("sent")
    assert "sent" not in states[states.index("delivered") :]


async def test_a_report_that_comes_twice_is_one_event(caller: Caller, hooks: Hooks) -> None:
    """Workers and providers repeat themselves; endpoints hear each thing once."""
    hook = hooks.new()
    endpoint = await caller.add(hook)
    notification_id, at = await caller.send(), now()
    steps = [
        step(notification_id, Status.SENT, at=at),
        step(notification_id, Status.DELIVERED, Reason.CLICKED, attempt=0, at=at),
        step(notification_id, Status.BOUNCED, Reason.HARD_BOUNCE, attempt=0, at=at),
    ]
    for _ in range(3):
        await caller.report(*steps)
    end = await caller.send()
    await caller.report(step(end, Status.SENT))
    await eventually(lambda: str(end) in {event["data"]["id"] for event in hook.events})

    told = [delivery["type"] for delivery in await caller.deliveries(endpoint)]
    assert sorted(told) == sorted(
        [f"notification.{one}" for one in ("sent", "delivered", "clicked", "bounced", "sent")]
    )


async def test_what_nobody_reported_is_told_too(caller: Caller, hooks: Hooks) -> None:
    """A message that the broker gave up on, because its workers kept dying, is an event as well."""
    hook = hooks.new()
    await caller.add(hook)
    notification_id = await caller.send()
    body = msgspec.json.encode(
        DeliveryMessage(
            notification_id=notification_id,
            request_id="17",
            channel=Channel.EMAIL,
            user_id="7",
            template_id="welcome",
            accepted_at=now(),
        )
    )
    headers = {REASON: "delivery_limit", DETAIL: "handed out 20 times", QUEUE: EMAIL_QUEUE}
    await caller.broker.publish(FAILED_QUEUE, [Message(str(notification_id), body, headers)])
    await hook.wait_for(1)

    (event,) = hook.events
    assert event["type"] == "notification.dead_lettered"
    assert (event["data"]["status"], event["data"]["reason"]) == ("dead_lettered", "delivery_limit")


async def test_only_what_was_chosen(caller: Caller, hooks: Hooks) -> None:
    """An endpoint hears of the events and channels it chose, another one of all."""
    failures, pushes, everything = hooks.new(), hooks.new(), hooks.new()
    await caller.add(failures, events=["notification.failed", "notification.bounced"])
    await caller.add(pushes, channels=["push"])
    await caller.add(everything)
    one, other = await caller.send(), await caller.send(channel="push", variables={"name": "A", "link": "x"})
    await caller.report(
        step(one, Status.SENT), step(one, Status.BOUNCED, attempt=0), step(other, Status.SENT)
    )
    await everything.wait_for(3)
    await failures.wait_for(1)
    await pushes.wait_for(1)

    assert failures.types == ["notification.bounced"]
    assert [event["data"]["id"] for event in pushes.events] == [str(other)]


async def test_nobody_hears_of_what_others_sent(desk: Desk, caller: Caller, hooks: Hooks) -> None:
    """Events go to the endpoints of the API key that sent the notification."""
    mine, theirs = hooks.new(), hooks.new()
    await caller.add(mine)
    async with desk.caller() as other:
        endpoint = await other.add(theirs)
        await caller.sent()
        await mine.wait_for(1)
        assert await other.deliveries(endpoint) == []


async def test_both_secrets_sign_for_a_day(caller: Caller, hooks: Hooks) -> None:
    """After a rotation either secret verifies, and the answer says until when the old one does."""
    hook = hooks.new()
    endpoint = await caller.add(hook)
    rotated = await caller.ask(endpoint, "rotate-secret")
    await caller.sent()
    await hook.wait_for(1)

    assert rotated["secret"] != endpoint["secret"]
    assert hook.verified(rotated["secret"]) == hook.verified(endpoint["secret"])
    assert rotated["old_secret_until"] is not None


async def test_the_old_secret_ends(desk: Desk, caller: Caller, hooks: Hooks) -> None:
    """Once its day is over only the new secret signs."""
    hook = hooks.new()
    endpoint = await caller.add(hook)
    await caller.ask(endpoint, "rotate-secret")
    await desk.admin.execute("update callback_endpoints set old_secret_until = now()")
    await caller.sent()
    await hook.wait_for(1)

    assert len(hook.got[0][1]["webhook-signature"].split(" ")) == 1
    assert (await caller.read(endpoint))["old_secret_until"] is None


async def test_a_fallback_that_is_not_needed(caller: Caller, hooks: Hooks) -> None:
    """Endpoints hear, of the fallback itself, that it is cancelled, and why."""
    hook = hooks.new()
    await caller.add(hook, events=["notification.cancelled"])
    variables = {"name": "Ada", "link": "https://example.com"}
    notification_id = await caller.send(
        channel="push", variables=variables, fallback={"channel": "email", "unless": "sent"}
    )
    await caller.report(step(notification_id, Status.SENT))
    await hook.wait_for(1)

    (event,) = hook.events
    assert (event["data"]["channel"], event["data"]["reason"]) == ("email", "not_needed")
