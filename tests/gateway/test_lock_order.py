"""Whoever moves several notifications at once locks them in one order: no two wait for one another."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from support.polling import eventually
from support.servers import create_database, open_schema, provision
from tidings.contracts.codes import Channel, Priority, Reached, Reason, Status
from tidings.contracts.dead_letters import DeadLetterFilter
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.contracts.users import Erasure
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.callbacks.store import EndpointStore
from tidings.gateway.callbacks.subscriptions import Subscriptions
from tidings.gateway.cancelling.store import CancelStore, Terms
from tidings.gateway.channels.naming import MOST_OTHERS, sibling_id
from tidings.gateway.data_life.erasure_store import ErasureStore
from tidings.gateway.data_life.redaction_store import RedactionStore
from tidings.gateway.dead_letters.store import DeadLetterStore, Letter
from tidings.gateway.store import GatewayStore, NewRow, add_notifications
from tidings.gateway.tracking_store import TrackingStore
from tidings.kit.database import Database
from tidings.kit.errors import Unavailable
from tidings.kit.ids import new_id, now

ROUNDS = 40
PAIRS = 8
LATER = timedelta(hours=1)


@dataclass(frozen=True)
class Stores:
    """What changes notifications, several at once."""

    database: Database
    sending: GatewayStore
    tracking: TrackingStore
    cancelling: CancelStore
    letters: DeadLetterStore
    erasing: ErasureStore
    redacting: RedactionStore


@pytest.fixture
async def database_url(postgres_admin_url: str) -> str:
    """The superuser's URL of a database that only this test uses, in which a deadlock is found at once."""
    url = await create_database(postgres_admin_url)
    async with superuser(url) as connection:
        name = await connection.fetchval("select quote_ident(current_database())")
        await connection.execute(f"alter database {name} set deadlock_timeout = '20ms'")
    return url


@asynccontextmanager
async def superuser(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the superuser's."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Stores]:
    """The stores, as two gateways under load would use them."""
    own = await provision(url, "gateway")
    async with open_schema(own, "gateway", pool_size=20) as database:
        outbox = CallbackOutbox(Subscriptions(EndpointStore(database)), lambda: None)
        yield Stores(
            database,
            GatewayStore(database),
            TrackingStore(database, outbox),
            CancelStore(database, outbox),
            DeadLetterStore(database, outbox),
            ErasureStore(database, outbox),
            RedactionStore(database),
        )


async def deadlocks(url: str) -> int:
    """How many there were, once all connections have told what they know."""
    async with superuser(url) as connection:

        async def is_alone() -> bool:
            found: int = await connection.fetchval(
                "select count(*) from pg_stat_activity where datname = current_database()"
            )
            return found == 1

        await eventually(is_alone)
        counted: int = await connection.fetchval(
            "select deadlocks from pg_stat_database where datname = current_database()"
        )
    return counted


def message(notification_id: UUID, user_id: UUID, channel: Channel) -> DeliveryMessage:
    """One notification to a person."""
    return DeliveryMessage(
        notification_id=notification_id,
        request_id=str(notification_id),
        channel=channel,
        user_id=str(user_id),
        template_id="welcome",
        accepted_at=now(),
    )


def row(content: DeliveryMessage, **links: Any) -> NewRow:  # noqa: ANN401 - passed on by name
    """A notification as it comes into the table."""
    return NewRow(message=content, body=msgspec.json.encode(content), owner="", headers={}, **links)


def pair(user_id: UUID) -> list[NewRow]:
    """A push, and the email that waits for what becomes of it."""
    first = UUID(int=new_id().int & ~MOST_OTHERS)
    second = sibling_id(first, 1)
    return [
        row(message(first, user_id, Channel.PUSH), fallback_id=second, group_id=first),
        row(
            message(second, user_id, Channel.EMAIL),
            fallback_of=first,
            fallback_unless=Reached.DELIVERED,
            group_id=first,
            send_at=now() + LATER,
        ),
    ]


def events(ids: list[UUID]) -> list[StatusEvent]:
    """What workers tell of some of them."""
    kinds = (Status.RETRYING, Status.SENT, Status.DELIVERED, Status.FAILED)
    return [
        StatusEvent(notification_id=one, status=random.choice(kinds), attempt=1, at=now())  # noqa: S311 - no secret
        for one in ids
    ]


def letters(ids: list[UUID], user_id: UUID) -> list[Letter]:
    """Messages that the broker gave up on."""
    contents = [message(one, user_id, Channel.PUSH) for one in ids]
    return [
        Letter(
            id=new_id(),
            fingerprint=one.notification_id.bytes,
            message=one,
            queue="push.queue",
            reason=Reason.DELIVERY_LIMIT,
            detail="",
            cause="",
            body=msgspec.json.encode(one),
            headers={},
            recorded_at=now(),
            unreported=True,
        )
        for one in contents
    ]


def some(ids: list[UUID]) -> list[UUID]:
    """A good part of them, in any order."""
    return random.sample(ids, k=len(ids) * 2 // 3)


async def all_at_once(stores: Stores, ids: list[UUID], user_id: UUID) -> None:
    """What can happen to a person's notifications in one moment."""

    async def cancel(chosen: list[UUID]) -> None:
        await stores.cancelling.cancel(
            chosen, chosen[::2], Terms(None, only_tests=False, actor="somebody", subject="all")
        )

    async def lease() -> None:
        await stores.sending.lease_due(Priority.NORMAL, limit=50, lease=timedelta(seconds=1))

    work: list[Awaitable[object]] = [
        *(stores.tracking.track(events(some(ids))) for _ in range(4)),
        *(cancel(some(ids)) for _ in range(3)),
        *(stores.letters.record(letters(some(ids), user_id)) for _ in range(2)),
        *(stores.sending.mark_queued(some(ids), at=now()) for _ in range(2)),
        *(stores.sending.release(some(ids), after=timedelta(0)) for _ in range(2)),
        lease(),
        stores.letters.discard(DeadLetterFilter(user_id=str(user_id)), actor="somebody", only_tests=False),
        stores.erasing.apply_next(unsettled_after=timedelta(0)),
        stores.redacting.redact_notifications(now(), limit=50),
    ]
    random.shuffle(work)
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        # A slow machine may end one that had to wait.
        if isinstance(outcome, BaseException) and not isinstance(outcome, Unavailable):
            raise outcome


async def test_nobody_waits_for_one_another(database_url: str) -> None:
    """Trackers, cancels, dead letters, the sweeper, erasure and redaction never end in a deadlock."""
    async with opened(database_url) as stores:
        for number in range(1, ROUNDS + 1):
            user_id = uuid4()
            rows = [one for _ in range(PAIRS) for one in pair(user_id)]
            async with stores.database.transaction() as connection:
                await add_notifications(connection, rows)
            await stores.erasing.hear([Erasure(number=number, user_id=user_id, erased_at=now())])
            await all_at_once(stores, [one.message.notification_id for one in rows], user_id)
    assert await deadlocks(database_url) == 0
