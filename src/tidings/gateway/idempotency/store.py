"""Which keys are in use, and how their requests were answered."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tidings.kit.database import Database
from tidings.kit.ids import new_id, now

KEEP_SECONDS = 5.0
"""How long an answer may wait to be kept: its request was done, and without it would be done again."""
RENEW_SECONDS = 5.0
DROP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do a request, and the duty to say how it was answered."""

    owner: str
    key: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a key was used for before. `sealed` is the answer; without it the request is still running."""

    fingerprint: bytes
    sealed: bytes | None


class AnswerStore:
    """Idempotency keys of writes other than notifications, for `lifetime` after their first use.

    A claim that nobody renews ends after `lease`: its gateway is taken for dead.
    """

    def __init__(self, database: Database, *, lifetime: timedelta, lease: timedelta) -> None:
        self._database = database
        self.lifetime = lifetime
        self.lease = lease

    async def claim(self, owner: str, key: str, fingerprint: bytes) -> Claim | Earlier:
        """Take a key that is free; or else say what it was used for.

        Free is also the key of the same request whose lease ended without an answer.
        """
        claim = Claim(owner, key, new_id())
        async with self._database.connection() as connection:
            while True:
                moment = now()
                claimed = await connection.fetchval(
                    _CLAIM,
                    *(owner, key, fingerprint, claim.id),
                    *(moment, moment + self.lease, moment + self.lifetime),
                )
                if claimed is not None:
                    return claim
                row = await connection.fetchrow(_READ, owner, key)
                if row is not None:
                    return Earlier(row["fingerprint"], row["sealed"])
                # Released in this very moment: it is free.

    async def renew(self, claims: Collection[Claim]) -> None:
        """Let these last for a lease from now on, those that were answered or lost to another left out."""
        columns = zip(*((one.owner, one.key, one.id) for one in claims), strict=True)
        async with self._database.connection(limit=RENEW_SECONDS) as connection:
            await connection.execute(_RENEW, *map(list, columns), now() + self.lease)

    async def keep(self, claim: Claim, sealed: bytes) -> bool:
        """Keep the answer; False when the lease had ended and another request took the key."""
        async with self._database.connection(limit=KEEP_SECONDS) as connection:
            kept = await connection.fetchval(_KEEP, claim.owner, claim.key, claim.id, sealed)
        return kept is not None

    async def release(self, claim: Claim) -> None:
        """Nothing was done, so the key is free for the next request, whatever it is."""
        async with self._database.connection(limit=KEEP_SECONDS) as connection:
            await connection.execute(_RELEASE, claim.owner, claim.key, claim.id)

    async def drop_expired(self, *, before: datetime, limit: int) -> int:
        """Delete what nobody can ask for again; returns how many."""
        async with self._database.connection(limit=DROP_SECONDS) as connection:
            return len(await connection.fetch(_DROP_EXPIRED, before, limit))


_CLAIM = """
insert into kept_answers as held (owner, key, fingerprint, claim, leased_until, expires_at)
values ($1, $2, $3, $4, $6, $7)
on conflict (owner, key) do update
    set fingerprint = excluded.fingerprint, claim = excluded.claim, leased_until = excluded.leased_until,
        expires_at = excluded.expires_at, sealed = null
    where held.expires_at <= $5
       or (held.sealed is null and held.leased_until <= $5 and held.fingerprint = excluded.fingerprint)
returning claim
"""
_READ = "select fingerprint, sealed from kept_answers where owner = $1 and key = $2"
_RENEW = """
update kept_answers k set leased_until = $4
from unnest($1::text[], $2::text[], $3::uuid[]) as held (owner, key, claim)
where k.owner = held.owner and k.key = held.key and k.claim = held.claim and k.sealed is null
"""
_KEEP = """
update kept_answers set sealed = $4 where owner = $1 and key = $2 and claim = $3 returning claim
"""
_RELEASE = "delete from kept_answers where owner = $1 and key = $2 and claim = $3"
_DROP_EXPIRED = """
delete from kept_answers where ctid in (
    select ctid from kept_answers where expires_at <= $1 limit $2 for update skip locked
) returning 1
"""
