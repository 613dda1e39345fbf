"""All SQL on endpoints for callbacks, as their owners keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.callbacks import (
    CallbackEndpoint,
    CallbackEndpointPatch,
    EndpointStatus,
    EventType,
    NewCallbackEndpoint,
)
from tidings.contracts.codes import Channel
from tidings.kit.audit.store import record as record_audit
from tidings.kit.database import Connection, Database
from tidings.kit.ids import new_id, now

MOST_ENDPOINTS = 50
BY_ITS_OWNER = "It was disabled by its owner"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one endpoint wants to hear of. No channels means all."""

    endpoint_id: UUID
    owner: str
    events: frozenset[str]
    channels: frozenset[str]

    def wants(self, event: EventType, channel: Channel) -> bool:
        """Whether an event of a notification on this channel is to be posted to it."""
        chosen = EventType.EVERY in self.events or event in self.events
        return chosen and (not self.channels or channel in self.channels)


class EndpointStore:
    """Endpoints of owners. Where an `owner` is asked for, None stands for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, owner: str, new: NewCallbackEndpoint, secret: str) -> CallbackEndpoint | None:
        """Keep a new endpoint; None when the owner has as many as there may be."""
        status = EndpointStatus.ACTIVE if new.enabled else EndpointStatus.DISABLED
        because = None if new.enabled else BY_ITS_OWNER
        fields = (owner, new.url, new.events, new.channels, new.description, status, because, secret)
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_INSERT, new_id(), *fields, now(), MOST_ENDPOINTS)
            if row is None:
                return None
            await record_audit(
                connection, owner, "callback_endpoint.created", str(row["id"]), {"url": new.url}
            )
        return _endpoint(row)

    async def page(self, owner: str | None, *, before: UUID | None, limit: int) -> list[CallbackEndpoint]:
        """Endpoints, newest first, from the one that follows `before`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, owner, before, limit)
        return [_endpoint(row) for row in rows]

    async def find(self, endpoint_id: UUID, owner: str | None) -> CallbackEndpoint | None:
        """One endpoint."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ, endpoint_id, owner)
        return None if row is None else _endpoint(row)

    async def keys(self, endpoint_id: UUID) -> tuple[str, tuple[str, ...]] | None:
        """Where to post, and the secrets to sign with, the newest first."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_KEYS, endpoint_id)
        return None if row is None else (row["url"], secrets_of(row))

    async def change(
        self,
        endpoint_id: UUID,
        owner: str | None,
        patch: CallbackEndpointPatch,
        *,
        actor: str,
        action: str = "callback_endpoint.changed",
    ) -> CallbackEndpoint | None:
        """Change an endpoint; the patch's fields are taken as they are. None when there is none."""
        given = {name: getattr(patch, name) for name in patch.__struct_fields__}
        given = {name: value for name, value in given.items() if value is not msgspec.UNSET}
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_READ + " for update", endpoint_id, owner)
            if row is None:
                return None
            (changed,) = await connection.fetch(_UPDATE, endpoint_id, *_changed(row, given), now())
            await record_audit(connection, actor, action, str(endpoint_id), given)
        return _endpoint(changed)

    async def rotate(
        self, endpoint_id: UUID, owner: str | None, secret: str, *, old_until: datetime, actor: str
    ) -> CallbackEndpoint | None:
        """Sign with a new secret; the one before signs beside it until `old_until`."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_ROTATE, endpoint_id, owner, secret, old_until, now())
            if row is None:
                return None
            await record_audit(connection, actor, "callback_endpoint.secret_rotated", str(endpoint_id))
        return _endpoint(row)

    async def remove(self, endpoint_id: UUID, owner: str | None, *, actor: str) -> bool:
        """Delete an endpoint; says whether there was one. What is on its way to it is dropped."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_DELETE, endpoint_id, owner)
            if row is not None:
                await record_audit(
                    connection, actor, "callback_endpoint.deleted", str(endpoint_id), {"url": row["url"]}
                )
        return row is not None

    async def subscriptions(self) -> list[Subscription]:
        """What every endpoint wants."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_SUBSCRIPTIONS)
        return [
            Subscription(row["id"], row["owner"], frozenset(row["events"]), frozenset(row["channels"]))
            for row in rows
        ]


def secrets_of(row: asyncpg.Record) -> tuple[str, ...]:
    """The secrets that sign now, from a row with `secret`, `old_secret` and `old_secret_until`."""
    until = row["old_secret_until"]
    holds = until is not None and until > now()
    return (row["secret"], row["old_secret"]) if holds else (row["secret"],)


async def stop(
    connection: Connection, endpoint_id: UUID, status: EndpointStatus, because: str
) -> asyncpg.Record | None:
    """Stop an active endpoint, with an entry in the audit log; None when it was not active."""
    row = await connection.fetchrow(_STOP, endpoint_id, status, because, now())
    if row is not None:
        await record_audit(
            connection, "gateway", f"callback_endpoint.{status}", str(endpoint_id), {"because": because}
        )
    return row


def _changed(row: asyncpg.Record, given: Mapping[str, object]) -> list[object]:
    """The columns that a patch may change, in the order of `_UPDATE`."""
    fields = [given.get(name, row[name]) for name in ("url", "events", "channels", "description")]
    status, because = row["status"], row["status_because"]
    if given.get("enabled") is False:
        status, because = EndpointStatus.DISABLED, BY_ITS_OWNER
    elif given.get("enabled"):
        status, because = EndpointStatus.ACTIVE, None
    # Another address, or its owner's word, is a new beginning.
    fresh = given.get("enabled") is True or "url" in given
    return [*fields, status, because, fresh]


def _endpoint(row: asyncpg.Record) -> CallbackEndpoint:
    return msgspec.convert(dict(row), CallbackEndpoint)


_SHOWN = """
id, url, events, channels, description, status, status_because, failures, failing_since,
case when old_secret_until > now() then old_secret_until end as old_secret_until, created_at, updated_at
"""
_INSERT = f"""
insert into callback_endpoints
    (id, owner, url, events, channels, description, status, status_because, secret, created_at, updated_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10
where (select count(*) from callback_endpoints where owner = $2) < $11
returning {_SHOWN}
"""  # noqa: S608 - constants of ours
_PAGE = f"""
select {_SHOWN} from callback_endpoints
where ($1::text is null or owner = $1) and ($2::uuid is null or id < $2) order by id desc limit $3
"""  # noqa: S608 - the same
_MINE = "where id = $1 and ($2::text is null or owner = $2)"
_READ = f"select {_SHOWN} from callback_endpoints {_MINE}"  # noqa: S608 - the same
_KEYS = "select url, secret, old_secret, old_secret_until from callback_endpoints where id = $1"
_UPDATE = f"""
update callback_endpoints
set url = $2, events = $3, channels = $4, description = $5, status = $6, status_because = $7,
    failures = case when $8 then 0 else failures end,
    failing_since = case when $8 then null else failing_since end,
    rest_until = case when $8 then null else rest_until end,
    updated_at = $9
where id = $1 returning {_SHOWN}
"""  # noqa: S608 - the same
_ROTATE = f"""
update callback_endpoints
set old_secret = secret, secret = $3, old_secret_until = $4, updated_at = $5 {_MINE} returning {_SHOWN}
"""  # noqa: S608 - the same
_DELETE = f"delete from callback_endpoints {_MINE} returning url"  # noqa: S608 - the same
_SUBSCRIPTIONS = "select id, owner, events, channels from callback_endpoints"
_STOP = """
update callback_endpoints set status = $2, status_because = $3, updated_at = $4
where id = $1 and status = 'active' returning id, owner, url
"""
