"""Status reports from the workers: written once, in whatever order and however often they come."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.conftest import NewBody
from support.polling import eventually
from support.servers import PATIENCE
from support.world import World, fresh_address
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message

START = datetime(2026, 1, 31, 12, tzinfo=UTC)

# What workers report of one notification, in the order in which it happened, each with its attempt.
LIVES: list[list[tuple[Status, int, Reason | None]]] = [
    [(Status.SENT, 1, None)],
    [
        (Status.RETRYING, 1, Reason.PROVIDER_UNAVAILABLE),
        (Status.PARKED, 2, Reason.SERVICE_UNAVAILABLE),
        (Status.RETRYING, 2, Reason.PROVIDER_THROTTLED),
        (Status.SENT, 3, None),
        (Status.DELIVERED, 3, None),
        (Status.BOUNCED, 3, Reason.RECIPIENT_REFUSED),
    ],
    [
        (Status.RETRYING, 1, Reason.PROVIDER_UNAVAILABLE),
        (Status.RETRYING, 2, Reason.OUTCOME_UNKNOWN),
        (Status.DEAD_LETTERED, 3, Reason.ATTEMPTS_EXHAUSTED),
    ],
    [(Status.PARKED, 1, Reason.CREDENTIAL_REFUSED), (Status.FAILED, 1, Reason.UNKNOWN_USER)],
    [(Status.RETRYING, 1, Reason.PROVIDER_UNAVAILABLE), (Status.EXPIRED, 2, Reason.EXPIRED)],
    # With what providers report afterwards, which is no attempt of ours.
    [
        (Status.RETRYING, 1, Reason.OUTCOME_UNKNOWN),
        (Status.SENT, 2, None),
        (Status.SENT, 0, Reason.DEFERRED),
        (Status.DELIVERED, 0, None),
        (Status.DELIVERED, 0, Reason.COMPLAINED),
    ],
    [
        (Status.PARKED, 1, Reason.SERVICE_UNAVAILABLE),
        (Status.SENT, 1, None),
        (Status.DELIVERED, 0, None),
        (Status.BOUNCED, 0, Reason.HARD_BOUNCE),
    ],
    [(Status.SENT, 1, None), (Status.BOUNCED, 0, Reason.SOFT_BOUNCE)],
    [
        (Status.SENT, 1, None),
        (Status.BOUNCED, 0, Reason.SOFT_BOUNCE),
        (Status.BOUNCED, 0, Reason.HARD_BOUNCE),
    ],
    [(Status.SENT, 1, None), (Status.DELIVERED, 0, Reason.COMPLAINED)],
    [
        (Status.RETRYING, 1, Reason.PROVIDER_THROTTLED),
        (Status.SENT, 2, None),
        (Status.SENT, 0, Reason.DEFERRED),
    ],
]
REMARKS = {Reason.DEFERRED, Reason.COMPLAINED}


def events_of(notification_id: UUID, life: Sequence[tuple[Status, int, Reason | None]]) -> list[StatusEvent]:
    return [
        StatusEvent(
            notification_id=notification_id,
            status=status,
            at=START + timedelta(seconds=step),
            attempt=attempt,
            reason=reason,
            detail=f"step {step}",
            provider="smtp",
        )
        for step, (status, attempt, reason) in enumerate(life)
    ]


async def report(world: World, reports: Sequence[Sequence[StatusEvent]]) -> None:
    bodies = [msgspec.json.encode(StatusReport(events=list(events))) for events in reports]
    await publish(world, bodies)


async def publish(world: World, bodies: Sequence[bytes]) -> None:
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body) for body in bodies])


async def accept(gateway: httpx.AsyncClient, body: dict[str, object]) -> UUID:
    return UUID((await gateway.post("/v1/notifications", json=body)).json()["id"])


async def reported(gateway: httpx.AsyncClient, notification_id: UUID) -> list[tuple[str, int]]:
    """The steps of a timeline that workers reported."""
    timeline = (await gateway.get(f"/v1/notifications/{notification_id}")).json()["timeline"]
    own = {"accepted", "queued"}
    return [(step["status"], step["attempt"]) for step in timeline if step["status"] not in own]


@st.composite
def jumbled(draw: st.DrawFn) -> tuple[list[tuple[Status, int, Reason | None]], list[list[int]]]:
    """A life, and its steps as they arrive: in any order, some repeatedly, split over any reports."""
    life = draw(st.sampled_from(LIVES))
    steps = range(len(life))
    again = draw(st.lists(st.sampled_from(steps), max_size=4))
    order = draw(st.permutations([*steps, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)))))
    edges = [0, *[cut for cut in cuts if cut < len(order)], len(order)]
    return life, [order[start:end] for start, end in pairwise(edges)]


@settings(max_examples=40)
@given(arrival=jumbled())
async def test_reports_in_any_order_end_in_one_state(
    gateway: httpx.AsyncClient,
    world: World,
    new_body: NewBody,
    arrival: tuple[list[tuple[Status, int, Reason | None]], list[list[int]]],
) -> None:
    """However reports arrive, the state is the last of the life, and the timeline is whole and in order."""
    life, reports = arrival
    notification_id = await accept(gateway, new_body())
    events = events_of(notification_id, life)
    await report(world, [[events[step] for step in steps] for steps in reports])

    expected = [(str(status), attempt) for status, attempt, _ in life]

    async def complete() -> bool:
        return await reported(gateway, notification_id) == expected

    await eventually(complete)
    found = (await gateway.get(f"/v1/notifications/{notification_id}")).json()
    last, _, reason = life[-1]
    # A complaint stands in the timeline; it is not why the message was delivered.
    expected_reason = None if reason in REMARKS else reason
    assert (found["status"], found["reason"], found["settled"]) == (last, expected_reason, True)


async def test_a_step_keeps_what_was_reported(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A step of the timeline has the worker's moment, reason, words, provider and reference."""
    notification_id = await accept(gateway, new_body())
    at = datetime.now(UTC)
    event = StatusEvent(
        notification_id=notification_id,
        status=Status.RETRYING,
        at=at,
        attempt=1,
        reason=Reason.PROVIDER_THROTTLED,
        detail="450 4.2.1 Too fast “quoted” \ufffd",
        provider="smtp",
        provider_ref="ref-7",
        next_attempt_at=at + timedelta(seconds=10),
    )
    await report(world, [[event]])

    async def tracked() -> bool:
        return await reported(gateway, notification_id) != []

    await eventually(tracked)
    found = (await gateway.get(f"/v1/notifications/{notification_id}")).json()
    step = next(step for step in found["timeline"] if step["status"] == "retrying")
    assert msgspec.convert({"notification_id": notification_id, **step}, StatusEvent, strict=False) == event
    assert (found["status"], found["reason"], found["settled"]) == ("retrying", "provider_throttled", False)


async def test_what_a_worker_speaks_of_was_queued(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A timeline has the step to the queue, also when a report comes before the gateway marked it."""
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()  # which no gateway marks meanwhile
    notification_id = await accept(gateway, new_body(send_at=later))
    sent = StatusEvent(notification_id=notification_id, status=Status.SENT, at=datetime.now(UTC), attempt=1)
    await report(world, [[sent]])
    found: dict[str, Any] = {}

    async def settled() -> bool:
        found.update((await gateway.get(f"/v1/notifications/{notification_id}")).json())
        return bool(found["settled"])

    await eventually(settled)
    timeline = [(step["status"], step["attempt"]) for step in found["timeline"]]
    assert timeline == [("accepted", 0), ("scheduled", 0), ("queued", 0), ("sent", 1)]
    assert datetime.fromisoformat(found["timeline"][2]["at"]) == sent.at


async def test_a_receipt_follows_its_attempt(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A receipt stands after the attempt before it, though its provider knows whole seconds only."""
    notification_id = await accept(gateway, new_body())
    moments = [
        (Status.RETRYING, 1, timedelta(seconds=0.5)),
        (Status.DELIVERED, 0, timedelta(seconds=30)),
        (Status.SENT, 2, timedelta(seconds=60.9)),
        (Status.BOUNCED, 0, timedelta(seconds=60)),
    ]
    events = [
        StatusEvent(notification_id=notification_id, status=status, attempt=attempt, at=START + after)
        for status, attempt, after in moments
    ]
    await report(world, [events])
    expected = [("retrying", 1), ("delivered", 0), ("sent", 2), ("bounced", 0)]

    async def in_order() -> bool:
        return await reported(gateway, notification_id) == expected

    await eventually(in_order)


async def test_several_devices_have_a_step_each(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """Reports that differ only in their reason or their device are different steps; repeated ones are not."""
    notification_id = await accept(gateway, new_body())
    told = [(Reason.PROVIDER_THROTTLED, "phone"), (Reason.PROVIDER_THROTTLED, "tablet"), (None, "phone")]
    events = [
        StatusEvent(
            notification_id=notification_id,
            status=Status.RETRYING,
            attempt=1,
            at=START + timedelta(seconds=second),
            reason=reason,
            target=target,
        )
        for second, (reason, target) in enumerate(told)
    ]
    await report(world, [events, events])

    async def targets() -> list[str | None]:
        timeline = (await gateway.get(f"/v1/notifications/{notification_id}")).json()["timeline"]
        return [step["target"] for step in timeline if step["status"] == "retrying"]

    async def all_there() -> bool:
        return await targets() == ["phone", "tablet", "phone"]

    await eventually(all_there)


async def test_one_device_does_not_speak_for_all(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """What was sent to one device stays sent, whenever it is heard that another one failed."""
    sent, failed = (
        StatusEvent(notification_id=uuid4(), status=status, attempt=1, at=START, reason=reason, target=target)
        for status, reason, target in (
            (Status.SENT, None, None),
            (Status.FAILED, Reason.RECIPIENT_REFUSED, "tablet"),
        )
    )
    for reports in ([sent, failed], [failed, sent]):
        notification_id = await accept(gateway, new_body())
        for one in reports:
            await report(world, [[msgspec.structs.replace(one, notification_id=notification_id)]])

        async def both_told(notification_id: UUID = notification_id) -> bool:
            return len(await reported(gateway, notification_id)) == 2

        await eventually(both_told)
        found = (await gateway.get(f"/v1/notifications/{notification_id}")).json()
        assert (found["status"], found["reason"]) == ("sent", None)


async def test_a_receipt_of_one_device_does_not_speak_for_all(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A push that one of several devices did not get stays sent, until a receipt speaks of all of them."""
    notification_id = await accept(gateway, new_body())
    told = [(Status.SENT, 1, None), (Status.BOUNCED, 0, "tablet"), (Status.BOUNCED, 0, None)]
    sent, one, every = (
        StatusEvent(notification_id=notification_id, status=status, attempt=attempt, at=START, target=target)
        for status, attempt, target in told
    )

    async def status_after(steps: int) -> str:
        async def all_told() -> bool:
            return len(await reported(gateway, notification_id)) == steps

        await eventually(all_told)
        return str((await gateway.get(f"/v1/notifications/{notification_id}")).json()["status"])

    await report(world, [[sent, one]])
    assert await status_after(2) == "sent"
    await report(world, [[every]])
    assert await status_after(3) == "bounced"


async def test_what_is_not_ours_is_ignored(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A step of a notification that nobody accepted is left out; the others of its report are written."""
    notification_id = await accept(gateway, new_body())
    unknown = events_of(uuid4(), LIVES[1])
    await report(world, [[*unknown, *events_of(notification_id, LIVES[0])], unknown])

    async def tracked() -> bool:
        return await reported(gateway, notification_id) == [("sent", 1)]

    await eventually(tracked)


@pytest.mark.parametrize("body", [b"no JSON", b"{}", b'{"schema": 2, "events": []}', b"\xff"], ids=repr)
@pytest.mark.usefixtures("gateway")
async def test_a_malformed_report_is_a_dead_letter(
    world: World, admin: asyncpg.Connection, body: bytes
) -> None:
    """A report that cannot be read is kept as a dead letter, whole, with the reason."""
    await publish(world, [body])

    async def kept() -> bool:
        found = await admin.fetch("select queue, reason from dead_letters where body = $1", body)
        return [tuple(row) for row in found] == [(STATUS_QUEUE, "malformed_message")]

    await eventually(kept)


async def test_words_that_cannot_be_stored_do_not_hold_up_others(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """U+0000 in a provider's words is left out of them; its step and its neighbours' are written."""
    ids = [await accept(gateway, new_body()) for _ in range(3)]
    events = [events_of(notification_id, LIVES[0])[0] for notification_id in ids]
    events[1] = msgspec.structs.replace(events[1], detail="250 nul\0here", provider_ref="\0")
    await report(world, [[event] for event in events])

    async def all_sent() -> bool:
        return [await reported(gateway, one) for one in ids] == [[("sent", 1)]] * 3

    await eventually(all_sent)
    found = (await gateway.get(f"/v1/notifications/{ids[1]}")).json()
    assert found["timeline"][-1]["detail"] == "250 nulhere"


async def test_a_thousand_reports_at_once(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """Reports that share transactions, of notifications in any order, are all written."""
    person = await world.add_user(email=fresh_address())
    ids = [await accept(gateway, new_body(user_id=person)) for _ in range(20)]
    both = [events_of(one, LIVES[1]) for one in ids]
    reports = [[events[step]] for step in range(6) for events in (both if step % 2 else both[::-1])]
    await asyncio.gather(*(report(world, reports[start::4]) for start in range(4)))

    async def all_bounced() -> bool:
        page = (await gateway.get("/v1/notifications", params={"user_id": person, "limit": "20"})).json()
        return [one["status"] for one in page["notifications"]] == ["bounced"] * 20

    await eventually(all_bounced)
