"""All SQL on business keys: of the requests with one `dedupe_key`, only the first has a notification."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tidings.kit.database import Connection
from tidings.kit.ids import now


class Claim(NamedTuple):
    """That `notification_id` is to be the only one with its owner's `dedupe_key` until a moment.

    `request_key` is the idempotency key of its request.
    """

    owner: str
    dedupe_key: str
    request_key: str
    notification_id: UUID
    until: datetime


async def fold(connection: Connection, claims: Sequence[Claim]) -> dict[UUID, UUID]:
    """Claim business keys; for each notification that comes too late, the one that has its key.

    The requests of those keep the other's id under their idempotency keys, which are claimed already.
    """
    # Two requests with one key may meet in a transaction, and in one order two such cannot deadlock.
    first: dict[tuple[str, str], Claim] = {}
    for one in claims:
        first.setdefault((one.owner, one.dedupe_key), one)
    ordered = sorted(first.values())
    rows = await connection.fetch(
        _CLAIM,
        [one.owner for one in ordered],
        [one.dedupe_key for one in ordered],
        [one.notification_id for one in ordered],
        [one.until for one in ordered],
        now(),
    )
    holders: dict[tuple[str, str], UUID] = {
        (row["owner"], row["key"]): row["notification_id"] for row in rows
    }
    late = [one for one in claims if holders[one.owner, one.dedupe_key] != one.notification_id]
    folded = {one.notification_id: holders[one.owner, one.dedupe_key] for one in late}
    if late:
        await connection.execute(
            _REDIRECT,
            [one.owner for one in late],
            [one.request_key for one in late],
            [folded[one.notification_id] for one in late],
        )
    return folded


async def drop_expired(connection: Connection, *, limit: int) -> int:
    """Delete business keys whose time is over; returns how many."""
    return len(await connection.fetch(_DROP_EXPIRED, now(), limit))


# One that is held is written as it was: so it is locked, and told in the same statement.
_CLAIM = """
insert into dedupe_keys as held (owner, key, notification_id, expires_at)
select * from unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[])
on conflict (owner, key) do update set
    notification_id =
        case when held.expires_at <= $5 then excluded.notification_id else held.notification_id end,
    expires_at = case when held.expires_at <= $5 then excluded.expires_at else held.expires_at end
returning owner, key, notification_id
"""
_REDIRECT = """
update idempotency_keys k set notification_id = late.holder, deduplicated = true
from unnest($1::text[], $2::text[], $3::uuid[]) as late (owner, key, holder)
where k.owner = late.owner and k.key = late.key
"""
# What is being claimed anew is skipped: waiting for it could deadlock.
_DROP_EXPIRED = """
delete from dedupe_keys where ctid in (
    select ctid from dedupe_keys where expires_at <= $1 limit $2 for update skip locked
) returning 1
"""
