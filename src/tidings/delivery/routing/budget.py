"""How fast a provider may be used: so many a second and a day, counted in Redis for all workers together."""

from time import monotonic
from typing import cast

import structlog
from prometheus_client import Counter, Histogram
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.codes import Channel
from tidings.delivery.providers_file import ProviderConfig

LONGEST_PATIENCE = 30.0
"""Seconds that a message waits in its worker for a place in the budget; that holds back the queue."""
BURST_SECONDS = 0.1
"""So much of a second's budget may be used at once: in no second more than 1.1 times of it is."""
_KEPT_SECONDS = 2 * 86400
_LOG_EVERY = 1.0

# The generic cell rate algorithm: `free` is when the next place is free at an even pace, and a place
# may be had `slack` seconds before. Redis' own clock is the one clock that all workers share.
_RESERVE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local interval, slack = tonumber(ARGV[1]), tonumber(ARGV[2])
local per_day, patience, reserves = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[6] == '1'
local state = redis.call('HMGET', KEYS[1], 'free', 'day', 'count')
local today = math.floor(now / 86400)
local count = 0
if state[2] and tonumber(state[2]) == today then count = tonumber(state[3]) end
if per_day > 0 and count >= per_day then
  return {'day', string.format('%.6f', (today + 1) * 86400 - now)}
end
local free = now
if state[1] then free = math.max(now, tonumber(state[1])) end
local wait = math.max(0, free - slack - now)
if wait > patience then return {'second', string.format('%.6f', wait)} end
if reserves then
  free = string.format('%.6f', free + interval)
  redis.call('HSET', KEYS[1], 'free', free, 'day', today, 'count', count + 1)
  redis.call('EXPIRE', KEYS[1], ARGV[5])
end
return {'reserved', string.format('%.6f', wait)}
"""

WAITED = Histogram(
    "tidings_budget_wait_seconds",
    "Waits in a worker for a place in a provider's budget",
    ["channel", "provider"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30),
)
UNCHECKED = Counter(
    "tidings_budget_unchecked_total",
    "Sends whose budget could not be asked for, without Redis",
    ["channel", "provider"],
)

log = structlog.get_logger(__name__)


class Budgets:
    """Makes the budgets of one channel's providers."""

    def __init__(self, redis: Redis, channel: Channel) -> None:
        self._redis = redis
        self._channel = channel

    def of(self, name: str, config: ProviderConfig) -> "Budget":
        """The budget of the provider of that name."""
        return Budget(self._redis, self._channel, name, config)


class Budget:
    """One provider's budget. A place counts for the day even when the provider then refuses."""

    def __init__(self, redis: Redis, channel: Channel, provider: str, config: ProviderConfig) -> None:
        self._script = redis.register_script(_RESERVE)
        self._key = f"budget:{channel}:{provider}"
        self._labels = (channel, provider)
        self._per_second = config.per_second
        self._per_day = config.per_day
        self._spent_until = 0.0
        self._log_from = 0.0
        self.words = ""
        """Which budget was spent last, for people."""

    def wait(self) -> float:
        """Seconds in which asking is pointless, as far as this process knows."""
        return max(0.0, self._spent_until - monotonic())

    async def reserve(self, patience: float, *, rehearsal: bool = False) -> float | None:
        """Take a place: the seconds to wait for it, or None when that is more than `patience`.

        A `rehearsal` takes none. Without Redis there is always a place, and that is counted and logged.
        """
        if self._per_second is None and self._per_day is None:
            return 0.0
        interval = 1 / self._per_second if self._per_second else 0.0
        slack = max(0.0, BURST_SECONDS - interval) if interval else 0.0
        try:
            answer = await self._script(
                keys=[self._key],
                args=[interval, slack, self._per_day or 0, patience, _KEPT_SECONDS, int(not rehearsal)],
            )
        except (RedisError, OSError, TimeoutError) as error:
            self._unchecked(error)
            return 0.0
        verdict, seconds = cast("list[bytes]", answer)
        if verdict == b"reserved":
            if rehearsal:
                return float(seconds)
            WAITED.labels(*self._labels).observe(float(seconds))
            return float(seconds)
        self._note_spent(verdict == b"day", float(seconds))
        return None

    def _note_spent(self, day: bool, seconds: float) -> None:  # noqa: FBT001 - which of the two limits
        if day:
            self.words = f"its budget of {self._per_day} a day is spent"
            self._spent_until = monotonic() + seconds
        else:
            self.words = f"its budget of {self._per_second:g} a second is spent"
            self._spent_until = monotonic() + max(0.0, seconds - LONGEST_PATIENCE)

    def _unchecked(self, error: Exception) -> None:
        UNCHECKED.labels(*self._labels).inc()
        if monotonic() >= self._log_from:
            self._log_from = monotonic() + _LOG_EVERY
            log.warning("budget_unchecked", provider=self._labels[1], error=repr(error))
