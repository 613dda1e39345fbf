"""What notifications said is forgotten after a while; what became of them is not."""

from uuid import UUID

import msgspec

from gateway.data_life.conftest import Opened
from gateway.data_life.stored import Stored, days_ago, storing
from support.polling import eventually
from support.servers import PATIENCE
from tidings.contracts.callbacks import EventType, NotificationCallback, NotificationNews
from tidings.contracts.codes import Channel, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import new_id, now

OLD = days_ago(40)


async def add_callback(stored: Stored, notification_id: UUID, said: str) -> None:
    """A callback about a notification that its endpoint never took."""
    news = NotificationNews(
        id=notification_id,
        request_id="r",
        channel=Channel.EMAIL,
        user_id="somebody",
        template_id="welcome",
        metadata={"order": said},
        sandbox=False,
        status=Status.SENT,
        detail=said,
        attempt=1,
        accepted_at=OLD,
        sequence=1,
    )
    await stored.connection.execute(
        """
        insert into callback_deliveries
            (id, endpoint_id, event_id, type, notification_id, body, status, log, created_at)
        values ($1, $1, $1, 'notification.sent', $2, $3, 'failed', $4, now())
        """,
        new_id(),
        notification_id,
        msgspec.json.encode(NotificationCallback(type=EventType.SENT, timestamp=OLD, data=news)),
        msgspec.json.encode([{"at": OLD, "milliseconds": 5, "status_code": 400, "answer": said}]).decode(),
    )


async def test_what_was_said_is_forgotten(opened: Opened, stored: Stored) -> None:
    """Variables, metadata, files, words of providers, dead letters and callbacks; not the timeline."""
    old = await stored.notification(OLD)
    letter_id = await stored.dead_letter(OLD, old)
    await add_callback(stored, old, "Gutenberg")
    async with opened(redact_after_days=30) as gateway:
        await eventually(lambda: _nothing_secret(stored))
        found = (await gateway.get(f"/v1/notifications/{old}")).json()
        letter = (await gateway.get(f"/v1/dead-letters/{letter_id}")).json()
    assert found["redacted_at"] is not None
    assert (found["user_id"], found["status"], found["metadata"]) == ("somebody", "sent", {})
    assert [step["status"] for step in found["timeline"]] == ["accepted", "sent"]
    assert [step.get("detail") for step in found["timeline"]] == [None, None]
    assert found["timeline"][1]["provider_ref"] == "ref-1"
    assert letter["redacted_at"] is not None
    assert (letter["message"]["variables"], letter["edits"], letter["detail"]) == ({}, None, "")


async def test_the_young_and_the_unsettled_keep_what_they_say(opened: Opened, stored: Stored) -> None:
    """Nothing is taken from what may still be sent; it goes once that is over, at the next look."""
    young = await stored.notification(days_ago(20))
    waiting = await stored.notification(OLD, status="parked")
    old = await stored.notification(OLD)
    async with opened(redact_after_days=30) as gateway:
        await eventually(lambda: _is_redacted(stored, old))
        answers = [(await gateway.get(f"/v1/notifications/{one}")).json() for one in (young, waiting)]
    assert [answer["metadata"] for answer in answers] == [{"order": "Gutenberg"}] * 2
    await stored.connection.execute("update notifications set status = 'sent' where id = $1", waiting)
    async with opened(redact_after_days=30):
        await eventually(lambda: _is_redacted(stored, waiting))
    assert not await _is_redacted(stored, young)


async def test_it_is_off_unless_asked_for(opened: Opened, stored: Stored) -> None:
    """Without `redact_after_days` a gateway forgets nothing that it keeps."""
    old = await stored.notification(OLD)
    week = await stored.week(days_ago(100))
    async with opened() as gateway:
        await eventually(lambda: _is_gone(stored, week))  # so it has looked through everything
        found = (await gateway.get(f"/v1/notifications/{old}")).json()
    assert found["metadata"] == {"order": "Gutenberg"}


async def test_a_redacted_dead_letter_is_not_replayed(opened: Opened, stored: Stored) -> None:
    """One by one and as a job it is refused, with the reason; it cannot be edited back into life either."""
    letter_id = await stored.dead_letter(OLD, await stored.notification(OLD, status="dead_lettered"))
    job = {"filter": {"ids": [str(letter_id)]}, "dry_run": True}
    async with opened(redact_after_days=30) as gateway:
        await eventually(lambda: _nothing_secret(stored))
        answers = [
            await gateway.post(f"/v1/dead-letters/{letter_id}/replay", json={}),
            await gateway.patch(f"/v1/dead-letters/{letter_id}", json={"variables": {"name": "Ada"}}),
        ]
        plan = (await gateway.post("/v1/dead-letters/replays", json=job)).json()
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(422, "redacted_dead_letter")] * 2
    assert plan["skipped"] == {"redacted_dead_letter": 1}


async def test_hearing_of_an_erasure_puts_nothing_off(
    opened: Opened, stored: Stored, database_url: str
) -> None:
    """Redaction waits for who is writing that down just then, and not until it is its turn again."""
    await stored.notification(OLD)
    async with storing(database_url) as other:
        hearing = other.connection.transaction()
        await hearing.start()
        await other.connection.execute("select from data_life for update")
        async with opened(redact_after_days=30):
            await eventually(lambda: _is_held_up(stored))
            await hearing.rollback()
            await eventually(lambda: _nothing_secret(stored))


async def _is_held_up(stored: Stored) -> bool:
    """Whether somebody waits to write down how far redaction has come."""
    return bool(
        await stored.connection.fetchval(
            """
            select exists (
                select from pg_stat_activity where datname = current_database()
                    and wait_event_type = 'Lock' and query like 'update data_life set redacted_up_to%'
            )
            """
        )
    )


async def test_a_late_report_brings_nothing_back(opened: Opened, stored: Stored, broker_url: str) -> None:
    """A receipt after the redaction moves the state, without the provider's words."""
    old = await stored.notification(OLD)
    event = StatusEvent(notification_id=old, status=Status.BOUNCED, at=now(), detail="no such user Gutenberg")
    async with (
        opened(redact_after_days=30),
        open_broker(broker_url, topology(), publish_limit=PATIENCE) as broker,
    ):
        await eventually(lambda: _nothing_secret(stored))
        body = msgspec.json.encode(StatusReport(events=[event]))
        await broker.publish(STATUS_QUEUE, [Message("late", body)])
        await eventually(lambda: _has_status(stored, old, "bounced"))
    assert await _nothing_secret(stored)


async def _nothing_secret(stored: Stored) -> bool:
    return not await stored.secrets()


async def _is_redacted(stored: Stored, notification_id: UUID) -> bool:
    return bool(
        await stored.connection.fetchval(
            "select redacted_at is not null from notifications where id = $1", notification_id
        )
    )


async def _has_status(stored: Stored, notification_id: UUID, status: str) -> bool:
    found = await stored.connection.fetchval(
        "select status from notifications where id = $1", notification_id
    )
    return bool(found == status)


async def _is_gone(stored: Stored, week: str) -> bool:
    return not await stored.has_week(week)
