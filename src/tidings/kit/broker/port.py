"""The broker port: what every adapter promises. One behaviour suite (tests/ports) proves it on each.

The promises: `publish` returns when the messages are durable; a message is handed to one
consumer at a time; what its handler returns decides what happens next; a message whose
consumer dies is handed out again with `redelivered` set. Delivery is at least once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


class BrokerUnavailable(ConnectionError):
    """The broker did not confirm in time. The messages may be stored or not: publish them again."""


@dataclass(frozen=True, slots=True)
class Message:
    """A body with its identity. `headers` travel with it through every retry."""

    id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed to a handler. `attempt` is 1 at first and grows with each counted `Delay`.

    `redelivered` means that the message may have been handed out before without being settled.
    """

    queue: str
    message: Message
    attempt: int
    redelivered: bool


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The message is done with."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Hand the message out again, not before `seconds` from now. `counted=False` uses up no attempt."""

    seconds: float
    counted: bool = True


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Put the message, whole, on the failed queue. `reason` is a stable word, `detail` is for people.

    There it has the headers `x-reason`, `x-detail` (at most 2,000 characters) and `x-queue`.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HandBack:
    """Give the message back at once, for another consumer; nothing was done with it.

    For a stop, not for a wait: that is `Delay(seconds, counted=False)`.
    """


Settlement = Acknowledge | Delay | DeadLetter | HandBack
Handler = Callable[[Delivery], Awaitable[Settlement]]


class Consumer(Protocol):
    """A running consumption."""

    @property
    def in_flight(self) -> int:
        """Handlers running now."""

    async def stop(self, *, limit: float) -> None:
        """Take no more work, let running handlers finish for `limit` seconds, hand the rest back."""


class QueueSpec(Protocol):
    """A work queue as a topology names it."""

    @property
    def name(self) -> str:
        """The queue's name."""

    @property
    def routing_key(self) -> str:
        """What leads to it on the direct exchange."""

    @property
    def brief(self) -> bool:
        """Whether its messages wait for a few seconds at most: the shortest tier is enough for them."""


class Topology(Protocol):
    """The queues an adapter declares, with the delays (seconds, ascending) they can be composed of."""

    @property
    def namespace(self) -> str:
        """Prefix of the exchanges' names."""

    @property
    def queues(self) -> Sequence[QueueSpec]:
        """The work queues."""

    @property
    def failed_queue(self) -> str:
        """Where dead letters go; it is brief."""

    @property
    def delays(self) -> Sequence[float]:
        """Waiting tiers in seconds, ascending."""


class Broker(Protocol):
    """A connection to a broker."""

    async def publish(self, queue: str, messages: Sequence[Message]) -> None:
        """Return when every message is durable.

        Raises:
            BrokerUnavailable: not confirmed in time; some or all may be stored.
        """

    async def consume(self, queue: str, handler: Handler, *, concurrency: int) -> Consumer:
        """Run `handler` for the queue's messages, at most `concurrency` at once, until stopped.

        A lost broker is waited for and found again. A handler that raises is a bug: it is logged,
        and the message is tried again later with a counted attempt, then dead-lettered as
        `handler_failed`. A message handed out some 20 times without being settled (consumers that
        died or handed it back) is dead-lettered as `delivery_limit`.
        """

    async def depth(self, queue: str) -> int:
        """Messages waiting in the queue now, without those handed out or delayed."""

    async def ping(self) -> None:
        """Raise unless the broker answers."""


BrokerOpener = Callable[[str, Topology], AbstractAsyncContextManager[Broker]]
