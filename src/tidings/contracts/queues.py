"""The names on the broker, and which queue leads where (drawn in ARCHITECTURE.md)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tidings.contracts.codes import Channel

EMAIL_QUEUE = "email.queue"
PUSH_QUEUE = "push.queue"
STATUS_QUEUE = "status.queue"
RECEIPTS_QUEUE = "receipts.queue"
CALLBACKS_QUEUE = "callbacks.queue"
FAILED_QUEUE = "failed.queue"

WORK_QUEUES = {Channel.EMAIL: EMAIL_QUEUE, Channel.PUSH: PUSH_QUEUE}


class QueueSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One work queue and the routing key that leads to it."""

    name: str
    routing_key: str


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a broker adapter declares. Delays are seconds, ascending."""

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
    """The queues of Tidings, with a waiting tier for each retry delay and one for what is left over."""
    return Topology(
        namespace="notifications",
        queues=(
            QueueSpec(name=EMAIL_QUEUE, routing_key="email"),
            QueueSpec(name=PUSH_QUEUE, routing_key="push"),
            QueueSpec(name=STATUS_QUEUE, routing_key="status"),
            QueueSpec(name=RECEIPTS_QUEUE, routing_key="receipts"),
            QueueSpec(name=CALLBACKS_QUEUE, routing_key="callbacks"),
        ),
        failed_queue=FAILED_QUEUE,
        delays=tuple(sorted({FINEST_TIER, *delays})),
    )
