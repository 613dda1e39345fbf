"""The SQL of devices: registering, moving and removing push tokens."""

from hashlib import sha256
from uuid import UUID

import msgspec

from tidings.contracts.users import PushToken
from tidings.kit.audit.entries import Deed
from tidings.kit.audit.store import record_all
from tidings.kit.database import Database
from tidings.kit.ids import new_id
from tidings.users.devices.rules import Device
from tidings.users.people.store import DEVICE_AS_JSON, Forget, lock_user

REASON_CHARACTERS = 200
OVER_LIMIT = "device_limit"
"""Why the stalest device of a person with too many went."""

# One statement, so that of two owners who register a token at once each sees the other or neither:
# `moved_from` carries the owner that lost it out of the very update that took it away.
REGISTER_DEVICE = f"""
    insert into push_tokens as kept
        (id, user_id, provider, token, token_sha256, subscription, platform, locale, time_zone, registered_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())
    on conflict (provider, token_sha256) do update set
        user_id = excluded.user_id,
        subscription = coalesce(excluded.subscription, kept.subscription),
        platform = coalesce(excluded.platform, kept.platform),
        locale = coalesce(excluded.locale, kept.locale),
        time_zone = coalesce(excluded.time_zone, kept.time_zone),
        moved_from = case when kept.user_id = excluded.user_id then kept.moved_from else kept.user_id end,
        registered_at = clock_timestamp()
    returning {DEVICE_AS_JSON} as device, moved_from
"""  # noqa: S608 - constants of ours

HAD_BY = "select user_id from push_tokens where provider = $1 and token_sha256 = $2 for update"

_KEEP_REMOVED = """
    insert into removed_push_tokens (id, user_id, provider, token, platform, reason, created_at)
    select id, user_id, provider, token, platform, $3, created_at from gone returning id
"""

REMOVE_DEVICE = f"""
    with gone as (delete from push_tokens where user_id = $1 and id = $2 returning *) {_KEEP_REMOVED}
"""  # noqa: S608 - the same

# One that another person is just taking over is locked, and leaves without our help.
DROP_STALEST = f"""
    with stale as (
        select id from push_tokens where user_id = $1
        order by registered_at desc, id desc offset $2 for update skip locked
    ),
    gone as (delete from push_tokens where id in (select id from stale) returning *) {_KEEP_REMOVED}
"""  # noqa: S608 - the same


class DeviceStore:
    """Devices of people, at most `most` for each; removed ones stay on record with the reason.

    Like everything that changes a contact, it calls `forget` just before it commits.
    """

    def __init__(self, database: Database, forget: Forget, *, most: int) -> None:
        self._database = database
        self._forget = forget
        self._most = most

    async def add_device(self, user_id: UUID, device: Device, *, actor: str) -> tuple[PushToken, bool]:
        """Register a device, or take it over from another user; also says whether it is new here.

        Of a person who then has too many, those not heard of for longest are removed. A device that
        this person has already leaves no entry in the audit log: an app registers at each of its starts.

        Raises:
            NotFound: there is no such user.
            Gone: the user is erased.
        """
        proposed, digest = new_id(), sha256(device.token.encode()).digest()
        async with self._database.transaction() as connection:
            # Devices of one person are added one after the other: the limit is one.
            await lock_user(connection, user_id)
            had_by = await connection.fetchval(HAD_BY, device.provider, digest)
            (row,) = await connection.fetch(
                REGISTER_DEVICE,
                *(proposed, user_id, device.provider, device.token, digest),
                *(device.subscription, device.platform, device.locale, device.time_zone),
            )
            token = msgspec.convert(row["device"], PushToken)
            dropped = await connection.fetch(DROP_STALEST, user_id, self._most, OVER_LIMIT)
            deeds = [] if had_by == user_id else [_registered(user_id, token, row["moved_from"])]
            deeds += [_removed(user_id, stale["id"], OVER_LIMIT) for stale in dropped]
            await record_all(connection, actor, deeds)
            await self._forget({user_id, row["moved_from"] or user_id})
        return token, token.id == proposed

    async def remove_device(self, user_id: UUID, token_id: UUID, reason: str | None, *, actor: str) -> None:
        """Take a device away and keep why and when. One that is not there stays away.

        `reason` is often a provider's own words, so it is made to fit rather than refused.
        """
        kept = reason and reason.replace("\0", "")[:REASON_CHARACTERS]
        async with self._database.transaction() as connection:
            gone = await connection.fetch(REMOVE_DEVICE, user_id, token_id, kept)
            await record_all(connection, actor, [_removed(user_id, row["id"]) for row in gone])
            await self._forget([user_id])


def _registered(user_id: UUID, token: PushToken, moved_from: UUID | None) -> Deed:
    detail = {"user_id": user_id, "provider": token.provider, "moved_from": moved_from}
    return Deed(action="device.registered", subject=str(token.id), detail=detail)


def _removed(user_id: UUID, token_id: UUID, why: str | None = None) -> Deed:
    # A caller's own reason is free text, often a provider's words with an address in them.
    return Deed(action="device.removed", subject=str(token_id), detail={"user_id": user_id, "why": why})
