"""Frequency caps: how many notifications a person got lately, counted in Redis."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.codes import Channel, Verdict
from tidings.contracts.users import FrequencyCap
from tidings.kit.ids import now

WINDOWS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

# A sorted set per person and channel holds what was let through, by time. One script decides and
# writes, so that two workers cannot both take the last place; asking again for the same id changes nothing.
_ADMIT = """
local at, member, kept, counts = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
for _, key in ipairs(KEYS) do
  if counts then redis.call('ZREMRANGEBYSCORE', key, '-inf', at - kept) end
end
if redis.call('ZSCORE', KEYS[1], member) then return 1 end
for index = 5, #ARGV, 3 do
  local seconds, most, which = tonumber(ARGV[index]), tonumber(ARGV[index + 1]), ARGV[index + 2]
  local count = 0
  for position, key in ipairs(KEYS) do
    if which == 'all' or position == 1 then
      count = count + redis.call('ZCOUNT', key, '(' .. (at - seconds), '+inf')
    end
  end
  if count >= most then return 0 end
end
if counts then
  redis.call('ZADD', KEYS[1], at, member)
  redis.call('EXPIRE', KEYS[1], kept)
end
return 1
"""

log = structlog.get_logger(__name__)


class FrequencyCaps:
    """Lets notifications through up to their recipients' caps."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_ADMIT)

    async def verdict(
        self,
        user_id: UUID,
        channel: Channel,
        notification_id: UUID,
        caps: Sequence[FrequencyCap],
        *,
        at: datetime | None = None,
        counts: bool = True,
    ) -> Verdict:
        """Whether one more may be sent `at` a time, else now: not if `STOPPED`.

        What is let through counts, unless this is a rehearsal. Without Redis it is `UNKNOWN`, and logged.
        """
        binding = [cap for cap in caps if cap.channel in {None, channel}]
        if not binding:
            return Verdict.SKIPPED
        others = [other for other in Channel if other is not channel]
        keys = [f"frequency:{user_id}:{one}" for one in (channel, *others)]
        limits = [
            part
            for cap in binding
            for part in (WINDOWS[cap.per].total_seconds(), cap.most, "one" if cap.channel else "all")
        ]
        longest = WINDOWS["week"].total_seconds()
        try:
            answer = await self._script(
                keys=keys,
                args=[(at or now()).timestamp(), str(notification_id), longest, int(counts), *limits],
            )
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("frequency_unchecked", error=repr(error))
            return Verdict.UNKNOWN
        return Verdict.PASSED if cast("int", answer) == 1 else Verdict.STOPPED
