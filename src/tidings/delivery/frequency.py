"""Frequency caps: how many notifications a person got lately, counted in Redis."""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.codes import Channel
from tidings.contracts.users import FrequencyCap
from tidings.kit.ids import now

WINDOWS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

# A sorted set per person and channel holds what was let through, by time. One script decides and
# writes, so that two workers cannot both take the last place; asking again for the same id changes nothing.
_ADMIT = """
local at, member, kept = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', at - kept)
end
if redis.call('ZSCORE', KEYS[1], member) then return 1 end
for index = 4, #ARGV, 3 do
  local seconds, most, which = tonumber(ARGV[index]), tonumber(ARGV[index + 1]), ARGV[index + 2]
  local count = 0
  for position, key in ipairs(KEYS) do
    if which == 'all' or position == 1 then
      count = count + redis.call('ZCOUNT', key, '(' .. (at - seconds), '+inf')
    end
  end
  if count >= most then return 0 end
end
redis.call('ZADD', KEYS[1], at, member)
redis.call('EXPIRE', KEYS[1], kept)
return 1
"""

log = structlog.get_logger(__name__)


class FrequencyCaps:
    """Lets notifications through up to their recipients' caps."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_ADMIT)

    async def admits(
        self, user_id: UUID, channel: Channel, notification_id: UUID, caps: Sequence[FrequencyCap]
    ) -> bool:
        """Whether one more may be sent; then it counts. Without Redis it may, and that is logged."""
        binding = [cap for cap in caps if cap.channel in {None, channel}]
        if not binding:
            return True
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
                keys=keys, args=[now().timestamp(), str(notification_id), longest, *limits]
            )
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("frequency_unchecked", error=repr(error))
            return True
        return cast("int", answer) == 1
