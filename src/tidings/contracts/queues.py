"""The names on the broker, and which queue leads where (drawn in ARCHITECTURE.md)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tidings.contracts.codes import Channel, Priority

EMAIL_QUEUE = "email.queue"
PUSH_QUEUE = "push.queue"
STATUS_QUEUE = "status.queue"
RECEIPTS_QUEUE = "receipts.queue"
TICKETS_QUEUE = "tickets.queue"
CALLBACKS_QUEUE = "callbacks.queue"
FAILED_QUEUE = "failed.queue"

_LANES = {
    (Channel.EMAIL, Priority.CRITICAL): "email.critical",
    (Channel.EMAIL, Priority.NORMAL): EMAIL_QUEUE,
    (Channel.EMAIL, Priority.BULK): "email.bulk",
    (Channel.PUSH, Priority.CRITICAL): "push.critical",
    (Channel.PUSH, Priority.NORMAL): PUSH_QUEUE,
    (Channel.PUSH, Priority.BULK): "push.bulk",
}
WORK_QUEUES = tuple(_LANES.values())


def work_queue(channel: Channel, priority: Priority) -> str:
    """The queue of a channel's lane: what waits in one does not hold up another."""
    return _LANES[channel, priority]


class QueueSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One work queue and the routing key that leads to it.

    `brief`: its messages never wait for more than a few seconds, so one waiting tier is enough for them.
    """

    name: str
    routing_key: str
    brief: bool = False


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a broker adapter declares. Delays are seconds, ascending; the failed queue is brief."""

    namespace: str
    queues: tuple[QueueSpec, ...]
    failed_queue: str
    delays: tuple[float, ...]


RETRY_DELAYS = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0)
"""The default waits in seconds after the first, second, … failure."""

RetryDelays = Annotated[
    tuple[float, ...],
    Meta(
        min_length=1,
        description="seconds to wait after the first, second, … failure; they name the waiting queues",
        examples=["10,60,300,1800,7200,21600"],
    ),
]

FINEST_TIER = 1.0
"""How exactly a delay is kept, in seconds: odd delays are composed of tiers, and this is the smallest."""


def topology(delays: tuple[float, ...] = RETRY_DELAYS) -> Topology:
    """The queues of Tidings, with a waiting tier for each retry delay and one for what is left over.

    Deliveries keep to the schedule, and tickets wait for minutes or hours: whatever else is delayed waits a
    few seconds for a service of ours.
    """
    return Topology(
        namespace="notifications",
        queues=(
            *(QueueSpec(name=name, routing_key=name.removesuffix(".queue")) for name in WORK_QUEUES),
            QueueSpec(name=STATUS_QUEUE, routing_key="status", brief=True),
            QueueSpec(name=RECEIPTS_QUEUE, routing_key="receipts", brief=True),
            QueueSpec(name=TICKETS_QUEUE, routing_key="tickets"),
            QueueSpec(name=CALLBACKS_QUEUE, routing_key="callbacks", brief=True),
        ),
        failed_queue=FAILED_QUEUE,
        delays=tuple(sorted({FINEST_TIER, *delays})),
    )
