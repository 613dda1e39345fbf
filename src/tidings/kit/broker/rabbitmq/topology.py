"""The exchanges and queues on RabbitMQ, and the way a message takes between them.

A retry waits in a queue of its own per delay, because messages expire only at a queue's head. All
arguments are ones that RabbitMQ 3.10 to 4.x take alike; they are fixed once a queue exists.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel

from tidings.kit.broker.deadletters import HANDOUT_LIMIT
from tidings.kit.broker.port import Topology

_FAILED_KEY = "failed"
_WORK_LENGTH = 200_000
_FAILED_LENGTH = 1_000_000

# Without a limit of its own, RabbitMQ 4 drops a message that was handed out 20 times and has no dead-letter
# exchange. -1 means no limit there, but zero on 3.10.
_NO_HANDOUT_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Route:
    """Where to publish so that a message gets into a queue."""

    exchange: str
    routing_key: str


class Layout:
    """The names of a topology on RabbitMQ."""

    def __init__(self, topology: Topology) -> None:
        self.direct = f"{topology.namespace}.direct"
        self.retry = f"{topology.namespace}.retry"
        self.dead = f"{topology.namespace}.dead"
        self.failed_queue = topology.failed_queue
        self.routes = {spec.name: Route(self.direct, spec.routing_key) for spec in topology.queues}
        self.routes[topology.failed_queue] = Route(self.dead, _FAILED_KEY)
        lasting = {spec.name for spec in topology.queues if not spec.brief}
        self.tiers: Mapping[str, Sequence[float]] = {
            queue: topology.delays if queue in lasting else topology.delays[:1] for queue in self.routes
        }

    def route(self, queue: str) -> Route:
        """The way into `queue`.

        Raises:
            ValueError: the topology has no such queue.
        """
        try:
            return self.routes[queue]
        except KeyError:
            raise ValueError(f"no queue {queue!r} in the topology, only {', '.join(self.routes)}") from None

    def waiting_route(self, queue: str, seconds: float) -> Route:
        """The way to wait for `seconds`, or for the longest part of it that one tier covers.

        A wait shorter than every tier takes the shortest.
        """
        tiers = self.tiers[queue]
        tier = tiers[max(bisect_right(tiers, seconds) - 1, 0)]
        return Route(self.retry, waiting_queue(queue, tier))


def waiting_queue(queue: str, tier: float) -> str:
    """The name of the queue where messages of `queue` wait for `tier` seconds: `email.retry.10s`."""
    milliseconds = round(tier * 1000)
    label = f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"
    return f"{queue.removesuffix('.queue')}.retry.{label}"


async def declare(channel: AbstractChannel, layout: Layout) -> None:
    """Create what is missing. A queue that exists with other arguments closes the channel (406)."""
    for exchange in (layout.direct, layout.retry, layout.dead):
        await channel.declare_exchange(exchange, "direct", durable=True)
    for queue, route in layout.routes.items():
        await _declare_queue(channel, queue, route, _working_arguments(queue, layout))
        for tier in layout.tiers[queue]:
            waiting = waiting_queue(queue, tier)
            await _declare_queue(
                channel, waiting, Route(layout.retry, waiting), _waiting_arguments(route, tier)
            )


async def _declare_queue(
    channel: AbstractChannel, name: str, route: Route, arguments: dict[str, str | int]
) -> None:
    queue = await channel.declare_queue(
        name, durable=True, arguments={"x-queue-type": "quorum", "x-overflow": "reject-publish", **arguments}
    )
    await queue.bind(route.exchange, route.routing_key)


def _working_arguments(queue: str, layout: Layout) -> dict[str, str | int]:
    if queue == layout.failed_queue:
        return {"x-max-length": _FAILED_LENGTH, "x-delivery-limit": _NO_HANDOUT_LIMIT}
    return {
        "x-max-length": _WORK_LENGTH,
        "x-delivery-limit": HANDOUT_LIMIT,
        **_dead_lettering(Route(layout.dead, _FAILED_KEY)),
    }


def _waiting_arguments(back: Route, tier: float) -> dict[str, str | int]:
    return {"x-max-length": _WORK_LENGTH, "x-message-ttl": round(tier * 1000), **_dead_lettering(back)}


def _dead_lettering(target: Route) -> dict[str, str | int]:
    return {
        "x-dead-letter-exchange": target.exchange,
        "x-dead-letter-routing-key": target.routing_key,
        "x-dead-letter-strategy": "at-least-once",
    }
