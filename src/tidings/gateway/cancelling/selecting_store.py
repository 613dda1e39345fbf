"""All SQL that finds which notifications a cancel of many means, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tidings.contracts.cancels import MAX_CANCELS, MAX_LEFT, NewCancels
from tidings.contracts.codes import Status
from tidings.gateway.reach import owner_for
from tidings.kit.auth import Principal
from tidings.kit.database import Connection

WAITING = [status for status in Status if not status.settled]
"""The states in which something can be cancelled."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request for many means: up to 1,000 ids, how many more wait, and what nobody knows."""

    ids: list[UUID]
    left: int
    unknown: list[str]


async def select(connection: Connection, wanted: NewCancels, caller: Principal) -> Selection:
    """The notifications that are meant, those that wait first, in the transaction of `connection`.

    How much it reads is bounded, however many are settled: what waits is found by its state.
    """
    condition, terms = _terms(wanted, caller)
    # Names that are rare and names that everything has need different indexes; a kept plan knows neither.
    await connection.execute("set local plan_cache_mode = force_custom_plan")
    rows = await connection.fetch(_WAITING.format(condition=condition), *terms, WAITING, MAX_CANCELS)
    room = MAX_CANCELS - len(rows)
    left = 0 if room else await _count_left(connection, condition, terms)
    if room and wanted.schedule_id is None:  # all that a schedule has ever made would be too much
        settled = _SETTLED_GROUP if wanted.request_ids is None else _SETTLED_NAMES
        rows += await connection.fetch(settled, *terms, WAITING, room)
    unknown = []
    if wanted.request_ids is not None:
        met = {row["request_id"] for row in rows}
        missing = await connection.fetch(_UNKNOWN, *terms)
        unknown = [row["name"] for row in missing if row["name"] not in met]
    return Selection([row["id"] for row in rows], left, unknown)


def _terms(wanted: NewCancels, caller: Principal) -> tuple[str, tuple[object, bool, str | None]]:
    """The condition that a request asks for, and the values of this and of what the caller reaches."""
    if wanted.group_id is not None:
        return _OF_GROUP, (wanted.group_id, caller.sandbox, None)
    if wanted.schedule_id is not None:
        return "schedule_id = $1", (wanted.schedule_id, caller.sandbox, None)
    # Names belong to the API key, as idempotency keys do. Ids, which nobody can guess, need no such guard.
    return "request_id = any($1::text[])", (wanted.request_ids, caller.sandbox, owner_for(caller))


async def _count_left(connection: Connection, condition: str, terms: Sequence[object]) -> int:
    statement = _COUNT.format(condition=condition)
    counted: int = await connection.fetchval(statement, *terms, WAITING, MAX_CANCELS + MAX_LEFT)
    return counted - MAX_CANCELS


_OF_GROUP = "(id = $1 or group_id = $1)"
_REACHED = """
    (not $2::boolean or (message ->> 'sandbox')::boolean) and ($3::text is null or owner = $3)
"""
_WAITING = f"""
select id, request_id from notifications
where {{condition}} and {_REACHED} and status = any($4::text[]) order by id limit $5
"""  # noqa: S608 - constants of ours
_COUNT = f"""
select count(*) from (
    select from notifications where {{condition}} and {_REACHED} and status = any($4::text[]) limit $5
) as waiting
"""  # noqa: S608 - the same
_SETTLED_GROUP = f"""
select id, request_id from notifications
where {_OF_GROUP} and {_REACHED} and status <> all($4::text[]) order by id limit $5
"""  # noqa: S608 - the same
# Of what is settled it is only told that it is. For that a name is not read to its end, however many have it.
_OF_NAME = """
    select id, owner, request_id, status, message from notifications
    where request_id = wanted.name limit 10000
"""
_SETTLED_NAMES = f"""
select found.id, found.request_id from (select distinct unnest($1::text[]) as name) as wanted
cross join lateral (
    select id, request_id from ({_OF_NAME}) as of_name
    where {_REACHED} and status <> all($4::text[]) limit $5
) as found
order by id limit $5
"""  # noqa: S608 - the same
_UNKNOWN = f"""
select name from unnest($1::text[]) as wanted (name)
left join lateral (select id from ({_OF_NAME}) as of_name where {_REACHED} limit 1) as found on true
where found.id is null
"""  # noqa: S608 - the same
