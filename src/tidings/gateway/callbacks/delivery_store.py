"""All SQL on what is on its way to endpoints: handing out, settling, listing, sending again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.callbacks import (
    CallbackAttempt,
    CallbackDelivery,
    DeliveryStatus,
    EndpointNews,
    EndpointStatus,
)
from tidings.gateway.callbacks import outbox_store
from tidings.gateway.callbacks.outbox import tell_others
from tidings.gateway.callbacks.policy import CallbackPolicy
from tidings.gateway.callbacks.store import secrets_of, stop
from tidings.kit.audit.store import record as record_audit
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now
from tidings.kit.moments import written

BATCH_SECONDS = 10.0
"""No caller waits for it."""
KEPT_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Order:
    """A delivery whose `attempt`-th attempt is due."""

    delivery_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that one attempt needs. `keys` are secrets to sign with."""

    order: Order
    endpoint_id: UUID
    event_id: UUID
    url: str
    keys: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an attempt. `next_at` is when to try again; `gone`: the endpoint wants no more."""

    order: Order
    endpoint_id: UUID
    attempt: CallbackAttempt
    taken: bool
    next_at: datetime | None = None
    gone: bool = False

    @property
    def status(self) -> DeliveryStatus:
        """Where the delivery stands now."""
        if self.taken:
            return DeliveryStatus.DELIVERED
        return DeliveryStatus.PENDING if self.next_at else DeliveryStatus.FAILED


class DeliveryStore:
    """Events on their way to endpoints."""

    def __init__(self, database: Database, policy: CallbackPolicy) -> None:
        self._database = database
        self._policy = policy

    async def lease(self, *, limit: int) -> list[Order]:
        """Attempts that are due, in each endpoint's window. Nobody else gets them until the lease ends."""
        policy, moment = self._policy, now()
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            # Two gateways that lease at once would each fill the window.
            if not await connection.fetchval(_ALONE):
                return []
            rows = await connection.fetch(
                _LEASE, moment, moment + policy.lease, policy.window, policy.breaker_failures, limit
            )
        return [Order(row["id"], row["attempts"] + 1) for row in rows]

    async def release(self, orders: Sequence[Order], *, after: timedelta) -> None:
        """Give a lease back: they could not be handed out, and are due again soon."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            await connection.execute(_RELEASE, [one.delivery_id for one in orders], now() + after)

    async def parcels(self, orders: Sequence[Order]) -> list[Parcel | None]:
        """What to post. None: it was done by another, or the endpoint is stopped or deleted."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_PARCELS, [order.delivery_id for order in orders])
        found = {Order(row["id"], row["attempts"] + 1): row for row in rows}
        return [_parcel(order, found[order]) if order in found else None for order in orders]

    async def settle(self, verdicts: Sequence[Verdict]) -> None:
        """Write attempts down, and what they say of their endpoints; repeating it is harmless."""
        ordered = sorted(verdicts, key=lambda one: one.order.delivery_id)
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(
                _SETTLE,
                [one.order.delivery_id for one in ordered],
                [one.order.attempt for one in ordered],
                [one.status for one in ordered],
                [one.next_at for one in ordered],
                [one.attempt for one in ordered],
                KEPT_ATTEMPTS,
            )
            fresh = {row["id"] for row in rows}
            news = [one for one in ordered if one.order.delivery_id in fresh]
            # The same order everywhere, so that two gateways cannot deadlock.
            for endpoint_id in sorted({one.endpoint_id for one in news}):
                await self._judge(connection, [one for one in news if one.endpoint_id == endpoint_id])

    async def _judge(self, connection: Connection, verdicts: Sequence[Verdict]) -> None:
        """What attempts of the same time say of their endpoint: whether it works, rests, or is stopped."""
        endpoint_id, moment = verdicts[0].endpoint_id, now()
        if any(one.taken for one in verdicts):
            await connection.execute(_WORKS, endpoint_id)
        failed = [one for one in verdicts if not one.taken]
        if not failed:
            return
        policy = self._policy
        since = await connection.fetchval(
            _FAILS, endpoint_id, len(failed), moment, policy.breaker_failures, moment + policy.rest
        )
        if any(one.gone for one in failed):
            await _stop(connection, endpoint_id, EndpointStatus.DISABLED, "It answered 410 Gone")
        elif since is not None and moment - since >= policy.suspend_after:
            because = f"Every attempt since {written(since)} failed; the last: {failed[-1].attempt.error}"
            await _stop(connection, endpoint_id, EndpointStatus.SUSPENDED, because)

    async def page(
        self, endpoint_id: UUID, *, status: DeliveryStatus | None, before: UUID | None, limit: int
    ) -> list[CallbackDelivery]:
        """Deliveries of an endpoint, newest first, from the one that follows `before`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, endpoint_id, status, before, limit)
        return [msgspec.convert(dict(row), CallbackDelivery) for row in rows]

    async def recover(self, endpoint_id: UUID, since: datetime, *, limit: int, actor: str) -> int:
        """Make what failed or was missed since then due again, oldest first; returns how many."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_RECOVER, endpoint_id, since, limit, now())
            detail = {"since": since, "events": len(rows)}
            await record_audit(connection, actor, "callback_endpoint.recovered", str(endpoint_id), detail)
        return len(rows)

    async def drop_old(self, *, limit: int) -> int:
        """Delete what is older than it is kept; returns how many."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            return await outbox_store.drop_older(connection, now() - self._policy.kept, limit=limit)


async def _stop(connection: Connection, endpoint_id: UUID, status: EndpointStatus, because: str) -> None:
    row = await stop(connection, endpoint_id, status, because)
    if row is not None:
        news = EndpointNews(id=endpoint_id, url=row["url"], status=status, because=because)
        await tell_others(connection, row, news)


def _parcel(order: Order, row: asyncpg.Record) -> Parcel:
    return Parcel(order, row["endpoint_id"], row["event_id"], row["url"], secrets_of(row), row["body"])


_ALONE = "select pg_try_advisory_xact_lock(hashtext(current_schema() || '.callbacks'))"
_LEASE = """
with chosen as materialized (
    select d.id from callback_endpoints e
    cross join lateral (
        select id from callback_deliveries
        where endpoint_id = e.id and status = 'pending' and due_at <= $1
        order by due_at
        limit greatest(0, case when e.failures >= $4 then 1 else $3::int end - (
            select count(*) from callback_deliveries o
            where o.endpoint_id = e.id and o.queued_at is not null and o.due_at > $1
        ))
        for update skip locked
    ) d
    where e.status = 'active' and (e.rest_until is null or e.rest_until <= $1)
    limit $5
)
update callback_deliveries set queued_at = $1, due_at = $2 where id in (select id from chosen)
returning id, attempts
"""
_RELEASE = """
update callback_deliveries set queued_at = null, due_at = $2
where id = any($1::uuid[]) and status = 'pending'
"""
_PARCELS = """
select d.id, d.attempts, d.endpoint_id, d.event_id, d.body, e.url, e.secret, e.old_secret, e.old_secret_until
from callback_deliveries d join callback_endpoints e on e.id = d.endpoint_id
where d.id = any($1::uuid[]) and d.status = 'pending' and e.status = 'active'
"""
_SETTLE = """
update callback_deliveries d
set status = s.status, attempts = s.attempt, due_at = s.next_at, queued_at = null,
    log = case when jsonb_array_length(d.log) >= $6 then d.log - 0 else d.log end || s.entry
from unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::jsonb[])
    as s (id, attempt, status, next_at, entry)
where d.id = s.id and d.status = 'pending' and d.attempts = s.attempt - 1
returning d.id
"""
_WORKS = """
update callback_endpoints set failures = 0, failing_since = null, rest_until = null
where id = $1 and failures > 0
"""
_FAILS = """
update callback_endpoints
set failures = failures + $2, failing_since = coalesce(failing_since, $3),
    rest_until = case when failures + $2 >= $4 then $5::timestamptz end
where id = $1 returning failing_since
"""
_PAGE = """
select id, event_id, type, notification_id, status, created_at, log as attempts,
    case when status = 'pending' then due_at end as next_attempt_at
from callback_deliveries
where endpoint_id = $1 and ($2::text is null or status = $2) and ($3::uuid is null or id < $3)
order by id desc limit $4
"""
_RECOVER = """
update callback_deliveries set status = 'pending', attempts = 0, due_at = $4, queued_at = null
where id in (
    select id from callback_deliveries
    where endpoint_id = $1 and status in ('failed', 'missed') and created_at >= $2
    order by created_at limit $3 for update skip locked
)
returning 1
"""
