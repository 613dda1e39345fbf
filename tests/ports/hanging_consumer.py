"""A consumer process that takes one message and never settles it: `hanging_consumer.py URL TOPOLOGY`."""

import asyncio
import sys

import msgspec

from tidings.contracts.queues import Topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Acknowledge, Delivery, Settlement


async def hang(delivery: Delivery) -> Settlement:
    sys.stderr.write(f"{delivery.message.id}\n")
    sys.stderr.flush()
    await asyncio.Event().wait()
    return Acknowledge()


async def main(url: str, topology: Topology) -> None:
    async with open_broker(url, topology) as broker:
        await broker.consume(topology.queues[0].name, hang, concurrency=1)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], msgspec.json.decode(sys.argv[2], type=Topology)))
