"""Counting in Redis, for all gateways together: one round trip for all requests that meet."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.gateway.limits.policies import Limit
from tidings.kit.batching import Batcher
from tidings.kit.breaker import Breaker

REST_SECONDS = 1.0
"""How long Redis is left alone after it failed to answer in time. It is also how often that is logged."""
AT_ONCE = 100
"""How many requests share a round trip: the script then holds Redis up for about a millisecond."""
PREFIX = "gateway:limits:"

UNCHECKED = Counter(
    "tidings_limits_unchecked_total", "Requests let through uncounted, because Redis did not answer in time"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Charge:
    """So many of what a limit counts, to be counted under `key`. None is a look; fewer gives back.

    Charges made together are counted if all limits admit them; one that is `alone` is counted whatever
    the limits after it say.
    """

    limit: Limit
    key: str
    amount: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a limit, and the seconds until it changes, or until what was refused would fit."""

    limit: Limit
    left: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How each limit stands after a charge, in the order of the charges; `refused` is the one it broke."""

    standings: tuple[Standing, ...]
    refused: Standing | None


class Counters:
    """Counts charges against limits.

    A Redis that fails, or takes longer than `patience` seconds, refuses nothing: it is counted, logged,
    and left alone for a second, so that no request waits longer.
    """

    def __init__(self, redis: Redis, *, patience: float) -> None:
        self._redis = redis
        self._script = redis.register_script(_COUNT)
        self._patience = patience
        # The first failure opens it: whoever waits behind a call that failed must not wait for another.
        self._breaker = Breaker(failures=1, seconds=REST_SECONDS)
        self._batches: Batcher[Sequence[Charge], Verdict | None] = Batcher(self._count, max_size=AT_ONCE)
        self._behind: set[asyncio.Task[Verdict | None]] = set()

    async def count(self, charges: Sequence[Charge]) -> Verdict | None:
        """Count one request's charges, at least one; None when Redis cannot say."""
        return await self._batches.submit(charges)

    def count_later(self, charges: Sequence[Charge]) -> None:
        """Count charges that nobody waits for."""
        task = asyncio.create_task(self._batches.submit(charges))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def ping(self) -> None:
        """Raise unless Redis answers."""
        await self._redis.ping()

    async def finish(self) -> None:
        """Wait for what was to be counted later."""
        if self._behind:
            await asyncio.wait(self._behind)

    async def _count(self, batch: list[Sequence[Charge]]) -> Sequence[Verdict | None]:
        if not self._breaker.admits():
            UNCHECKED.inc(len(batch))
            return [None] * len(batch)
        keys: dict[str, int] = {}
        asked = [[_wire(charge, keys) for charge in charges] for charges in batch]
        try:
            reply = await self._within_patience(
                self._script(keys=list(keys), args=[msgspec.json.encode(asked)])
            )
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.failed()
            UNCHECKED.inc(len(batch))
            log.warning("limits_unchecked", seconds_without=REST_SECONDS, error=repr(error))
            return [None] * len(batch)
        self._breaker.succeeded()
        answers = msgspec.json.decode(reply, type=list[list[int]])
        return [_verdict(charges, answer) for charges, answer in zip(batch, answers, strict=True)]

    async def _within_patience(self, call: Awaitable[Any]) -> bytes:
        """Half of the patience for a call: a request may have to wait for the call before its own.

        Raises:
            TimeoutError: no answer in time.
        """
        task = asyncio.ensure_future(_awaited(call))
        # In two steps: where this process itself was held up, the first may be over before an answer that
        # is there could be read.
        for _ in range(2):
            await asyncio.wait([task], timeout=self._patience / 4)
            if task.done():
                return task.result()
        task.add_done_callback(_forget)
        task.cancel()
        raise TimeoutError(f"no answer within {self._patience / 2:g} s")


async def _awaited(call: Awaitable[Any]) -> bytes:
    return bytes(await call)


def _forget(task: asyncio.Task[bytes]) -> None:
    if not task.cancelled():
        task.exception()


def _wire(charge: Charge, keys: dict[str, int]) -> list[int]:
    limit = charge.limit
    # A window's length is part of its counter's name: after a change of settings the count starts anew.
    index = keys.setdefault(f"{PREFIX}{limit.name}:{limit.window}:{charge.key}", len(keys) + 1)
    return [index, charge.amount, limit.quota, limit.window * 1_000, int(limit.rolling), int(charge.alone)]


def _verdict(charges: Sequence[Charge], answer: list[int]) -> Verdict:
    refused, *numbers = answer
    standings = tuple(
        Standing(charge.limit, max(0, left), -(-milliseconds // 1_000))
        for charge, left, milliseconds in zip(charges, numbers[::2], numbers[1::2], strict=True)
    )
    return Verdict(standings, standings[refused - 1] if refused else None)


# A sliding window of two counters: the count of the present window, and that of the one before by the
# part of it that still lies within. Redis' own clock is the one clock that all gateways share. Each
# counter is read once and written once, however many requests of the batch it counts. Its text is the
# window's number, the count in it and the count in the one before.
_COUNT = """
local requests = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held = redis.call('MGET', unpack(KEYS))
local counters = {}

local function counter_of(charge)
  local index, window = charge[1], charge[4]
  local counter = counters[index]
  if counter then return counter end
  counter = {number = math.floor(now / window), count = 0, before = 0, window = window}
  counter.rolling = charge[5] == 1
  if held[index] then
    local number, count, before = string.match(held[index], '(%d+) (%d+) (%d+)')
    number = tonumber(number)
    if number >= counter.number then
      counter.number, counter.count, counter.before = number, tonumber(count), tonumber(before)
    elseif number == counter.number - 1 then
      counter.before = tonumber(count)
    end
  end
  counter.elapsed = math.max(0, now - counter.number * window)
  counters[index] = counter
  return counter
end

local function left_of(counter, quota)
  local within = 0
  if counter.rolling then within = counter.before * (1 - counter.elapsed / counter.window) end
  return math.floor(quota - counter.count - within)
end

local function wait_of(counter, quota, amount)
  local window, rest = counter.window, counter.window - counter.elapsed
  local room = quota - counter.count - amount
  if not counter.rolling then return rest end
  if room >= 0 then return math.max(1, window * (1 - room / counter.before) - counter.elapsed) end
  return rest + window * math.min(1, math.max(0, 1 - (quota - amount) / counter.count))
end

local function add(counter, amount)
  counter.count = counter.count + amount
  if counter.count < 0 then
    counter.before, counter.count = math.max(0, counter.before + counter.count), 0
  end
  counter.changed = counter.changed or amount ~= 0
end

local answers = {}
for number, charges in ipairs(requests) do
  local refused, wait = 0, 0
  for index, charge in ipairs(charges) do
    local counter, amount = counter_of(charge), charge[2]
    if refused == 0 and amount > 0 and left_of(counter, charge[3]) < amount then
      refused, wait = index, wait_of(counter, charge[3], amount)
    end
    if refused == 0 and charge[6] == 1 then add(counter, amount) end
  end
  local answer = {refused}
  for index, charge in ipairs(charges) do
    local counter = counter_of(charge)
    if refused == 0 and charge[6] == 0 then add(counter, charge[2]) end
    table.insert(answer, left_of(counter, charge[3]))
    table.insert(answer, math.ceil(index == refused and wait or counter.window - counter.elapsed))
  end
  answers[number] = answer
end

for index, counter in pairs(counters) do
  if counter.changed then
    local windows = counter.rolling and 2 or 1
    local ends = (counter.number + windows) * counter.window
    redis.call('SET', KEYS[index],
      string.format('%.0f %.0f %.0f', counter.number, counter.count, counter.before), 'PX', ends - now)
  end
end
return cjson.encode(answers)
"""
