"""What was heard of emails and addresses lately, in Redis.

Without Redis every receipt counts as new, which is harmless since all that is done with one may be done
twice; addresses then gather no soft bounces, and none is cleared of what it was presumed dead for.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.messages import Receipt
from tidings.kit.ids import now

SOFT_BOUNCE_LIMIT: Final = 3
KEPT_SECONDS: Final = 7 * 24 * 3600
_UNREACHABLE = (RedisError, OSError, TimeoutError)

log = structlog.get_logger(__name__)


class ReceiptMemory:
    """Addresses are kept as hashes only."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def unseen(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """The receipts that were not applied in the last 7 days, each event once."""
        events = {_seen_key(receipt): receipt for receipt in receipts}
        try:
            marks = await self._redis.mget(list(events)) if events else []
        except _UNREACHABLE as error:
            _warn("unseen", error)
            return list(events.values())
        return [receipt for receipt, mark in zip(events.values(), marks, strict=True) if mark is None]

    async def remember(self, receipts: Sequence[Receipt]) -> None:
        """Mark receipts as applied."""
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for receipt in receipts:
                    pipe.set(_seen_key(receipt), b"1", ex=KEPT_SECONDS)
                await pipe.execute()
        except _UNREACHABLE as error:
            _warn("remember", error)

    async def note_soft_bounce(self, address: str, receipt: Receipt) -> bool:
        """Count a soft bounce; whether the address now has 3 emails of the last 7 days that bounced so."""
        key, expired = _address_key("soft", address), now().timestamp() - KEPT_SECONDS
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zadd(key, {str(receipt.notification_id): receipt.at.timestamp()})
                pipe.zremrangebyscore(key, "-inf", expired)
                pipe.zcard(key)
                pipe.expire(key, KEPT_SECONDS)
                _, _, emails, _ = await pipe.execute()
        except _UNREACHABLE as error:
            _warn("note_soft_bounce", error)
            return False
        return bool(emails >= SOFT_BOUNCE_LIMIT)

    async def note_dead(self, address: str, at: datetime) -> None:
        """Remember when an address was last heard to be dead."""
        try:
            await self._redis.set(_address_key("dead", address), str(at.timestamp()), ex=KEPT_SECONDS)
        except _UNREACHABLE as error:
            _warn("note_dead", error)

    async def note_delivered(self, address: str, at: datetime) -> bool:
        """Forget the soft bounces before `at`; whether the address was not heard to be dead after it.

        A bounce may follow a delivery, and either may be told first.
        """
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zremrangebyscore(_address_key("soft", address), "-inf", at.timestamp())
                pipe.get(_address_key("dead", address))
                _, died_at = await pipe.execute()
        except _UNREACHABLE as error:
            _warn("note_delivered", error)
            return False
        return died_at is None or float(died_at) < at.timestamp()


def _seen_key(receipt: Receipt) -> str:
    return f"receipt:{receipt.provider}:{receipt.event_id}"


def _address_key(what: str, address: str) -> str:
    return f"receipt-{what}:{sha256(address.casefold().encode()).hexdigest()[:32]}"


def _warn(step: str, error: Exception) -> None:
    log.warning("receipt_memory_unavailable", step=step, error=repr(error))
