"""Which keys are in use, and how their requests were answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tidings.kit.database import Database
from tidings.kit.ids import new_id, now

LEASE = timedelta(seconds=30)
"""How long a request may run before its gateway is taken for dead; forwarded ones end after 10 s."""
KEEP_SECONDS = 5.0
"""How long an answer may wait to be kept: its request was done, and without it would be done again."""
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
    """Idempotency keys of writes other than notifications, for `lifetime` after their first use."""

    def __init__(self, database: Database, *, lifetime: timedelta) -> None:
        self._database = database
        self.lifetime = lifetime

    async def claim(self, owner: str, key: str, fingerprint: bytes) -> Claim | Earlier:
        """Take a key that is free; or else say what it was used for.

        Free is also the key of the same request whose lease ended without an answer.
        """
        claim = Claim(owner, key, new_id())
        async with self._database.connection() as connection:
            while True:
                moment = now()
                claimed = await connection.fetchval(
                    _CLAIM, owner, key, fingerprint, claim.id, moment, moment + LEASE, moment + self.lifetime
                )
                if claimed is not None:
                    return claim
                row = await connection.fetchrow(_READ, owner, key)
                if row is not None:
                    return Earlier(row["fingerprint"], row["sealed"])
                # Released in this very moment: it is free.

    async def keep(self, claim: Claim, sealed: bytes) -> None:
        """Keep the answer, unless the lease ended and another request holds the key."""
        async with self._database.connection(limit=KEEP_SECONDS) as connection:
            await connection.execute(_KEEP, claim.owner, claim.key, claim.id, sealed)

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
_KEEP = "update kept_answers set sealed = $4 where owner = $1 and key = $2 and claim = $3"
_RELEASE = "delete from kept_answers where owner = $1 and key = $2 and claim = $3"
_DROP_EXPIRED = """
delete from kept_answers where ctid in (
    select ctid from kept_answers where expires_at <= $1 limit $2 for update skip locked
) returning 1
"""
