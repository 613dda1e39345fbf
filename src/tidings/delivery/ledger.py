"""The delivery ledger: who is sending what, and what was sent. It turns redelivery into one delivery.

A Redis hash per notification holds a field per target: `sending <owner>` from just before the body
goes out, then `sent <record>`. A claim is as good as its owner's lease, one key per process that the
process renews; when the lease has lapsed, the owner died and nobody knows whether the body arrived.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import Final, cast
from uuid import UUID

import msgspec
import structlog
from cachetools import LRUCache
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.delivery.outcome import Taken

LEASE_SECONDS = 6
RENEW_SECONDS = 1.5
KEPT_SECONDS = 24 * 3600
_UNREACHABLE = (RedisError, OSError, TimeoutError)

_CLAIM = """
local state = redis.call('HGET', KEYS[1], ARGV[1])
if state and string.sub(state, 1, 5) == 'sent ' then return state end
if state and state ~= ARGV[2] and redis.call('EXISTS', ARGV[4] .. string.sub(state, 9)) == 1 then
  return 'busy'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if state then return 'abandoned' end
return 'claimed'
"""

log = structlog.get_logger(__name__)


class Claim(Enum):
    """What the ledger says to someone about to send."""

    GRANTED = auto()
    BUSY = auto()
    """Another delivery of the same message is sending it at this moment."""
    ABANDONED = auto()
    """Granted, but an earlier owner died while sending: the body may have arrived."""


_ANSWERS = {b"claimed": Claim.GRANTED, b"busy": Claim.BUSY, b"abandoned": Claim.ABANDONED}


class LedgerUnavailable(ConnectionError):
    """Redis does not answer: what happened to this message before cannot be known now."""


class Ledger:
    """The ledger as one worker process uses it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._owner: Final = secrets.token_hex(8)
        self._claim_script = redis.register_script(_CLAIM)
        self._sending: set[tuple[UUID, str]] = set()
        self._unrecorded: LRUCache[tuple[UUID, str], Taken] = LRUCache(10_000)

    async def sent(self, notification_id: UUID) -> dict[str, Taken]:
        """What was sent already, by target key.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        try:
            answer = await self._redis.hgetall(_key(notification_id))
        except _UNREACHABLE as error:
            raise LedgerUnavailable(str(error)) from error
        fields = cast("dict[bytes, bytes]", answer)
        return {
            field.decode(): _taken(state) for field, state in fields.items() if state.startswith(b"sent ")
        }

    async def claim(self, notification_id: UUID, target: str) -> Claim | Taken:
        """Claim a send just before its body goes out; `Taken` when it was sent already.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        known = self._unrecorded.get((notification_id, target))
        if known is not None:
            return known
        if (notification_id, target) in self._sending:
            return Claim.BUSY
        self._sending.add((notification_id, target))
        claim: Claim | Taken | None = None
        try:
            claim = await self._ask_for(notification_id, target)
        finally:
            if claim not in {Claim.GRANTED, Claim.ABANDONED}:
                self._sending.discard((notification_id, target))
        return claim

    async def _ask_for(self, notification_id: UUID, target: str) -> Claim | Taken:
        try:
            answer = await self._claim_script(
                keys=[_key(notification_id)],
                args=[target, f"sending {self._owner}", KEPT_SECONDS, _lease("")],
            )
        except _UNREACHABLE as error:
            raise LedgerUnavailable(str(error)) from error
        if answer.startswith(b"sent "):
            return _taken(answer)
        return _ANSWERS[answer]

    async def record(self, notification_id: UUID, target: str, taken: Taken) -> None:
        """Write down that a provider took it; kept in memory while Redis does not answer."""
        self._sending.discard((notification_id, target))
        try:
            await self._write(notification_id, target, taken)
        except _UNREACHABLE as error:
            self._unrecorded[notification_id, target] = taken
            log.warning("ledger_unavailable", step="record", error=repr(error))

    async def _write(self, notification_id: UUID, target: str, taken: Taken) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(_key(notification_id), target, b"sent " + msgspec.json.encode(taken))
            pipe.expire(_key(notification_id), KEPT_SECONDS)
            await pipe.execute()

    async def release(self, notification_id: UUID, target: str) -> None:
        """Give up a claim: the body surely did not arrive."""
        self._sending.discard((notification_id, target))
        try:
            await self._redis.hdel(_key(notification_id), target)
        except _UNREACHABLE as error:
            log.warning("ledger_unavailable", step="release", error=repr(error))

    def abandon(self, notification_id: UUID, target: str) -> None:
        """Leave a claim as a dead owner would: the send broke off, and the body may have arrived."""
        self._sending.discard((notification_id, target))

    async def ping(self) -> None:
        """Raise unless Redis answers."""
        await self._redis.ping()

    async def renew_lease(self) -> None:
        """Say that this process lives, and write down what could not be recorded before."""
        with suppress(*_UNREACHABLE):
            await self._redis.set(_lease(self._owner), b"1", ex=LEASE_SECONDS)
            for key, taken in list(self._unrecorded.items()):
                await self._write(*key, taken)
                self._unrecorded.pop(key)

    async def end_lease(self) -> None:
        """Say that this process is gone, so that its claims need no waiting for."""
        with suppress(*_UNREACHABLE):
            await self._redis.delete(_lease(self._owner))


@asynccontextmanager
async def open_ledger(redis: Redis) -> AsyncIterator[Ledger]:
    """A ledger whose lease is renewed for as long as the block runs."""
    ledger = Ledger(redis)
    await ledger.renew_lease()
    renewing = asyncio.create_task(_renew_for_ever(ledger))
    try:
        yield ledger
    finally:
        renewing.cancel()
        await ledger.end_lease()


async def _renew_for_ever(ledger: Ledger) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        await ledger.renew_lease()


def _key(notification_id: UUID) -> str:
    return f"delivery:{notification_id}"


def _lease(owner: str) -> str:
    return f"delivery-owner:{owner}"


def _taken(state: bytes) -> Taken:
    return msgspec.json.decode(state.removeprefix(b"sent "), type=Taken)
