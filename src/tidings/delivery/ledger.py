"""The delivery ledger: who is sending what, and what was sent. It turns redelivery into one delivery.

A Redis hash per notification holds a field per target: `sending <owner> <provider>` from just before
the body goes out, then `sent <record>`, or `unsure <provider>` when no answer came. A claim is as good
as its owner's lease, one key per process that the process renews; when the lease has lapsed, the owner
died and nobody knows whether the body arrived. While there is no such field the gateway may write
`cancelled`, and then nothing is claimed any more.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal, cast
from uuid import UUID

import msgspec
import structlog
from cachetools import LRUCache
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tidings.contracts.ledger import CANCELLED, WORKERS_HERE, ledger_key
from tidings.delivery.outcome import Cancelled, Taken
from tidings.kit.batching import Batcher

LEASE_SECONDS = 6
RENEW_SECONDS = 1.5
ANSWER_SECONDS = 3.0
"""How long Redis may stand still, such as for a snapshot, before sends go on without it."""
KEPT_SECONDS = 24 * 3600
MOST_STEPS = 100
"""In one call, so that none holds up Redis for long."""
_UNREACHABLE = (RedisError, OSError, TimeoutError)
_SILENT = (RedisTimeoutError, TimeoutError)

# One call carries the steps of all messages in work: a call by itself costs the worker more than 100 us.
_APPLY = """
local owner, kept, leases, cancelled = unpack(ARGV)
local function claim(key, target, provider)
  local state = redis.call('HGET', key, target) or ''
  if string.sub(state, 1, 5) == 'sent ' then return state end
  if redis.call('HEXISTS', key, cancelled) == 1 then return 'cancelled' end
  local before, doubted = string.match(state, '^sending (%S+) ?(.*)$')
  if before and before ~= owner and redis.call('EXISTS', leases .. before) == 1 then return 'busy' end
  redis.call('HSET', key, target, 'sending ' .. owner .. ' ' .. provider)
  redis.call('EXPIRE', key, kept)
  return before and 'abandoned ' .. doubted or 'claimed'
end
local function write(key, target, state)
  redis.call('HSET', key, target, state)
  redis.call('EXPIRE', key, kept)
end
local answers = {}
for index, key in ipairs(KEYS) do
  local verb, target, text = ARGV[3 * index + 2], ARGV[3 * index + 3], ARGV[3 * index + 4]
  if verb == 'claim' then answers[index] = claim(key, target, text)
  elseif verb == 'write' then write(key, target, text)
  else redis.call('HDEL', key, target) end
  answers[index] = answers[index] or 'done'
end
return answers
"""

log = structlog.get_logger(__name__)


class Claim(Enum):
    """What the ledger says to someone about to send."""

    GRANTED = auto()
    BUSY = auto()
    """Another delivery of the same message is sending it at this moment."""
    CANCELLED = auto()
    """It was cancelled before anybody began to send it."""


_REFUSALS = {b"busy": Claim.BUSY, b"cancelled": Claim.CANCELLED}


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Granted, but an earlier owner died while sending by `provider`: the body may have arrived.

    The provider is empty where the owner did not write it down, as workers once did.
    """

    provider: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """A body went out by `provider`, and no answer is known; empty where a worker did not write it down."""

    provider: str


class LedgerUnavailable(ConnectionError):
    """Redis does not answer: what happened to this message before cannot be known now."""


@dataclass(frozen=True, slots=True)
class _Step:
    verb: Literal["claim", "write", "forget"]
    notification_id: UUID
    target: str
    text: str | bytes = ""


class Ledger:
    """The ledger as one worker process uses it. Steps that come at once share a call, in their order.

    Once Redis has let one wait in vain, none is asked until the lease could be renewed.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._owner: Final = secrets.token_hex(8)
        self._constants: Final = (self._owner, KEPT_SECONDS, _lease(""), CANCELLED)
        self._script = redis.register_script(_APPLY)
        self._steps: Batcher[_Step, bytes] = Batcher(self._apply, max_size=MOST_STEPS)
        self._sending: set[tuple[UUID, str]] = set()
        self._unrecorded: LRUCache[tuple[UUID, str], Taken] = LRUCache(10_000)
        self._is_silent = False

    async def history(self, notification_id: UUID) -> dict[str, Taken | Unsure] | Cancelled:
        """What was sent already, and what may have been, by target key; or that it was cancelled.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        with self._asking():
            answer = await self._redis.hgetall(ledger_key(notification_id))
        fields = {field.decode(): state for field, state in cast("dict[bytes, bytes]", answer).items()}
        cancelled = fields.pop(CANCELLED, None)
        # A send that could not be claimed may have got past a cancel; then it was sent.
        return Cancelled() if cancelled and not fields else {key: _known(one) for key, one in fields.items()}

    async def claim(self, notification_id: UUID, target: str, provider: str) -> Claim | Abandoned | Taken:
        """Claim a send by `provider` just before its body goes out; `Taken` when it was sent already.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        known = self._unrecorded.get((notification_id, target))
        if known is not None:
            return known
        if (notification_id, target) in self._sending:
            return Claim.BUSY
        self._sending.add((notification_id, target))
        claim: Claim | Abandoned | Taken | None = None
        try:
            claim = await self._ask_for(notification_id, target, provider)
        finally:
            if claim is not Claim.GRANTED and not isinstance(claim, Abandoned):
                self._sending.discard((notification_id, target))
        return claim

    async def _ask_for(self, notification_id: UUID, target: str, provider: str) -> Claim | Abandoned | Taken:
        with self._asking():
            answer = await self._steps.submit(_Step("claim", notification_id, target, provider))
        if answer.startswith(b"sent "):
            return _taken(answer)
        if answer.startswith(b"abandoned "):
            return Abandoned(answer.removeprefix(b"abandoned ").decode())
        return _REFUSALS.get(answer, Claim.GRANTED)

    async def pass_on(self, notification_id: UUID, target: str, provider: str) -> None:
        """Say that our claim is now for another provider; the one before surely did not take it."""
        state = f"sending {self._owner} {provider}".encode()
        await self._note("pass_on", notification_id, target, state)

    async def record(self, notification_id: UUID, target: str, taken: Taken) -> None:
        """Write down that a provider took it; kept in memory while Redis does not answer."""
        self._sending.discard((notification_id, target))
        if not await self._note("record", notification_id, target, _sent(taken)):
            self._unrecorded[notification_id, target] = taken

    async def release(self, notification_id: UUID, target: str, unsure: str | None = None) -> None:
        """Give up a claim: the body surely did not arrive, unless earlier by the provider `unsure`."""
        self._sending.discard((notification_id, target))
        state = None if unsure is None else f"unsure {unsure}".encode()
        await self._note("release", notification_id, target, state)

    async def _note(self, step: str, notification_id: UUID, target: str, state: bytes | None) -> bool:
        try:
            with self._asking():
                await self._write(notification_id, target, state)
        except LedgerUnavailable as error:
            log.warning("ledger_unavailable", step=step, error=str(error))
            return False
        return True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        if self._is_silent:
            raise LedgerUnavailable("Redis did not answer in time, and has not since")
        try:
            yield
        except _UNREACHABLE as error:
            self._is_silent = isinstance(error, _SILENT)
            raise LedgerUnavailable(repr(error)) from error

    async def _write(self, notification_id: UUID, target: str, state: bytes | None) -> None:
        verb: Literal["write", "forget"] = "forget" if state is None else "write"
        await self._steps.submit(_Step(verb, notification_id, target, state or b""))

    async def _apply(self, steps: list[_Step]) -> Sequence[bytes]:
        keys = [ledger_key(step.notification_id) for step in steps]
        words = [word for step in steps for word in (step.verb, step.target, step.text)]
        answers = await self._script(keys=keys, args=[*self._constants, *words])
        return cast("list[bytes]", answers)

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
            self._is_silent = False
            for key, taken in list(self._unrecorded.items()):
                await self._write(*key, _sent(taken))
                self._unrecorded.pop(key)
            # The last: in a Redis that has lost everything, nothing is cancelled before this is back.
            await self._redis.set(WORKERS_HERE, b"1")

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


def _lease(owner: str) -> str:
    return f"delivery-owner:{owner}"


def _known(state: bytes) -> Taken | Unsure:
    if state.startswith(b"sent "):
        return _taken(state)
    kind, *words = state.decode().split(" ")
    # `sending <owner>` alone was written by workers from before there were several providers.
    provider = words[1:] if kind == "sending" else words
    return Unsure(provider[0] if provider else "")


def _sent(taken: Taken) -> bytes:
    return b"sent " + msgspec.json.encode(taken)


def _taken(state: bytes) -> Taken:
    return msgspec.json.decode(state.removeprefix(b"sent "), type=Taken)
