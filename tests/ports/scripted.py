"""A handler that does what a test says and remembers what it was given."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from tidings.kit.broker.port import Acknowledge, Delivery, Message, Settlement


class Script:
    """Returns the given settlements one after the other (an exception is raised), then acknowledges."""

    def __init__(self, *steps: Settlement | Exception) -> None:
        self._steps = list(steps)
        self.deliveries: list[Delivery] = []
        self.times: list[float] = []

    @property
    def ids(self) -> Counter[str]:
        """How often each message was handed out."""
        return Counter(delivery.message.id for delivery in self.deliveries)

    async def __call__(self, delivery: Delivery) -> Settlement:
        self.times.append(time.monotonic())
        self.deliveries.append(delivery)
        step = self._steps.pop(0) if self._steps else Acknowledge()
        if isinstance(step, Exception):
            raise step
        return step


class Gate:
    """A handler that waits until the test lets it go on, and knows how many wait at once."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.waiting = 0
        self.most_waiting = 0
        self.finished = 0
        self.open = asyncio.Event()

    async def __call__(self, delivery: Delivery) -> Settlement:
        self.deliveries.append(delivery)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        self.finished += 1
        return Acknowledge()


def messages(count: int) -> Sequence[Message]:
    """Messages with the ids `m0`, `m1` and so on."""
    return [Message(f"m{number}", b"{}") for number in range(count)]
