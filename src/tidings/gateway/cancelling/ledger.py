"""The gateway's side of the delivery ledger: it bars notifications that no worker has begun to send."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.ledger import CANCELLED, CANCELLED_SECONDS, WORKERS_HERE, ledger_key

AT_ONCE: Final = 100
"""In one call, so that none holds up Redis for long."""

log = structlog.get_logger(__name__)

# A field beside that of the cancel is an address or device that a worker is sending to, or has sent to.
_BAR = """
local here, cancelled, kept = unpack(ARGV)
if redis.call('EXISTS', here) == 0 then return {} end
local answers = {}
for index, key in ipairs(KEYS) do
  if redis.call('HLEN', key) > redis.call('HEXISTS', key, cancelled) then
    answers[index] = 0
  else
    redis.call('HSET', key, cancelled, '1')
    redis.call('EXPIRE', key, kept)
    answers[index] = 1
  end
end
return answers
"""


class CancelLedger:
    """The ledger as a gateway sees it; without a Redis nothing can be decided."""

    def __init__(self, redis: Redis | None) -> None:
        self._script = None if redis is None else redis.register_script(_BAR)

    async def bar(self, ids: Sequence[UUID]) -> dict[UUID, bool]:
        """Bar every send of these, for good; repeating it is harmless.

        Returns: of each whether it is barred, or else a worker was first. Those are missing of which that
            is not known: Redis does not answer, or no worker has ever used this one.
        """
        told: dict[UUID, bool] = {}
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            answers = await self._ask(some)
            if not answers:
                break
            told |= {one: answer == 1 for one, answer in zip(some, answers, strict=True)}
        return told

    async def _ask(self, ids: Sequence[UUID]) -> list[int]:
        if self._script is None:
            return []
        try:
            answers: list[int] = await self._script(
                keys=[ledger_key(one) for one in ids], args=[WORKERS_HERE, CANCELLED, CANCELLED_SECONDS]
            )
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("cancels_undecided", count=len(ids), error=repr(error))
            return []
        if not answers:
            log.warning("cancels_undecided", count=len(ids), error="No worker keeps its ledger in this Redis")
        return answers
